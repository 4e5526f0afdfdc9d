/* SPDX-License-Identifier: BSD-3-Clause */
/* Ten thousand sessions come and go on two workers, at random moments of their lives and
 * over a bad network, with packets of the dead still on their way: everything that was
 * taken is given back. SEED=n draws other lives, SEEDS=n runs a world for
 * each five hundred. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/sim/world/world.h"

enum {
	LIVES = 10000,
	SLOTS = 4,
	BUFFERS = 8,
	GENERATIONS = 1 << 12, /* of a session id */
	STEPS_MAX = 200000,
};

static const uint64_t sizes[] = {60 * KIB, 700, 0};

static struct world *open_world(uint64_t seed)
{
	const struct world_options options = {
		.seed = seed,
		.link = {.delay = 20 * USEC,
			.jitter = 10 * USEC,
			.loss_ppm = 10000,
			.duplicate_ppm = 10000,
			.reorder_ppm = 20000,
			.reorder_span = 2 * MSEC},
		.slice_size = 8192,
		.chunk_size = MANIFEST_CHUNK_MIN,
		.buffers = BUFFERS,
		.sizes = sizes,
		.nfiles = ARRAY_LEN(sizes),
		.stall_timeout = 5 * SEC,
		.disk_delay = 50 * USEC,
		.nsessions = SLOTS,
		.starts_later = true,
	};

	return world_create(&options);
}

static void expect(const struct world *world, bool holds, const char *what)
{
	if (!holds)
		fail_msg("SEED=%llu, life %u: %s",
			(unsigned long long)world->options.seed, world->life, what);
}

/* Three of four are let live to their end. */
static void end_life(struct world *world, uint32_t which)
{
	const struct session *receiver = world_receiver(world, which)->sessions[which];
	uint32_t steps =
		world_random(world, 4) == 0 ? world_random(world, 100) : STEPS_MAX;
	bool is_whole;
	uint32_t nchunks;

	for (uint32_t i = 0; i < steps && !receiver->is_reported; i++)
		world_step(world);
	expect(world, steps < STEPS_MAX || receiver->is_reported, "it never ends");
	is_whole = receiver->is_reported;
	world_stop(world, which);
	expect(world, world_is_sound(world, which, &nchunks), "the copy is wrong");
	expect(world, !is_whole || nchunks == world->manifest.nchunks, "it is not whole");
	world_forget(world, which);
}

static void check_nothing_is_left(struct world *world)
{
	for (uint32_t i = 0; i < 2; i++) {
		const struct world_end *end = &world->ends[i];

		expect(world, end->pool.nfree == BUFFERS, "a chunk buffer is lost");
		expect(world, end->worker.nsessions == 0, "a session is left");
		expect(world, worker_deadline(&end->worker) == NEVER, "it waits");
		for (uint32_t k = 0; k < WORLD_REQUESTS; k++)
			expect(world, !end->disk[k].used, "a request is under way");
	}
}

static void live(uint64_t seed)
{
	struct world *world = open_world(seed);
	bool is_running[SLOTS] = {false};
	uint32_t first = world->life;
	uint64_t strangers = 0;

	while (world->life - first < LIVES) {
		uint32_t which = world_random(world, SLOTS);

		if (is_running[which])
			end_life(world, which);
		else
			world_start(world, which);
		is_running[which] = !is_running[which];
		if (world->life % 100 == 0) { /* all at once */
			for (uint32_t k = 0; k < SLOTS; k++) {
				if (is_running[k])
					end_life(world, k);
				is_running[k] = false;
			}
			check_nothing_is_left(world);
		}
	}
	for (uint32_t k = 0; k < SLOTS; k++) {
		if (is_running[k])
			end_life(world, k);
	}
	check_nothing_is_left(world);
	for (uint32_t i = 0; i < 2; i++)
		strangers += world->ends[i].worker.frames_bad;
	expect(world, world->life > 2 * GENERATIONS, "no id was used twice");
	expect(world, strangers > LIVES / 100, "no packet outlived its session");
	print_message("SEED=%llu: %u sessions, %llu packets of dead ones\n",
		(unsigned long long)seed, world->life - first,
		(unsigned long long)strangers);
	world_destroy(world);
}

static void ten_thousand_sessions_leave_nothing_behind(void **state)
{
	const char *only = getenv("SEED");
	const char *many = getenv("SEEDS");
	uint64_t first = only != NULL ? strtoull(only, NULL, 10) : 1;
	uint64_t count = many != NULL ? strtoull(many, NULL, 10) / 500 + 1 : 1;

	(void)state;
	for (uint64_t seed = first; seed < first + (only != NULL ? 1 : count); seed++)
		live(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ten_thousand_sessions_leave_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
