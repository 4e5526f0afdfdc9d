/* SPDX-License-Identifier: BSD-3-Clause */
/* Snapshots being served: one open reader a snapshot, shared by all who fetch it, so that
 * the chunk cache sees one object and the disk is read once. */
#ifndef SERVED_H
#define SERVED_H

#include "control/storage/storage.h"
#include "dataplane/store.h"

struct uv_loop_s;

enum { SERVE_MAX_READS = 8 }; /* get_file calls of one of ours that run at once */

struct served {
	struct served *next;
	struct served_list *list;
	struct storage_reader *reader;
	struct store_object *object;
	uint8_t *table; /* as a stock peer gets it: with every source cleared */
	size_t table_len;
	uint8_t *offered; /* what one of ours gets: the table, which says what are
			     references, and the manifest behind it */
	size_t own_table_len;
	size_t manifest_len;
	uint32_t refs;
};

struct served_list {
	struct uv_loop_s *loop;
	struct storage *storage;
	struct served *first;
	uint32_t njobs; /* on the thread pool */
};

void served_init(
	struct served_list *list, struct uv_loop_s *loop, struct storage *storage);

/* Takes a reference on the newest snapshot. ready is called once, from the loop: with
 * served NULL and a fault when there is none (-ENOENT) or it is unreadable. */
void served_acquire(struct served_list *list,
	void (*ready)(void *ctx, struct served *served, const struct fault *fault),
	void *ctx);

/* Serves a reader that is open already, and closes it at the end. Blocks shortly. Returns
 * 0, -ENOMEM, or the errno of opening its directory: the reader stays the caller's. */
int served_adopt(
	struct served_list *list, struct storage_reader *reader, struct served **served);

/* Another reference. */
void served_ref(struct served *served);

/* No session refers to it any more. */
void served_release(struct served *served);

#endif
