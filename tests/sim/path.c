/* SPDX-License-Identifier: BSD-3-Clause */
/* The way between the two ends fails, in virtual time: all of it, one of several, or only
 * for large packets. What each end does, and after how long. SEED=n replays one seed. */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/sim/world/world.h"

enum { SENDER, RECEIVER };
enum { FRAME = ETHER_UDP_HEADERS + WIRE_HEADER_LEN }; /* bytes before the slice */

/* Large enough that it is under way when something happens. */
static const uint64_t large[] = {20 * MIB};

/* Two probe timeouts at their longest. */
#define TWO_TIMEOUTS (300 * MSEC)

static struct world *begin(
	uint64_t seed, const struct world_link *link, uint32_t slice_size)
{
	static const enum cc_kind kinds[] = {CC_SWIFT, CC_FIXED, CC_AIMD};
	const struct world_options options = {
		.seed = seed,
		.link = *link,
		.slice_size = slice_size,
		.chunk_size = MANIFEST_CHUNK_MIN,
		.buffers = 24,
		.sizes = large,
		.nfiles = 1,
		.stall_timeout = 30 * SEC,
		.disk_delay = 100 * USEC,
		.cc = kinds[seed % ARRAY_LEN(kinds)],
	};

	return world_create(&options);
}

#define LAN .delay = 20 * USEC, .jitter = 2 * USEC, .rate_bps = 10000 * (uint64_t)1000000
static const struct world_link lan = {LAN};

static struct receiver *receiver_of(const struct world *world)
{
	return &world->ends[RECEIVER].session->machine.receiver;
}

static struct sender *sender_of(const struct world *world)
{
	return &world->ends[SENDER].session->machine.sender;
}

static void run_until(struct world *world, nsec until)
{
	while (world->now < until)
		world_step(world);
}

static void run_to_a_tenth(struct world *world)
{
	while (receiver_of(world)->bytes_written < large[0] / 10)
		world_step(world);
}

static uint64_t bytes_sent(const struct world *world)
{
	return world->ends[SENDER].bytes_sent + world->ends[RECEIVER].bytes_sent;
}

static void expect_whole(struct world *world)
{
	if (!world_run_until_end(world, world->now + 60 * SEC) ||
		!world_is_identical(world) || world->ends[SENDER].last.code != 0 ||
		world->ends[RECEIVER].last.code != 0)
		fail_msg("SEED=%llu: sender %d receiver %d at %lld ns, %u chunks left",
			(unsigned long long)world->options.seed,
			world->ends[SENDER].last.code, world->ends[RECEIVER].last.code,
			(long long)world->now, receiver_of(world)->nleft);
	world_destroy(world);
}

struct seeds {
	uint64_t first, last;
};

static struct seeds seeds_of(uint64_t count)
{
	const char *only = getenv("SEED");
	uint64_t seed = only != NULL ? strtoull(only, NULL, 10) : 1;

	return (struct seeds){seed, only != NULL ? seed : count};
}

/* ---- silence ----------------------------------------------------------------------- */

/* Both ends are suspended within five seconds of silence, and say so once. */
static void silence_suspends_both_ends_and_one_packet_resumes_them(void **state)
{
	struct seeds seeds = seeds_of(6);

	(void)state;
	for (uint64_t seed = seeds.first; seed <= seeds.last; seed++) {
		struct world *world = begin(seed, &lan, 8192);
		uint64_t before, written;
		nsec start;

		run_to_a_tenth(world);
		world->options.link.hole = HOLE_ALL;
		start = world->now;
		run_until(world, start + 6 * SEC);
		assert_int_equal(sender_of(world)->state, SENDER_SUSPENDED);
		assert_int_equal(receiver_of(world)->state, RECEIVER_SUSPENDED);
		/* others may have its place in the cache */
		assert_int_equal(sender_of(world)->nblocks, 0);
		before = bytes_sent(world);
		run_until(world, start + 16 * SEC);
		assert_in_range(bytes_sent(world) - before, 1, 10 * 5000);
		written = receiver_of(world)->bytes_written;
		world->options.link.hole = HOLE_NONE;
		start = world->now;
		while (receiver_of(world)->bytes_written == written)
			world_step(world);
		assert_in_range(world->now - start, 0, TWO_TIMEOUTS);
		for (int i = SENDER; i <= RECEIVER; i++) {
			assert_int_equal(world->ends[i].nreports[REPORT_SUSPENDED], 1);
			assert_int_equal(world->ends[i].nreports[REPORT_RESUMED], 1);
		}
		expect_whole(world);
	}
}

static void silence_for_the_stall_timeout_ends_both(void **state)
{
	struct world *world = begin(1, &lan, 8192);
	nsec start;

	(void)state;
	run_to_a_tenth(world);
	world->options.link.hole = HOLE_ALL;
	start = world->now;
	assert_true(world_run_until_end(world, start + 60 * SEC));
	assert_in_range(world->now - start, 30 * SEC, 30 * SEC + 50 * MSEC);
	for (int i = SENDER; i <= RECEIVER; i++) {
		assert_int_equal(world->ends[i].last.code, -ETIMEDOUT);
		assert_int_equal(world->ends[i].nreports[REPORT_SUSPENDED], 1);
		assert_int_equal(world->ends[i].nreports[REPORT_RESUMED], 0);
	}
	world_destroy(world);
}

/* The follower checks what it has for minutes before it sends its first packet. */
static void a_receiver_that_has_not_begun_is_waited_for(void **state)
{
	struct world *world = begin(1, &lan, 8192);

	(void)state;
	world->ends[RECEIVER].is_cut = true;
	run_until(world, world->now + 20 * SEC);
	assert_int_equal(sender_of(world)->state, SENDER_RUNNING);
	assert_int_equal(world->ends[SENDER].nreports[REPORT_SUSPENDED], 0);
	world->ends[RECEIVER].is_cut = false;
	expect_whole(world);
}

/* Their machines slept, or a debugger held them: what was under way is lost, and neither
 * may take its own sleep for the silence of the other. */
static void ends_that_were_away_do_not_blame_each_other(void **state)
{
	struct seeds seeds = seeds_of(3);

	(void)state;
	for (uint64_t seed = seeds.first; seed <= seeds.last; seed++) {
		struct world *world = begin(seed, &lan, 8192);

		run_to_a_tenth(world);
		world->ends[SENDER].is_cut = world->ends[RECEIVER].is_cut = true;
		run_until(world, world->now + 100 * MSEC);
		world->now += 40 * SEC;
		world_step(world);
		world->ends[SENDER].is_cut = world->ends[RECEIVER].is_cut = false;
		expect_whole(world);
	}
}

/* ---- one way of several ------------------------------------------------------------ */

struct way_row {
	const char *name;
	uint32_t hole_to; /* as the link has it */
	nsec limit;       /* until data is acknowledged again */
};

static const struct way_row ways[] = {
	{"to the receiver", 1 + RECEIVER, 200 * MSEC},
	{"to the sender", 1 + SENDER, 200 * MSEC},
	{"both", 0, 500 * MSEC},
};

/* A router between four links lost one of them, the one our ports hash to. */
static void leave_dead_way(const struct way_row *row, uint64_t seed)
{
	const struct world_link link = {LAN, .hole_to = row->hole_to, .ways = 4};
	struct world *world = begin(seed, &link, 8192);
	uint64_t acked;
	nsec start;

	run_to_a_tenth(world);
	world->options.link.dead_way = 4791 % link.ways;
	world->options.link.hole = HOLE_WAY;
	start = world->now;
	run_until(world, start + MSEC);
	acked = sender_of(world)->bytes_acked;
	while (sender_of(world)->bytes_acked == acked && world->now < start + 30 * SEC)
		world_step(world);
	if (world->now - start > row->limit)
		fail_msg("%s: SEED=%llu: goes on after %lld ns", row->name,
			(unsigned long long)seed, (long long)(world->now - start));
	expect_whole(world);
}

static void a_dead_way_of_several_is_left(void **state)
{
	struct seeds seeds = seeds_of(12);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		for (uint64_t seed = seeds.first; seed <= seeds.last; seed++)
			leave_dead_way(&ways[i], seed);
	}
}

/* ---- large packets only ------------------------------------------------------------ */

struct size_row {
	uint32_t agreed; /* slice, bytes */
	uint32_t above;  /* slices larger than this vanish */
	uint32_t found;
};

static const struct size_row sizes[] = {
	{8192, 8191, 4032},
	{8192, 4032, 4032},
	{8192, 4031, 1408},
	{8192, 1407, 1152}, /* as behind a tunnel with IPv6's least MTU */
	{4032, 2000, 1408},
	{1408, 1200, 1152},
	{8128, 8127, 4032},
};

static void expect_slices(struct world *world, const struct size_row *row)
{
	uint64_t seed = world->options.seed;

	if (sender_of(world)->config.slice_size != row->found ||
		receiver_of(world)->config.slice_size != row->found)
		fail_msg("SEED=%llu: slices of %u and %u bytes, %u expected",
			(unsigned long long)seed, sender_of(world)->config.slice_size,
			receiver_of(world)->config.slice_size, row->found);
	assert_int_equal(world->ends[SENDER].nreports[REPORT_SUSPENDED], 0);
	assert_int_equal(world->ends[RECEIVER].nreports[REPORT_SUSPENDED], 0);
}

static void from_the_start(const struct size_row *row, uint64_t seed)
{
	const struct world_link link = {
		LAN, .hole = HOLE_LARGE, .hole_above = FRAME + row->above};
	struct world *world = begin(seed, &link, row->agreed);
	nsec start = world->now;

	while (receiver_of(world)->bytes_written == 0 && world->now < start + 30 * SEC)
		world_step(world);
	assert_in_range(world->now - start, 0, 1 * SEC);
	expect_slices(world, row);
	expect_whole(world);
}

static void in_the_middle(const struct size_row *row, uint64_t seed)
{
	const struct world_link link = {
		LAN, .loss_ppm = 10000, .duplicate_ppm = 100000, .reorder_ppm = 50000};
	struct world *world = begin(seed, &link, row->agreed);
	uint64_t before;
	nsec start;

	run_to_a_tenth(world);
	world->options.link.hole = HOLE_LARGE;
	world->options.link.hole_above = FRAME + row->above;
	start = world->now;
	before = bytes_sent(world);
	while (sender_of(world)->config.slice_size != row->found &&
		world->now < start + 30 * SEC)
		world_step(world);
	assert_in_range(world->now - start, 0, 500 * MSEC);
	/* the window that was under way, one that an early packet let out, and the probes
	 */
	assert_in_range(bytes_sent(world) - before, 0, 20 * MIB);
	run_until(world, world->now + 50 * MSEC);
	expect_slices(world, row);
	expect_whole(world);
}

static void large_packets_that_vanish_make_smaller_slices(void **state)
{
	struct seeds seeds = seeds_of(6);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		for (uint64_t seed = seeds.first; seed <= seeds.last; seed++) {
			from_the_start(&sizes[i], seed);
			in_the_middle(&sizes[i], seed);
		}
	}
}

/* As if the ten minutes were over; until the receiver has heard what came of it. */
static void try_larger(struct world *world)
{
	struct prober *prober = &sender_of(world)->prober;

	prober->next = world->now;
	while (prober->next <= world->now + 2 * SEC && world->now < 60 * SEC)
		world_step(world);
	while (sender_of(world)->is_switching && world->now < 60 * SEC)
		world_step(world);
}

/* RFC 8899: ten minutes later the way may be another. */
static void larger_slices_are_tried_again_after_ten_minutes(void **state)
{
	static const struct size_row row = {8192, 4031, 1408};
	static const struct size_row again = {8192, 0, 8192};
	struct seeds seeds = seeds_of(6);

	(void)state;
	for (uint64_t seed = seeds.first; seed <= seeds.last; seed++) {
		const struct world_link link = {LAN, .loss_ppm = 20000,
			.hole = HOLE_LARGE, .hole_above = FRAME + row.above};
		struct world *world = begin(seed, &link, 8192);

		run_to_a_tenth(world);
		expect_slices(world, &row);
		assert_in_range(sender_of(world)->prober.next - world->now,
			PROBER_RAISE - 1 * SEC, PROBER_RAISE);
		/* or it is done before */
		world->options.link.rate_bps /= 200;
		sender_of(world)->config.window = 64;
		try_larger(world);
		expect_slices(world, &row); /* still too large */
		world->options.link.hole = HOLE_NONE;
		try_larger(world);
		expect_slices(world, &again);
		world->options.link.rate_bps *= 100;
		expect_whole(world);
	}
}

/* Data alone vanishes: smaller slices would not help, and none are made. */
static void a_hole_for_data_of_any_size_is_no_matter_of_size(void **state)
{
	struct world *world = begin(1, &lan, 8192);
	nsec start;

	(void)state;
	run_to_a_tenth(world);
	world->options.link.hole = HOLE_DATA;
	start = world->now;
	run_until(world, start + 3 * SEC);
	assert_int_equal(sender_of(world)->config.slice_size, 8192);
	/* it would never end: both hear each other well */
	assert_true(world_run_until_end(world, start + 60 * SEC));
	assert_in_range(world->now - start, 30 * SEC, 31 * SEC);
	for (int i = SENDER; i <= RECEIVER; i++)
		assert_int_equal(world->ends[i].last.code, -EMSGSIZE);
	world_destroy(world);
}

/* Whatever fails, in any order: nothing is lost or written twice. */
static void what_changes_all_the_time_loses_nothing(void **state)
{
	static const enum link_hole holes[] = {
		HOLE_NONE, HOLE_LARGE, HOLE_WAY, HOLE_ALL, HOLE_ACKS};
	static const uint32_t above[] = {8191, 4031, 1407};
	struct seeds seeds = seeds_of(24);

	(void)state;
	for (uint64_t seed = seeds.first; seed <= seeds.last; seed++) {
		const struct world_link link = {LAN, .loss_ppm = 10000,
			.duplicate_ppm = 100000, .reorder_ppm = 100000, .ways = 2};
		struct world *world = begin(seed, &link, 8192);

		while (!world->ends[RECEIVER].session->is_reported &&
			world->now < 20 * SEC) {
			struct world_link *now = &world->options.link;

			now->hole = holes[world_random(world, ARRAY_LEN(holes))];
			now->hole_above =
				FRAME + above[world_random(world, ARRAY_LEN(above))];
			now->hole_to = world_random(world, 3);
			now->dead_way = world_random(world, 2);
			sender_of(world)->prober.next = nsec_min(
				sender_of(world)->prober.next, world->now + 100 * MSEC);
			run_until(world, world->now + world_random(world, 200 * MSEC));
		}
		world->options.link.hole = HOLE_NONE;
		expect_whole(world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(silence_suspends_both_ends_and_one_packet_resumes_them),
		cmocka_unit_test(silence_for_the_stall_timeout_ends_both),
		cmocka_unit_test(a_receiver_that_has_not_begun_is_waited_for),
		cmocka_unit_test(ends_that_were_away_do_not_blame_each_other),
		cmocka_unit_test(a_dead_way_of_several_is_left),
		cmocka_unit_test(large_packets_that_vanish_make_smaller_slices),
		cmocka_unit_test(larger_slices_are_tried_again_after_ten_minutes),
		cmocka_unit_test(a_hole_for_data_of_any_size_is_no_matter_of_size),
		cmocka_unit_test(what_changes_all_the_time_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
