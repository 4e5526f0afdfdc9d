/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads every byte of a committed snapshot and compares it with all that is known of it.
 *
 * Needs no ownership of the store: a running node may be using it. */
#ifndef VERIFY_H
#define VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/fault.h"

struct verify_options {
	const char *path; /* of the store */
	int64_t index;    /* 0: the newest */
	/* Told once for each problem. file is its name in the snapshot; chunk counts
	 * within the file, -1 when the whole file is meant (what then says which chunk of
	 * the snapshot that is). */
	void (*problem)(void *ctx, const char *file, int64_t chunk, const char *what);
	void (*progress)(void *ctx, uint64_t done, uint64_t total); /* may be NULL */
	void *ctx;
};

struct verify_result {
	int64_t index;
	int64_t term;
	uint64_t files; /* the user's */
	uint64_t bytes;
	uint64_t chunks;
	uint64_t problems;
	bool has_manifest; /* without one, only checksums in the table protect the bytes
			    */
};

/* Returns 0 when the snapshot is sound, -EBADMSG when it is not (result counts the
 * problems, fault tells the first), -ENOENT when there is no such snapshot, or another
 * errno when it could not be read at all. */
int verify_snapshot(const struct verify_options *options, struct verify_result *result,
	struct fault *fault);

#endif
