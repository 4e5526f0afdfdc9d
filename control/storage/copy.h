/* SPDX-License-Identifier: BSD-3-Clause */
/* Takes one file into another directory: by hard link, by reflink, or byte by byte with
 * its holes. */
#ifndef COPY_H
#define COPY_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/fault.h"
#include "dataplane/manifest.h"

struct copy {
	int from; /* directory */
	int to;   /* directory */
	bool link;
	void (*copied)(void *ctx, uint64_t bytes); /* told of progress */
	void *ctx;
	uint8_t *buf; /* copy's own */
};

/* Returns 0 or -ENOMEM. copy_fini after either. */
int copy_init(struct copy *copy, struct fault *fault);
void copy_fini(struct copy *copy);

/* Takes the file by its name; file->size and mode are what it was seen with. Returns 0,
 * -EBUSY when it has changed since or changes meanwhile, -EXDEV for a link across file
 * systems, or an errno. */
int copy_file(struct copy *copy, const struct manifest_file *file, struct fault *fault);

#endif
