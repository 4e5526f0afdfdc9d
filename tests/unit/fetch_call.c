/* SPDX-License-Identifier: BSD-3-Clause */
/* When get_file is called again: after EAGAIN, under a throttle, after failures. */
#include "tests/unit/file_fetch_world.h"

/* 10 MiB at 2 MiB/s. */
static void expect_full_rate(struct world *world, uint32_t checks_per_s)
{
	const struct throttle_limits limits = {
		.is_enabled = true,
		.bytes_per_s = 2 * MIB,
		.checks_per_s = checks_per_s,
	};
	struct throttle_braft throttle;

	throttle_braft_init(&throttle, &limits, world->leader.now);
	world->leader.throttle = &throttle.port;
	world->leader.rtt = MSEC / 10;
	bitmap_zero(world->written, world->manifest.nchunks);
	file_service_init(&world->leader.service, &world->leader.table);
	run(world);
	expect_done(world);
	assert_true(world->fetch.stats.refusals > 0);
	if (world->took > 5 * SEC * 5 / 4)
		fail_msg("%u cycles: %lld ms instead of 5000", checks_per_s,
			(long long)(world->took / MSEC));
	file_fetch_fini(&world->fetch, world->leader.now);
}

/* braft waits a second for each EAGAIN and gets 13 of 100 MiB/s. */
static void a_leader_only_throttle_does_not_stall(void **state)
{
	static const uint32_t cycles[] = {1, 8, 10, 100};
	struct throttle_limits unlimited;
	struct throttle_braft own;
	struct world *world = *state;

	leader_add_noise(&world->leader, "big", 40 * CHUNK, 1);
	make_manifest(world);
	throttle_limits_default(&unlimited);
	throttle_braft_init(&own, &unlimited, world->leader.now);
	for (size_t i = 0; i < ARRAY_LEN(cycles); i++) {
		world->policy.throttle = NULL;
		expect_full_rate(world, cycles[i]);
		/* nor when the follower has one that does not limit */
		world->policy.throttle = &own.port;
		expect_full_rate(world, cycles[i]);
	}
}

/* With raft_allow_read_partly off, braft asks for ever for more than a cycle holds. */
static void all_or_nothing_asks_for_less(void **state)
{
	static const struct throttle_limits limits = {
		.is_enabled = true, .bytes_per_s = 100000, .checks_per_s = 10};
	struct throttle_braft throttle;
	struct world *world = *state;

	leader_add_noise(&world->leader, "small", 50000, 1);
	make_manifest(world);
	throttle_braft_init(&throttle, &limits, world->leader.now);
	world->leader.throttle = &throttle.port;
	world->policy.read_partly = false;
	run(world);
	expect_done(world);
	assert_true(world->took < 60 * SEC);
}

static void refuse_for_ever(struct leader *leader, const struct fetch_request *request,
	struct fetch_reply *reply)
{
	(void)request;
	leader->meddled++;
	*reply = (struct fetch_reply){.code = EAGAIN};
}

/* A paused leader is asked now and then, however long it takes. */
static void eagain_is_never_counted(void **state)
{
	struct world *world = *state;

	make_snapshot(world);
	world->leader.meddle = refuse_for_ever;
	assert_int_equal(
		file_fetch_init(&world->fetch, &world->options, &world->policy), 0);
	while (world->leader.now < 601 * SEC)
		step(world);
	assert_int_equal(world->fetch.state, FETCH_RUNNING);
	assert_in_range(world->leader.meddled, 5000, 6100); /* ten times a second */
	world->leader.meddle = NULL;
	while (world->fetch.state == FETCH_RUNNING)
		step(world);
	expect_done(world);
}

static void a_follower_with_a_throttle_waits_for_it(void **state)
{
	static const struct throttle_limits limits = {
		.is_enabled = true, .bytes_per_s = 1000000, .checks_per_s = 10};
	struct throttle_braft throttle;
	struct world *world = *state;

	make_snapshot(world);
	throttle_braft_init(&throttle, &limits, world->leader.now);
	world->policy.throttle = &throttle.port;
	run(world);
	expect_done(world);
	assert_int_equal(world->fetch.stats.refusals, 0);
	assert_in_range(world->took, 800 * MSEC, 1200 * MSEC);
}

/* Refused, cut short, failed: what was not used can be used again. */
static void tokens_are_returned(void **state)
{
	static const struct throttle_limits limits = {
		.is_enabled = true, .bytes_per_s = 1000 * MIB, .checks_per_s = 1};
	struct throttle_braft throttle;
	struct world *world = *state;
	struct fetch_request request;
	struct fetch_reply reply = {.code = EAGAIN, .text = ""};
	nsec now = 0;

	make_snapshot(world);
	throttle_braft_init(&throttle, &limits, now);
	world->policy.throttle = &throttle.port;
	assert_int_equal(
		file_fetch_init(&world->fetch, &world->options, &world->policy), 0);
	for (int i = 0; i < 3; i++) {
		assert_true(file_fetch_poll(&world->fetch, now, &request));
		assert_int_equal(throttle.used, request.count);
		reply.code = i == 0 ? EAGAIN : ENOENT;
		file_fetch_on_reply(&world->fetch, request.call, &reply, now);
		assert_int_equal(throttle.used, 0);
		now = file_fetch_deadline(&world->fetch);
		throttle.cycle_start = now; /* all in one cycle */
	}
	assert_true(file_fetch_poll(&world->fetch, now, &request));
	assert_int_equal(throttle.used, request.count);
	file_fetch_fini(&world->fetch, now); /* cancelled */
	assert_int_equal(throttle.used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_leader_only_throttle_does_not_stall),
		STORY(all_or_nothing_asks_for_less),
		STORY(eagain_is_never_counted),
		STORY(a_follower_with_a_throttle_waits_for_it),
		STORY(tokens_are_returned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
