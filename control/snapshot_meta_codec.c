/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/snapshot_meta_codec.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "control/snapshot_meta.h"

static bool are_short(char *const *peers, size_t npeers)
{
	for (size_t i = 0; i < npeers; i++) {
		if (strlen(peers[i]) > SNAPSHOT_META_PEER_MAX)
			return false;
	}
	return true;
}

void snapshot_meta_to_message(
	const struct snapshot_meta *meta, Braft__SnapshotMeta *message)
{
	braft__snapshot_meta__init(message);
	message->last_included_index = meta->index;
	message->last_included_term = meta->term;
	message->n_peers = meta->npeers;
	message->peers = meta->peers;
	message->n_old_peers = meta->nold_peers;
	message->old_peers = meta->old_peers;
}

int snapshot_meta_from_message(
	struct snapshot_meta *meta, const Braft__SnapshotMeta *message)
{
	struct snapshot_meta borrowed = {
		.index = message->last_included_index,
		.term = message->last_included_term,
		.peers = message->peers,
		.npeers = message->n_peers,
		.old_peers = message->old_peers,
		.nold_peers = message->n_old_peers,
	};

	if (!are_short(borrowed.peers, borrowed.npeers) ||
		!are_short(borrowed.old_peers, borrowed.nold_peers))
		return -EBADMSG;
	return snapshot_meta_copy(meta, &borrowed);
}
