/* SPDX-License-Identifier: BSD-3-Clause */
/* struct snapshot_meta to and from its message. Included by files named *codec.c only. */
#ifndef SNAPSHOT_META_CODEC_H
#define SNAPSHOT_META_CODEC_H

#include "control/table.h"
#include "proto/braft.pb-c.h"

enum { SNAPSHOT_META_PEER_MAX = 255 }; /* bytes of one peer */

/* message borrows the lists of meta. */
void snapshot_meta_to_message(
	const struct snapshot_meta *meta, Braft__SnapshotMeta *message);
/* meta is overwritten, not freed. Returns 0, -EBADMSG (a peer too long), or -ENOMEM. */
int snapshot_meta_from_message(
	struct snapshot_meta *meta, const Braft__SnapshotMeta *message);

#endif
