/* SPDX-License-Identifier: BSD-3-Clause */
/* When does the timer start, when does it fire again, and can it fire twice at once?
 * sanity to restart_while_running are the cases of braft's test_repeated_timer_task.cpp.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "control/snapshot_timer.h"

static struct snapshot_timer timer;

static void start(nsec interval, uint64_t random, nsec now)
{
	const struct snapshot_timer_limits limits = {.interval = interval};

	snapshot_timer_init(&timer, &limits, random);
	snapshot_timer_on_start(&timer, now);
}

/* Draws the whole interval as the first period too. */
static void start_without_chance(nsec interval, nsec now)
{
	start(interval, (uint64_t)interval - 1, now);
}

static void assert_fires(nsec at)
{
	assert_int_equal(snapshot_timer_deadline(&timer), at);
	assert_int_equal(snapshot_timer_poll(&timer, at - 1), SNAPSHOT_TRIGGER_NONE);
	assert_int_equal(snapshot_timer_poll(&timer, at), SNAPSHOT_TRIGGER_TIME);
	assert_int_equal(snapshot_timer_deadline(&timer), NEVER);
}

static void assert_silent(void)
{
	assert_int_equal(snapshot_timer_deadline(&timer), NEVER);
	assert_int_equal(snapshot_timer_poll(&timer, NEVER - 1), SNAPSHOT_TRIGGER_NONE);
}

static void sanity(void **state)
{
	nsec now = 50 * SEC;

	(void)state;
	start_without_chance(10 * SEC, now);
	for (int i = 0; i < 5; i++) {
		now += 10 * SEC;
		assert_fires(now);
		now += 3 * SEC; /* the next period counts from here */
		snapshot_timer_on_run_end(&timer, now);
	}
	snapshot_timer_on_stop(&timer);
	assert_silent();
	assert_false(snapshot_timer_is_done(&timer));
	snapshot_timer_on_close(&timer);
	assert_true(snapshot_timer_is_done(&timer));
	snapshot_timer_on_start(&timer, now);
	assert_silent();
}

static void stop_while_running(void **state)
{
	(void)state;
	start_without_chance(SEC, 0);
	assert_fires(SEC);
	snapshot_timer_on_stop(&timer);
	assert_silent();
	snapshot_timer_on_run_end(&timer, 2 * SEC);
	assert_silent();
	snapshot_timer_on_close(&timer);
	assert_true(snapshot_timer_is_done(&timer));
}

static void destroy_while_running(void **state)
{
	(void)state;
	start_without_chance(SEC, 0);
	assert_fires(SEC);
	snapshot_timer_on_close(&timer);
	assert_false(snapshot_timer_is_done(&timer)); /* not before the run has ended */
	snapshot_timer_on_run_end(&timer, 2 * SEC);
	assert_true(snapshot_timer_is_done(&timer));
	assert_silent();
}

static void restart_while_running(void **state)
{
	(void)state;
	start_without_chance(SEC, 0);
	assert_fires(SEC);
	snapshot_timer_on_stop(&timer);
	snapshot_timer_on_start(&timer, 2 * SEC);
	assert_silent(); /* the run still goes on */
	snapshot_timer_on_run_end(&timer, 5 * SEC);
	assert_fires(6 * SEC);
}

static void AutoSnapshot(void **state)
{
	(void)state;
	for (uint64_t random = 0; random < 2000; random++) {
		uint64_t spread = random * UINT64_C(0x9e3779b97f4a7c15);
		nsec first;

		start(10 * SEC, spread, 100 * SEC);
		first = snapshot_timer_deadline(&timer);
		assert_true(first > 100 * SEC);
		assert_true(first <= 110 * SEC); /* so one exists after 12 s */
	}
	start(10 * SEC, 0, 0);
	assert_int_equal(snapshot_timer_deadline(&timer), 1);
	start(10 * SEC, UINT64_MAX, 0);
	assert_true(snapshot_timer_deadline(&timer) <= 10 * SEC);
}

/* Drawing again at each start would let a node that is often restarted never save. */
static void first_period_is_drawn_once(void **state)
{
	(void)state;
	start(10 * SEC, 2, 0);
	assert_int_equal(snapshot_timer_deadline(&timer), 3);
	snapshot_timer_on_stop(&timer);
	snapshot_timer_on_start(&timer, 7 * SEC);
	assert_int_equal(snapshot_timer_deadline(&timer), 17 * SEC);
}

static void interval_changes_at_run_time(void **state)
{
	struct snapshot_timer_limits limits = {.interval = 2 * SEC};

	(void)state;
	start_without_chance(10 * SEC, 0);
	snapshot_timer_on_limits(&timer, &limits, 3 * SEC);
	assert_fires(5 * SEC);
	limits.interval = SEC; /* while running: when it ends */
	snapshot_timer_on_limits(&timer, &limits, 6 * SEC);
	assert_silent();
	snapshot_timer_on_run_end(&timer, 8 * SEC);
	assert_int_equal(snapshot_timer_deadline(&timer), 9 * SEC);
	limits.entries = 5; /* the interval is the same, its period goes on */
	snapshot_timer_on_limits(&timer, &limits, 8500 * MSEC);
	assert_fires(9 * SEC);
	snapshot_timer_on_run_end(&timer, 9 * SEC);
	limits.interval = 0;
	snapshot_timer_on_limits(&timer, &limits, 9 * SEC);
	assert_silent();
	limits.interval = NEVER;
	snapshot_timer_on_limits(&timer, &limits, 9 * SEC);
	assert_silent(); /* and no overflow */
}

static void interval_of_zero_never_fires(void **state)
{
	(void)state;
	start(0, 5, 0);
	assert_silent();
}

static void log_length_triggers(void **state)
{
	const struct snapshot_timer_limits limits = {.entries = 100, .bytes = 4096};

	(void)state;
	snapshot_timer_init(&timer, &limits, 0);
	snapshot_timer_on_log(&timer, 1000, 0);
	assert_silent(); /* not on yet */
	snapshot_timer_on_start(&timer, SEC);
	snapshot_timer_on_log(&timer, 99, 4095);
	assert_silent();
	snapshot_timer_on_log(&timer, 100, 4095);
	assert_true(snapshot_timer_deadline(&timer) <= SEC);
	assert_int_equal(snapshot_timer_poll(&timer, SEC), SNAPSHOT_TRIGGER_ENTRIES);
	assert_int_equal(snapshot_timer_poll(&timer, SEC), SNAPSHOT_TRIGGER_NONE);
	snapshot_timer_on_log(&timer, 3, 80);
	snapshot_timer_on_run_end(&timer, 2 * SEC);
	assert_silent();
	snapshot_timer_on_log(&timer, 4, 4096);
	assert_int_equal(snapshot_timer_poll(&timer, 2 * SEC), SNAPSHOT_TRIGGER_BYTES);
}

/* Else a node that cannot save would try again and again without a pause. */
static void fruitless_run_is_not_repeated_at_once(void **state)
{
	const struct snapshot_timer_limits limits = {.entries = 100};

	(void)state;
	snapshot_timer_init(&timer, &limits, 0);
	snapshot_timer_on_start(&timer, 0);
	snapshot_timer_on_log(&timer, 100, 0);
	assert_int_equal(snapshot_timer_poll(&timer, 0), SNAPSHOT_TRIGGER_ENTRIES);
	snapshot_timer_on_run_end(&timer, SEC);
	snapshot_timer_on_log(&timer, 101, 0);
	assert_int_equal(snapshot_timer_deadline(&timer), SEC + SNAPSHOT_TIMER_REST);
	assert_int_equal(snapshot_timer_poll(&timer, 2 * SEC), SNAPSHOT_TRIGGER_NONE);
	snapshot_timer_on_log(&timer, 7, 0); /* somebody saved: the rest is over */
	snapshot_timer_on_log(&timer, 107, 0);
	assert_int_equal(snapshot_timer_poll(&timer, 2 * SEC), SNAPSHOT_TRIGGER_ENTRIES);
}

static void run_by_length_restarts_the_interval(void **state)
{
	const struct snapshot_timer_limits limits = {
		.interval = 10 * SEC, .entries = 100};

	(void)state;
	snapshot_timer_init(&timer, &limits, (uint64_t)(10 * SEC) - 1);
	snapshot_timer_on_start(&timer, 0);
	snapshot_timer_on_log(&timer, 100, 0);
	assert_int_equal(snapshot_timer_poll(&timer, 9 * SEC), SNAPSHOT_TRIGGER_ENTRIES);
	snapshot_timer_on_log(&timer, 0, 0);
	snapshot_timer_on_run_end(&timer, 12 * SEC);
	assert_fires(22 * SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sanity),
		cmocka_unit_test(stop_while_running),
		cmocka_unit_test(destroy_while_running),
		cmocka_unit_test(restart_while_running),
		cmocka_unit_test(AutoSnapshot),
		cmocka_unit_test(first_period_is_drawn_once),
		cmocka_unit_test(interval_changes_at_run_time),
		cmocka_unit_test(interval_of_zero_never_fires),
		cmocka_unit_test(log_length_triggers),
		cmocka_unit_test(fruitless_run_is_not_repeated_at_once),
		cmocka_unit_test(run_by_length_restarts_the_interval),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
