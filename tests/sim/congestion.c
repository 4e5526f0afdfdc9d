/* SPDX-License-Identifier: BSD-3-Clause */
/* One bottleneck, in virtual time: how full the link is, how long its queue, and who gets
 * how much of it. SEED=n replays one seed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/sim/world/world.h"

#define GBIT ((uint64_t)1000000000)

static struct world_options bottleneck(uint64_t seed, const uint64_t *size, nsec rtt)
{
	return (struct world_options){
		.seed = seed,
		.link = {.delay = rtt / 2, .rate_bps = 10 * GBIT, .queue = 4 * MIB},
		.slice_size = 8192,
		.chunk_size = MANIFEST_CHUNK_DEFAULT,
		.buffers = 64,
		.sizes = size,
		.nfiles = 1,
		.stall_timeout = 5 * SEC,
		.disk_delay = 20 * USEC,
		.cc = CC_SWIFT,
		.window = INFLIGHT_WINDOW_MAX,
	};
}

/* Runs on until so much virtual time has passed. */
static void run_for(struct world *world, nsec span)
{
	nsec until = world->now + span;

	while (world->now < until && !world->ends[1].session->is_reported)
		world_step(world);
}

struct measure {
	uint32_t percent; /* of the link's capacity used */
	nsec p99;         /* in the queue */
	nsec target;      /* delay that swift aims at */
	uint32_t rounds;  /* shortest round trips that passed */
	uint32_t decreases;
};

static struct sender *sender_of(struct world *world, uint32_t which)
{
	return &world->ends[0].sessions[which]->machine.sender;
}

/* What the bottleneck did in a span. */
static struct measure measure(struct world *world, nsec span)
{
	struct link_pipe *pipe = &world->pipes[1];
	const struct cc *cc = &sender_of(world, 0)->cc;
	uint64_t before = pipe->accepted;
	uint32_t decreases = cc->ndecreases;
	nsec start = world->now;
	uint64_t bits, could;

	link_forget_delays(pipe);
	run_for(world, span);
	bits = (pipe->accepted - before) * 8;
	could = world->options.link.rate_bps / 1000000 * (uint64_t)(world->now - start) /
		1000;
	return (struct measure){
		.percent = (uint32_t)(bits * 100 / could),
		.p99 = link_delay_percentile(pipe, 99) * USEC,
		.target = nsec_max(
			25 * USEC, cc->min_rtt + nsec_max(15 * USEC, cc->min_rtt / 16)),
		.rounds = cc->min_rtt == 0
				  ? 0
				  : (uint32_t)((world->now - start) / cc->min_rtt),
		.decreases = cc->ndecreases - decreases,
	};
}

static void print(const char *name, const struct measure *m)
{
	print_message("%-32s %3u %% used, queue p99 %6.0f us (target %6.0f), "
		      "%u decreases in %u round trips\n",
		name, m->percent, (double)m->p99 / 1e3, (double)m->target / 1e3,
		m->decreases, m->rounds);
}

static void check(const char *name, uint64_t seed, const struct measure *m)
{
	if (seed == 1)
		print(name, m);
	if (m->percent < 95 || m->p99 > 2 * m->target || m->decreases > m->rounds + 1)
		fail_msg("%s: SEED=%llu: %u %% used, p99 %lld ns, target %lld ns, %u "
			 "decreases in %u round trips",
			name, (unsigned long long)seed, m->percent, (long long)m->p99,
			(long long)m->target, m->decreases, m->rounds);
}

static void finish(struct world *world)
{
	world->options.link.rate_bps = 100 * GBIT;
	assert_true(world_run_until_end(world, world->now + 60 * SEC));
	assert_true(world_is_identical(world));
	world_destroy(world);
}

struct seeds {
	uint64_t first;
	uint64_t last;
};

static struct seeds seeds(uint64_t count)
{
	const char *only = getenv("SEED");
	const char *many = getenv("SEEDS");
	uint64_t seed = only != NULL ? strtoull(only, NULL, 10) : 1;

	if (only != NULL)
		return (struct seeds){seed, seed};
	if (many != NULL)
		count = count * strtoull(many, NULL, 10) / 200 + 1;
	return (struct seeds){1, count};
}

static void swift_fills_a_link(const char *name, uint64_t mib, nsec rtt, uint64_t count)
{
	uint64_t size = mib * MIB;
	struct seeds range = seeds(count);

	for (uint64_t seed = range.first; seed <= range.last; seed++) {
		struct world_options options = bottleneck(seed, &size, rtt);
		struct world *world;
		struct measure found;

		options.link.jitter = (nsec)(seed % 3) * USEC;
		options.link.queue = 16 * MIB;
		world = world_create(&options);
		run_for(world, nsec_min(10 * MSEC + 30 * rtt, 200 * MSEC));
		found = measure(world, nsec_max(20 * MSEC, 4 * rtt));
		check(name, seed, &found);
		finish(world);
	}
}

static void swift_fills_a_link_and_keeps_its_queue_short(void **state)
{
	(void)state;
	swift_fills_a_link("swift, round trip 20 us", 48, 20 * USEC, 8);
	swift_fills_a_link("swift, round trip 50 us", 48, 50 * USEC, 4);
	swift_fills_a_link("swift, round trip 100 us", 48, 100 * USEC, 8);
	swift_fills_a_link("swift, round trip 1 ms", 96, 1 * MSEC, 4);
	swift_fills_a_link("swift, round trip 10 ms", 256, 10 * MSEC, 1);
}

static void swift_follows_a_link_that_loses_half_its_rate(void **state)
{
	static const uint64_t size = 96 * MIB;
	struct seeds range = seeds(4);

	(void)state;
	for (uint64_t seed = range.first; seed <= range.last; seed++) {
		struct world_options options = bottleneck(seed, &size, 50 * USEC);
		struct world *world = world_create(&options);
		struct measure found;

		run_for(world, 15 * MSEC);
		world->options.link.rate_bps /= 2;
		run_for(world, 5 * MSEC);
		found = measure(world, 20 * MSEC);
		check("swift, rate halved", seed, &found);
		world->options.link.rate_bps *= 2;
		run_for(world, 5 * MSEC);
		found = measure(world, 10 * MSEC);
		check("swift, and given back", seed, &found);
		finish(world);
	}
}

/* 20 us of queue hardly delay more than swift wants them to: what is lost there says that
 * it is full. */
static void a_queue_too_short_to_be_seen_is_felt(void **state)
{
	static const uint64_t size = 96 * MIB;
	struct seeds range = seeds(3);

	(void)state;
	for (uint64_t seed = range.first; seed <= range.last; seed++) {
		struct world_options options = bottleneck(seed, &size, 100 * USEC);
		struct world *world;
		struct measure found;
		uint64_t dropped, sent;

		options.slice_size = 1408;
		options.link.queue = 24 * KIB;
		world = world_create(&options);
		run_for(world, 15 * MSEC);
		dropped = world->pipes[1].dropped;
		sent = world->ends[0].frames_sent;
		found = measure(world, 30 * MSEC);
		dropped = world->pipes[1].dropped - dropped;
		sent = world->ends[0].frames_sent - sent;
		if (seed == 1)
			print("swift, queue of 24 KiB", &found);
		assert_true(found.percent >= 75);
		assert_true(dropped * 100 <= sent * 5);
		finish(world);
	}
}

/* A shallow queue that marks: the marks speak before the delay does, and nothing is
 * dropped. */
static void marks_keep_the_queue_below_their_threshold(void **state)
{
	static const uint64_t size = 48 * MIB;
	struct seeds range = seeds(4);

	(void)state;
	for (uint64_t seed = range.first; seed <= range.last; seed++) {
		struct world_options options = bottleneck(seed, &size, 200 * USEC);
		struct world *world;
		struct measure found;
		uint64_t dropped;

		options.link.mark = 96 * KIB;
		options.link.queue = 512 * KIB;
		world = world_create(&options);
		run_for(world, 15 * MSEC);
		dropped = world->pipes[1].dropped;
		found = measure(world, 20 * MSEC);
		check("swift, marks from 96 KiB", seed, &found);
		assert_true(world->pipes[1].marked > 0);
		assert_int_equal(world->pipes[1].dropped, dropped);
		finish(world);
	}
}

static void two_sessions_share_a_link_fairly(void **state)
{
	static const uint64_t size = 40 * MIB;
	struct seeds range = seeds(4);
	double mean = 0;

	(void)state;
	for (uint64_t seed = range.first; seed <= range.last; seed++) {
		struct world_options options = bottleneck(seed, &size, 50 * USEC);
		struct world *world;
		struct measure found;
		double sent[2], jain;

		options.nsessions = 2;
		options.buffers = 128;
		world = world_create(&options);
		run_for(world, 25 * MSEC);
		for (uint32_t i = 0; i < 2; i++)
			sent[i] = -(double)sender_of(world, i)->sent_units;
		found = measure(world, 20 * MSEC);
		for (uint32_t i = 0; i < 2; i++)
			sent[i] += (double)sender_of(world, i)->sent_units;
		jain = (sent[0] + sent[1]) * (sent[0] + sent[1]) /
		       (2 * (sent[0] * sent[0] + sent[1] * sent[1]));
		check("swift, two sessions", seed, &found);
		if (jain < 0.95)
			fail_msg("SEED=%llu: Jain's index is %.3f",
				(unsigned long long)seed, jain);
		mean += jain / (double)(range.last - range.first + 1);
		while (!world->ends[1].sessions[1]->is_reported)
			world_step(world);
		finish(world);
	}
	print_message("%-32s Jain's index %.4f on average\n", "", mean);
	assert_true(mean >= 0.98);
}

static void aimd_fills_a_link_too(void **state)
{
	static const uint64_t size = 96 * MIB;
	struct world_options options = bottleneck(1, &size, 100 * USEC);
	struct world *world;
	struct measure found;

	(void)state;
	options.cc = CC_AIMD;
	options.link.queue = 256 * KIB;
	world = world_create(&options);
	run_for(world, 20 * MSEC);
	found = measure(world, 20 * MSEC);
	print("aimd, queue of 256 KiB", &found);
	assert_true(found.percent >= 95);
	finish(world);
}

/* More packets in flight than one ACK can name: each is named by many ACKs. */
static void a_far_peer_gets_two_thousand_packets_in_flight(void **state)
{
	static const uint64_t size = 96 * MIB;
	struct world_options options = bottleneck(1, &size, 10 * MSEC);
	struct world *world;
	struct measure found;

	(void)state;
	options.cc = CC_FIXED;
	options.link.queue = 0;
	world = world_create(&options);
	run_for(world, 30 * MSEC);
	found = measure(world, 40 * MSEC);
	print("fixed, round trip 10 ms", &found);
	assert_true(found.percent >= 90);
	assert_true(sender_of(world, 0)->inflight.count > WIRE_ACK_BITS);
	assert_true(sender_of(world, 0)->inflight.lost == 0);
	assert_true(world->ends[1].session->machine.receiver.nopen <= options.buffers);
	finish(world);
}

/* Other programs have the sender's CPU for 1 to 5 ms again and again. Its clock is old
 * then, and round trips come out too long, or far too short: neither is the network's. */
static void a_cpu_that_is_taken_away_does_not_shrink_the_window(void **state)
{
	static const struct {
		uint32_t sender, receiver; /* per cent of the CPU that is taken */
		uint32_t least;            /* per cent of the link, on average */
	} rows[] = {{30, 0, 45}, {0, 30, 70}, {30, 30, 30}};
	uint64_t sums[ARRAY_LEN(rows)] = {0};
	uint64_t size = 128 * MIB;
	struct seeds range = seeds(3);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows) * (range.last - range.first + 1); i++) {
		size_t row = i % ARRAY_LEN(rows);
		uint64_t seed = range.first + i / ARRAY_LEN(rows);
		struct world_options options = bottleneck(seed, &size, 2 * MSEC);
		struct world *world;
		struct measure found;

		options.link.rate_bps = GBIT;
		options.absence_percent[0] = rows[row].sender;
		options.absence_percent[1] = rows[row].receiver;
		world = world_create(&options);
		run_for(world, 200 * MSEC);
		found = measure(world, 500 * MSEC);
		print_message("SEED=%llu: %u and %u %% of the CPUs are taken, %u %% of "
			      "the link is used\n",
			(unsigned long long)seed, rows[row].sender, rows[row].receiver,
			found.percent);
		sums[row] += found.percent;
		world_destroy(world);
	}
	/* of both ends' one seed in seventy shrinks it all the same */
	for (size_t row = 0; row < ARRAY_LEN(rows); row++)
		assert_true(
			sums[row] >= rows[row].least * (range.last - range.first + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(swift_fills_a_link_and_keeps_its_queue_short),
		cmocka_unit_test(swift_follows_a_link_that_loses_half_its_rate),
		cmocka_unit_test(a_queue_too_short_to_be_seen_is_felt),
		cmocka_unit_test(marks_keep_the_queue_below_their_threshold),
		cmocka_unit_test(two_sessions_share_a_link_fairly),
		cmocka_unit_test(a_cpu_that_is_taken_away_does_not_shrink_the_window),
		cmocka_unit_test(aimd_fills_a_link_too),
		cmocka_unit_test(a_far_peer_gets_two_thousand_packets_in_flight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
