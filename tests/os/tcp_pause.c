/* SPDX-License-Identifier: BSD-3-Clause */
/* A copy over TCP is held up at either end: no byte moves, nobody gives up, and it goes
 * on to the same files. */
#include "tests/os/tcp_world.h"

enum { LARGE = 6 << 20, STILL_MS = 300 };

static void serve_large(struct world *world)
{
	uint8_t *bytes = scratch_noise(LARGE, 1);

	scratch_write(&world->scratch, "data/large", bytes, LARGE);
	free(bytes);
	serve_snapshot(world);
	world->nasked = 0;
}

static void start_by_table(struct world *world, char path[static 128])
{
	struct tcp_copy_options options = {.table = &world->reader->table, .path = path};

	(void)snprintf(path, 128, "%s/copy", world->scratch.path);
	assert_int_equal(mkdir(path, 0755), 0);
	start(world, &options);
}

/* Lets the loop run for so long. */
static void idle(struct world *world, int ms)
{
	world->waited_ms = 0;
	world->patience.data = world;
	assert_int_equal(uv_timer_start(&world->patience, on_tick, TICK_MS, TICK_MS), 0);
	while (world->waited_ms < ms)
		(void)uv_run(&world->loop, UV_RUN_ONCE);
	(void)uv_timer_stop(&world->patience);
}

static uint64_t bytes_done(const struct world *world)
{
	struct tcp_copy_stats stats;

	tcp_copy_get_stats(world->copy, &stats);
	return stats.bytes_done;
}

static void expect_still(struct world *world, bool asks)
{
	uint64_t done;
	int asked;

	idle(world, 50); /* what was on its way comes */
	done = bytes_done(world);
	asked = world->nasked;
	assert_in_range(done, 1, LARGE - 1);
	idle(world, STILL_MS);
	assert_int_equal(world->ended, 0);
	assert_true(bytes_done(world) == done);
	assert_int_equal(world->nasked > asked, asks);
}

static void a_paused_copy_asks_for_nothing(void **state)
{
	struct world *world = *state;
	char path[128];

	serve_large(world);
	start_by_table(world, path);
	run_until(world, &world->nasked, 10);
	tcp_copy_pause(world->copy, true);
	tcp_copy_pause(world->copy, true);
	expect_still(world, false);
	tcp_copy_pause(world->copy, false);
	run_until(world, &world->ended, 1);
	expect_ok(world);
	expect_same_file(world, "data", "copy", "large");
}

static void a_paused_copy_with_a_manifest_asks_for_nothing(void **state)
{
	struct world *world = *state;
	struct tcp_copy_options options = {.depth = 4};
	struct storage_writer *writer;
	struct fault fault = {0};

	serve_large(world);
	tcp_serve_set_any_order(world->serve, READER, 4);
	options.manifest = &world->reader->manifest;
	if (storage_create(world->to, &writer, &fault) != 0 ||
		storage_prepare(writer, options.manifest, &fault) != 0 ||
		store_object_open(
			&options.object, writer->path, options.manifest, &fault) != 0)
		fail_msg("%s", fault.text);
	start(world, &options);
	while (bytes_done(world) == 0)
		run_until(world, &world->nasked, world->nasked + 1);
	tcp_copy_pause(world->copy, true);
	expect_still(world, false);
	tcp_copy_pause(world->copy, false);
	run_until(world, &world->ended, 1);
	expect_ok(world);
	store_object_close(options.object);
	expect_same_file(world, "data", "to/temp", "large");
	storage_abort(writer);
}

/* A stock follower asks again and again, as it does when a throttle is used up. */
static void a_paused_leader_answers_eagain_for_ever(void **state)
{
	struct world *world = *state;
	char path[128];

	serve_large(world);
	start_by_table(world, path);
	run_until(world, &world->nasked, 10);
	tcp_serve_pause(world->serve, READER, true);
	tcp_serve_pause(world->serve, READER + 1, true); /* nobody: ignored */
	expect_still(world, true);
	tcp_serve_pause(world->serve, READER, false);
	run_until(world, &world->ended, 1);
	expect_ok(world);
	expect_same_file(world, "data", "copy", "large");
	assert_true(world->stats.refusals > 0);
}

static void a_paused_copy_can_be_cancelled(void **state)
{
	struct world *world = *state;
	char path[128];

	serve_large(world);
	start_by_table(world, path);
	run_until(world, &world->nasked, 10);
	tcp_copy_pause(world->copy, true);
	expect_still(world, false);
	tcp_copy_cancel(world->copy, "enough");
	run_until(world, &world->ended, 1);
	expect_failed(world, TCP_ORIGIN_CANCEL, -ECANCELED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_paused_copy_asks_for_nothing),
		STORY(a_paused_copy_with_a_manifest_asks_for_nothing),
		STORY(a_paused_leader_answers_eagain_for_ever),
		STORY(a_paused_copy_can_be_cancelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
