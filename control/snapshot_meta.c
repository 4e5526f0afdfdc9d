/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/snapshot_meta.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/table.h"

static void free_peers(char ***peers, size_t *npeers)
{
	for (size_t i = 0; i < *npeers; i++)
		free((*peers)[i]);
	free(*peers);
	*peers = NULL;
	*npeers = 0;
}

static int copy_peers(char ***to, size_t *nto, char *const *from, size_t nfrom)
{
	for (size_t i = 0; i < nfrom; i++) {
		if (snapshot_meta_append(to, nto, from[i]) != 0)
			return -ENOMEM;
	}
	return 0;
}

void snapshot_meta_fini(struct snapshot_meta *meta)
{
	free_peers(&meta->peers, &meta->npeers);
	free_peers(&meta->old_peers, &meta->nold_peers);
}

int snapshot_meta_copy(struct snapshot_meta *to, const struct snapshot_meta *from)
{
	struct snapshot_meta copy = {.index = from->index, .term = from->term};

	if (copy_peers(&copy.peers, &copy.npeers, from->peers, from->npeers) != 0)
		goto free_copy;
	if (copy_peers(&copy.old_peers, &copy.nold_peers, from->old_peers,
		    from->nold_peers) != 0)
		goto free_copy;
	*to = copy;
	return 0;

free_copy:
	snapshot_meta_fini(&copy);
	return -ENOMEM;
}

int snapshot_meta_append(char ***peers, size_t *npeers, const char *peer)
{
	size_t used = *npeers;
	char *copy;

	/* full exactly when the count is 0 or a power of two */
	if ((used & (used - 1)) == 0) {
		size_t room = used > 0 ? used * 2 : 1;
		char **grown = reallocarray(*peers, room, sizeof(*grown));

		if (grown == NULL)
			return -ENOMEM;
		*peers = grown;
	}
	copy = strdup(peer);
	if (copy == NULL)
		return -ENOMEM;
	(*peers)[used] = copy;
	*npeers = used + 1;
	return 0;
}
