/* SPDX-License-Identifier: BSD-3-Clause */
/* The port through which a worker reads and writes chunks of snapshots.
 *
 * Requests are queued and complete later, in any order. One worker uses one store, from
 * one thread; the adapter does the blocking work elsewhere. A chunk may lie in several
 * files (small files share one): the adapter asks the object's manifest for the extents.
 */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stdint.h>

struct store_object; /* one snapshot directory, opened by the adapter */

enum store_op { STORE_READ, STORE_WRITE };

struct store_request {
	struct store_object *object; /* stays open until the request has completed */
	uint64_t cookie;             /* returned in the completion */
	enum store_op op;
	uint32_t chunk;
	uint8_t *buf; /* manifest_chunk_len bytes; the adapter's until completion */
	uint32_t slice_size; /* reads: length of a slice, bytes; 0 for no slice CRCs */
	uint32_t *slice_crc; /* reads: receives CRC32C of each slice */
	uint16_t *slice_sum; /* reads: receives the sum16 of each; NULL: not wanted */
};

/* error is 0 or: -EBADMSG the file is not the size the manifest says (shrunk, grown),
 * -ENOENT it vanished, -ENOSPC, -EDQUOT, -EIO, or another errno of open/pread/pwrite. */
struct store_completion {
	uint64_t cookie;
	int error;
	bool from_memory; /* a read that was a copy, of which there is one at a time */
};

struct store_ops {
	/* Returns false when the queue is full: try again after a completion. */
	bool (*submit)(void *self, const struct store_request *request);
	/* Takes up to max completions, returns how many. */
	int (*poll)(void *self, struct store_completion completions[], int max);
};

/* For adapters: fills what a read asks for besides its bytes, len of them. */
void store_sum_slices(const struct store_request *request, uint32_t len);

struct store {
	const struct store_ops *ops;
	void *self;
};

#endif
