/* SPDX-License-Identifier: BSD-3-Clause */
/* get_file's attachments: read, ours are what the file holds, and a stranger's never
 * point outside of what was asked for.
 *
 *   offset u64 | len u64 | the attachment, or a file of which each byte stands for 1 KiB
 */
#include "tests/fuzz/targets/fuzz.h"

#include <errno.h>

#include "control/file_segment.h"

enum { GRAIN = 1024, FILE_MAX = 64 };

static void check_foreign(struct input input, uint64_t offset, uint64_t len)
{
	uint8_t *attachment = input_copy(input.at, input.left, 0);
	struct file_segment_cursor cursor = {attachment, input.left};
	struct file_segment segment;
	uint64_t bytes, end;
	uint64_t sum = 0, from = offset;
	int err = file_segment_check(&cursor, offset, len, &bytes, &end);
	int rc;

	MUST(err == 0 || err == -EBADMSG);
	while ((rc = file_segment_next(&cursor, &segment)) == 0) {
		MUST(segment.bytes >= attachment + FILE_SEGMENT_HEADER);
		MUST(segment.bytes + segment.len <= attachment + input.left);
		MUST(segment.offset + segment.len <= INT64_MAX);
		if (err != 0)
			continue;
		MUST(segment.offset >= from && segment.offset - offset <= len);
		MUST(segment.len <= len - (segment.offset - offset));
		from = segment.offset + segment.len;
		sum += segment.len;
	}
	MUST(rc == -ENODATA || rc == -EBADMSG);
	if (err == 0)
		MUST(rc == -ENODATA && sum == bytes && from == end);
	free(attachment);
}

/* Packs len bytes and puts them together again. */
static void check_own(const uint8_t *file, uint32_t len, uint64_t offset)
{
	size_t bound = file_segment_bound(len);
	uint8_t *attachment = malloc(bound);
	uint8_t *again = calloc(1, len > 0 ? len : 1);
	struct file_segment_cursor cursor = {.at = attachment};
	struct file_segment segment;
	uint64_t bytes, end;

	MUST(attachment != NULL && again != NULL);
	cursor.left = file_segment_pack(attachment, offset, file, len);
	MUST(cursor.left <= bound);
	MUST(file_segment_check(&cursor, offset, len, &bytes, &end) == 0);
	while (file_segment_next(&cursor, &segment) == 0)
		memcpy(again + (segment.offset - offset), segment.bytes, segment.len);
	MUST(memcmp(again, file, len) == 0);
	free(again);
	free(attachment);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	uint64_t offset = input_take(&input, 8);
	uint64_t len = input_take(&input, 8);
	uint32_t cut = (uint32_t)(len % GRAIN); /* the file ends anywhere */
	size_t grains = input.left < FILE_MAX ? input.left : FILE_MAX;
	uint8_t *file;

	check_foreign(input, offset, len);
	if (grains == 0)
		return 0;
	file = malloc(grains * GRAIN - cut);
	MUST(file != NULL);
	for (size_t i = 0; i < grains; i++)
		memset(file + i * GRAIN, input.at[i],
			i + 1 < grains ? GRAIN : GRAIN - cut);
	check_own(file, (uint32_t)(grains * GRAIN - cut), offset >> 2);
	free(file);
	return 0;
}
