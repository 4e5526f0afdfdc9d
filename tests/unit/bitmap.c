/* SPDX-License-Identifier: BSD-3-Clause */
/* A set of small numbers, against an array of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/base/bitmap.h"

enum { BITS = 200 };

static void bits_are_set_and_cleared_one_by_one(void **state)
{
	uint64_t map[BITMAP_WORDS(BITS)] = {0};

	(void)state;
	for (uint32_t bit = 0; bit < BITS; bit++) {
		assert_false(bitmap_test_and_set(map, bit));
		assert_true(bitmap_test_and_set(map, bit));
		assert_int_equal(bitmap_count(map, BITS), 1);
		for (uint32_t other = 0; other < BITS; other++)
			assert_int_equal(bitmap_test(map, other), other == bit);
		bitmap_clear(map, bit);
		assert_int_equal(bitmap_count(map, BITS), 0);
	}
}

static void words_are_as_many_as_needed(void **state)
{
	(void)state;
	assert_int_equal(BITMAP_WORDS(0), 0);
	assert_int_equal(BITMAP_WORDS(1), 1);
	assert_int_equal(BITMAP_WORDS(64), 1);
	assert_int_equal(BITMAP_WORDS(65), 2);
}

static void zeroing_takes_whole_words_and_no_more(void **state)
{
	uint64_t map[3] = {UINT64_MAX, UINT64_MAX, UINT64_MAX};

	(void)state;
	bitmap_zero(map, 65);
	assert_true(map[0] == 0 && map[1] == 0 && map[2] == UINT64_MAX);
}

static void the_next_clear_bit_is_found_from_anywhere(void **state)
{
	uint64_t map[BITMAP_WORDS(BITS)];
	bool set[BITS] = {false};
	uint64_t random = 1;

	(void)state;
	memset(map, 0, sizeof(map));
	for (int round = 0; round < 400; round++) {
		random = random * 6364136223846793005ull + 1442695040888963407ull;
		set[(random >> 40) % BITS] = true;
		bitmap_set(map, (uint32_t)((random >> 40) % BITS));
		for (uint32_t from = 0; from <= BITS; from++) {
			uint32_t expected = from;

			while (expected < BITS && set[expected])
				expected++;
			assert_int_equal(bitmap_next_clear(map, from, BITS), expected);
		}
	}
	memset(map, 0xff, sizeof(map));
	assert_int_equal(bitmap_next_clear(map, 0, BITS), BITS);
	assert_int_equal(bitmap_next_clear(map, 0, 64), 64);
	memset(map, 0, sizeof(map));
	assert_int_equal(bitmap_next_clear(map, BITS + 5, BITS), BITS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bits_are_set_and_cleared_one_by_one),
		cmocka_unit_test(words_are_as_many_as_needed),
		cmocka_unit_test(zeroing_takes_whole_words_and_no_more),
		cmocka_unit_test(the_next_clear_bit_is_found_from_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
