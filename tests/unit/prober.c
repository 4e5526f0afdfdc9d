/* SPDX-License-Identifier: BSD-3-Clause */
/* Which slice size a sender finds: down when large packets vanish, up after a while. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataplane/base/bitmap.h"
#include "dataplane/prober.h"

static struct prober prober;
static uint64_t next_pn;

/* Sends what is due. Those of at most `fits` bytes arrive and are acknowledged. Returns
 * how many went out. */
static uint32_t send_all(uint32_t fits)
{
	uint32_t count = 0;
	uint32_t which;

	for (; prober_poll(&prober, &which); count++, next_pn++) {
		uint32_t len =
			which == PROBER_SMALL ? WIRE_PROBE_LEN : prober.sizes[which];
		const struct wire_ack ack = {.base_pn = (uint32_t)next_pn & ~63u,
			.nbits = 64,
			.bits = {(uint64_t)1 << next_pn % 64}};

		prober_on_sent(&prober, which, next_pn);
		if (len > fits)
			continue;
		assert_true(prober_on_ack(&prober, &ack));
		assert_false(prober_on_ack(&prober, &ack)); /* nothing new */
	}
	return count;
}

static void begin(uint32_t agreed)
{
	next_pn = UINT32_MAX - 2; /* numbers wrap in the packet */
	prober_init(&prober, agreed);
	assert_int_equal(prober_slice_size(&prober), agreed);
}

/* Timeouts in a row until another size is in use, or 20. */
static uint32_t time_out(uint32_t fits, nsec now)
{
	for (uint32_t i = 1; i <= 20; i++) {
		if (prober_on_timeout(&prober, i, now))
			return i;
		(void)send_all(fits);
	}
	return 0;
}

static void nothing_is_probed_while_data_comes(void **state)
{
	(void)state;
	begin(8192);
	prober_on_data(&prober);
	assert_int_equal(send_all(8192), 0);
	assert_true(prober.next == NEVER);
}

static void a_timeout_asks_with_a_small_probe(void **state)
{
	(void)state;
	begin(8192);
	assert_false(prober_on_timeout(&prober, 1, 0));
	assert_int_equal(send_all(0), 1);
}

static void the_largest_that_comes_is_taken_at_the_fourth_timeout(void **state)
{
	static const struct {
		uint32_t agreed, fits, found;
	} cases[] = {
		{8192, 8191, 4032},
		{8192, 1500, 1408},
		{8192, 1152, 1152},
		{4032, 4031, 1408},
		{1408, 1407, 1152},
		{8128, 8000, 4032},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		begin(cases[i].agreed);
		assert_int_equal(time_out(cases[i].fits, 5 * SEC), 4);
		assert_int_equal(prober_slice_size(&prober), cases[i].found);
		assert_true(prober.next == 5 * SEC + PROBER_RAISE);
		assert_int_equal(send_all(8192), 1); /* tells the receiver */
	}
}

static void a_way_that_carries_nothing_is_no_matter_of_size(void **state)
{
	(void)state;
	begin(8192);
	assert_int_equal(time_out(0, 0), 0);
	assert_int_equal(prober_slice_size(&prober), 8192);
	/* and costs small packets only */
	assert_int_equal(send_all(0), 0);
	assert_false(prober_on_timeout(&prober, 21, 0));
	assert_int_equal(send_all(0), 1);
}

static void data_that_does_not_come_though_its_size_does_is_no_matter_of_size(
	void **state)
{
	(void)state;
	begin(8192);
	assert_int_equal(time_out(8192, 0), 0);
	assert_int_equal(prober_slice_size(&prober), 8192);
	assert_true(prober.is_cleared); /* and it is not asked again, until data came */
	assert_int_equal(prober.search, SEARCH_NONE);
}

static void data_that_comes_ends_the_search(void **state)
{
	(void)state;
	begin(8192);
	for (uint32_t i = 1; i < 4; i++) {
		assert_false(prober_on_timeout(&prober, i, 0));
		(void)send_all(8191);
	}
	prober_on_data(&prober);
	assert_false(prober_on_timeout(&prober, 1, 0));
	assert_int_equal(send_all(8191), 1);
	assert_int_equal(prober_slice_size(&prober), 8192);
}

static void the_smallest_has_nowhere_to_go(void **state)
{
	(void)state;
	begin(1152);
	assert_int_equal(time_out(100, 0), 0);
	begin(1024);
	assert_int_equal(time_out(100, 0), 0);
	assert_int_equal(prober_slice_size(&prober), 1024);
}

static void larger_ones_are_tried_three_times_every_ten_minutes(void **state)
{
	nsec now;

	(void)state;
	begin(8192);
	assert_int_equal(time_out(1500, 0), 4);
	(void)send_all(1500);
	for (int i = 0; i < 2; i++) {
		uint32_t count = 0;

		now = prober.next;
		while (prober.next <= now + SEC) {
			assert_false(prober_on_time(&prober, MSEC, prober.next));
			count += send_all(1500);
		}
		assert_int_equal(count, 6); /* 8192 and 4032 */
		assert_true(prober.next > now + PROBER_RAISE - SEC);
	}
	now = prober.next;
	assert_false(prober_on_time(&prober, MSEC, now));
	(void)send_all(5000); /* four thousand does fit now, eight may have been lost */
	assert_false(prober_on_time(&prober, MSEC, prober.next));
	(void)send_all(5000);
	assert_false(prober_on_time(&prober, MSEC, prober.next));
	(void)send_all(5000);
	assert_true(prober_on_time(&prober, MSEC, prober.next));
	assert_int_equal(prober_slice_size(&prober), 4032);
	now = prober.next;
	(void)prober_on_time(&prober, MSEC, now);
	(void)send_all(9000);
	assert_true(prober_on_time(&prober, MSEC, prober.next));
	assert_int_equal(prober_slice_size(&prober), 8192);
	assert_true(prober.next == NEVER);
}

/* A far receiver's answer takes longer than a round. */
static void a_round_is_four_round_trips_on_a_long_way(void **state)
{
	(void)state;
	begin(8192);
	(void)time_out(1500, 0);
	(void)prober_on_time(&prober, 300 * MSEC, prober.next);
	assert_true(prober.next == PROBER_RAISE + 1200 * MSEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_probed_while_data_comes),
		cmocka_unit_test(a_timeout_asks_with_a_small_probe),
		cmocka_unit_test(the_largest_that_comes_is_taken_at_the_fourth_timeout),
		cmocka_unit_test(a_way_that_carries_nothing_is_no_matter_of_size),
		cmocka_unit_test(
			data_that_does_not_come_though_its_size_does_is_no_matter_of_size),
		cmocka_unit_test(data_that_comes_ends_the_search),
		cmocka_unit_test(the_smallest_has_nowhere_to_go),
		cmocka_unit_test(larger_ones_are_tried_three_times_every_ten_minutes),
		cmocka_unit_test(a_round_is_four_round_trips_on_a_long_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
