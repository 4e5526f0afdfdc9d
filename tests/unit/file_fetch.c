/* SPDX-License-Identifier: BSD-3-Clause */
/* Fetching chunks over get_file, from a leader that keeps braft's rules. */
#include "tests/unit/file_fetch_world.h"

/* ---- from a stock leader */

static void every_chunk_comes_and_is_checked(void **state)
{
	struct world *world = *state;

	make_snapshot(world);
	run(world);
	expect_done(world);
	/* in braft's order and one at a time: it never had to refuse */
	assert_int_equal(world->fetch.stats.refusals, 0);
	assert_int_equal(world->leader.most, 1);
	assert_int_equal(world->leader.bytes, world->manifest.bytes);
	/* 2 + 2 + 2 + 1 for big/b, 1 + 1 + 2 for the small ones */
	assert_int_equal(world->leader.answered, 11);
}

static void an_empty_snapshot_is_done_at_once(void **state)
{
	struct world *world = *state;

	leader_add_noise(&world->leader, "empty", 0, 1);
	make_manifest(world);
	run(world);
	expect_done(world);
	assert_int_equal(world->leader.answered, 0);
}

/* Whatever is missing, a leader that keeps the rules gives it. */
static void chunks_that_are_here_are_not_asked_for(void **state)
{
	struct world *world = *state;
	uint64_t have;

	make_snapshot(world);
	leader_add_noise(&world->leader, "x", 2 * CHUNK, 6);
	manifest_fini(&world->manifest);
	free(world->written);
	make_manifest(world);
	world->options.have = &have;
	assert_int_equal(world->manifest.nchunks, 7);
	for (have = 0; have < 1 << 7; have++) {
		uint64_t before = world->leader.bytes;
		uint64_t wanted = 0;

		for (uint32_t i = 0; i < 7; i++)
			if (!bitmap_test(&have, i))
				wanted += manifest_chunk_len(&world->manifest, i);
		bitmap_zero(world->written, 7);
		file_service_init(&world->leader.service, &world->leader.table);
		run(world);
		expect_done(world);
		assert_int_equal(world->fetch.stats.refusals, 0);
		assert_int_equal(world->fetch.stats.bytes_done, wanted);
		/* a byte to enter each of two large files is all there is on top */
		assert_in_range(world->leader.bytes - before, wanted, wanted + 2);
		file_fetch_fini(&world->fetch, world->leader.now);
	}
}

static void zero_chunks_stay_holes(void **state)
{
	struct world *world = *state;
	uint8_t *bytes = calloc(4, CHUNK);

	assert_non_null(bytes);
	memset(bytes + 2 * CHUNK, 7, 5000);
	leader_add(&world->leader, "sparse", bytes, 4 * CHUNK);
	leader_add_noise(&world->leader, "z", CHUNK, 1);
	make_manifest(world);
	world->leader.check_hole = true;
	run(world);
	expect_done(world);
	assert_int_equal(world->fetch.stats.bytes_reused, 3 * CHUNK);
	assert_int_equal(world->fetch.stats.refusals, 0);
	free(bytes);
}

static void holes_within_a_chunk_become_zeros(void **state)
{
	struct world *world = *state;
	uint8_t *bytes = scratch_noise(2 * CHUNK, 1);

	memset(bytes + 4096, 0, 40000);
	memset(bytes + CHUNK - 5000, 0, 10000);
	memset(bytes + 2 * CHUNK - 50000, 0, 50000); /* at the end of the file */
	for (int old = 0; old <= 1; old++) {
		struct leader *leader = &world->leader;

		world->leader.is_old = old == 1;
		leader->check_hole = true;
		leader_add(leader, old == 1 ? "old" : "new", bytes, 2 * CHUNK);
		make_manifest(world);
		run(world);
		expect_done(world);
		file_fetch_fini(&world->fetch, leader->now);
		manifest_fini(&world->manifest);
		free(world->written);
		world->written = NULL;
	}
	free(bytes);
}

/* ---- from a leader of ours */

static void several_calls_are_in_flight(void **state)
{
	struct world *world = *state;
	nsec one_by_one;

	make_snapshot(world);
	run(world);
	one_by_one = world->took;
	file_fetch_fini(&world->fetch, world->leader.now);
	bitmap_zero(world->written, world->manifest.nchunks);
	world->leader.service.is_any_order = true;
	world->leader.service.max_reads = 8;
	world->options.depth = 8;
	run(world);
	expect_done(world);
	assert_int_equal(world->leader.most, 8);
	assert_int_equal(world->fetch.stats.refusals, 0);
	assert_true(world->took * 5 <= one_by_one);
}

static void short_answers_are_continued(void **state)
{
	static const struct throttle_limits limits = {
		.is_enabled = true, .bytes_per_s = 3333333, .checks_per_s = 1000};
	struct throttle_braft throttle;
	struct world *world = *state;

	make_snapshot(world);
	throttle_braft_init(&throttle, &limits, world->leader.now);
	world->leader.throttle = &throttle.port;
	world->leader.service.is_any_order = true;
	world->leader.service.max_reads = 4;
	world->options.depth = 4;
	run(world);
	expect_done(world);
	/* answers of 3333 bytes at most */
	assert_true(world->leader.answered > world->manifest.bytes / 3333);
}

/* ---- failures */

static void fail_reads(struct leader *leader, const struct fetch_request *request,
	struct fetch_reply *reply)
{
	(void)request;
	leader->meddled++;
	if (reply->code == 0)
		*reply = (struct fetch_reply){.code = EIO};
}

/* The code is the leader's: whoever reads the fault knows, for all of this machine's
 * faults are. That it must not count as ours: tests/os/file_service.c. */
static void three_retries_then_the_code_of_the_leader(void **state)
{
	struct world *world = *state;

	make_snapshot(world);
	world->leader.meddle = fail_reads;
	run(world);
	expect_failed(world, -EIO, "'a' at offset 0");
	assert_int_equal(world->leader.meddled, 4);
	assert_in_range(world->took, 3 * SEC, 3 * SEC + 10 * MSEC);
}

static void fail_three_of_four(struct leader *leader, const struct fetch_request *request,
	struct fetch_reply *reply)
{
	(void)request;
	if (leader->meddled++ % 4 < 3)
		*reply = (struct fetch_reply){.code = EHOSTDOWN};
}

static void a_success_forgives_the_failures(void **state)
{
	struct world *world = *state;

	make_snapshot(world);
	world->leader.meddle = fail_three_of_four;
	run(world);
	expect_done(world);
}

static void spoil_once(struct leader *leader, const struct fetch_request *request,
	struct fetch_reply *reply)
{
	if (strcmp(request->name, "big/b") == 0 && request->offset == CHUNK &&
		leader->meddled++ < FILE_FETCH_TRIES - 1)
		leader->attachment[reply->attachment.left - 1] ^= 1;
}

static void a_bad_chunk_is_fetched_again(void **state)
{
	struct world *world = *state;

	make_snapshot(world);
	world->leader.meddle = spoil_once;
	run(world);
	expect_done(world);
	assert_int_equal(world->fetch.stats.bytes_resent, (FILE_FETCH_TRIES - 1) * CHUNK);
	assert_int_equal(world->fetch.stats.refusals, 0);
}

static void spoil_small(struct leader *leader, const struct fetch_request *request,
	struct fetch_reply *reply)
{
	if (strcmp(request->name, "c") == 0) {
		leader->meddled++;
		leader->attachment[reply->attachment.left - 1] ^= 1;
	}
}

static void a_chunk_that_stays_bad_is_named(void **state)
{
	struct world *world = *state;

	make_snapshot(world);
	world->leader.meddle = spoil_small;
	run(world);
	expect_failed(world, -EBADMSG, "chunk 0 ('a' at offset 0)");
	assert_int_equal(world->leader.meddled, FILE_FETCH_TRIES);
}

static void a_file_of_another_size_is_refused(void **state)
{
	struct world *world = *state;
	uint32_t file;

	make_snapshot(world);
	file = leader_file(&world->leader, "big/b");
	world->leader.sizes[file]--;
	run(world);
	expect_failed(world, -EBADMSG, "shorter");
	file_fetch_fini(&world->fetch, world->leader.now);
	world->leader.sizes[file] += 2;
	bitmap_zero(world->written, world->manifest.nchunks);
	file_service_init(&world->leader.service, &world->leader.table);
	run(world);
	expect_failed(world, -EBADMSG, "longer");
}

/* Each is no answer to the request; the fourth is the last. */
static void answer_nonsense(struct leader *leader, const struct fetch_request *request,
	struct fetch_reply *reply)
{
	(void)request;
	switch (leader->meddled++ % 6) {
	case 0:
		reply->read_size = -1;
		break;
	case 1:
		reply->read_size = INT64_MAX;
		break;
	case 2: /* neither bytes nor the end */
		*reply = (struct fetch_reply){.has_read_size = true};
		break;
	case 3: /* bytes beyond read_size */
		reply->read_size--;
		break;
	case 4:
		reply->attachment.left--;
		break;
	default: /* bytes from elsewhere */
		file_segment_put_header(leader->attachment, 1 << 30, 1);
		break;
	}
}

static void nonsense_is_an_error_and_harmless(void **state)
{
	struct world *world = *state;

	make_snapshot(world);
	world->leader.meddle = answer_nonsense;
	world->policy.max_retry = 5;
	run(world);
	expect_failed(world, -2002, "makes no sense");
	assert_int_equal(world->leader.meddled, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(every_chunk_comes_and_is_checked),
		STORY(an_empty_snapshot_is_done_at_once),
		STORY(chunks_that_are_here_are_not_asked_for),
		STORY(zero_chunks_stay_holes),
		STORY(holes_within_a_chunk_become_zeros),
		STORY(several_calls_are_in_flight),
		STORY(short_answers_are_continued),
		STORY(three_retries_then_the_code_of_the_leader),
		STORY(a_success_forgives_the_failures),
		STORY(a_bad_chunk_is_fetched_again),
		STORY(a_chunk_that_stays_bad_is_named),
		STORY(a_file_of_another_size_is_refused),
		STORY(nonsense_is_an_error_and_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
