/* SPDX-License-Identifier: BSD-3-Clause */
/* Snapshots and other people's requests on one bottleneck, in virtual time: what the
 * requests suffer without a transfer, from one without a limit, with a fixed one and with
 * an automatic one; how soon that gives way, and how soon it comes back; and what it
 * makes of CPUs that are taken away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/sim/world/world.h"

#define MBIT ((uint64_t)1000000)
#define LINK (1000 * MBIT)

enum { SENDER, RECEIVER, FRAME = 1500, SAMPLES_MAX = 1 << 17 };

/* Others on the link: one frame after another, and how long each waits in the queue. */
struct foreground {
	uint64_t rate_bps;
	nsec next;
	uint32_t nsamples;
	nsec samples[SAMPLES_MAX];
};

static struct foreground others;

static struct world *begin(enum cc_kind cc, nsec delay, uint64_t seed)
{
	static const uint64_t bytes = 2 * GIB;
	struct world_options options = {
		.seed = seed,
		.link = {.delay = delay, .rate_bps = LINK, .queue = 4 * MIB},
		.slice_size = 8192,
		.chunk_size = 1024 * 1024,
		.buffers = 128,
		.sizes = &bytes,
		.nfiles = 1,
		.stall_timeout = 5 * SEC,
		.disk_delay = 50 * USEC,
		.discards = true,
		.cc = cc,
	};

	others = (struct foreground){.next = SEC};
	return world_create(&options);
}

/* The world's clock jumps where nothing happens: a frame goes at its own time. */
static void speak(struct world *world)
{
	static const uint8_t frame[FRAME] = {2, 0, 0, 0, 0, RECEIVER, 2};
	const struct link_pipe *pipe = &world->pipes[RECEIVER];
	nsec now = world->now;

	while (others.rate_bps != 0 && others.next <= now) {
		world->now = others.next;
		if (others.nsamples < SAMPLES_MAX)
			others.samples[others.nsamples++] =
				nsec_max(pipe->free_at - world->now, 0);
		link_inject(world, RECEIVER, frame, FRAME);
		others.next += (nsec)((FRAME + ETHER_WIRE_OVERHEAD) * 8 * SEC /
				      (nsec)others.rate_bps);
	}
	world->now = now;
}

/* Steps for so long. Returns the bytes the sender has put on the wire meanwhile. */
static uint64_t run(struct world *world, nsec span)
{
	uint64_t before = world->ends[SENDER].bytes_sent;
	nsec until = world->now + span;

	others.nsamples = 0;
	while (world->now < until) {
		speak(world);
		world_step(world);
	}
	return world->ends[SENDER].bytes_sent - before;
}

static int by_length(const void *a, const void *b)
{
	nsec x = *(const nsec *)a, y = *(const nsec *)b;

	return x < y ? -1 : x > y;
}

/* The wait that 99 of a hundred requests stayed below. */
static nsec p99(void)
{
	assert_true(others.nsamples > 100);
	qsort(others.samples, others.nsamples, sizeof(others.samples[0]), by_length);
	return others.samples[others.nsamples * 99 / 100];
}

static uint32_t percent(uint64_t bytes, nsec span)
{
	return (uint32_t)(bytes * 8 * 100 / (LINK / 1000 * (uint64_t)(span / MSEC)));
}

static void requests_wait_no_longer_than_the_ceiling(void **state)
{
	static const struct {
		const char *name;
		uint64_t rate_bps;
	} rows[] = {
		{"no transfer", 0},
		{"unthrottled", RATE_UNLIMITED},
		{"fixed, half", LINK / 2},
		{"auto", RATE_AUTO},
	};
	nsec waits[ARRAY_LEN(rows)];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world *world = begin(CC_FIXED, 25 * USEC, 1);
		uint64_t sent;

		worker_set_rate(
			&world->ends[SENDER].worker, rows[i].rate_bps, 0, world->now);
		(void)run(world, 300 * MSEC);
		others.rate_bps = LINK / 5;
		others.next = world->now;
		(void)run(world, 100 * MSEC);
		sent = run(world, 500 * MSEC);
		waits[i] = p99();
		print_message("%-12s p99 wait %6lld us, the snapshot sends %3u %%\n",
			rows[i].name, (long long)(waits[i] / USEC),
			percent(sent, 500 * MSEC));
		if (rows[i].rate_bps == RATE_AUTO)
			assert_in_range(percent(sent, 500 * MSEC), 70, 80);
		world_destroy(world);
	}
	assert_true(waits[0] < 20 * USEC);
	assert_true(waits[1] > 5 * MSEC);
	assert_true(waits[3] <= AUTO_CEILING_DEFAULT * 6 / 5);
}

static void set_rate(struct world *world, uint64_t rate_bps)
{
	worker_set_rate(&world->ends[SENDER].worker, rate_bps, 0, world->now);
}

/* Somebody takes three quarters of the link in an instant, and gives it back. */
static void it_gives_way_in_a_tenth_of_a_second_and_comes_back(void **state)
{
	static const struct {
		enum cc_kind cc;
		nsec delay;
	} rows[] = {{CC_FIXED, 25 * USEC}, {CC_SWIFT, 25 * USEC}, {CC_FIXED, 2 * MSEC}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world *world = begin(rows[i].cc, rows[i].delay, 1);
		uint64_t alone, soon, with, after;
		nsec wait;

		set_rate(world, RATE_AUTO);
		(void)run(world, 600 * MSEC);
		alone = run(world, 500 * MSEC);
		others.rate_bps = LINK / 4 * 3;
		others.next = world->now;
		(void)run(world, 100 * MSEC);
		soon = run(world, 50 * MSEC); /* it swings by a quarter */
		with = run(world, 500 * MSEC);
		wait = p99();
		others.rate_bps = 0;
		(void)run(world, SEC);
		after = run(world, 500 * MSEC);
		print_message("alone %3u %%, beside 75 %% it has %3u %%, p99 wait %4lld "
			      "us, afterwards %3u %%\n",
			percent(alone, 500 * MSEC), percent(with, 500 * MSEC),
			(long long)(wait / USEC), percent(after, 500 * MSEC));
		assert_in_range(percent(alone, 500 * MSEC), 90, 100);
		assert_in_range(percent(with, 500 * MSEC), 10, 26);
		assert_in_range(percent(soon, 50 * MSEC), 0, 26);
		assert_true(wait <= AUTO_CEILING_DEFAULT * 6 / 5);
		assert_in_range(percent(after, 500 * MSEC), 90, 100);
		world_destroy(world);
	}
}

struct taken {
	const char *name;
	uint32_t percent[2]; /* of the sender's CPU, of the receiver's */
	enum cc_kind cc;
};

/* Sums up what was sent at 90 % of the link, and by itself. */
static void tell_taken(const struct taken *row, uint64_t seed, uint64_t sums[2])
{
	struct world *world = begin(row->cc, 25 * USEC, seed);
	uint64_t fixed, adaptive, soon;
	nsec wait;

	world->options.absence_percent[SENDER] = row->percent[0];
	world->options.absence_percent[RECEIVER] = row->percent[1];
	set_rate(world, LINK / 10 * 9);
	(void)run(world, 100 * MSEC);
	fixed = run(world, 500 * MSEC);
	set_rate(world, RATE_AUTO);
	(void)run(world, 600 * MSEC);
	adaptive = run(world, 500 * MSEC);
	others.rate_bps = LINK / 4 * 3;
	others.next = world->now;
	(void)run(world, 100 * MSEC);
	soon = run(world, 300 * MSEC);
	wait = p99();
	print_message("taken is %-14s seed %llu: at 90 %% it sends %3u %%, by itself %3u "
		      "%%, beside 75 %% %3u %%, p99 wait %4lld us\n",
		row->name, (unsigned long long)seed, percent(fixed, 500 * MSEC),
		percent(adaptive, 500 * MSEC), percent(soon, 300 * MSEC),
		(long long)(wait / USEC));
	assert_true(percent(soon, 300 * MSEC) <= 26);
	assert_true(wait <= AUTO_CEILING_DEFAULT);
	sums[0] += fixed;
	sums[1] += adaptive;
	world_destroy(world);
}

/* Other programs have the CPU of an end for 1 to 5 ms again and again: the delay they
 * make is no queue on the link, and a real one is seen all the same. */
static void a_cpu_that_is_taken_away_is_no_queue(void **state)
{
	static const struct taken rows[] = {
		{"the sender's", {30, 0}, CC_FIXED},
		{"the receiver's", {0, 30}, CC_FIXED},
		{"both", {30, 30}, CC_SWIFT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t sums[2] = {0, 0};

		for (uint64_t seed = 1; seed <= 3; seed++)
			tell_taken(&rows[i], seed, sums);
		assert_true(sums[1] >= sums[0] / 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_wait_no_longer_than_the_ceiling),
		cmocka_unit_test(it_gives_way_in_a_tenth_of_a_second_and_comes_back),
		cmocka_unit_test(a_cpu_that_is_taken_away_is_no_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
