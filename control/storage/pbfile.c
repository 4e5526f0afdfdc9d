/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/storage/pbfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/pb_frame.h"
#include "control/storage/file_io.h"

enum { MESSAGE_MAX = 1 << 30 };

int pbfile_load(
	int dirfd, const char *name, uint8_t **bytes, size_t *len, struct fault *fault)
{
	uint8_t *buf;
	size_t total;
	int error;

	error = file_load(dirfd, name, MESSAGE_MAX, &buf, &total, fault);
	if (error != 0)
		return error;
	error = pb_frame_check(name, buf, total, fault);
	if (error != 0) {
		free(buf);
		return error;
	}
	memmove(buf, buf + PB_FRAME_PREFIX, total - PB_FRAME_PREFIX);
	*bytes = buf;
	*len = total - PB_FRAME_PREFIX;
	return 0;
}

int pbfile_save(int dirfd, const char *name, const struct file_image *message,
	struct fault *fault)
{
	size_t len = message->len;
	struct file_image image = {.len = len + PB_FRAME_PREFIX, .sync = message->sync};
	uint8_t *framed;
	int error;

	if (len > MESSAGE_MAX - PB_FRAME_PREFIX)
		return file_fault(fault, -EFBIG, "write", name);
	framed = malloc(len + PB_FRAME_PREFIX);
	if (framed == NULL)
		return file_fault(fault, -ENOMEM, "write", name);
	pb_frame_put(framed, (uint32_t)len);
	if (len > 0)
		memcpy(framed + PB_FRAME_PREFIX, message->bytes, len);
	image.bytes = framed;
	error = file_save(dirfd, name, &image, fault);
	free(framed);
	return error;
}
