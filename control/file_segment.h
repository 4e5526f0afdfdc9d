/* SPDX-License-Identifier: BSD-3-Clause */
/* The attachment of get_file (braft's FileSegData): pieces of one file, one after the
 * other, holes left out.
 *
 *   offset u64 | length u32 | bytes  …  offset u64 | length u32 | bytes
 *
 * Numbers are big-endian, offsets count from the start of the file. Pure. */
#ifndef FILE_SEGMENT_H
#define FILE_SEGMENT_H

#include <stddef.h>
#include <stdint.h>

enum {
	FILE_SEGMENT_HEADER = 12, /* bytes */
	FILE_SEGMENT_HOLE = 4096, /* bytes: what file_segment_pack looks at as one */
};

struct file_segment {
	uint64_t offset; /* in the file */
	uint32_t len;    /* bytes, may be 0 */
	const uint8_t *bytes;
};

/* The part of an attachment not read yet. */
struct file_segment_cursor {
	const uint8_t *at;
	size_t left; /* bytes */
};

/* Takes the next segment off the cursor. Returns 0, -ENODATA at the end, or -EBADMSG: cut
 * short, or the offset is beyond what a file can have. */
int file_segment_next(struct file_segment_cursor *cursor, struct file_segment *segment);

/* Checks that all segments lie within [offset, offset + len) of the file and rise without
 * overlap. *bytes is how many they hold, *end where the last one ends (offset when there
 * is none). Returns 0 or -EBADMSG. */
int file_segment_check(const struct file_segment_cursor *attachment, uint64_t offset,
	uint64_t len, uint64_t *bytes, uint64_t *end);

/* Writes the header of a segment of len bytes that the caller has put, or will put,
 * behind it. */
void file_segment_put_header(
	uint8_t header[static FILE_SEGMENT_HEADER], uint64_t offset, uint32_t len);

/* Bytes that file_segment_pack may need for len bytes of file. */
size_t file_segment_bound(uint32_t len);

/* Writes bytes, which lie at offset in the file, as segments without those blocks that
 * hold only zeros. Returns the length of the attachment: 0 when all are zero. */
size_t file_segment_pack(
	uint8_t *attachment, uint64_t offset, const uint8_t *bytes, uint32_t len);

#endif
