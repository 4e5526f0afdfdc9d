/* SPDX-License-Identifier: BSD-3-Clause */
/* Whole transfers under limits, in virtual time: every rate is met wherever it was set,
 * changes hold at once, sessions share by weight, and a slow disk costs no packet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/sim/world/world.h"

#define MBIT ((uint64_t)1000000)
#define GBIT (1000 * MBIT)
#define SETTLED (10 * MSEC)

enum { SENDER, RECEIVER };

static struct world *begin(uint64_t bytes, uint32_t nsessions)
{
	struct world_options options = {
		.seed = 1,
		.link = {.delay = 10 * USEC},
		.slice_size = 8192,
		.chunk_size = 1024 * 1024,
		.buffers = 128,
		.sizes = &bytes,
		.nfiles = 1,
		.stall_timeout = 5 * SEC,
		.disk_delay = 50 * USEC,
		.nsessions = nsessions,
		.weights = {10, 30},
	};

	return world_create(&options);
}

/* Where a limit may be set. */
enum place { AT_PORT, AT_QUEUE, AT_SESSION, AT_FOLLOWER, PLACES };

static void set_rate(struct world *world, enum place place, uint64_t rate_bps)
{
	struct world_end *end = &world->ends[place == AT_FOLLOWER ? RECEIVER : SENDER];

	if (place == AT_PORT)
		lease_source_set(&end->port_rate, rate_bps, 0, world->now);
	else if (place == AT_QUEUE)
		worker_set_rate(&end->worker, rate_bps, 0, world->now);
	else
		worker_set_session_rate(&end->worker, end->session->params.session_id,
			rate_bps, world->now);
}

/* Steps for so long. Returns the bytes the sender has put on the wire meanwhile. */
static uint64_t run(struct world *world, nsec span)
{
	uint64_t before = world->ends[SENDER].bytes_sent;
	nsec until = world->now + span;

	while (world->now < until)
		world_step(world);
	return world->ends[SENDER].bytes_sent - before;
}

static uint64_t worth(uint64_t rate_bps, nsec span)
{
	return rate_bps / 8000 * (uint64_t)(span / USEC) / 1000;
}

static void expect_rate(uint64_t sent, uint64_t rate_bps, nsec span, enum place place)
{
	uint64_t want = worth(rate_bps, span);

	if (sent * 1000 < want * 995 || sent * 1000 > want * 1005)
		fail_msg("%llu Mbit/s set at place %d: %llu bytes, not %llu",
			(unsigned long long)(rate_bps / MBIT), place,
			(unsigned long long)sent, (unsigned long long)want);
}

static void every_rate_is_met_wherever_it_is_set(void **state)
{
	static const struct {
		uint64_t rate_bps;
		nsec span; /* some hundred packets at least */
	} rows[] = {
		{10 * MBIT, 4 * SEC},
		{100 * MBIT, SEC},
		{GBIT, 200 * MSEC},
		{10 * GBIT, 20 * MSEC},
		{100 * GBIT, 4 * MSEC},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (enum place place = 0; place < PLACES; place++) {
			uint64_t rate = rows[i].rate_bps;
			nsec span = rows[i].span;
			uint64_t size = worth(rate, span + SETTLED);
			struct world *world;

			if (rate == 100 * GBIT && place != AT_PORT &&
				place != AT_FOLLOWER)
				continue; /* the same, and 200 MB to be moved */
			world = begin(size + 32 * MIB, 1);

			set_rate(world, place, rate);
			(void)run(world, SETTLED);
			expect_rate(run(world, span), rate, span, place);
			assert_int_equal(
				world->ends[RECEIVER].session->machine.receiver.state,
				RECEIVER_RUNNING);
			world_destroy(world);
		}
}

static void expect_whole(struct world *world)
{
	assert_true(world_run_until_end(world, world->now + 60 * SEC));
	assert_int_equal(world->ends[SENDER].last.code, 0);
	assert_int_equal(world->ends[RECEIVER].last.code, 0);
	assert_true(world_is_identical(world));
	assert_int_equal(world->ends[SENDER].session->machine.sender.bytes_resent, 0);
}

/* Up, down, none, a pause far beyond the stall timeout, and on. */
static void changes_hold_at_once_and_a_pause_harms_nobody(void **state)
{
	(void)state;
	for (enum place place = 0; place < PLACES; place++) {
		struct world *world = begin(96 * MIB, 1);
		uint64_t sent;

		set_rate(world, place, 100 * MBIT);
		expect_rate(run(world, SEC), 100 * MBIT, SEC, place);
		set_rate(world, place, GBIT);
		sent = run(world, 50 * MSEC);
		assert_in_range(sent, worth(GBIT, 48 * MSEC), worth(GBIT, 51 * MSEC));
		set_rate(world, place, 20 * MBIT);
		/* what had been granted by then still comes */
		(void)run(world, place == AT_FOLLOWER ? 20 * MSEC : 0);
		sent = run(world, 500 * MSEC);
		assert_in_range(
			sent, worth(20 * MBIT, 480 * MSEC), worth(20 * MBIT, 530 * MSEC));
		set_rate(world, place, 0);
		(void)run(world, SETTLED);
		sent = run(world, 30 * SEC);
		assert_in_range(sent, 1, 30 * KIB); /* signs of life */
		set_rate(world, place, RATE_UNLIMITED);
		expect_whole(world);
		world_destroy(world);
	}
}

static void sessions_share_a_port_by_weight(void **state)
{
	struct world *world = begin(64 * MIB, 2);
	const struct sender *light = &world->ends[SENDER].sessions[0]->machine.sender;
	const struct sender *heavy = &world->ends[SENDER].sessions[1]->machine.sender;
	uint64_t share;

	(void)state;
	set_rate(world, AT_PORT, GBIT);
	(void)run(world, SETTLED);
	expect_rate(run(world, 400 * MSEC), GBIT, 400 * MSEC, AT_PORT);
	share = (light->sent_units + heavy->sent_units) / 4;
	assert_in_range(light->sent_units, share * 97 / 100, share * 103 / 100);
	/* when one has ended the other has it all */
	while (heavy->state == SENDER_RUNNING)
		world_step(world);
	expect_rate(run(world, 100 * MSEC), GBIT, 100 * MSEC, AT_PORT);
	set_rate(world, AT_PORT, RATE_UNLIMITED);
	expect_whole(world);
	world_destroy(world);
}

/* The smallest of all limits is the one that counts. */
static void the_tightest_limit_holds(void **state)
{
	(void)state;
	for (enum place tight = 0; tight < PLACES; tight++) {
		struct world *world = begin(32 * MIB, 1);

		for (enum place place = 0; place < PLACES; place++)
			set_rate(world, place, place == tight ? 200 * MBIT : 300 * MBIT);
		(void)run(world, SETTLED);
		expect_rate(run(world, SEC), 200 * MBIT, SEC, tight);
		world_destroy(world);
	}
}

/* A disk limit counts bytes of the snapshot. Nothing is dropped for it: the follower
 * grants no credit for what it has no buffer for. */
static void a_slow_disk_slows_the_sender_and_loses_nothing(void **state)
{
	(void)state;
	for (int end = SENDER; end <= RECEIVER; end++) {
		struct world *world = begin(100 * MIB, 1);
		nsec began = world->now;
		uint64_t want = 90 * MIB; /* a tenth of the chunks are zero */
		uint64_t rate;

		lease_source_set(&world->ends[end].disk_rate, 2 * GBIT, 0, began);
		expect_whole(world);
		rate = want * 8 * 1000 / (uint64_t)((world->now - began) / MSEC);
		assert_in_range(rate, 2 * GBIT * 90 / 100, 2 * GBIT * 103 / 100);
		assert_int_equal(world->ends[SENDER].session->counters.packets_lost, 0);
		world_destroy(world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_rate_is_met_wherever_it_is_set),
		cmocka_unit_test(changes_hold_at_once_and_a_pause_harms_nobody),
		cmocka_unit_test(sessions_share_a_port_by_weight),
		cmocka_unit_test(the_tightest_limit_holds),
		cmocka_unit_test(a_slow_disk_slows_the_sender_and_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
