/* SPDX-License-Identifier: BSD-3-Clause */
/* Whole files: read, written, replaced, with a person's words for what went wrong. */
#ifndef FILE_IO_H
#define FILE_IO_H

#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/fault.h"

/* Records "verb name: reason; remedy" for a failed system call. error is a negative
 * errno. Returns error. */
int file_fault(struct fault *fault, int error, const char *verb, const char *name);

/* Writes all bytes. Returns 0 or an errno. */
int file_write(int fd, const void *bytes, size_t len);
/* Reads exactly len bytes from offset. Returns 0, -ENODATA when the file ends before, or
 * an errno. */
int file_read(int fd, void *bytes, size_t len, uint64_t offset);
/* Reads a whole regular file of at most max bytes. *bytes is malloc'ed. Returns 0,
 * -EBADMSG when it is larger, -ENOMEM, or an errno. */
int file_load(int dirfd, const char *name, size_t max, uint8_t **bytes, size_t *len,
	struct fault *fault);

enum file_sync { FILE_SYNC_FULL, FILE_SYNC_DATA, FILE_SYNC_NONE };

/* fsync, fdatasync or nothing. Returns 0 or an errno. */
int file_sync(int fd, enum file_sync how);

struct file_image {
	const uint8_t *bytes;
	size_t len;
	enum file_sync sync;
};

/* Makes name hold exactly these bytes, durably but for the directory entry: written to
 * name.tmp, synced, renamed. Returns 0 or an errno; name is then as it was. */
int file_save(
	int dirfd, const char *name, const struct file_image *image, struct fault *fault);

#endif
