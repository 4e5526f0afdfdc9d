/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/base/bitmap.h"
#include "dataplane/base/units.h"
#include "dataplane/crc.h"
#include "tests/lib/scratch.h"

static const uint8_t *bytes_of(const char *text)
{
	return (const uint8_t *)text;
}

static void the_published_check_values(void **state)
{
	(void)state;
	assert_int_equal(crc32c(bytes_of("123456789"), 9), 0xe3069283);
	assert_true(crc64(bytes_of("123456789"), 9) == 0x995dc9bbdf1939fa);
	assert_int_equal(crc32c(NULL, 0), 0);
	assert_true(crc64(NULL, 0) == 0);
}

/* RFC 3720, B.4 */
static void the_iscsi_vectors(void **state)
{
	uint8_t block[32] = {0};

	(void)state;
	assert_int_equal(crc32c(block, 32), 0x8a9136aa);
	memset(block, 0xff, 32);
	assert_int_equal(crc32c(block, 32), 0x62a8ab43);
	for (uint8_t i = 0; i < 32; i++)
		block[i] = i;
	assert_int_equal(crc32c(block, 32), 0x46dd794e);
}

/* The fast versions take other paths by length and by alignment: every length at some
 * offset, and every offset at lengths around each power of two. */
static void the_fast_versions_equal_the_portable_ones(void **state)
{
	enum { LEN_MAX = 4096, OFFSETS = 64 };
	uint8_t *bytes = scratch_noise(LEN_MAX + OFFSETS, 1);

	(void)state;
	for (size_t len = 0; len <= LEN_MAX; len++) {
		bool is_near_power = (len & (len + 1)) == 0 || (len & (len - 1)) == 0;
		size_t step = len < 256 || is_near_power ? 1 : 37;

		for (size_t offset = len % step; offset < OFFSETS; offset += step) {
			const uint8_t *at = bytes + offset;

			assert_int_equal(crc32c_extend(7, at, len),
				crc32c_extend_base(7, at, len));
			assert_true(crc64_extend(7, at, len) ==
				    crc64_extend_base(7, at, len));
		}
	}
	free(bytes);
}

static void extending_is_the_same_as_one_pass(void **state)
{
	uint8_t *bytes = scratch_noise(1000, 2);

	(void)state;
	for (size_t cut = 0; cut <= 1000; cut += 13) {
		uint32_t narrow = crc32c(bytes, cut);
		uint64_t wide = crc64(bytes, cut);

		assert_int_equal(crc32c_extend(narrow, bytes + cut, 1000 - cut),
			crc32c(bytes, 1000));
		assert_true(crc64_extend(wide, bytes + cut, 1000 - cut) ==
			    crc64(bytes, 1000));
	}
	free(bytes);
}

static void two_crcs_join_without_the_bytes(void **state)
{
	uint8_t *bytes = scratch_noise(3000, 3);

	(void)state;
	for (size_t cut = 0; cut <= 3000; cut += 101)
		assert_int_equal(crc32c_concat(crc32c(bytes, cut),
					 crc32c(bytes + cut, 3000 - cut), 3000 - cut),
			crc32c(bytes, 3000));
	free(bytes);
}

static void powers_add_up(void **state)
{
	static const uint64_t lengths[] = {0, 1, 7, 64, 8192, 1 << 20, (1ull << 40) + 3};

	(void)state;
	assert_int_equal(crc32c_power(0), 0x80000000);
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++)
		for (size_t j = 0; j < ARRAY_LEN(lengths); j++)
			assert_int_equal(crc32c_power(lengths[i] + lengths[j]),
				crc32c_multiply(crc32c_power(lengths[i]),
					crc32c_power(lengths[j])));
}

static void multiplication_is_a_ring_s(void **state)
{
	const uint32_t a = 0x12345678, b = 0xdeadbeef, c = 0x0badf00d;

	(void)state;
	assert_int_equal(crc32c_multiply(a, 0x80000000), a);
	assert_int_equal(crc32c_multiply(a, 0), 0);
	assert_int_equal(crc32c_multiply(a, b), crc32c_multiply(b, a));
	assert_int_equal(
		crc32c_multiply(a, b ^ c), crc32c_multiply(a, b) ^ crc32c_multiply(a, c));
	assert_int_equal(crc32c_multiply(a, crc32c_multiply(b, c)),
		crc32c_multiply(crc32c_multiply(a, b), c));
}

static void the_fast_product_equals_the_portable_one(void **state)
{
	uint32_t a = 1, b = UINT32_MAX;

	(void)state;
	for (uint32_t i = 0; i < 100000; i++) {
		assert_int_equal(crc32c_multiply(a, b), crc32c_multiply_base(a, b));
		a = a * 1664525 + 1013904223;
		b = b * 22695477 + 1;
	}
}

/* What the receiver does: slices arrive in any order, each is folded once. */
static void slices_fold_in_any_order(void **state)
{
	enum { SLICE = 1408, COUNT = 11, LEN = SLICE * (COUNT - 1) + 100 };
	uint8_t *bytes = scratch_noise(LEN, 4);

	(void)state;
	for (size_t step = 1; step < COUNT; step++) { /* 11 is prime: a permutation */
		uint32_t fold = 0;

		for (size_t i = 0; i < COUNT; i++) {
			size_t at = i * step % COUNT * SLICE;
			size_t len = LEN - at < SLICE ? LEN - at : SLICE;

			fold ^= crc32c_multiply(
				crc32c(bytes + at, len), crc32c_power(LEN - at - len));
		}
		assert_int_equal(fold, crc32c(bytes, LEN));
	}
	free(bytes);
}

/* xorshift64* */
static uint32_t draw(uint64_t *random, uint32_t below)
{
	*random ^= *random >> 12;
	*random ^= *random << 25;
	*random ^= *random >> 27;
	return (uint32_t)((*random * 0x2545f4914f6cdd1dull) >> 32) % below;
}

/* Slices arrive in a random order, many of them twice or more; those that are there
 * already are not folded again. And two halves folded apart join. */
static void fold_at_random(uint64_t seed)
{
	enum { COUNT_MAX = 256 };
	static const uint32_t sizes[] = {64, 1408, 4032, 8192};
	uint64_t random = seed * 0x9e3779b97f4a7c15ull + 1;
	uint32_t size = sizes[draw(&random, ARRAY_LEN(sizes))];
	uint32_t count = 1 + draw(&random, COUNT_MAX);
	uint32_t len = size * (count - 1) + 1 + draw(&random, size);
	uint32_t cut = draw(&random, count) * size;
	uint8_t *bytes = scratch_noise(len, seed);
	uint64_t got[BITMAP_WORDS(COUNT_MAX)] = {0};
	uint32_t fold = 0, ngot = 0, left = 0;

	while (ngot < count) {
		uint32_t i = draw(&random, count);
		uint32_t after = len - u32_min(len, (i + 1) * size);
		uint32_t part = len - after - i * size;
		uint32_t crc = crc32c(bytes + (size_t)i * size, part);

		if (bitmap_test(got, i))
			continue;
		bitmap_set(got, i);
		ngot++;
		fold ^= crc32c_multiply(crc, crc32c_power(after));
		if (i * size < cut)
			left ^= crc32c_multiply(crc, crc32c_power(cut - (i + 1) * size));
	}
	if (fold != crc32c(bytes, len) || left != crc32c(bytes, cut) ||
		crc32c_concat(left, crc32c(bytes + cut, len - cut), len - cut) != fold)
		fail_msg("SEED=%llu: %u bytes in %u slices", (unsigned long long)seed,
			len, count);
	free(bytes);
}

static void any_order_with_duplicates_folds_to_the_same(void **state)
{
	const char *only = getenv("SEED");

	(void)state;
	if (only != NULL)
		fold_at_random(strtoull(only, NULL, 10));
	for (uint64_t seed = 1; only == NULL && seed <= 100; seed++)
		fold_at_random(seed);
}

static void folding_a_slice_twice_is_noticed(void **state)
{
	uint8_t *bytes = scratch_noise(200, 5);
	uint32_t first = crc32c_multiply(crc32c(bytes, 100), crc32c_power(100));
	uint32_t second = crc32c(bytes + 100, 100);
	uint32_t fold = first ^ second;

	(void)state;

	assert_int_equal(fold, crc32c(bytes, 200));
	fold ^= first;
	assert_int_not_equal(fold, crc32c(bytes, 200));
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_published_check_values),
		cmocka_unit_test(the_iscsi_vectors),
		cmocka_unit_test(the_fast_versions_equal_the_portable_ones),
		cmocka_unit_test(extending_is_the_same_as_one_pass),
		cmocka_unit_test(two_crcs_join_without_the_bytes),
		cmocka_unit_test(powers_add_up),
		cmocka_unit_test(multiplication_is_a_ring_s),
		cmocka_unit_test(the_fast_product_equals_the_portable_one),
		cmocka_unit_test(slices_fold_in_any_order),
		cmocka_unit_test(any_order_with_duplicates_folds_to_the_same),
		cmocka_unit_test(folding_a_slice_twice_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
