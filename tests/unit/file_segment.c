/* SPDX-License-Identifier: BSD-3-Clause */
/* The attachment of get_file, there and back, and what is refused of it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/file_segment.h"
#include "dataplane/base/units.h"
#include "tests/lib/scratch.h"

static struct file_segment_cursor cursor_of(const void *bytes, size_t len)
{
	return (struct file_segment_cursor){.at = bytes, .left = len};
}

/* What a stock leader answered, byte for byte. */
static void a_stock_segment_is_read(void **state)
{
	static const char bytes[] = "\0\0\0\0\0\2\0\0"
				    "\0\0\0\5"
				    "hello";
	struct file_segment_cursor cursor = cursor_of(bytes, sizeof(bytes) - 1);
	struct file_segment segment;

	(void)state;
	assert_int_equal(file_segment_next(&cursor, &segment), 0);
	assert_int_equal(segment.offset, 128 << 10);
	assert_int_equal(segment.len, 5);
	assert_memory_equal(segment.bytes, "hello", 5);
	assert_int_equal(file_segment_next(&cursor, &segment), -ENODATA);
}

static void no_attachment_has_no_segments(void **state)
{
	struct file_segment_cursor cursor = cursor_of(NULL, 0);
	struct file_segment segment;
	uint64_t bytes, end;

	(void)state;
	assert_int_equal(file_segment_check(&cursor, 7, 0, &bytes, &end), 0);
	assert_int_equal(bytes, 0);
	assert_int_equal(end, 7);
	assert_int_equal(file_segment_next(&cursor, &segment), -ENODATA);
}

/* Every cut of a good attachment is an error, never a read past its end. */
static void a_cut_attachment_is_refused(void **state)
{
	uint8_t whole[2 * FILE_SEGMENT_HEADER + 8] = {0};
	uint64_t bytes, end;

	(void)state;
	file_segment_put_header(whole, 100, 4);
	file_segment_put_header(whole + FILE_SEGMENT_HEADER + 4, 104, 4);
	for (size_t len = 1; len <= sizeof(whole); len++) {
		uint8_t *copy = malloc(len); /* so that ASan sees the end */
		struct file_segment_cursor cursor;
		bool is_whole = len == sizeof(whole) || len == sizeof(whole) / 2;

		assert_non_null(copy);
		memcpy(copy, whole, len);
		cursor = cursor_of(copy, len);
		assert_int_equal(file_segment_check(&cursor, 100, 8, &bytes, &end),
			is_whole ? 0 : -EBADMSG);
		free(copy);
	}
	assert_int_equal(bytes, 8);
	assert_int_equal(end, 108);
}

static void segments_outside_the_answer_are_refused(void **state)
{
	static const struct {
		const char *what;
		uint64_t offset[2];
		uint32_t len[2];
		int expected;
	} cases[] = {
		{"with a gap", {100, 150}, {10, 10}, 0},
		{"touching", {100, 110}, {10, 10}, 0},
		{"to the very end", {100, 190}, {10, 10}, 0},
		{"before the start", {99, 150}, {10, 10}, -EBADMSG},
		{"past the end", {100, 191}, {10, 10}, -EBADMSG},
		{"far past the end", {100, INT64_MAX - 10}, {10, 10}, -EBADMSG},
		{"falling", {150, 100}, {10, 10}, -EBADMSG},
		{"overlapping", {100, 109}, {10, 10}, -EBADMSG},
		{"offset that wraps", {100, UINT64_MAX - 5}, {10, 10}, -EBADMSG},
		{"offset beyond any file", {100, 1ull << 63}, {10, 10}, -EBADMSG},
	};
	uint8_t bytes[2 * (FILE_SEGMENT_HEADER + 10)] = {0};
	struct file_segment_cursor cursor = cursor_of(bytes, sizeof(bytes));
	uint64_t sum, end;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		file_segment_put_header(bytes, cases[i].offset[0], cases[i].len[0]);
		file_segment_put_header(bytes + FILE_SEGMENT_HEADER + 10,
			cases[i].offset[1], cases[i].len[1]);
		if (file_segment_check(&cursor, 100, 100, &sum, &end) !=
			cases[i].expected)
			fail_msg("%s", cases[i].what);
	}
}

static void lengths_beyond_the_attachment_are_refused(void **state)
{
	uint8_t bytes[FILE_SEGMENT_HEADER + 4] = {0};
	struct file_segment_cursor cursor = cursor_of(bytes, sizeof(bytes));
	struct file_segment segment;

	(void)state;
	file_segment_put_header(bytes, 0, 5);
	assert_int_equal(file_segment_next(&cursor, &segment), -EBADMSG);
	file_segment_put_header(bytes, 0, UINT32_MAX);
	assert_int_equal(file_segment_next(&cursor, &segment), -EBADMSG);
}

/* Packs, unpacks into zeros, and compares. Returns the segments there were. */
static int round_trip(const uint8_t *bytes, uint32_t len, uint64_t offset)
{
	size_t bound = file_segment_bound(len);
	uint8_t *packed = malloc(bound);
	uint8_t *got = calloc(1, (size_t)len + 1);
	struct file_segment_cursor cursor;
	struct file_segment segment;
	uint64_t sum, end;
	size_t used;
	int count = 0;

	assert_non_null(packed);
	assert_non_null(got);
	used = file_segment_pack(packed, offset, bytes, len);
	assert_true(used <= bound);
	cursor = cursor_of(packed, used);
	assert_int_equal(file_segment_check(&cursor, offset, len, &sum, &end), 0);
	assert_true(end <= offset + len);
	while (file_segment_next(&cursor, &segment) == 0) {
		memcpy(got + (segment.offset - offset), segment.bytes, segment.len);
		count++;
	}
	assert_memory_equal(got, bytes, len);
	free(got);
	free(packed);
	return count;
}

static void holes_are_left_out(void **state)
{
	enum { BLOCKS = 9, LEN = BLOCKS * FILE_SEGMENT_HOLE - 100 };
	uint8_t *bytes = calloc(1, LEN);

	(void)state;
	assert_non_null(bytes);
	assert_int_equal(round_trip(bytes, LEN, 4096), 0);
	bytes[3 * FILE_SEGMENT_HOLE] = 1;
	bytes[4 * FILE_SEGMENT_HOLE + 5] = 1;
	bytes[LEN - 1] = 1;
	assert_int_equal(round_trip(bytes, LEN, 4096), 2);
	/* the worst case for the bound: every other block */
	memset(bytes, 0, LEN);
	for (int i = 0; i < BLOCKS; i += 2)
		bytes[i * FILE_SEGMENT_HOLE] = 1;
	assert_int_equal(round_trip(bytes, LEN, 4096), 5);
	free(bytes);
}

static void any_mixture_comes_back(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 200; seed++) {
		uint8_t *noise = scratch_noise(64 << 10, seed);
		uint32_t len = 1 + (uint32_t)(seed * 331) % (64 << 10);

		for (uint32_t at = 0; at < len; at += FILE_SEGMENT_HOLE)
			if (noise[at] % 3 == 0)
				memset(noise + at, 0,
					u32_min(FILE_SEGMENT_HOLE, len - at));
		(void)round_trip(noise, len, seed << 20);
		free(noise);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stock_segment_is_read),
		cmocka_unit_test(no_attachment_has_no_segments),
		cmocka_unit_test(a_cut_attachment_is_refused),
		cmocka_unit_test(segments_outside_the_answer_are_refused),
		cmocka_unit_test(lengths_beyond_the_attachment_are_refused),
		cmocka_unit_test(holes_are_left_out),
		cmocka_unit_test(any_mixture_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
