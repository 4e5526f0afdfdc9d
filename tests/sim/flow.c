/* SPDX-License-Identifier: BSD-3-Clause */
/* A follower whose disk is slower than the network, or too small: what is in flight is
 * what it has room for, and a full disk ends in a copy that a later attempt completes.
 * SEED=n replays one seed, SEEDS=n runs so many. */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/sim/world/world.h"

enum { SEEDS_DEFAULT = 8, BUFFERS = 12, SENDER = 0, RECEIVER = 1 };

static const uint64_t sizes[] = {12 * MIB + 4321, 700, 0, 4 * MIB};

static struct world_options options_of(uint64_t seed)
{
	static const uint32_t slices[] = {1408, 8192, 4032};

	return (struct world_options){
		.seed = seed,
		/* a queue that holds more than the receiver does: it never fills */
		.link = {.delay = 20 * USEC,
			.jitter = 2 * USEC,
			.rate_bps = 10000000000,
			.queue = 64 * MIB},
		.slice_size = slices[seed % ARRAY_LEN(slices)],
		.chunk_size = MANIFEST_CHUNK_MIN << seed % 3,
		.buffers = BUFFERS,
		.sizes = sizes,
		.nfiles = ARRAY_LEN(sizes),
		.stall_timeout = 5 * SEC,
		.disk_delay = 100 * USEC,
		.cc = seed % 2 == 0 ? CC_FIXED : CC_SWIFT,
		.window = INFLIGHT_WINDOW_MAX,
	};
}

static struct sender *sender_of(struct world *world)
{
	return &world_sender(world, 0)->sessions[0]->machine.sender;
}

static struct receiver *receiver_of(struct world *world)
{
	return &world_receiver(world, 0)->sessions[0]->machine.receiver;
}

typedef void (*seed_story)(uint64_t seed);

static void for_seeds(seed_story story)
{
	const char *only = getenv("SEED");
	const char *many = getenv("SEEDS");
	uint64_t first = only != NULL ? strtoull(only, NULL, 10) : 1;
	uint64_t count =
		many != NULL ? strtoull(many, NULL, 10) / 100 + 1 : SEEDS_DEFAULT;

	for (uint64_t seed = first; seed <= (only != NULL ? first : count); seed++)
		story(seed);
}

static void expect(const struct world *world, bool holds, const char *what)
{
	if (!holds)
		fail_msg("SEED=%llu at %lld ns: %s",
			(unsigned long long)world->options.seed, (long long)world->now,
			what);
}

/* ---- a slow disk ------------------------------------------------------------------- */

/* What holds at every moment. */
static void check_flow(struct world *world)
{
	const struct sender *sender = sender_of(world);
	const struct receiver *receiver = receiver_of(world);
	uint64_t in_flight = (uint64_t)sender->inflight.count * world->options.slice_size;
	uint64_t room = (uint64_t)BUFFERS * world->options.chunk_size;

	expect(world, sender->sent_units <= sender->credit, "more sent than granted");
	expect(world, sender->credit <= receiver->credit, "credit from nowhere");
	expect(world, in_flight <= room, "more in flight than there are buffers for");
	expect(world, receiver->nopen + receiver->nwriting <= BUFFERS,
		"more chunks open than buffers");
}

static void a_disk_of_one_megabyte_a_second(uint64_t seed)
{
	struct world_options options = options_of(seed);
	struct world *world;
	nsec ideal;

	options.write_rate = 1000000;
	world = world_create(&options);
	while (!world->ends[SENDER].session->is_reported ||
		!world->ends[RECEIVER].session->is_reported) {
		world_step(world);
		check_flow(world);
	}
	expect(world, world_is_identical(world), "the copy is wrong");
	expect(world, world->ends[SENDER].last.code == 0, "the sender failed");
	/* each slice once: a dropped one would have been sent again */
	expect(world, sender_of(world)->inflight.lost == 0, "packets were lost");
	expect(world, receiver_of(world)->bytes_duplicate == 0, "slices came twice");
	expect(world, world->pipes[RECEIVER].dropped == 0, "the queue overflowed");
	ideal = (nsec)(receiver_of(world)->bytes_written * 1000);
	expect(world, world->now - 1 * SEC <= ideal + ideal / 20, "the disk had to wait");
	world_destroy(world);
}

static void a_slow_disk_slows_the_sender_and_nothing_is_dropped(void **state)
{
	(void)state;
	for_seeds(a_disk_of_one_megabyte_a_second);
}

/* ---- a full disk ------------------------------------------------------------------- */

static void a_disk_of_five_megabytes(uint64_t seed)
{
	struct world_options options = options_of(seed);
	struct world *world;
	uint32_t before, after;
	uint64_t sent;

	options.space = 5 * MIB;
	options.link.loss_ppm = seed % 4 * 10000;
	world = world_create(&options);
	expect(world, world_run_until_end(world, 60 * SEC), "it does not end");
	for (int i = 0; i < 2; i++)
		expect(world, world->ends[i].last.code == -ENOSPC, "another error");
	expect(world, world->ends[SENDER].last.by_peer, "the sender was not told");
	expect(world, !world->ends[RECEIVER].last.by_peer, "the receiver was");
	world_stop(world, 0);
	expect(world, world_is_sound(world, 0, &before), "what it wrote is wrong");
	expect(world, before > 0 && before < world->manifest.nchunks, "all or nothing");
	for (int i = 0; i < 2; i++)
		expect(world, world->ends[i].pool.nfree == BUFFERS, "a buffer is lost");

	world->options.space = 0;
	sent = world->ends[SENDER].bytes_sent;
	world_start(world, 0);
	expect(world, world_run_until_end(world, world->now + 60 * SEC), "no end");
	expect(world, world_is_sound(world, 0, &after), "a chunk was written twice");
	expect(world, after == world->manifest.nchunks, "chunks are missing");
	sent = world->ends[SENDER].bytes_sent - sent;
	expect(world, sent < (world->manifest.bytes - 3 * MIB) * 11 / 10,
		"what was there is sent again");
	world_destroy(world);
}

static void a_full_disk_is_told_and_gone_on_from(void **state)
{
	(void)state;
	for_seeds(a_disk_of_five_megabytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slow_disk_slows_the_sender_and_nothing_is_dropped),
		cmocka_unit_test(a_full_disk_is_told_and_gone_on_from),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
