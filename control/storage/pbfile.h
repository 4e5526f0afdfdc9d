/* SPDX-License-Identifier: BSD-3-Clause */
/* braft's ProtoBufFile: u32 big-endian length, then so many bytes, then the end. */
#ifndef PBFILE_H
#define PBFILE_H

#include <stddef.h>
#include <stdint.h>

#include "control/storage/file_io.h"
#include "dataplane/base/fault.h"

/* Reads the message of the file name in dirfd. *bytes is malloc'ed. Returns 0, -ENOENT,
 * -EBADMSG (truncated, length beyond the file, bytes behind the message), -ENOMEM or an
 * errno. */
int pbfile_load(
	int dirfd, const char *name, uint8_t **bytes, size_t *len, struct fault *fault);

/* Replaces the file by way of name.tmp, sync and rename, as braft does. The directory is
 * not fsynced. Returns 0, -EFBIG, or an errno; the file is then as it was. */
int pbfile_save(int dirfd, const char *name, const struct file_image *message,
	struct fault *fault);

#endif
