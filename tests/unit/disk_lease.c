/* SPDX-License-Identifier: BSD-3-Clause */
/* A worker's part of the disk: chunks pass as the rate lets them, a new rate holds at
 * once, and the meter says who waited for what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataplane/disk_lease.h"

#define GBIT ((uint64_t)1000000000)

enum { CHUNK = 1 << 20 };

static struct lease_source source;
static struct disk_lease disk;

/* One turn of a worker that always has chunks to move. Returns bytes. */
static uint64_t turn(nsec now)
{
	uint64_t before = disk.meter.bytes;

	disk_lease_begin(&disk, now);
	while (disk.meter.bytes - before < 64 * MIB &&
		disk_lease_may_move(&disk, CHUNK, now))
		disk_lease_moved(&disk, CHUNK);
	disk_lease_end(&disk, now);
	return disk.meter.bytes - before;
}

static uint64_t run(nsec from, nsec span)
{
	uint64_t moved = 0;

	for (nsec now = from; now < from + span; now += MSEC)
		moved += turn(now);
	return moved;
}

static void start(uint64_t rate_bps)
{
	lease_source_init(&source, rate_bps, CHUNK);
	disk_lease_init(&disk, &source, 0);
}

static void chunks_pass_as_the_rate_lets_them(void **state)
{
	(void)state;
	start(GBIT);
	(void)run(SEC, SEC / 10); /* what may pass at once does */
	assert_in_range(run(2 * SEC, 2 * SEC), 2 * GBIT / 8 - 4 * CHUNK,
		2 * GBIT / 8 + 4 * CHUNK);
	assert_in_range(disk.meter.counters.rate_bps, GBIT * 8 / 10, GBIT * 12 / 10);
	assert_in_range(disk.meter.counters.throttled_ns, 19 * SEC / 10, 3 * SEC);
	assert_int_equal(disk.meter.counters.bytes, disk.meter.bytes);
}

static void without_a_limit_all_pass_and_nobody_waits(void **state)
{
	(void)state;
	disk_lease_init(&disk, NULL, 0);
	assert_int_equal(turn(SEC), 64 * MIB);
	assert_true(disk_lease_deadline(&disk) == NEVER);
	assert_int_equal(disk.meter.counters.throttled_ns, 0);
}

/* Whoever waits for the next chunk for eight seconds does not, when there is a faster
 * rate. */
static void a_new_rate_holds_in_the_next_turn(void **state)
{
	(void)state;
	start(GBIT / 1000);
	(void)run(SEC, SEC / 10);
	assert_true(disk_lease_deadline(&disk) > 2 * SEC);
	lease_source_set(&source, GBIT, 0, 2 * SEC);
	assert_in_range(run(2 * SEC, SEC), GBIT / 8 - 4 * CHUNK, GBIT / 8 + 4 * CHUNK);
	lease_source_set(&source, RATE_UNLIMITED, 0, 3 * SEC);
	assert_int_equal(turn(3 * SEC), 64 * MIB);
}

static void a_paused_disk_wakes_for_nobody(void **state)
{
	(void)state;
	start(RATE_UNLIMITED);
	(void)run(SEC, SEC / 10);
	lease_source_set(&source, 0, 0, 2 * SEC);
	assert_int_equal(run(2 * SEC, SEC), 0);
	assert_true(disk_lease_deadline(&disk) == NEVER);
	assert_true(disk.meter.counters.throttled_ns >= (uint64_t)(SEC - 2 * MSEC));
	lease_source_set(&source, GBIT, 0, 3 * SEC);
	assert_true(run(3 * SEC, SEC / 10) >= CHUNK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chunks_pass_as_the_rate_lets_them),
		cmocka_unit_test(without_a_limit_all_pass_and_nobody_waits),
		cmocka_unit_test(a_new_rate_holds_in_the_next_turn),
		cmocka_unit_test(a_paused_disk_wakes_for_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
