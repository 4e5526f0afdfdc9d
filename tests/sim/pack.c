/* SPDX-License-Identifier: BSD-3-Clause */
/* Several followers take one snapshot from a leader whose cache holds a sixth of it:
 * the disk is read once, or little more. Each story is a seed; a failing one prints it,
 * and SEED=n replays it alone. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/sim/world/world.h"

#define UPLINK_BPS ((uint64_t)10000000000)
#define LIMIT (60 * SEC) /* virtual */

enum { BUFFERS = 64, CHUNKS = 400, SENT = CHUNKS / 10 * 9 + CHUNKS % 10 };

static const uint64_t size = (uint64_t)CHUNKS * MANIFEST_CHUNK_MIN;

struct story {
	uint64_t seed;
	uint32_t nfollowers;
	struct world *world;
};

static void open_story(struct story *story, bool starts_later)
{
	const struct world_options options = {
		.seed = story->seed,
		.link = {.delay = 20 * USEC, .rate_bps = UPLINK_BPS, .queue = 4 * MIB},
		.slice_size = 8192,
		.chunk_size = MANIFEST_CHUNK_MIN,
		.buffers = BUFFERS,
		.sizes = &size,
		.nfiles = 1,
		.stall_timeout = 30 * SEC,
		.disk_delay = 20 * USEC,
		.nsessions = story->nfollowers,
		.nreceivers = story->nfollowers,
		.uplink = true,
		.cc = CC_SWIFT,
		.discards = true,
		.starts_later = starts_later,
	};

	story->world = world_create(&options);
}

static void set_rate(struct story *story, uint32_t which, uint64_t rate_bps)
{
	struct world_end *end = world_receiver(story->world, which);

	worker_set_session_rate(&end->worker, end->sessions[which]->params.session_id,
		rate_bps, story->world->now);
}

static bool has_ended(struct story *story, uint32_t which)
{
	return world_receiver(story->world, which)->sessions[which]->is_reported;
}

static bool have_ended(struct story *story, uint32_t first, uint32_t end)
{
	while (first < end && has_ended(story, first))
		first++;
	return first == end;
}

/* Until the followers from first on have all of it. Returns how often each chunk was
 * read, in hundredths. */
static uint32_t finish(struct story *story, uint32_t first)
{
	struct world *world = story->world;
	uint64_t reads;

	while (!have_ended(story, first, story->nfollowers)) {
		world_step(world);
		if (world->now > LIMIT)
			fail_msg("SEED=%llu: it does not end",
				(unsigned long long)story->seed);
	}
	reads = world->ends[0].worker.cache.reads;
	print_message("SEED=%llu, %u followers: %llu reads of %u, %lld ms\n",
		(unsigned long long)story->seed, story->nfollowers,
		(unsigned long long)reads, SENT, (long long)(world->now / MSEC - 1000));
	return (uint32_t)(reads * 100 / SENT);
}

static void for_each_seed(void (*tell)(struct story *story), uint32_t nseeds)
{
	const char *only = getenv("SEED");
	uint64_t first = only != NULL ? strtoull(only, NULL, 10) : 1;

	for (uint64_t seed = first; seed < first + (only != NULL ? 1 : nseeds); seed++) {
		struct story story = {.seed = seed, .nfollowers = 8};

		tell(&story);
		world_destroy(story.world);
	}
}

static void expect_reads(const struct story *story, uint32_t reads, uint32_t most)
{
	if (reads > most)
		fail_msg("SEED=%llu, %u followers: %u reads of 100 chunks, at most %u",
			(unsigned long long)story->seed, story->nfollowers, reads, most);
}

static void alike(struct story *story)
{
	open_story(story, false);
	expect_reads(story, finish(story, 0), 110);
}

static void eight_alike_are_served_by_one_read(void **state)
{
	(void)state;
	for_each_seed(alike, 1);
}

/* From 0.8 to 1.2 Gb/s: the last is half the cache behind when a sixth is done. */
static void at_their_own_rates(struct story *story)
{
	story->nfollowers = 4;
	open_story(story, false);
	for (uint32_t i = 0; i < story->nfollowers; i++)
		set_rate(story, i, (uint64_t)(800 + 400 * i / 3) * 1000000);
	expect_reads(story, finish(story, 0), 120);
}

static void the_faster_wait_for_the_slower(void **state)
{
	(void)state;
	for_each_seed(at_their_own_rates, 1);
}

static uint64_t written_by(const struct story *story, uint32_t which)
{
	const struct session *session =
		world_receiver(story->world, which)->sessions[which];

	return session->machine.receiver.bytes_written;
}

/* One begins; when it has 5, 10, 15 % another one does, at a tenth more or less. By then
 * the first are 28 % ahead: up to 32 chunks are under way to each. The last has to have
 * that read again, and all share it. */
static void one_after_another(struct story *story)
{
	story->nfollowers = 4;
	open_story(story, true);
	for (uint32_t i = 0; i < story->nfollowers; i++) {
		world_start(story->world, i);
		set_rate(story, i, (uint64_t)(900 + 100 * (i % 2)) * 1000000);
		while (i < 3 && written_by(story, 0) < size / 20 * (i + 1))
			world_step(story->world);
	}
	expect_reads(story, finish(story, 0), 130);
}

static void who_comes_later_joins_the_others(void **state)
{
	(void)state;
	for_each_seed(one_after_another, 1);
}

/* 0 and 1 get a tenth of what the others do. */
static void with_two_that_crawl(struct story *story)
{
	struct world *world;

	open_story(story, false);
	world = story->world;
	for (uint32_t i = 0; i < story->nfollowers; i++)
		set_rate(story, i, (uint64_t)(i < 2 ? 100 : 1000) * 1000000);
	(void)finish(story, 2);
	assert_true(world->now - 1 * SEC < 1200 * MSEC);
}

static void who_crawls_is_left_behind(void **state)
{
	(void)state;
	for_each_seed(with_two_that_crawl, 1);
}

static void with_a_dead_one(struct story *story)
{
	open_story(story, false);
	while (story->world->now < 1 * SEC + 100 * MSEC)
		world_step(story->world);
	world_receiver(story->world, 0)->is_cut = true;
	expect_reads(story, finish(story, 1), 110);
	assert_true(story->world->now - 1 * SEC < 1 * SEC);
}

static void the_dead_are_not_waited_for(void **state)
{
	(void)state;
	for_each_seed(with_a_dead_one, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(eight_alike_are_served_by_one_read),
		cmocka_unit_test(the_faster_wait_for_the_slower),
		cmocka_unit_test(who_comes_later_joins_the_others),
		cmocka_unit_test(who_crawls_is_left_behind),
		cmocka_unit_test(the_dead_are_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
