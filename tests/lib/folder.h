/* SPDX-License-Identifier: BSD-3-Clause */
/* A new folder for one test, under $TMPDIR: run.sh removes that, whatever becomes of the
 * test. */
#ifndef FOLDER_H
#define FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/* Writes its path, which ends in NAME-XXXXXX with other letters. Returns false when it
 * cannot be made, or when the path is too long for size. */
static inline bool folder_make(char *path, size_t size, const char *name)
{
	const char *parent = getenv("TMPDIR");
	int len = snprintf(
		path, size, "%s/%s-XXXXXX", parent != NULL ? parent : "/tmp", name);

	return len > 0 && (size_t)len < size && mkdtemp(path) != NULL;
}

#endif
