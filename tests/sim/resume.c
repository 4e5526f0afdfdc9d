/* SPDX-License-Identifier: BSD-3-Clause */
/* A follower dies again and again in the middle of a transfer, and its disk loses what it
 * may: the journal brings it back, each life sends what is missing and nothing else, and
 * slices need not be what they were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/base/bitmap.h"
#include "dataplane/journal.h"
#include "tests/sim/world/world.h"

enum {
	CHUNK = MANIFEST_CHUNK_MIN,
	CHUNKS_MAX = 64,
	RECORDS_MAX = 4096,
	SYNC_EVERY = 6, /* chunks */
	SEEDS = 12,
	SLICE_MIN = 1408,
};

static const uint64_t sizes[] = {30 * CHUNK + 5, 100, 5000, 8 * CHUNK, 60000};
static const uint32_t slices[] = {SLICE_MIN, 4096, 8192};

enum death { KILLED, POWER_CUT, ROT };

/* The follower's memory and disk, beside what the world keeps of its chunks. */
struct follower {
	struct world *world;
	struct world_copy *copy;
	uint32_t noted[CHUNKS_MAX]; /* writes that are in the journal */
	uint64_t written[BITMAP_WORDS(CHUNKS_MAX)];
	uint64_t durable[BITMAP_WORDS(CHUNKS_MAX)];
	struct journal_map map;
	uint8_t journal[RECORDS_MAX * JOURNAL_RECORD_LEN];
	size_t len;
	size_t synced; /* bytes of the journal */
	uint64_t seq;
	uint32_t unsynced; /* chunks written since the last sync */
	uint32_t nmoved;   /* chunks that are not zero */
};

static void expect(const struct follower *follower, bool holds, const char *what)
{
	if (!holds)
		fail_msg("SEED=%llu: %s",
			(unsigned long long)follower->world->options.seed, what);
}

static void append(struct follower *follower, struct journal_record *record)
{
	record->seq = ++follower->seq;
	assert_true(follower->len + JOURNAL_RECORD_LEN <= sizeof(follower->journal));
	journal_encode_record(follower->journal + follower->len, record);
	journal_apply(&follower->map, record);
	follower->len += JOURNAL_RECORD_LEN;
}

/* Files first, then the records, then the journal. */
static void sync_all(struct follower *follower)
{
	for (uint32_t i = 0; i < follower->map.nchunks; i++) {
		struct journal_record record = {
			.first = i, .count = 1, .kind = JOURNAL_DURABLE};

		if (bitmap_test(follower->written, i))
			append(follower, &record);
	}
	follower->unsynced = 0;
	follower->synced = follower->len;
}

static void note_writes(struct follower *follower)
{
	for (uint32_t i = 0; i < follower->map.nchunks; i++) {
		struct journal_record record = {
			.first = i, .count = 1, .kind = JOURNAL_WRITTEN};

		if (follower->copy->writes[i] == follower->noted[i])
			continue;
		follower->noted[i] = follower->copy->writes[i];
		append(follower, &record);
		if (++follower->unsynced == SYNC_EVERY)
			sync_all(follower);
	}
}

static uint8_t *chunk_of(const struct follower *follower, uint32_t chunk)
{
	return follower->copy->image + (size_t)chunk * CHUNK;
}

static bool is_right(const struct follower *follower, uint32_t chunk)
{
	const struct manifest *manifest = &follower->world->manifest;
	struct manifest_leaf leaf = manifest_leaf_of(
		chunk_of(follower, chunk), manifest_chunk_len(manifest, chunk));

	return leaf.crc32c == manifest->leaves[chunk].crc32c &&
	       leaf.crc64 == manifest->leaves[chunk].crc64;
}

/* Of what was not synced each chunk is there, half there or lost; the journal is torn. */
static void cut_power(struct follower *follower)
{
	struct world *world = follower->world;

	for (uint32_t i = 0; i < follower->map.nchunks; i++) {
		uint32_t len = manifest_chunk_len(&world->manifest, i);
		uint32_t kept = len / 2 * world_random(world, 3);

		if (bitmap_test(follower->written, i) && kept < len / 2 * 2)
			memset(chunk_of(follower, i) + kept, 0, len - kept);
	}
	follower->len =
		follower->synced +
		world_random(world, (uint32_t)(follower->len - follower->synced + 1));
}

/* What a disk must not do, and does. Returns how many chunks it has spoilt. */
static uint32_t rot(struct follower *follower)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < follower->map.nchunks; i++) {
		if (!bitmap_test(follower->durable, i) ||
			world_random(follower->world, 8) != 0)
			continue;
		chunk_of(follower, i)[17] ^= 1;
		count++;
	}
	return count;
}

/* The state of the moment is what is found again; what the threads still did is undone.
 */
static void die(struct follower *follower)
{
	size_t bytes = (size_t)follower->map.nchunks * CHUNK;
	uint8_t *image = malloc(bytes);

	memcpy(image, follower->copy->image, bytes);
	world_stop(follower->world, 0);
	memcpy(follower->copy->image, image, bytes);
	free(image);
}

/* A new life: what is durable is believed, what was written is compared. */
static void come_back(struct follower *follower)
{
	struct journal_record record = {0};
	struct journal_map found = follower->map;
	uint32_t next = 0;

	follower->seq = journal_replay(&found, follower->journal, follower->len);
	for (uint32_t i = 0; i < found.nchunks; i++) {
		if (bitmap_test(found.written, i) && !is_right(follower, i))
			bitmap_clear(found.written, i);
		follower->copy->writes[i] =
			bitmap_test(found.written, i) || bitmap_test(found.durable, i);
		follower->noted[i] = follower->copy->writes[i];
	}
	follower->len = 0;
	follower->seq = 0;
	while (journal_next_run(&found, &next, &record))
		append(follower, &record);
	follower->synced = follower->len;
	follower->unsynced = bitmap_count(found.written, found.nchunks);
}

static uint32_t count_here(const struct follower *follower)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < follower->map.nchunks; i++)
		count += follower->copy->writes[i] > 0;
	return count;
}

/* With slices of another size, until so many chunks are here. */
static void live_until(struct follower *follower, uint32_t goal)
{
	struct world *world = follower->world;
	const nsec deadline = world->now + 100 * SEC;

	world->options.slice_size = slices[world_random(world, ARRAY_LEN(slices))];
	world_start(world, 0);
	while (count_here(follower) < goal && world->now < deadline) {
		world_step(world);
		note_writes(follower);
	}
	expect(follower, world->now < deadline, "it does not get on");
}

static struct follower *open_follower(uint64_t seed)
{
	struct follower *follower = calloc(1, sizeof(*follower));
	const struct world_options options = {
		.seed = seed,
		.link = {.delay = 20 * USEC, .jitter = 10 * USEC, .loss_ppm = 5000},
		.slice_size = SLICE_MIN, /* the smallest decides what has room */
		.chunk_size = CHUNK,
		.buffers = 16,
		.sizes = sizes,
		.nfiles = ARRAY_LEN(sizes),
		.stall_timeout = 5 * SEC,
		.disk_delay = 50 * USEC,
		.starts_later = true,
	};
	struct world *world = world_create(&options);

	assert_true(world->manifest.nchunks <= CHUNKS_MAX);
	follower->world = world;
	follower->copy = &world->copies[0];
	follower->map = (struct journal_map){
		world->manifest.nchunks, follower->written, follower->durable};
	for (uint32_t i = 0; i < world->manifest.nchunks; i++)
		follower->nmoved += (world->manifest.leaves[i].flags & LEAF_ZERO) == 0;
	return follower;
}

static void close_follower(struct follower *follower)
{
	world_destroy(follower->world);
	free(follower);
}

/* All is here; some of it only said to be. That is pulled again, and nothing else. */
static void finish(struct follower *follower, uint32_t nrotten)
{
	uint32_t wrong = 0, nchunks;

	live_until(follower, follower->nmoved);
	die(follower);
	for (uint32_t i = 0; i < follower->map.nchunks; i++) {
		if (follower->copy->writes[i] == 0 || is_right(follower, i))
			continue;
		follower->copy->writes[i] = 0;
		wrong++;
	}
	expect(follower, wrong <= nrotten, "more is wrong than has rotted");
	if (wrong > 0) {
		for (uint32_t i = 0; i < follower->map.nchunks; i++)
			follower->noted[i] = follower->copy->writes[i];
		live_until(follower, follower->nmoved);
		die(follower);
	}
	/* each chunk has been written once since it was found missing */
	expect(follower, world_is_sound(follower->world, 0, &nchunks), "it is wrong");
	expect(follower, nchunks == follower->map.nchunks, "it is not whole");
}

static void interrupted_at_any_percent_it_sends_the_rest(void **state)
{
	static const uint32_t percents[] = {0, 1, 37, 50, 99, 100};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(percents); i++) {
		struct follower *follower = open_follower(i + 1);
		uint32_t here;

		live_until(follower, (follower->nmoved * percents[i] + 99) / 100);
		here = count_here(follower);
		die(follower);
		come_back(follower);
		expect(follower, count_here(follower) == here, "a written chunk is lost");
		finish(follower, 0);
		close_follower(follower);
	}
}

static uint32_t die_of(struct follower *follower, enum death death)
{
	uint32_t spoilt = 0;

	die(follower);
	if (death >= POWER_CUT)
		cut_power(follower);
	if (death == ROT)
		spoilt = rot(follower);
	return spoilt;
}

static void ten_deaths_cost_what_the_disk_lost(void **state)
{
	uint32_t lost = 0, spoilt = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct follower *follower = open_follower(seed);
		uint32_t rotten = 0;

		for (int life = 0; life < 10; life++) {
			enum death death = world_random(follower->world, 3);
			uint32_t goal = count_here(follower);
			uint32_t here, durable;

			goal += world_random(
					follower->world, follower->nmoved - goal + 1) /
				3;
			live_until(follower, goal);
			here = count_here(follower);
			durable = bitmap_count(follower->durable, follower->map.nchunks);
			rotten += die_of(follower, death);
			come_back(follower);
			expect(follower, count_here(follower) >= durable,
				"what was durable has to be sent again");
			expect(follower, death != KILLED || count_here(follower) == here,
				"a killed process loses what it has written");
			lost += here - count_here(follower);
		}
		finish(follower, rotten);
		spoilt += rotten;
		close_follower(follower);
	}
	print_message("SEED=1 to %d: %u chunks lost and %u spoilt by the disk\n", SEEDS,
		lost, spoilt);
	assert_true(lost > 0 && spoilt > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interrupted_at_any_percent_it_sends_the_rest),
		cmocka_unit_test(ten_deaths_cost_what_the_disk_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
