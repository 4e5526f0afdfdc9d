/* SPDX-License-Identifier: BSD-3-Clause */
/* The bytes of a log, remembered by a few marks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "control/log_size.h"

static struct log_size size;

static void few_entries_are_exact(void **state)
{
	(void)state;
	log_size_init(&size, 10);
	assert_int_equal(log_size_from(&size, 11), 0);
	for (int64_t i = 11; i <= 20; i++)
		log_size_on_append(&size, i, (uint64_t)i);
	assert_int_equal(log_size_from(&size, 20), 20);
	assert_int_equal(log_size_from(&size, 19), 39);
	assert_int_equal(log_size_from(&size, 11), 155);
	assert_int_equal(log_size_from(&size, 1), 155); /* what it holds */
	assert_int_equal(log_size_from(&size, 21), 0);
}

/* Never more than 1 % of all beside it, however many they are. */
static void millions_of_entries_need_no_more_marks(void **state)
{
	const int64_t last = 3000000;
	uint64_t all = 0;

	(void)state;
	log_size_init(&size, 0);
	for (int64_t i = 1; i <= last; i++) {
		uint64_t bytes = 100 + (uint64_t)(i % 7);

		all += bytes;
		log_size_on_append(&size, i, bytes);
	}
	assert_true(size.count <= LOG_SIZE_MARKS);
	assert_int_equal(log_size_from(&size, 1), all);
	for (int64_t first = 1; first <= last; first += 99991) {
		uint64_t want = (uint64_t)(last - first + 1) * 103;

		assert_in_range(
			log_size_from(&size, first) + all / 100, want, want + all / 50);
	}
}

static void entries_that_are_taken_away_count_no_more(void **state)
{
	(void)state;
	log_size_init(&size, 0);
	log_size_on_append(&size, 100, 1000); /* a batch: ten bytes each */
	log_size_on_append(&size, 200, 3000);
	log_size_on_truncate(&size, 150);
	assert_int_equal(log_size_from(&size, 101), 1500);
	log_size_on_truncate(&size, 150);
	log_size_on_append(&size, 160, 70);
	assert_int_equal(log_size_from(&size, 151), 70);
	assert_int_equal(log_size_from(&size, 51), 500 + 1500 + 70);
	log_size_on_truncate(&size, 0);
	assert_int_equal(log_size_from(&size, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_entries_are_exact),
		cmocka_unit_test(millions_of_entries_need_no_more_marks),
		cmocka_unit_test(entries_that_are_taken_away_count_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
