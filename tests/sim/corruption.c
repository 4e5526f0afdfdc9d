/* SPDX-License-Identifier: BSD-3-Clause */
/* One packet in a hundred with one to 64 bits flipped, anywhere from the Ethernet header
 * to the last byte: no wrong byte is ever written, and every damaged packet that finds
 * its session is counted. A hundred thousand packets; SEEDS=n sends two thousand for
 * each, SEED=n replays one snapshot. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/sim/world/world.h"

enum { PACKETS = 100000, PACKETS_A_SEED = 2000, SENDER = 0, RECEIVER = 1 };

static const uint64_t sizes[] = {12 * MIB + 4321, 700, 0, 300 * KIB};

struct tally {
	uint64_t snapshots;
	uint64_t packets;
	uint64_t corrupted;
	uint64_t seen;       /* by their sessions */
	uint64_t counted;    /* as bad */
	uint64_t duplicates; /* thrown away without a look at their bytes */
};

static uint64_t bad_of(const struct world_end *end)
{
	return atomic_load(&end->session->counters.packets_bad);
}

static void check(const struct world *world, const struct tally *tally)
{
	if (tally->counted > tally->seen ||
		tally->counted + tally->duplicates < tally->seen)
		fail_msg("SEED=%llu: %llu damaged packets seen, %llu counted, %llu "
			 "duplicates",
			(unsigned long long)world->options.seed,
			(unsigned long long)tally->seen,
			(unsigned long long)tally->counted,
			(unsigned long long)tally->duplicates);
}

static void send_one(uint64_t seed, struct tally *total)
{
	const struct world_options options = {
		.seed = seed,
		.link = {.delay = 20 * USEC,
			.jitter = 2 * USEC,
			.rate_bps = 10000000000,
			.corrupt_ppm = 10000,
			.corrupt_bits = 64},
		.slice_size = seed % 4 == 0 ? 8192 : 1024,
		.chunk_size = MANIFEST_CHUNK_MIN,
		.buffers = 24,
		.sizes = sizes,
		.nfiles = ARRAY_LEN(sizes),
		.stall_timeout = 5 * SEC,
		.disk_delay = 100 * USEC,
		.cc = seed % 2 == 0 ? CC_SWIFT : CC_FIXED,
	};
	struct world *world = world_create(&options);
	const struct receiver *receiver =
		&world->ends[RECEIVER].session->machine.receiver;
	struct tally tally = {0};

	if (!world_run_until_end(world, 60 * SEC) || !world_is_identical(world))
		fail_msg("SEED=%llu: the copy is wrong, or never whole",
			(unsigned long long)seed);
	for (int i = 0; i < 2; i++) {
		tally.packets += world->ends[i].frames_sent;
		tally.corrupted += world->pipes[i].corrupted;
		tally.seen += world->pipes[i].corrupt_arrived;
		tally.counted += bad_of(&world->ends[i]);
	}
	tally.duplicates = receiver->bytes_duplicate / options.slice_size + 1;
	check(world, &tally);
	total->snapshots++;
	total->packets += tally.packets;
	total->corrupted += tally.corrupted;
	total->seen += tally.seen;
	total->counted += tally.counted;
	world_destroy(world);
}

static void no_corrupt_byte_is_ever_written(void **state)
{
	const char *only = getenv("SEED");
	const char *many = getenv("SEEDS");
	uint64_t wanted =
		many != NULL ? strtoull(many, NULL, 10) * PACKETS_A_SEED : PACKETS;
	uint64_t seed = only != NULL ? strtoull(only, NULL, 10) : 1;
	struct tally total = {0};

	(void)state;
	do
		send_one(seed++, &total);
	while (only == NULL && total.packets < wanted);
	print_message("table: %llu packets, %llu damaged: %llu found their session, %llu "
		      "of them counted, none believed\n",
		(unsigned long long)total.packets, (unsigned long long)total.corrupted,
		(unsigned long long)total.seen, (unsigned long long)total.counted);
	assert_true(only != NULL || total.corrupted > wanted / 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_corrupt_byte_is_ever_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
