/* SPDX-License-Identifier: BSD-3-Clause */
/* The faults a network has, one row each, over many seeds: what they may cost. SEED=n
 * replays one seed, SEEDS=n runs so many in all (make soak). */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/sim/world/world.h"

enum {
	MILLION = 1000000,
	SEEDS_DEFAULT = 250,
	ROUNDS_MAX = 99,
	LARGE_EVERY = 5,
	PROBES_LIMIT = 1, /* of a thousand packets */
};

static const uint64_t sizes[] = {2 * MIB + 12345, 0, 700, 100 * KIB, 256 * KIB + 1};
/* Large enough that a hole opens in the middle of it, whatever is under way. */
static const uint64_t large[] = {20 * MIB};

/* 10 Gb/s, 40 us away. */
#define LAN .delay = 20 * USEC, .jitter = 2 * USEC, .rate_bps = 10000 * (uint64_t)MILLION

struct fault_row {
	const char *name;
	struct world_link link;
	uint32_t seeds;          /* of SEEDS_DEFAULT */
	uint32_t spurious_limit; /* of a thousand packets; 0: not looked at */
	/* a chunk's slices are sent so often at most, but for one chunk in a thousand;
	 * 0: not looked at */
	uint32_t rounds_limit;
};

static const struct fault_row rows[] = {
	{"clean", {LAN}, .seeds = 10, .spurious_limit = 1},
	{"loss 0.1 %", {LAN, .loss_ppm = 1000}, .seeds = 15},
	{"loss 1 %", {LAN, .loss_ppm = 10000}, .seeds = 15, .rounds_limit = 3},
	{"loss 5 %", {LAN, .loss_ppm = 50000}, .seeds = 15, .rounds_limit = 4},
	{"loss 10 %", {LAN, .loss_ppm = 100000}, .seeds = 15, .rounds_limit = 6},
	{"loss 20 %", {LAN, .loss_ppm = 200000}, .seeds = 15, .rounds_limit = 8},
	{"loss 0.1 %, bursts of 8", {LAN, .loss_ppm = 1000, .loss_burst = 8},
		.seeds = 15},
	{"loss 1 %, bursts of 8", {LAN, .loss_ppm = 10000, .loss_burst = 8}, .seeds = 15},
	{"loss 5 %, bursts of 8", {LAN, .loss_ppm = 50000, .loss_burst = 8}, .seeds = 15},
	{"loss 10 %, bursts of 8", {LAN, .loss_ppm = 100000, .loss_burst = 8},
		.seeds = 15},
	{"loss 20 %, bursts of 8", {LAN, .loss_ppm = 200000, .loss_burst = 8},
		.seeds = 15},
	{"reordering 5 %, 256 packets",
		{LAN, .reorder_ppm = 50000, .reorder_span = 300 * USEC}, .seeds = 20,
		.spurious_limit = 10},
	{"duplication 50 %", {LAN, .duplicate_ppm = 500000}, .seeds = 10,
		.spurious_limit = 10},
	{"duplication 100 %", {LAN, .duplicate_ppm = MILLION}, .seeds = 10,
		.spurious_limit = 10},
	{"corruption 1 %", {LAN, .corrupt_ppm = 10000}, .seeds = 20},
	{"marks", {LAN, .queue = 256 * KIB, .mark = 64 * KIB}, .seeds = 10,
		.spurious_limit = 1},
	{"shallow queue", {LAN, .queue = 64 * KIB}, .seeds = 10},
};

/* What the stories of one row cost together. */
struct bill {
	uint64_t packets;
	uint64_t lossless; /* wire bytes that would do without any loss */
	uint64_t wire;
	uint64_t dropped; /* by the queue, bytes */
	uint64_t bytes;
	uint64_t probes; /* before the last tenth */
	uint64_t spurious;
	nsec time;    /* of the large snapshots: the others are over before a window is */
	double ideal; /* nsec, the same ones at the link's rate */
	uint64_t chunks[ROUNDS_MAX + 1]; /* by how often its unluckiest slice was sent */
	uint64_t nchunks;
};

static struct world_options options_of(const struct world_link *link, uint64_t seed)
{
	static const uint32_t slices[] = {1408, 8192, 4032};
	static const enum cc_kind kinds[] = {CC_SWIFT, CC_FIXED, CC_SWIFT, CC_AIMD};

	return (struct world_options){
		.seed = seed,
		.link = *link,
		.slice_size = slices[seed % ARRAY_LEN(slices)],
		.chunk_size = MANIFEST_CHUNK_MIN,
		.buffers = 24,
		.sizes = sizes,
		.nfiles = ARRAY_LEN(sizes),
		.stall_timeout = 5 * SEC,
		.disk_delay = 100 * USEC,
		/* a fixed window is for links that have no queue */
		.cc = link->queue != 0 ? kinds[seed % 2 * 3]
				       : kinds[seed % ARRAY_LEN(kinds)],
	};
}

static struct sender *sender_of(struct world *world)
{
	return &world->ends[0].session->machine.sender;
}

static struct receiver *receiver_of(struct world *world)
{
	return &world->ends[1].session->machine.receiver;
}

static void check_end(struct world *world, const char *name)
{
	if (!world_run_until_end(world, world->now + 60 * SEC) ||
		!world_is_identical(world) || world->ends[0].last.code != 0 ||
		world->ends[1].last.code != 0)
		fail_msg("%s: SEED=%llu: sender %d receiver %d at %lld ns, %u chunks "
			 "left",
			name, (unsigned long long)world->options.seed,
			world->ends[0].last.code, world->ends[1].last.code,
			(long long)world->now, receiver_of(world)->nleft);
}

static bool is_nearly_done(struct world *world)
{
	return receiver_of(world)->nleft * 10 <= world->manifest.nchunks;
}

static void count_rounds(const struct world *world, struct bill *bill)
{
	const struct world_copy *copy = &world->copies[0];
	uint32_t slices = world_slices(world);

	for (uint32_t chunk = 0; chunk < world->manifest.nchunks; chunk++) {
		uint32_t rounds = 0;

		for (uint32_t i = 0; i < slices; i++)
			rounds = u32_max(rounds, copy->sends[chunk * slices + i]);
		if (rounds == 0) /* all zero, never sent */
			continue;
		bill->chunks[u32_min(rounds, ROUNDS_MAX)]++;
		bill->nchunks++;
	}
}

/* How often the slices of all chunks but so many of a thousand were sent at most. */
static uint32_t rounds_but(const struct bill *bill, uint32_t but)
{
	uint64_t above = 0;
	uint32_t rounds = ROUNDS_MAX;

	while (rounds > 0 &&
		(above += bill->chunks[rounds]) * 1000 <= bill->nchunks * but)
		rounds--;
	return rounds;
}

/* What a story cost that has come to its end. outage: its time without any network. */
static void charge(struct world *world, nsec outage, struct bill *bill)
{
	const struct world_options *options = &world->options;
	uint64_t bytes = receiver_of(world)->bytes_written;
	uint64_t slices = bytes / options->slice_size + 1;
	uint64_t lossless = bytes + slices * (ETHER_UDP_HEADERS + WIRE_HEADER_LEN +
						     ETHER_WIRE_OVERHEAD);

	bill->packets += sender_of(world)->inflight.next_pn;
	bill->spurious += sender_of(world)->inflight.spurious;
	bill->wire += world->ends[0].bytes_sent;
	bill->dropped += world->pipes[1].dropped * options->slice_size;
	bill->bytes += bytes;
	bill->lossless += lossless;
	if (options->sizes == large) {
		bill->ideal += (double)lossless * 8e9 / (double)options->link.rate_bps;
		bill->time += world->now - 1 * SEC - outage;
	}
	count_rounds(world, bill);
}

static void tell(const struct fault_row *row, uint64_t seed, struct bill *bill)
{
	struct world_options options = options_of(&row->link, seed);
	struct world *world;

	if (seed % LARGE_EVERY == 0) {
		options.sizes = large;
		options.nfiles = ARRAY_LEN(large);
		options.cc =
			CC_SWIFT; /* as on a NIC: these are the ones that are timed */
	}
	world = world_create(&options);
	while (!is_nearly_done(world) && world->now < 60 * SEC)
		world_step(world);
	bill->probes += sender_of(world)->inflight.nprobes;
	check_end(world, row->name);
	charge(world, 0, bill);
	world_destroy(world);
}

static void check(const struct fault_row *row, const struct bill *bill)
{
	uint64_t lost_ppm = row->link.loss_ppm + row->link.corrupt_ppm;
	uint64_t limit = bill->lossless * 105 / 100 * MILLION / (MILLION - lost_ppm) +
			 bill->dropped * 105 / 100;

	if (bill->wire > limit)
		fail_msg("%s: %llu bytes on the wire, %llu allowed", row->name,
			(unsigned long long)bill->wire, (unsigned long long)limit);
	if (bill->probes * 1000 > bill->packets * PROBES_LIMIT)
		fail_msg("%s: %llu probes of %llu packets", row->name,
			(unsigned long long)bill->probes,
			(unsigned long long)bill->packets);
	/* the last ones by luck: few seeds have few chunks */
	if (row->rounds_limit != 0 &&
		rounds_but(bill, 1) > row->rounds_limit + (bill->nchunks < 10000))
		fail_msg("%s: the slices of a chunk are sent up to %u times", row->name,
			rounds_but(bill, 1));
	if (row->spurious_limit != 0 &&
		bill->spurious * 1000 > bill->packets * row->spurious_limit)
		fail_msg("%s: %llu of %llu packets sent twice for nothing", row->name,
			(unsigned long long)bill->spurious,
			(unsigned long long)bill->packets);
}

static uint64_t seeds_of(uint64_t share)
{
	const char *many = getenv("SEEDS");

	if (many == NULL)
		return share;
	return share * strtoull(many, NULL, 10) / SEEDS_DEFAULT + 1;
}

/* The rounds of all chunks but one in a thousand. */
static void print_row(const char *name, uint64_t seeds, const struct bill *bill)
{
	print_message("table: %-28s %5llu  %13.3f  %6u  %10.2f  %13.5f  %8.4f\n", name,
		(unsigned long long)seeds, (double)bill->wire / (double)bill->bytes,
		rounds_but(bill, 1),
		bill->ideal > 0 ? (double)bill->time / bill->ideal : 0,
		(double)bill->probes / (double)bill->packets,
		(double)bill->spurious / (double)bill->packets);
}

static void no_fault_costs_more_than_it_must(void **state)
{
	const char *only = getenv("SEED");

	(void)state;
	print_message("table: %-28s %5s  %13s  %6s  %10s  %13s  %8s\n", "fault", "seeds",
		"wire/snapshot", "rounds", "time/ideal", "probes/packet", "spurious");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t first = only != NULL ? strtoull(only, NULL, 10) : 1;
		uint64_t last = only != NULL ? first : seeds_of(rows[i].seeds);
		struct bill bill = {0};

		for (uint64_t seed = first; seed <= last; seed++)
			tell(&rows[i], seed, &bill);
		print_row(rows[i].name, last - first + 1, &bill);
		if (only == NULL)
			check(&rows[i], &bill);
	}
}

/* ---- nothing gets through ---------------------------------------------------------- */

struct hole_row {
	const char *name;
	enum link_hole hole;
	nsec span;
};

static const struct hole_row holes[] = {
	{"nothing for 100 ms", HOLE_ALL, 100 * MSEC},
	{"nothing for 3 s", HOLE_ALL, 3 * SEC},
	{"no data for 100 ms", HOLE_DATA, 100 * MSEC},
	{"no data for 3 s", HOLE_DATA, 3 * SEC},
	{"no ACKs for 100 ms", HOLE_ACKS, 100 * MSEC},
	{"no ACKs for 3 s", HOLE_ACKS, 3 * SEC},
};

static void run_until(struct world *world, nsec until)
{
	while (world->now < until)
		world_step(world);
}

static uint64_t bytes_sent(const struct world *world)
{
	return world->ends[0].bytes_sent + world->ends[1].bytes_sent;
}

/* The first moments are what was under way, and the first probes. */
static void fall_in(const struct hole_row *row, uint64_t seed, struct bill *bill)
{
	const nsec settle = 50 * MSEC;
	struct world_link link = {LAN};
	struct world_options options = options_of(&link, seed);
	struct world *world;
	uint64_t before, acked;
	nsec start;

	options.sizes = large;
	options.nfiles = 1;
	world = world_create(&options);
	while (receiver_of(world)->bytes_written < large[0] / 10)
		world_step(world);
	world->options.link.hole = row->hole;
	start = world->now;
	run_until(world, start + settle);
	before = bytes_sent(world);
	run_until(world, start + row->span);
	if ((bytes_sent(world) - before) * SEC >
		64000 * (uint64_t)(row->span - settle) + 16384 * SEC)
		fail_msg("%s: SEED=%llu: %llu bytes for nobody", row->name,
			(unsigned long long)seed,
			(unsigned long long)(bytes_sent(world) - before));
	world->options.link.hole = HOLE_NONE;
	acked = sender_of(world)->inflight.ack_next;
	start = world->now;
	while (sender_of(world)->inflight.ack_next == acked && world->now < 60 * SEC)
		world_step(world);
	if (world->now - start > 300 * MSEC) /* two probe timeouts at their longest */
		fail_msg("%s: SEED=%llu: goes on after %lld ns", row->name,
			(unsigned long long)seed, (long long)(world->now - start));
	bill->probes += sender_of(world)->inflight.nprobes;
	check_end(world, row->name);
	charge(world, row->span, bill);
	world_destroy(world);
}

static void a_hole_is_probed_and_left_at_once(void **state)
{
	const char *only = getenv("SEED");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(holes); i++) {
		uint64_t first = only != NULL ? strtoull(only, NULL, 10) : 1;
		uint64_t last = only != NULL ? first : seeds_of(6);
		struct bill bill = {0};

		for (uint64_t seed = first; seed <= last; seed++)
			fall_in(&holes[i], seed, &bill);
		print_row(holes[i].name, last - first + 1, &bill);
	}
}

static void a_hole_for_ever_ends_both_sides(void **state)
{
	struct world_link link = {LAN};
	struct world_options options = options_of(&link, 1);
	struct world *world;

	(void)state;
	options.sizes = large;
	options.nfiles = 1;
	world = world_create(&options);
	while (receiver_of(world)->bytes_written < large[0] / 10)
		world_step(world);
	world->options.link.hole = HOLE_ALL;
	assert_true(world_run_until_end(world, world->now + 10 * SEC));
	for (int i = 0; i < 2; i++)
		assert_int_equal(world->ends[i].last.code, -ETIMEDOUT);
	world_destroy(world);
}

/* ---- numbers that wrap ------------------------------------------------------------- */

/* As if the session had sent four thousand million packets before. */
static void start_near_the_wrap(struct world *world)
{
	const uint64_t pn = ((uint64_t)1 << 32) - 500;
	const uint64_t units = ((uint64_t)1 << 32) - 5000;
	struct session *sender = world->ends[0].session;
	struct session *receiver = world->ends[1].session;

	sender_of(world)->inflight.next_pn = pn;
	sender_of(world)->inflight.oldest = pn;
	sender_of(world)->inflight.ack_next = pn;
	sender_of(world)->sent_units = units;
	sender->received.next = pn;
	receiver_of(world)->next_pn = pn;
	receiver_of(world)->seen_units = units;
	receiver->received.next = pn;
}

static void every_number_wraps_unnoticed(void **state)
{
	/* the time in packets is 32 bits of 62.5 ns */
	const nsec wrap = wire_time_to_nsec(UINT32_MAX);
	struct world_link link = {
		LAN, .loss_ppm = 20000, .duplicate_ppm = 10000, .reorder_ppm = 10000};

	(void)state;
	for (uint64_t seed = 1; seed <= seeds_of(12); seed++) {
		struct world_options options = options_of(&link, seed);
		struct world *world;

		options.start = wrap - 1 * MSEC;
		world = world_create(&options);
		start_near_the_wrap(world);
		check_end(world, "wrap");
		assert_true(world->now > wrap);
		assert_true(sender_of(world)->sent_units > UINT32_MAX);
		assert_true(sender_of(world)->inflight.next_pn >
			    ((uint64_t)1 << 32) - 500 + 200);
		assert_true(world->now < wrap + 100 * MSEC);
		world_destroy(world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_fault_costs_more_than_it_must),
		cmocka_unit_test(a_hole_is_probed_and_left_at_once),
		cmocka_unit_test(a_hole_for_ever_ends_both_sides),
		cmocka_unit_test(every_number_wraps_unnoticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
