/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/file_segment.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <isa-l/mem_routines.h>

#include "dataplane/base/bytes.h"
#include "dataplane/base/units.h"

int file_segment_next(struct file_segment_cursor *cursor, struct file_segment *segment)
{
	uint64_t offset;
	uint32_t len;

	if (cursor->left == 0)
		return -ENODATA;
	if (cursor->left < FILE_SEGMENT_HEADER)
		return -EBADMSG;
	offset = get_be64(cursor->at);
	len = get_be32(cursor->at + 8);
	if (len > cursor->left - FILE_SEGMENT_HEADER)
		return -EBADMSG;
	if (offset > (uint64_t)INT64_MAX - len)
		return -EBADMSG;
	*segment = (struct file_segment){
		.offset = offset,
		.len = len,
		.bytes = cursor->at + FILE_SEGMENT_HEADER,
	};
	cursor->at += FILE_SEGMENT_HEADER + (size_t)len;
	cursor->left -= FILE_SEGMENT_HEADER + (size_t)len;
	return 0;
}

int file_segment_check(const struct file_segment_cursor *attachment, uint64_t offset,
	uint64_t len, uint64_t *bytes, uint64_t *end)
{
	struct file_segment_cursor cursor = *attachment;
	struct file_segment segment;
	uint64_t sum = 0;
	uint64_t from = offset;
	int rc = file_segment_next(&cursor, &segment);

	while (rc == 0) {
		if (segment.offset < from || segment.offset - offset > len ||
			segment.len > len - (segment.offset - offset))
			return -EBADMSG;
		from = segment.offset + segment.len;
		sum += segment.len;
		rc = file_segment_next(&cursor, &segment);
	}
	if (rc != -ENODATA)
		return rc;
	*bytes = sum;
	*end = from;
	return 0;
}

void file_segment_put_header(
	uint8_t header[static FILE_SEGMENT_HEADER], uint64_t offset, uint32_t len)
{
	put_be64(header, offset);
	put_be32(header + 8, len);
}

size_t file_segment_bound(uint32_t len)
{
	/* at worst every other block is zero, beginning with the second */
	size_t blocks = (size_t)len / FILE_SEGMENT_HOLE + 1;

	return len + (blocks / 2 + 1) * FILE_SEGMENT_HEADER;
}

static bool is_zero(const uint8_t *bytes, uint32_t len)
{
	return isal_zero_detect((void *)(uintptr_t)bytes, len) == 0;
}

/* Bytes from `from` on until a block that is, or is not, zero. */
static uint32_t run(const uint8_t *bytes, uint32_t from, uint32_t len, bool zero)
{
	uint32_t to = from;

	while (to < len) {
		uint32_t block = u32_min(FILE_SEGMENT_HOLE, len - to);

		if (is_zero(bytes + to, block) != zero)
			break;
		to += block;
	}
	return to - from;
}

size_t file_segment_pack(
	uint8_t *attachment, uint64_t offset, const uint8_t *bytes, uint32_t len)
{
	size_t used = 0;
	uint32_t at = run(bytes, 0, len, true);

	while (at < len) {
		uint32_t data = run(bytes, at, len, false);

		file_segment_put_header(attachment + used, offset + at, data);
		memcpy(attachment + used + FILE_SEGMENT_HEADER, bytes + at, data);
		used += FILE_SEGMENT_HEADER + (size_t)data;
		at += data;
		at += run(bytes, at, len, true);
	}
	return used;
}
