/* SPDX-License-Identifier: BSD-3-Clause */
/* The end of a save, for who wants to be told how far it is. */
#ifndef SAVE_H
#define SAVE_H

#include "control/storage/storage.h"

struct save_options {
	uint32_t chunk_size; /* bytes */
	bool no_manifest;
	void (*progress)(void *ctx, uint64_t done, uint64_t total); /* may be NULL */
	void *ctx;
};

/* storage_writer_commit. Returns what that does, and -EINVAL for a bad chunk size. */
int save_commit(struct storage_writer *writer, const struct save_options *options,
	struct fault *fault);

#endif
