/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes are handed out by the cycle, snapshots by the number. The first two tests are
 * those of braft's test_throttle.cpp. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "control/throttle_braft.h"

static struct throttle_braft braft;
static struct throttle *const throttle = &braft.port;

static void start(uint64_t bytes_per_s, uint32_t checks_per_s, nsec now)
{
	struct throttle_limits limits;

	throttle_limits_default(&limits);
	limits.bytes_per_s = bytes_per_s;
	limits.checks_per_s = checks_per_s;
	throttle_braft_init(&braft, &limits, now);
}

static uint64_t grant(uint64_t bytes, nsec now)
{
	return throttle->ops->grant(throttle, bytes, now);
}

static void give_back(uint64_t granted, uint64_t used, nsec granted_at, nsec now)
{
	throttle->ops->give_back(throttle, granted, used, granted_at, now);
}

static void test_throttled_by_throughput(void **state)
{
	nsec now = 1000 * SEC;

	(void)state;
	start(1024, 8, now);
	assert_int_equal(grant(64, now), 64);
	assert_int_equal(grant(64, now), 64);
	assert_int_equal(grant(64, now), 0);
	now += throttle->ops->retry_after(throttle);
	assert_int_equal(grant(64, now), 64);
	assert_int_equal(grant(63, now), 63);
	assert_int_equal(grant(64, now), 1);
	assert_int_equal(grant(64, now), 0);
}

/* Ten takers of 128 KiB each ask again at once, or when told to. Returns bytes a second.
 */
static uint64_t measure_ten_takers(nsec start_at, nsec span)
{
	nsec asks_at[10];
	uint64_t sum = 0;

	for (size_t i = 0; i < ARRAY_LEN(asks_at); i++)
		asks_at[i] = start_at;
	for (nsec now = start_at; now < start_at + span; now += MSEC)
		for (size_t i = 0; i < ARRAY_LEN(asks_at); i++) {
			uint64_t granted;

			if (asks_at[i] > now)
				continue;
			granted = grant(128 * KIB, now);
			sum += granted;
			if (granted == 0)
				asks_at[i] = now + throttle->ops->retry_after(throttle);
		}
	return sum * (uint64_t)SEC / (uint64_t)span;
}

static void throttle_functioning(void **state)
{
	const uint64_t limit = 30 * MIB;
	const nsec cycle = 100 * MSEC;
	nsec now = 77 * SEC + 34 * MSEC;
	nsec first;
	uint64_t measured;

	(void)state;
	start(limit, 10, now);
	assert_int_equal(braft.cycle_start, 77 * SEC); /* aligned down */
	assert_int_equal(grant(1 * MIB, now), 1 * MIB);
	assert_int_equal(grant(2 * MIB, now), 2 * MIB);
	assert_int_equal(grant(1, now), 0);

	/* what is given back within the cycle is granted again */
	give_back(1 * MIB, 0, now, now + MSEC);
	assert_int_equal(grant(2 * MIB, now + MSEC), 1 * MIB);
	give_back(1 * MIB, 1 * MIB - 10, now, now + MSEC);
	assert_int_equal(grant(1 * MIB, now + MSEC), 10);

	/* what comes back from an old cycle is not */
	first = now;
	now += cycle;
	assert_int_equal(grant(3 * MIB, now), 3 * MIB);
	assert_int_equal(braft.cycle_start, 77 * SEC + cycle); /* by exactly one */
	give_back(3 * MIB, 0, first, now);
	assert_int_equal(grant(3 * MIB, now), 0);

	measured = measure_ten_takers(100 * SEC, 2 * SEC);
	assert_true(measured >= limit - limit / 10);
	assert_true(measured <= limit + limit / 10);
}

/* Whoever got nothing and waits retry_after finds the next cycle open. */
static void retry_after_reaches_the_next_cycle(void **state)
{
	(void)state;
	for (uint32_t checks = 1; checks <= 1000; checks++) {
		nsec now = 5 * SEC + 123456789;

		start(1000 * MIB, checks, now);
		assert_true(grant(UINT64_MAX, now) > 0);
		assert_int_equal(grant(1, now), 0);
		now += throttle->ops->retry_after(throttle);
		assert_int_equal(grant(1, now), 1);
	}
	start(1, 2, 0);
	assert_int_equal(throttle->ops->retry_after(throttle), 501 * MSEC);
}

/* braft grants from the old cycle first, and then at once from the new one. */
static void stale_cycle_does_not_fill_first(void **state)
{
	(void)state;
	start(1000, 10, 0);
	assert_int_equal(grant(40, 0), 40);
	assert_int_equal(grant(60, 950 * MSEC), 60);
	assert_int_equal(braft.cycle_start, 900 * MSEC);
	assert_int_equal(grant(60, 960 * MSEC), 40);
}

static void edge_belongs_to_the_old_cycle(void **state)
{
	(void)state;
	start(1000, 10, 0);
	assert_int_equal(grant(100, 0), 100);
	assert_int_equal(grant(100, 100 * MSEC), 0);
	assert_int_equal(grant(100, 100 * MSEC + 1), 100);
}

/* Why it is no token bucket: nothing is earned within a cycle, nothing kept beyond it. */
static void a_cycle_earns_nothing_and_leaves_nothing(void **state)
{
	(void)state;
	start(1000, 10, 0);
	assert_int_equal(grant(100, 0), 100);
	for (nsec now = 10 * MSEC; now < 100 * MSEC; now += 10 * MSEC)
		assert_int_equal(grant(1, now), 0);
	assert_int_equal(grant(30, 150 * MSEC), 30);
	assert_int_equal(grant(1000, 950 * MSEC), 100); /* seven idle cycles later */
}

static void limit_of_zero_is_a_pause_and_a_small_one_is_not(void **state)
{
	(void)state;
	start(0, 10, 0);
	for (nsec now = 0; now < 5 * SEC; now += 101 * MSEC)
		assert_int_equal(grant(1, now), 0);
	start(3, 10, 0);
	assert_int_equal(grant(128 * KIB, 0), 1);
	assert_int_equal(grant(128 * KIB, 101 * MSEC), 1);
}

static void dynamically_change_throttle_threshold(void **state)
{
	struct throttle_limits limits;

	(void)state;
	start(10, 10, 0);
	assert_int_equal(grant(MIB, 0), 1);
	limits = braft.limits;
	limits.floor_bytes_per_s = 1 * MIB; /* lifts it, in this very cycle */
	throttle_braft_set_limits(&braft, &limits);
	assert_int_equal(grant(MIB, 0), MIB / 10 - 1);
	limits.floor_bytes_per_s = 0; /* and a lower one never goes below nothing */
	throttle_braft_set_limits(&braft, &limits);
	assert_int_equal(grant(MIB, 0), 0);
	assert_int_equal(grant(MIB, 101 * MSEC), 1);
}

static void snapshot_throttle_without_enable_throttle(void **state)
{
	struct throttle_limits limits;

	(void)state;
	start(10, 10, 0);
	limits = braft.limits;
	limits.is_enabled = false;
	limits.max_install_tasks = 0;
	throttle_braft_set_limits(&braft, &limits);
	assert_int_equal(grant(GIB, 0), GIB);
	give_back(GIB, 0, 0, 0);
	assert_false(throttle->ops->add_task(throttle, false));
}

static void unlimited_grants_everything(void **state)
{
	(void)state;
	start(UINT64_MAX, 10, 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(grant(GIB, i), GIB);
}

static void install_snapshot_exceed_max_task_num(void **state)
{
	struct throttle_limits limits;

	(void)state;
	start(UINT64_MAX, 10, 0);
	limits = braft.limits;
	limits.max_install_tasks = 1;
	throttle_braft_set_limits(&braft, &limits);
	assert_true(throttle->ops->add_task(throttle, false));
	assert_false(throttle->ops->add_task(throttle, false));
	assert_true(throttle->ops->add_task(throttle, true)); /* leaders may always */
	throttle->ops->finish_task(throttle, true);
	assert_false(throttle->ops->add_task(throttle, false));
	throttle->ops->finish_task(throttle, false);
	assert_true(throttle->ops->add_task(throttle, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_throttled_by_throughput),
		cmocka_unit_test(throttle_functioning),
		cmocka_unit_test(retry_after_reaches_the_next_cycle),
		cmocka_unit_test(stale_cycle_does_not_fill_first),
		cmocka_unit_test(edge_belongs_to_the_old_cycle),
		cmocka_unit_test(a_cycle_earns_nothing_and_leaves_nothing),
		cmocka_unit_test(limit_of_zero_is_a_pause_and_a_small_one_is_not),
		cmocka_unit_test(dynamically_change_throttle_threshold),
		cmocka_unit_test(snapshot_throttle_without_enable_throttle),
		cmocka_unit_test(unlimited_grants_everything),
		cmocka_unit_test(install_snapshot_exceed_max_task_num),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
