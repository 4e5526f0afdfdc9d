/* SPDX-License-Identifier: BSD-3-Clause */
/* A directory for one test, and small files in it. Every function fails the
 * test by itself. Paths are relative to the directory. */
#ifndef SCRATCH_H
#define SCRATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scratch {
	char path[64];
	int fd;
};

void scratch_open(struct scratch *scratch);
void scratch_close(struct scratch *scratch);

/* PATH/name; valid until the fourth call after. */
const char *scratch_path(const struct scratch *scratch, const char *name);

void scratch_mkdir(const struct scratch *scratch, const char *name);
/* Makes directories on the way. */
void scratch_write(
	const struct scratch *scratch, const char *name, const void *bytes, size_t len);
/* The file's bytes, malloc'ed. */
uint8_t *scratch_read(const struct scratch *scratch, const char *name, size_t *len);
bool scratch_exists(const struct scratch *scratch, const char *name);
/* len bytes that depend on seed and have no pattern. malloc'ed. */
uint8_t *scratch_noise(size_t len, uint64_t seed);

#endif
