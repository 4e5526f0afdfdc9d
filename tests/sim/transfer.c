/* SPDX-License-Identifier: BSD-3-Clause */
/* A snapshot crosses a bad network, in virtual time. Each story is one seed; a failing
 * one prints it, and SEED=n replays it alone. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <errno.h>

#include <cmocka.h>

#include "tests/sim/world/world.h"

static const uint64_t sizes[] = {
	3 * MIB + 12345, 0, 1, 700, 1408, 100 * KIB, 256 * KIB, 256 * KIB + 1, 2 * MIB};

static struct world_options plain(uint64_t seed)
{
	return (struct world_options){
		.seed = seed,
		.link = {.delay = 20 * USEC, .jitter = 5 * USEC},
		.slice_size = 1408,
		.chunk_size = MANIFEST_CHUNK_MIN,
		.buffers = 24,
		.sizes = sizes,
		.nfiles = ARRAY_LEN(sizes),
		.stall_timeout = 5 * SEC,
		.disk_delay = 200 * USEC,
	};
}

struct story {
	const char *name;
	struct world_link link;
	uint32_t seeds;
	uint32_t wire_percent; /* wire bytes at most this much of what is not zero */
};

/* What the stories of one kind cost. */
struct bill {
	uint64_t wire;  /* bytes the sender put on the wire */
	uint64_t bytes; /* bytes that had to move */
	nsec time;
};

/* Runs one seed; adds what it cost. */
static void tell(const struct story *story, uint64_t seed, struct bill *bill)
{
	struct world_options options = plain(seed);
	struct world *world;

	options.link = story->link;
	options.slice_size = seed % 3 == 0 ? 8192 : seed % 3 == 1 ? 1408 : 4032;
	world = world_create(&options);
	if (!world_run_until_end(world, 60 * SEC) || !world_is_identical(world) ||
		world->ends[0].last.code != 0 || world->ends[1].last.code != 0)
		fail_msg(
			"%s: SEED=%llu: sender %d receiver %d at %lld ns, %u chunks left",
			story->name, (unsigned long long)seed, world->ends[0].last.code,
			world->ends[1].last.code, (long long)world->now,
			world->ends[1].session->machine.receiver.nleft);
	bill->wire += world->ends[0].bytes_sent;
	bill->bytes += world->ends[1].session->machine.receiver.bytes_written;
	bill->time += world->now - 1 * SEC;
	world_destroy(world);
}

static void run_story(const struct story *story)
{
	const char *only = getenv("SEED");
	uint64_t first = only != NULL ? strtoull(only, NULL, 10) : 1;
	uint64_t last = only != NULL ? first : story->seeds;
	struct bill bill = {0};

	for (uint64_t seed = first; seed <= last; seed++)
		tell(story, seed, &bill);
	print_message("%-28s %4llu seeds  wire/snapshot %.3f  %.1f ms each\n",
		story->name, (unsigned long long)(last - first + 1),
		(double)bill.wire / (double)bill.bytes,
		(double)bill.time / 1e6 / (double)(last - first + 1));
	assert_true(bill.wire * 100 <= bill.bytes * story->wire_percent);
}

#define LAN .delay = 20 * USEC, .jitter = 5 * USEC

static void a_clean_network_costs_its_headers(void **state)
{
	static const struct story story = {"clean", {LAN}, 40, 108};

	(void)state;
	run_story(&story);
}

static void one_percent_loss_costs_one_percent(void **state)
{
	static const struct story story = {"loss 1 %", {LAN, .loss_ppm = 10000}, 60, 110};

	(void)state;
	run_story(&story);
}

static void five_percent_loss_costs_five_percent(void **state)
{
	static const struct story story = {"loss 5 %", {LAN, .loss_ppm = 50000}, 60, 116};

	(void)state;
	run_story(&story);
}

static void twenty_percent_loss_completes(void **state)
{
	static const struct story story = {
		"loss 20 %", {LAN, .loss_ppm = 200000}, 60, 140};

	(void)state;
	run_story(&story);
}

static void duplicates_are_written_once(void **state)
{
	static const struct story story = {
		"duplication 50 %", {LAN, .duplicate_ppm = 500000}, 40, 108};

	(void)state;
	run_story(&story);
}

static void reordered_packets_find_their_place(void **state)
{
	static const struct story story = {
		"reordering 10 %", {LAN, .reorder_ppm = 100000}, 40, 125};

	(void)state;
	run_story(&story);
}

static void corrupt_packets_are_dropped_and_sent_again(void **state)
{
	static const struct story story = {
		"corruption 2 %", {LAN, .corrupt_ppm = 20000}, 60, 114};

	(void)state;
	run_story(&story);
}

static void everything_at_once(void **state)
{
	static const struct story story = {"all of it, 5 ms away",
		{.delay = 5 * MSEC,
			.loss_ppm = 50000,
			.duplicate_ppm = 50000,
			.corrupt_ppm = 10000,
			.reorder_ppm = 20000},
		40, 135};

	(void)state;
	run_story(&story);
}

/* Memory is what bounds a transfer: with two buffers it is slow, not stuck. */
static void two_buffers_suffice(void **state)
{
	struct world_options options = plain(7);
	struct world *world;

	(void)state;
	options.buffers = 2;
	world = world_create(&options);
	assert_true(world_run_until_end(world, 60 * SEC));
	assert_true(world_is_identical(world));
	world_destroy(world);
}

static void a_snapshot_of_nothing_is_done_at_once(void **state)
{
	static const uint64_t empty[] = {0, 0};
	struct world_options options = plain(8);
	struct world *world;

	(void)state;
	options.sizes = empty;
	options.nfiles = 2;
	world = world_create(&options);
	assert_true(world_run_until_end(world, 10 * SEC));
	assert_int_equal(world->ends[1].last.event, REPORT_DONE);
	world_destroy(world);
}

/* The sender's disk gave one wrong answer: the chunk is pulled again, not the transfer.
 */
static void a_chunk_read_wrong_once_is_pulled_again(void **state)
{
	struct world_options options = plain(9);
	struct world *world = world_create(&options);

	(void)state;
	world->ends[0].rotten_chunk = 3;
	world->ends[0].rot_heals = true;
	assert_true(world_run_until_end(world, 60 * SEC));
	assert_true(world_is_identical(world));
	world_destroy(world);
}

static void a_rotten_chunk_ends_both_sides_and_is_named(void **state)
{
	struct world_options options = plain(10);
	struct world *world = world_create(&options);

	(void)state;
	world->ends[0].rotten_chunk = 5;
	assert_true(world_run_until_end(world, 60 * SEC));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(world->ends[i].last.event, REPORT_FAILED);
		assert_int_equal(world->ends[i].last.code, -EBADMSG);
		assert_int_equal(world->ends[i].last.chunk, 5);
	}
	assert_int_equal(world->copies[0].writes[5], 0);
	world_destroy(world);
}

static void a_full_disk_ends_both_sides(void **state)
{
	struct world_options options = plain(11);
	struct world *world = world_create(&options);

	(void)state;
	world->ends[1].disk_error = -ENOSPC;
	assert_true(world_run_until_end(world, 60 * SEC));
	assert_int_equal(world->ends[1].last.code, -ENOSPC);
	assert_false(world->ends[1].last.by_peer);
	assert_int_equal(world->ends[0].last.code, -ENOSPC);
	assert_true(world->ends[0].last.by_peer);
	world_destroy(world);
}

static void a_silent_peer_is_given_up_after_the_stall_timeout(void **state)
{
	struct world_options options = plain(12);
	struct world *world = world_create(&options);
	nsec start;

	(void)state;
	while (world->ends[1].session->machine.receiver.bytes_written == 0)
		world_step(world);
	world->ends[0].is_cut = true;
	world->ends[1].is_cut = true;
	start = world->now;
	assert_true(world_run_until_end(world, 60 * SEC));
	assert_int_equal(world->ends[0].last.code, -ETIMEDOUT);
	assert_int_equal(world->ends[1].last.code, -ETIMEDOUT);
	assert_in_range(world->now - start, 4 * SEC, 6 * SEC);
	world_destroy(world);
}

/* A network that lets nothing through is not flooded. */
static void a_dead_network_is_probed_not_flooded(void **state)
{
	struct world_options options = plain(13);
	struct world *world = world_create(&options);
	uint64_t before;
	nsec start;

	(void)state;
	while (world->ends[1].session->machine.receiver.bytes_written == 0)
		world_step(world);
	world->ends[0].is_cut = true;
	world->ends[1].is_cut = true;
	start = world->now;
	while (world->now < start + 1 * SEC)
		world_step(world);
	before = world->ends[0].bytes_sent + world->ends[1].bytes_sent;
	while (world->now < start + 3 * SEC)
		world_step(world);
	assert_in_range(world->ends[0].bytes_sent + world->ends[1].bytes_sent - before, 0,
		2 * 64 * KIB);
	world->ends[0].is_cut = false;
	world->ends[1].is_cut = false;
	assert_true(world_run_until_end(world, 60 * SEC));
	assert_true(world_is_identical(world));
	world_destroy(world);
}

static void stopping_gives_every_buffer_back(void **state)
{
	struct world_options options = plain(14);
	struct world *world = world_create(&options);

	(void)state;
	while (world->ends[1].session->machine.receiver.bytes_written == 0)
		world_step(world);
	for (int i = 0; i < 2; i++)
		worker_stop(&world->ends[i].worker,
			world->ends[i].session->params.session_id);
	while (world->ends[0].nreports[REPORT_STOPPED] == 0 ||
		world->ends[1].nreports[REPORT_STOPPED] == 0)
		world_step(world);
	for (int i = 0; i < 2; i++)
		assert_int_equal(world->ends[i].pool.nfree, options.buffers);
	world_destroy(world);
}

/* Garbage, strangers and replays change nothing and draw no answer. */
static void garbage_and_replays_change_nothing(void **state)
{
	struct world_options options = plain(15);
	struct world *world = world_create(&options);
	uint8_t garbage[2000];

	(void)state;
	options.link.duplicate_ppm = 1000000;
	while (!world->ends[1].session->is_reported ||
		!world->ends[0].session->is_reported) {
		uint32_t len = world_random(world, sizeof(garbage));

		for (uint32_t i = 0; i < len; i++)
			garbage[i] = (uint8_t)world_random(world, 256);
		if (len > 60 && world_random(world, 2) == 0 &&
			world->pipes[1].nframes > 0) {
			const struct link_frame *frame = world->pipes[1].frames[0];

			len = u32_min(frame->len, sizeof(garbage));
			for (uint32_t i = 0; i < len; i++)
				garbage[i] = frame->bytes[i];
			garbage[world_random(world, len)] ^= 1;
		}
		link_inject(world, (int)world_random(world, 2), garbage, len);
		world_step(world);
	}
	assert_true(world_is_identical(world));
	assert_int_equal(world->ends[1].last.code, 0);
	world_destroy(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_clean_network_costs_its_headers),
		cmocka_unit_test(one_percent_loss_costs_one_percent),
		cmocka_unit_test(five_percent_loss_costs_five_percent),
		cmocka_unit_test(twenty_percent_loss_completes),
		cmocka_unit_test(duplicates_are_written_once),
		cmocka_unit_test(reordered_packets_find_their_place),
		cmocka_unit_test(corrupt_packets_are_dropped_and_sent_again),
		cmocka_unit_test(everything_at_once),
		cmocka_unit_test(two_buffers_suffice),
		cmocka_unit_test(a_snapshot_of_nothing_is_done_at_once),
		cmocka_unit_test(a_chunk_read_wrong_once_is_pulled_again),
		cmocka_unit_test(a_rotten_chunk_ends_both_sides_and_is_named),
		cmocka_unit_test(a_full_disk_ends_both_sides),
		cmocka_unit_test(a_silent_peer_is_given_up_after_the_stall_timeout),
		cmocka_unit_test(a_dead_network_is_probed_not_flooded),
		cmocka_unit_test(stopping_gives_every_buffer_back),
		cmocka_unit_test(garbage_and_replays_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
