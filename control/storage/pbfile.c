/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/storage/pbfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/storage/file_io.h"
#include "dataplane/base/bytes.h"

enum { PREFIX = 4, MESSAGE_MAX = 1 << 30 };

static int check_frame(
	const char *name, const uint8_t *bytes, size_t len, struct fault *fault)
{
	const char *what;

	if (len < PREFIX)
		what = "is truncated";
	else if (get_be32(bytes) > len - PREFIX)
		what = "is truncated or its length is damaged";
	else if (get_be32(bytes) < len - PREFIX)
		what = "has bytes behind its message or its length is damaged";
	else
		return 0;
	return fault_set(fault, -EBADMSG,
		"%s %s (%zu bytes); remove this snapshot and fetch it again", name, what,
		len);
}

int pbfile_load(
	int dirfd, const char *name, uint8_t **bytes, size_t *len, struct fault *fault)
{
	uint8_t *buf;
	size_t total;
	int error;

	error = file_load(dirfd, name, MESSAGE_MAX, &buf, &total, fault);
	if (error != 0)
		return error;
	error = check_frame(name, buf, total, fault);
	if (error != 0) {
		free(buf);
		return error;
	}
	memmove(buf, buf + PREFIX, total - PREFIX);
	*bytes = buf;
	*len = total - PREFIX;
	return 0;
}

int pbfile_save(int dirfd, const char *name, const struct file_image *message,
	struct fault *fault)
{
	size_t len = message->len;
	struct file_image image = {.len = len + PREFIX, .sync = message->sync};
	uint8_t *framed;
	int error;

	if (len > MESSAGE_MAX - PREFIX)
		return file_fault(fault, -EFBIG, "write", name);
	framed = malloc(len + PREFIX);
	if (framed == NULL)
		return file_fault(fault, -ENOMEM, "write", name);
	put_be32(framed, (uint32_t)len);
	if (len > 0)
		memcpy(framed + PREFIX, message->bytes, len);
	image.bytes = framed;
	error = file_save(dirfd, name, &image, fault);
	free(framed);
	return error;
}
