/* SPDX-License-Identifier: BSD-3-Clause */
/* Makes a snapshot out of a directory of ordinary files. */
#ifndef BUILD_H
#define BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/storage/storage.h"
#include "dataplane/base/fault.h"

struct build_options {
	const char *from;         /* the directory */
	int64_t index;            /* last_included_index, above the newest snapshot's */
	int64_t term;             /* last_included_term, at least 1 */
	const char *const *peers; /* "ip:port:idx:role" */
	size_t npeers;
	uint32_t chunk_size; /* bytes; 0: MANIFEST_CHUNK_DEFAULT */
	bool link;           /* hard links: FROM must never be changed in place after */
	/* stage is "copy" or "checksum"; may be NULL. */
	void (*progress)(void *ctx, const char *stage, uint64_t done, uint64_t total);
	void *ctx;
};

struct build_result {
	uint64_t files; /* the user's, without the manifest */
	uint64_t bytes;
};

/* Takes every file below from: by hard link, else by reflink, else by a copy that keeps
 * holes. Modes are kept (permission bits). Empty directories are not: a table lists
 * files. Returns 0; -EINVAL (bad index, term or chunk size; a symlink, device, fifo,
 * socket or unsafe name, which is named), -EEXIST or -ESTALE (the index is not above the
 * newest), -EBUSY (another writer; or a file changed while it was read), -EXDEV (link
 * across file systems), -ENOSPC, or another errno. The store is then as it was. */
int build_snapshot(struct storage *storage, const struct build_options *options,
	struct build_result *result, struct fault *fault);

#endif
