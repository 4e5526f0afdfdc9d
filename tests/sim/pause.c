/* SPDX-License-Identifier: BSD-3-Clause */
/* An operator holds a transfer up and lets it go on, in virtual time: nothing but signs
 * of life on the wire meanwhile, nobody is taken for dead, nothing is lost. A failing
 * seed is printed, and SEED=n replays it alone. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <errno.h>

#include <cmocka.h>

#include "tests/sim/world/world.h"

static const uint64_t sizes[] = {20 * MIB + 12345, 700, 2 * MIB};

enum { SENDER, RECEIVER };

static struct world *begin(uint64_t seed, uint32_t loss_ppm)
{
	const struct world_options options = {
		.seed = seed,
		.link = {.delay = 20 * USEC, .jitter = 5 * USEC, .loss_ppm = loss_ppm},
		.slice_size = seed % 2 == 0 ? 8192 : 1408,
		.chunk_size = MANIFEST_CHUNK_MIN,
		.buffers = 24,
		.sizes = sizes,
		.nfiles = ARRAY_LEN(sizes),
		.stall_timeout = 5 * SEC,
		.disk_delay = 200 * USEC,
	};

	return world_create(&options);
}

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

static void run_to_a_third(struct world *world)
{
	while (receiver_of(world)->bytes_written < 7 * MIB)
		world_step(world);
}

static void set_paused(struct world *world, int end, bool is_paused)
{
	worker_pause(&world->ends[end].worker,
		world->ends[end].session->params.session_id, is_paused);
}

static void expect_whole(struct world *world)
{
	assert_true(world_run_until_end(world, world->now + 60 * SEC));
	assert_int_equal(world->ends[SENDER].last.code, 0);
	assert_int_equal(world->ends[RECEIVER].last.code, 0);
	assert_true(world_is_identical(world));
}

static void expect_silence(struct world *world, nsec span)
{
	uint64_t written = receiver_of(world)->bytes_written;
	uint64_t units = sender_of(world)->sent_units;
	uint64_t sent = world->ends[SENDER].bytes_sent;

	run_until(world, world->now + span);
	assert_true(receiver_of(world)->bytes_written == written);
	assert_true(sender_of(world)->sent_units == units);
	/* a small packet now and then */
	assert_true(world->ends[SENDER].bytes_sent > sent);
	assert_true(world->ends[SENDER].bytes_sent - sent < (uint64_t)(span / SEC) * KIB);
	assert_int_equal(sender_of(world)->state, SENDER_RUNNING);
	assert_int_equal(receiver_of(world)->state, RECEIVER_RUNNING);
}

/* Twelve times the stall timeout. What was in flight still lands. */
static void a_paused_sender_is_silent_for_a_minute_and_goes_on(void **state)
{
	struct world *world = begin(1, 0);
	uint64_t sent, needed;

	(void)state;
	run_to_a_third(world);
	set_paused(world, SENDER, true);
	run_until(world, world->now + 100 * MSEC);
	/* others may have its place in the cache */
	assert_int_equal(sender_of(world)->nblocks, 0);
	expect_silence(world, 60 * SEC);
	assert_in_range(receiver_of(world)->bytes_written, 7 * MIB, 11 * MIB);
	set_paused(world, SENDER, false);
	needed = receiver_of(world)->nleft * (uint64_t)MANIFEST_CHUNK_MIN;
	sent = world->ends[SENDER].bytes_sent;
	expect_whole(world);
	/* chunks that had half arrived are not begun again */
	assert_true((world->ends[SENDER].bytes_sent - sent) * 100 < needed * 108);
	world_destroy(world);
}

/* What was granted before cannot be taken back: those chunks come, and no other. */
static void a_paused_receiver_asks_for_nothing_new(void **state)
{
	struct world *world = begin(2, 0);
	uint32_t next_request;
	uint64_t credit;

	(void)state;
	run_to_a_third(world);
	set_paused(world, RECEIVER, true);
	next_request = receiver_of(world)->next_request;
	credit = receiver_of(world)->credit;
	run_until(world, world->now + 100 * MSEC);
	assert_int_equal(receiver_of(world)->nopen, 0);
	expect_silence(world, 60 * SEC);
	assert_int_equal(receiver_of(world)->next_request, next_request);
	assert_true(receiver_of(world)->credit == credit);
	set_paused(world, RECEIVER, false);
	expect_whole(world);
	world_destroy(world);
}

/* As nodes do it: the follower's operator pauses, and the leader hears of it. */
static void both_paused_keep_what_has_half_arrived(void **state)
{
	struct world *world = begin(3, 10000);

	(void)state;
	run_to_a_third(world);
	set_paused(world, RECEIVER, true);
	set_paused(world, SENDER, true);
	run_until(world, world->now + 100 * MSEC);
	assert_true(receiver_of(world)->nopen > 0);
	expect_silence(world, 60 * SEC);
	set_paused(world, RECEIVER, false);
	expect_silence(world, 60 * SEC); /* either is enough */
	set_paused(world, SENDER, false);
	expect_whole(world);
	world_destroy(world);
}

static void a_peer_that_vanishes_in_a_pause_is_noticed(void **state)
{
	struct world *world = begin(4, 0);
	nsec start;

	(void)state;
	run_to_a_third(world);
	set_paused(world, SENDER, true);
	set_paused(world, RECEIVER, true);
	run_until(world, world->now + 20 * SEC);
	world->ends[SENDER].is_cut = true;
	world->ends[RECEIVER].is_cut = true;
	start = world->now;
	assert_true(world_run_until_end(world, world->now + 60 * SEC));
	assert_int_equal(world->ends[SENDER].last.code, -ETIMEDOUT);
	assert_int_equal(world->ends[RECEIVER].last.code, -ETIMEDOUT);
	assert_in_range(world->now - start, 4 * SEC, 6 * SEC);
	world_destroy(world);
}

static void a_paused_transfer_can_be_stopped(void **state)
{
	struct world *world = begin(5, 0);

	(void)state;
	run_to_a_third(world);
	for (int end = SENDER; end <= RECEIVER; end++) {
		set_paused(world, end, true);
		worker_stop(&world->ends[end].worker,
			world->ends[end].session->params.session_id);
	}
	run_until(world, world->now + SEC);
	for (int end = SENDER; end <= RECEIVER; end++)
		assert_int_equal(world->ends[end].nreports[REPORT_STOPPED], 1);
	/* an order that comes too late finds nobody, and harms nobody */
	set_paused(world, SENDER, false);
	world_destroy(world);
}

/* Paused and resumed at either end every few milliseconds, on a bad network. */
static void pauses_at_any_time_lose_nothing(void **state)
{
	const char *only = getenv("SEED");
	uint64_t first = only != NULL ? strtoull(only, NULL, 10) : 1;
	uint64_t last = only != NULL ? first : 40;

	(void)state;
	for (uint64_t seed = first; seed <= last; seed++) {
		struct world *world = begin(seed, seed % 3 * 50000);

		while (!world->ends[RECEIVER].session->is_reported &&
			world->now < 60 * SEC) {
			nsec span = world_random(world, 4 * MSEC);

			set_paused(world, (int)world_random(world, 2),
				world_random(world, 2) == 0);
			run_until(world, world->now + span);
		}
		set_paused(world, SENDER, false);
		set_paused(world, RECEIVER, false);
		if (!world_run_until_end(world, world->now + 60 * SEC) ||
			!world_is_identical(world) || world->ends[0].last.code != 0 ||
			world->ends[1].last.code != 0)
			fail_msg("SEED=%llu: sender %d receiver %d, %u chunks left",
				(unsigned long long)seed, world->ends[0].last.code,
				world->ends[1].last.code, receiver_of(world)->nleft);
		world_destroy(world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_paused_sender_is_silent_for_a_minute_and_goes_on),
		cmocka_unit_test(a_paused_receiver_asks_for_nothing_new),
		cmocka_unit_test(both_paused_keep_what_has_half_arrived),
		cmocka_unit_test(a_peer_that_vanishes_in_a_pause_is_noticed),
		cmocka_unit_test(a_paused_transfer_can_be_stopped),
		cmocka_unit_test(pauses_at_any_time_lose_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
