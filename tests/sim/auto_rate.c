/* SPDX-License-Identifier: BSD-3-Clause */
/* Snapshots and other people's requests on one bottleneck, in virtual time: what the
 * requests suffer without a transfer, from one without a limit, with a fixed one and with
 * an automatic one; how soon that gives way, and how soon it comes back; what it makes of
 * CPUs that are taken away, and of long frames on a slow link. */
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

static struct world *begin_on(
	const struct world_link *link, uint32_t slice, enum cc_kind cc, uint64_t seed)
{
	static const uint64_t bytes = 2 * GIB;
	struct world_options options = {
		.seed = seed,
		.link = *link,
		.slice_size = slice,
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

static struct world *begin(enum cc_kind cc, nsec delay, uint64_t seed)
{
	const struct world_link link = {
		.delay = delay, .rate_bps = LINK, .queue = 4 * MIB};

	return begin_on(&link, 8192, cc, seed);
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
static uint64_t run_on(struct world *world, nsec span)
{
	uint64_t before = world->ends[SENDER].bytes_sent;
	nsec until = world->now + span;

	while (world->now < until) {
		speak(world);
		world_step(world);
	}
	return world->ends[SENDER].bytes_sent - before;
}

/* The same, and what was measured before is forgotten. */
static uint64_t run(struct world *world, nsec span)
{
	others.nsamples = 0;
	return run_on(world, span);
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
	assert_true(waits[3] <= AUTO_CEILING_DEFAULT / 2);
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

/* CPUs are taken for a tenth of a second, and left alone for another, if there is. */
static uint64_t run_crowded(
	struct world *world, const uint32_t percent[static 2], bool has_rest, nsec span)
{
	nsec until = world->now + span;
	uint64_t sent = 0;

	others.nsamples = 0;
	for (uint32_t i = 0; world->now < until; i++) {
		bool is_rest = has_rest && i % 2 == 1;

		for (uint32_t end = 0; end < 2; end++)
			world->options.absence_percent[end] = is_rest ? 0 : percent[end];
		sent += run_on(world, 100 * MSEC);
	}
	return sent;
}

/* Four programs on two cores, and a link that lets a burst pass, as a token bucket does:
 * whenever the sender comes back the queue is gone. That round trips are short then says
 * nothing of a rate at which it was not there to send: where it was raised all the same,
 * it filled the queue as soon as both had a core. */
static void a_rate_that_was_not_sent_is_not_raised(void **state)
{
	static const struct world_link link = {.delay = 25 * USEC,
		.rate_bps = LINK / 2,
		.burst = 32 * KIB,
		.queue = 2 * MIB};
	static const struct {
		uint32_t slice;
		uint32_t percent[2]; /* of the sender's CPU, of the receiver's */
		nsec most;           /* at a time; 0: 1 to 5 ms */
		bool has_rest;
	} rows[] = {
		{1408, {50, 0}, 1500 * USEC, false},
		{1408, {50, 50}, 1500 * USEC, true},
		{1408, {50, 50}, 0, true},
		{8192, {30, 30}, 500 * USEC, false},
	};
	const char *only = getenv("SEED"), *many = getenv("SEEDS");
	uint64_t first = only != NULL ? strtoull(only, NULL, 0) : 1;
	uint64_t count = many != NULL && only == NULL ? strtoull(many, NULL, 0) : 1;

	(void)state;
	for (uint64_t n = 0; n < count * ARRAY_LEN(rows); n++) {
		size_t i = n % ARRAY_LEN(rows);
		uint64_t seed = first + n / ARRAY_LEN(rows);
		struct world *world = begin_on(&link, rows[i].slice, CC_FIXED, seed);
		uint32_t goodput;
		nsec wait;

		world->options.absence_most = rows[i].most;
		set_rate(world, RATE_AUTO);
		(void)run_crowded(world, rows[i].percent, rows[i].has_rest, 400 * MSEC);
		others.rate_bps = LINK / 80;
		others.next = world->now;
		goodput = percent(2 * run_crowded(world, rows[i].percent,
					      rows[i].has_rest, 800 * MSEC),
			800 * MSEC);
		wait = p99();
		print_message("SEED=%llu slices of %u, CPUs taken %u and %u %%: it sends "
			      "%3u %%, p99 wait %4lld us\n",
			(unsigned long long)seed, rows[i].slice, rows[i].percent[0],
			rows[i].percent[1], goodput, (long long)(wait / USEC));
		assert_true(goodput >= 45);
		assert_true(wait <= AUTO_CEILING_DEFAULT * 6 / 5);
		world_destroy(world);
	}
}

/* One of 8 KiB takes as long as a quarter of the ceiling: that is no queue. */
static void long_frames_are_no_queue(void **state)
{
	static const struct world_link link = {
		.delay = 25 * USEC, .rate_bps = LINK / 2, .queue = 2 * MIB};
	struct world *world = begin_on(&link, 8192, CC_FIXED, 1);
	uint32_t goodput;

	(void)state;
	set_rate(world, RATE_AUTO);
	(void)run(world, 400 * MSEC);
	others.rate_bps = LINK / 80;
	others.next = world->now;
	goodput = percent(2 * run(world, 500 * MSEC), 500 * MSEC);
	print_message("alone with long frames it has %u %%, p99 wait %lld us\n", goodput,
		(long long)(p99() / USEC));
	assert_in_range(goodput, 85, 100);
	assert_true(p99() <= AUTO_CEILING_DEFAULT);
	world_destroy(world);
}

/* At a slow rate both ends sleep between packets, and what comes meanwhile lies there: no
 * queue either. Where it was taken for one the rate never rose from where it began. */
static void an_end_that_sleeps_is_no_queue(void **state)
{
	static const struct world_link link = {
		.delay = 25 * USEC, .rate_bps = LINK / 2, .queue = 2 * MIB};
	static const nsec ceilings[] = {100 * USEC, 250 * USEC, 500 * USEC};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ceilings); i++) {
		struct world *world = begin_on(&link, 1408, CC_FIXED, 1);
		uint32_t goodput;

		world->options.sleeps = true;
		worker_set_ceiling(&world->ends[SENDER].worker, ceilings[i], world->now);
		set_rate(world, RATE_AUTO);
		(void)run(world, 400 * MSEC);
		goodput = percent(2 * run(world, 500 * MSEC), 500 * MSEC);
		print_message("a ceiling of %3lld us: it sends %3u %%\n",
			(long long)(ceilings[i] / USEC), goodput);
		assert_in_range(goodput, 80, 100);
		world_destroy(world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_wait_no_longer_than_the_ceiling),
		cmocka_unit_test(it_gives_way_in_a_tenth_of_a_second_and_comes_back),
		cmocka_unit_test(a_cpu_that_is_taken_away_is_no_queue),
		cmocka_unit_test(a_rate_that_was_not_sent_is_not_raised),
		cmocka_unit_test(long_frames_are_no_queue),
		cmocka_unit_test(an_end_that_sleeps_is_no_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
