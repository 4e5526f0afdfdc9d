/* SPDX-License-Identifier: BSD-3-Clause */
/* The leader's side of get_file: braft's rules in braft's order, with braft's codes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "control/file_service.h"

enum { EREQUEST = 1003 };

/* A throttle that says what the test wants and counts what comes back. */
struct purse {
	struct throttle port;
	uint64_t left; /* bytes */
};

static uint64_t purse_grant(struct throttle *throttle, uint64_t bytes, nsec now)
{
	struct purse *purse = (struct purse *)throttle;
	uint64_t granted = u64_min(bytes, purse->left);

	(void)now;
	purse->left -= granted;
	return granted;
}

static void purse_give_back(struct throttle *throttle, uint64_t granted, uint64_t used,
	nsec granted_at, nsec now)
{
	(void)granted_at;
	(void)now;
	((struct purse *)throttle)->left += granted - used;
}

static const struct throttle_ops purse_ops = {
	.grant = purse_grant,
	.give_back = purse_give_back,
};

struct world {
	struct table table;
	struct file_service service;
	struct purse purse;
	struct throttle *throttle; /* NULL: none */
	struct file_service_plan plan;
	struct get_file_response response;
};

static int set_up(void **state)
{
	static struct world world;

	memset(&world, 0, sizeof(world));
	table_init(&world.table);
	assert_int_equal(table_add_file(&world.table, "a", NULL), 0);
	assert_int_equal(table_add_file(&world.table, "b", NULL), 0);
	file_service_init(&world.service, &world.table);
	world.purse.port.ops = &purse_ops;
	*state = &world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	table_fini(&world->table);
	return 0;
}

static void ask(struct world *world, const char *name, int64_t offset, int64_t count)
{
	struct get_file_request request = {
		.offset = offset,
		.count = count,
		.has_read_partly = true,
		.read_partly = true,
	};

	(void)snprintf(request.filename, sizeof(request.filename), "%s", name);
	file_service_on_request(
		&world->service, &request, world->throttle, 0, &world->plan);
}

static void expect_refused(const struct world *world, int code)
{
	assert_int_equal(world->plan.verdict, FILE_SERVICE_REFUSE);
	assert_int_equal(world->plan.code, code);
	assert_true(world->plan.text[0] != '\0');
}

/* Ends the read that was asked for, as a disk with a file of this size does. */
static int finish(struct world *world, uint64_t size)
{
	struct file_service_read read = {.size = size};

	assert_int_equal(world->plan.verdict, FILE_SERVICE_READ);
	read.error = file_service_clamp(&world->plan, size, &read.bytes);
	return file_service_on_read(
		&world->service, &world->plan, &read, 0, &world->response);
}

static void expect_read(struct world *world, uint64_t size, bool eof, int64_t read_size)
{
	assert_int_equal(finish(world, size), 0);
	assert_int_equal(world->response.eof, eof);
	assert_true(world->response.has_read_size);
	assert_int_equal(world->response.read_size, read_size);
}

static void fail_read(struct world *world, int step, int error, int code)
{
	struct file_service_read read = {.error = error, .step = step, .size = 100};

	assert_int_equal(file_service_on_read(&world->service, &world->plan, &read, 0,
				 &world->response),
		code);
}

/* ---- the rules, in order */

static void an_unknown_reader_is_enoent(void **state)
{
	struct world *world = *state;
	/* everything else is wrong, too */
	struct get_file_request request = {.reader_id = -34172750639672, .count = -1};

	file_service_on_request(NULL, &request, NULL, 0, &world->plan);
	expect_refused(world, ENOENT);
	assert_string_equal(world->plan.text, "Fail to find reader=-34172750639672");
}

static void a_senseless_range_is_erequest(void **state)
{
	struct world *world = *state;

	ask(world, "nobody", 0, 0);
	expect_refused(world, EREQUEST);
	ask(world, "a", 0, INT64_MIN);
	expect_refused(world, EREQUEST);
	ask(world, "a", -1, 10);
	expect_refused(world, EREQUEST);
	ask(world, TABLE_NAME, 0, 0);
	expect_refused(world, EREQUEST);
}

static void the_table_is_given_at_any_time(void **state)
{
	struct world *world = *state;

	world->throttle = &world->purse.port; /* it does not count */
	ask(world, TABLE_NAME, 12345, 1);
	assert_int_equal(world->plan.verdict, FILE_SERVICE_TABLE);
	world->purse.left = 10;
	ask(world, "a", 0, 10);
	assert_int_equal(world->plan.verdict, FILE_SERVICE_READ);
	ask(world, TABLE_NAME, 0, UINT32_MAX);
	assert_int_equal(world->plan.verdict, FILE_SERVICE_TABLE);
	ask(world, "a", 0, 10); /* the read is not disturbed: still under way */
	expect_refused(world, EAGAIN);
}

static void a_name_not_in_the_table_is_eperm(void **state)
{
	struct world *world = *state;

	world->throttle = &world->purse.port; /* empty, but that is asked later */
	ask(world, "../../etc/passwd", 0, 10);
	expect_refused(world, EPERM);
	ask(world, "", 0, 10);
	expect_refused(world, EPERM);
	ask(world, "a\x1b[31m", 0, 10);
	expect_refused(world, EPERM);
	assert_null(strchr(world->plan.text, '\x1b'));
}

static void the_throttle_shortens_or_refuses(void **state)
{
	struct world *world = *state;
	struct get_file_request whole = {.filename = "a", .count = 100};

	world->throttle = &world->purse.port;
	ask(world, "a", 0, 100);
	expect_refused(world, EAGAIN);
	world->purse.left = 60;
	ask(world, "a", 0, 100);
	expect_read(world, 1000, false, 60);
	assert_int_equal(world->purse.left, 0);
	/* all or nothing, when it may not be read partly; and nothing is charged */
	world->purse.left = 60;
	file_service_on_request(
		&world->service, &whole, world->throttle, 0, &world->plan);
	expect_refused(world, EAGAIN);
	assert_int_equal(world->purse.left, 60);
}

static void tokens_not_used_are_returned(void **state)
{
	struct world *world = *state;

	world->throttle = &world->purse.port;
	world->purse.left = 1000;
	ask(world, "a", 0, 500);
	expect_read(world, 30, true, 30);
	assert_int_equal(world->purse.left, 970);
	ask(world, "b", 0, 500);
	ask(world, "b", 0, 100); /* refused: one at a time */
	expect_refused(world, EAGAIN);
	assert_int_equal(world->purse.left, 470);
}

static void one_read_at_a_time(void **state)
{
	struct world *world = *state;
	struct file_service_plan first;

	ask(world, "a", 0, 10);
	first = world->plan;
	ask(world, "a", 10, 10);
	expect_refused(world, EAGAIN);
	ask(world, "b", 0, 10); /* asked before whether it is in order */
	expect_refused(world, EAGAIN);
	world->plan = first;
	expect_read(world, 100, false, 10);
	ask(world, "a", 10, 10);
	expect_read(world, 100, false, 10);
}

static void a_file_is_left_only_at_its_end(void **state)
{
	struct world *world = *state;

	ask(world, "a", 1, 10); /* not from its start */
	expect_refused(world, EINVAL);
	ask(world, "a", 0, 10);
	expect_read(world, 25, false, 10);
	ask(world, "b", 0, 10);
	expect_refused(world, EINVAL);
	ask(world, "a", 20, 10); /* any offset within it */
	expect_read(world, 25, true, 5);
	ask(world, "b", 5, 10);
	expect_refused(world, EINVAL);
	ask(world, "b", 0, 10);
	expect_read(world, 25, false, 10);
	ask(world, "a", 0, 10);
	expect_refused(world, EINVAL);
	ask(world, "b", 0, 10); /* again from its start */
	expect_read(world, 25, false, 10);
}

static void eof_is_the_end_of_the_file(void **state)
{
	static const struct {
		uint64_t size;
		int64_t offset, count;
		bool eof;
		int64_t read_size;
	} cases[] = {
		{100, 0, 10, false, 10}, {100, 0, 99, false, 99},
		{100, 0, 100, true, 100}, {100, 0, UINT32_MAX, true, 100},
		{100, 0, INT64_MAX, true, 100}, {100, 90, 10, true, 10},
		{100, 100, 10, true, 0}, /* at the end */
		{100, 5000, 10, true, 0}, {100, INT64_MAX, INT64_MAX, true, 0},
		{0, 0, 10, true, 0}, /* an empty file */
	};
	struct world *world = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		file_service_init(&world->service, &world->table);
		world->service.is_any_order = true;
		ask(world, "a", cases[i].offset, cases[i].count);
		expect_read(world, cases[i].size, cases[i].eof, cases[i].read_size);
	}
}

static void a_failed_read_is_eio(void **state)
{
	struct world *world = *state;

	ask(world, "a", 0, 10);
	fail_read(world, FILE_SERVICE_AT_READ, -EISDIR, EIO);
	/* it is the current file now, not read to its end, and not busy */
	ask(world, "b", 0, 10);
	expect_refused(world, EINVAL);
	ask(world, "a", 0, 10);
	expect_read(world, 10, true, 10);
}

static void a_failed_open_says_why(void **state)
{
	static const struct {
		int error, code;
	} cases[] = {
		{-ENOENT, ENOENT},
		{-EACCES, EACCES},
		{-EMFILE, EMFILE},
		{-ENOMEM, ENOMEM},
		{-ENOTDIR, ENOTDIR},
		{-EIO, EIO},
		{-EBUSY, EAGAIN},
		{-ELOOP, EINVAL},
		{-EISDIR, EINVAL},
	};
	struct world *world = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ask(world, "b", 0, 10);
		assert_int_equal(world->plan.verdict, FILE_SERVICE_READ);
		fail_read(world, FILE_SERVICE_AT_OPEN, cases[i].error, cases[i].code);
	}
	/* braft keeps the reader stuck after this; here any file may be opened */
	ask(world, "a", 0, 10);
	expect_read(world, 10, true, 10);
}

/* braft leaves _is_reading set when fstat fails after a read: EAGAIN for ever. */
static void no_failure_leaves_the_reader_busy(void **state)
{
	static const int errors[] = {-EIO, -ENOMEM, -EBADF, -EMSGSIZE, -ESTALE};
	struct world *world = *state;

	for (size_t i = 0; i < 2 * ARRAY_LEN(errors); i++) {
		struct file_service_read read = {
			.error = errors[i / 2],
			.step = i % 2 == 0 ? FILE_SERVICE_AT_OPEN : FILE_SERVICE_AT_READ,
		};

		ask(world, "a", 0, 10);
		assert_int_equal(world->plan.verdict, FILE_SERVICE_READ);
		assert_int_equal(world->service.nreads, 1);
		assert_true(file_service_on_read(&world->service, &world->plan, &read, 0,
				    &world->response) > 0);
		assert_int_equal(world->service.nreads, 0);
	}
}

static void a_file_that_is_cut_while_read_ends(void **state)
{
	struct world *world = *state;
	struct file_service_read read = {.size = 100, .bytes = 40};

	ask(world, "a", 0, 80);
	assert_int_equal(file_service_on_read(&world->service, &world->plan, &read, 0,
				 &world->response),
		0);
	assert_true(world->response.eof);
	assert_int_equal(world->response.read_size, 40);
}

/* A count of 4 GiB asks for memory that nobody has. */
static void a_huge_count_is_read_in_parts(void **state)
{
	struct world *world = *state;
	uint64_t bytes;

	ask(world, "a", 0, INT64_MAX);
	expect_read(world, GIB, false, FILE_SERVICE_READ_MAX);
	ask(world, "a", 0, INT64_MAX);
	world->plan.is_partly = false;
	assert_int_equal(file_service_clamp(&world->plan, GIB, &bytes), -EMSGSIZE);
	assert_int_equal(finish(world, GIB), EREQUEST);
	ask(world, "a", 0, INT64_MAX);
	world->plan.is_partly = false;
	expect_read(world, 32 * MIB, true, 32 * MIB);
}

/* A follower of ours keeps several reads in flight, of any file. */
static void our_own_follower_reads_in_any_order(void **state)
{
	struct world *world = *state;
	struct file_service_plan first;

	world->service.is_any_order = true;
	world->service.max_reads = 2;
	ask(world, "b", 50, 10);
	first = world->plan;
	ask(world, "a", 7, 10);
	assert_int_equal(world->plan.verdict, FILE_SERVICE_READ);
	ask(world, "a", 0, 10);
	expect_refused(world, EAGAIN);
	world->plan = first;
	expect_read(world, 100, false, 10);
	ask(world, "a", 0, 10);
	assert_int_equal(world->plan.verdict, FILE_SERVICE_READ);
}

#define STORY(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(an_unknown_reader_is_enoent),
		STORY(a_senseless_range_is_erequest),
		STORY(the_table_is_given_at_any_time),
		STORY(a_name_not_in_the_table_is_eperm),
		STORY(the_throttle_shortens_or_refuses),
		STORY(tokens_not_used_are_returned),
		STORY(one_read_at_a_time),
		STORY(a_file_is_left_only_at_its_end),
		STORY(eof_is_the_end_of_the_file),
		STORY(a_failed_read_is_eio),
		STORY(a_failed_open_says_why),
		STORY(no_failure_leaves_the_reader_busy),
		STORY(a_file_that_is_cut_while_read_ends),
		STORY(a_huge_count_is_read_in_parts),
		STORY(our_own_follower_reads_in_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
