/* SPDX-License-Identifier: BSD-3-Clause */
/* The inside of one filter run, for filter*.c only. */
#ifndef FILTER_ITEMS_H
#define FILTER_ITEMS_H

#include "control/storage/filter.h"
#include "dataplane/journal.h"

enum filter_origin { FILTER_NONE, FILTER_TEMP, FILTER_LINK, FILTER_REFERENCE };

/* One file of the leader's table. With a manifest item i is its file i. */
struct filter_item {
	const struct table_file *entry; /* the leader's */
	const struct table_file *local; /* a reference's entry, here */
	uint64_t size;                  /* bytes */
	enum filter_origin origin;
	bool is_shared;   /* the inode has other names: never write */
	bool is_complete; /* and every byte of it has been compared */
};

struct filter {
	struct storage_writer *writer;
	const struct filter_request *request;
	int tempfd;
	int lastfd;        /* of the newest snapshot; -1: there is none */
	struct table last; /* its table */
	struct table temp; /* what temp listed */
	struct filter_item *items;
	uint32_t nitems;
	uint64_t *have;
	bool has_journal;
	struct journal_map journal; /* of the request's manifest; nothing without one */
	uint64_t *believed;
};

/* Decides about one file by its checksum: sets origin, and removes from temp what is not
 * reused. Returns 0 or an errno. */
int filter_choose(struct filter *filter, struct filter_item *item, struct fault *fault);

/* Takes a decision back: the file is fetched. Returns 0 or an errno. */
int filter_drop(struct filter *filter, struct filter_item *item, struct fault *fault);

/* Reads all that is reused and compares it with the manifest's leaves. Sets `have` and
 * is_complete, drops what is wrong. Returns 0, -ENOMEM or an errno. */
int filter_check_chunks(struct filter *filter, struct fault *fault);

#endif
