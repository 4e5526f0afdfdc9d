/* SPDX-License-Identifier: BSD-3-Clause */
/* Fetching files of unknown size over get_file, as a stock leader offers them. */
#include <stdio.h>

#include "control/file_stream.h"
#include "dataplane/base/bitmap.h"
#include "tests/unit/file_world.h"

enum { FILES_MAX = 8 };

struct copied {
	uint8_t *bytes;
	uint64_t len; /* written so far */
	bool is_whole;
};

struct world {
	struct leader leader;
	struct fetch_policy policy;
	uint64_t skip;
	struct file_stream stream;
	struct copied files[FILES_MAX];
	nsec took;
};

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	leader_open(&world->leader);
	world->policy = fetch_policy_default();
	*state = world;
	return 0;
}

static void forget(struct world *world)
{
	for (int i = 0; i < FILES_MAX; i++)
		free(world->files[i].bytes);
	memset(world->files, 0, sizeof(world->files));
}

static int tear_down(void **state)
{
	struct world *world = *state;

	forget(world);
	leader_close(&world->leader);
	free(world);
	return 0;
}

/* As a file system does: what is skipped is a hole, the last write says the length. */
static void write_file(struct world *world, const struct file_stream_write *write)
{
	struct copied *to = &world->files[write->file];
	struct file_segment_cursor cursor = write->segments;
	struct file_segment segment;

	assert_false(to->is_whole);
	assert_int_equal(write->is_first, to->bytes == NULL);
	to->bytes = realloc(to->bytes, write->end + 1);
	assert_non_null(to->bytes);
	assert_true(write->end >= to->len);
	memset(to->bytes + to->len, 0, write->end - to->len);
	while (file_segment_next(&cursor, &segment) == 0)
		memcpy(to->bytes + segment.offset, segment.bytes, segment.len);
	to->len = write->end;
	to->is_whole = write->is_last;
}

static void step(struct world *world)
{
	struct leader *leader = &world->leader;
	struct file_stream_write write;
	struct fetch_request request;
	struct fetch_reply reply;
	uint32_t call;

	while (file_stream_poll(&world->stream, leader->now, &request))
		leader_ask(leader, &request);
	leader_sleep_until(leader,
		nsec_min(leader_deadline(leader), file_stream_deadline(&world->stream)));
	while (leader_answer(leader, &call, &reply)) {
		if (!file_stream_on_reply(&world->stream, &reply, leader->now, &write))
			continue;
		write_file(world, &write);
		file_stream_on_written(&world->stream);
	}
}

static void run(struct world *world)
{
	nsec from = world->leader.now;

	file_stream_init(
		&world->stream, &world->leader.table, &world->skip, &world->policy);
	while (world->stream.state == FETCH_RUNNING)
		step(world);
	world->took = world->leader.now - from;
	file_stream_fini(&world->stream, world->leader.now);
}

static void expect_done(const struct world *world)
{
	const struct leader *leader = &world->leader;

	if (world->stream.state != FETCH_DONE)
		fail_msg("%s", world->stream.fault.text);
	for (uint32_t i = 0; i < leader->table.nfiles; i++) {
		const struct copied *file = &world->files[i];

		assert_int_equal(file->is_whole, !bitmap_test(&world->skip, i));
		if (!file->is_whole)
			continue;
		assert_int_equal(file->len, leader->sizes[i]);
		assert_memory_equal(file->bytes, leader->contents[i], file->len);
	}
}

static void add_files(struct leader *leader)
{
	leader_add_noise(leader, "z", 300001, 1);
	leader_add_noise(leader, "a/b", 128 << 10, 2); /* just one call */
	leader_add_noise(leader, "empty", 0, 3);
	leader_add_noise(leader, "m", 10, 4);
}

static void files_come_one_after_the_other(void **state)
{
	struct world *world = *state;

	add_files(&world->leader);
	run(world);
	expect_done(world);
	assert_int_equal(world->leader.answered, 1 + 1 + 1 + 3);
	assert_int_equal(world->stream.refusals, 0);
	assert_int_equal(world->stream.bytes, world->leader.bytes);
}

static void an_empty_table_is_done_at_once(void **state)
{
	struct world *world = *state;

	run(world);
	expect_done(world);
}

static void files_that_are_here_are_not_asked_for(void **state)
{
	struct world *world = *state;

	add_files(&world->leader);
	for (world->skip = 0; world->skip < 16; world->skip++) {
		forget(world);
		run(world);
		expect_done(world);
		assert_int_equal(world->stream.refusals, 0);
	}
}

/* braft's copy of 0.5 MiB of data and 1 MiB of zeros has 0.5 MiB. */
static void a_trailing_hole_keeps_the_length(void **state)
{
	enum { DATA = 512 << 10, ALL = 1536 << 10 };
	struct world *world = *state;
	uint8_t *bytes = scratch_noise(ALL, 1);

	memset(bytes + DATA, 0, ALL - DATA);
	leader_add(&world->leader, "data", bytes, ALL);
	memset(bytes, 0, DATA);
	leader_add(&world->leader, "zeros", bytes, 1000);
	world->leader.check_hole = true;
	run(world);
	expect_done(world);
	free(bytes);
}

/* A peer of before read_size: what it does send arrives. */
static void an_old_leader_does_not_say_read_size(void **state)
{
	struct world *world = *state;

	add_files(&world->leader);
	world->leader.is_old = true;
	run(world);
	expect_done(world);
}

static void short_answers_are_continued(void **state)
{
	static const struct throttle_limits limits = {
		.is_enabled = true, .bytes_per_s = 60, .checks_per_s = 10};
	struct throttle_braft throttle;
	struct world *world = *state;

	leader_add_noise(&world->leader, "data", 100, 1);
	throttle_braft_init(&throttle, &limits, world->leader.now);
	world->leader.throttle = &throttle.port;
	run(world);
	expect_done(world);
	assert_in_range(world->took, 1500 * MSEC, 2200 * MSEC);
}

/* The disk is slower than the network. */
static void no_more_is_asked_for_than_can_be_written(void **state)
{
	struct world *world = *state;
	struct file_stream *stream = &world->stream;
	struct file_stream_write write;
	struct fetch_request request;
	struct fetch_reply reply;
	uint32_t call;
	int writes = 0;

	leader_add_noise(&world->leader, "data", 2 << 20, 1);
	file_stream_init(stream, &world->leader.table, NULL, &world->policy);
	while (file_stream_poll(stream, world->leader.now, &request)) {
		leader_ask(&world->leader, &request);
		leader_sleep_until(&world->leader, leader_deadline(&world->leader));
		assert_true(leader_answer(&world->leader, &call, &reply));
		assert_true(
			file_stream_on_reply(stream, &reply, world->leader.now, &write));
		writes++;
	}
	assert_int_equal(writes, FILE_STREAM_WRITES_MAX);
	assert_int_equal(file_stream_deadline(stream), NEVER);
	file_stream_on_written(stream);
	assert_true(file_stream_poll(stream, world->leader.now, &request));
}

static void lose_the_reader(struct leader *leader, const struct fetch_request *request,
	struct fetch_reply *reply)
{
	if (request->offset == 0)
		return;
	leader->meddled++;
	*reply = (struct fetch_reply){.code = ENOENT};
}

static void a_reader_that_is_gone_ends_the_copy(void **state)
{
	struct world *world = *state;

	add_files(&world->leader);
	world->leader.meddle = lose_the_reader;
	run(world);
	assert_int_equal(world->stream.state, FETCH_FAILED);
	assert_int_equal(world->stream.fault.code, -ENOENT);
	assert_non_null(strstr(world->stream.fault.text, "'z' at offset 131072"));
	assert_int_equal(world->leader.meddled, 4);
	assert_in_range(world->took, 3 * SEC, 3 * SEC + 20 * MSEC);
}

#define STORY(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(files_come_one_after_the_other),
		STORY(an_empty_table_is_done_at_once),
		STORY(files_that_are_here_are_not_asked_for),
		STORY(a_trailing_hole_keeps_the_length),
		STORY(an_old_leader_does_not_say_read_size),
		STORY(short_answers_are_continued),
		STORY(no_more_is_asked_for_than_can_be_written),
		STORY(a_reader_that_is_gone_ends_the_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
