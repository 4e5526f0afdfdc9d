/* SPDX-License-Identifier: BSD-3-Clause */
/* What a save, a load or a start that fails leaves behind, seen through the public
 * header: the old snapshot, and every log entry that no snapshot covers. */
#include <signal.h>
#include <sys/resource.h>

#include "api_world.h"

/* Files can grow to so many bytes, as on a disk that is full; 0: as far as before. */
static void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes != 0 ? bytes : limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_failed_save_leaves_snapshot_and_log(void **state)
{
	struct world *world = *state;
	struct member *member = &world->members[0];

	start(member, NULL);
	append_to(member, 11, 1);
	save(member);
	append_to(member, 21, 1);
	member->save_result = -ENOSPC;
	save_fails(member, ENOSPC, "as the test wants it");
	member->save_result = 0;
	member->forgets_meta = true;
	save_fails(member, EINVAL, "snapline_writer_set_meta");
	member->forgets_meta = false;
	expect_snapshot(member, 11, 1);
	assert_int_equal(member->first, 1);
	assert_false(status_of(member).is_in_error);
	assert_int_equal(member->nerrors, 0);
	assert_int_equal(count_entries(member), 1);
	/* nothing is stuck: the next one succeeds */
	save(member);
	expect_snapshot(member, 21, 1);
	assert_int_equal(member->first, 12);
}

static void EIO_in_a_save_puts_the_node_in_error(void **state)
{
	struct world *world = *state;
	struct member *member = &world->members[0];
	const struct snapline_install next = {.term = 1,
		.leader_id = "127.0.0.1:9:0",
		.index = 99,
		.uri = "remote://x"};
	struct outcome outcome;

	start(member, NULL);
	append_to(member, 11, 1);
	save(member);
	append_to(member, 21, 1);
	member->save_result = -EIO;
	save_fails(member, EIO, "as the test wants it");
	assert_true(status_of(member).is_in_error);
	assert_int_equal(member->nerrors, 1);
	assert_int_equal(member->error.code, -EIO);
	assert_non_null(strstr(member->error.text, "as the test wants it"));
	member->save_result = 0;
	save_fails(member, EINVAL, "FSMCaller is in bad status");
	install(member, member, &next, &outcome);
	expect(&outcome, EINVAL, "is not in active state, state ERROR");
	expect_snapshot(member, 11, 1);
	assert_int_equal(member->first, 1);
	/* a restart is what it takes */
	restart(member, NULL);
	assert_false(status_of(member).is_in_error);
	assert_int_equal(member->applied, 11);
}

static void *fail_later(void *arg)
{
	struct member *member = arg;

	nap();
	release_held(member);
	return NULL;
}

static void fail_asynchronously(struct member *member)
{
	struct outcome outcome = {0};
	pthread_t thread;

	member->holds_saves = true;
	member->save_result = -ENOSPC;
	snapline_do_snapshot(member->node, on_done, &outcome);
	wait_held(member);
	assert_int_equal(pthread_create(&thread, NULL, fail_later, member), 0);
	expect(&outcome, ENOSPC, "as the test wants it");
	assert_int_equal(pthread_join(thread, NULL), 0);
	member->holds_saves = false;
	member->save_result = 0;
}

/* Snapshot 11, failures at 21 and 31, an idle tick, a restart: with braft entries 12 to
 * 21 are gone by then. */
static void survive(struct member *member)
{
	int64_t sum = member->sum;

	assert_int_equal(snapline_set_option(
				 member->node, "do-snapshot-min-index-gap", "1000", NULL),
		0);
	save(member);
	expect_snapshot(member, 11, 1);
	assert_int_equal(member->first, 12);
	assert_int_equal(member->last, 31);
	restart(member, NULL);
	assert_int_equal(member->applied, 11);
	append_to(member, 31, 1);
	assert_int_equal(member->sum, sum);
	save(member);
	expect_snapshot(member, 31, 1);
}

static void an_asynchronous_save_that_fails_loses_no_entries(void **state)
{
	struct world *world = *state;
	struct member *member = &world->members[0];

	start(member, NULL);
	append_to(member, 11, 1);
	save(member);
	append_to(member, 21, 1);
	fail_asynchronously(member);
	append_to(member, 31, 1);
	fail_asynchronously(member);
	assert_int_equal(member->first, 1);
	survive(member);
}

/* braft's issue 462: the user's files are written, the table no longer fits. */
static void a_commit_that_fails_loses_no_entries(void **state)
{
	struct world *world = *state;
	struct member *member = &world->members[0];

	start(member, NULL);
	append_to(member, 11, 1);
	save(member);
	for (int64_t index = 21; index <= 31; index += 10) {
		append_to(member, index, 1);
		limit_files(16);
		save_fails(member, EFBIG, "");
		limit_files(0);
		expect_snapshot(member, 11, 1);
		assert_int_equal(member->first, 1);
	}
	assert_int_equal(count_entries(member), 1);
	survive(member);
}

static void RestoreSnapshot(void **state)
{
	struct world *world = *state;
	struct member *member = &world->members[0];

	start(member, NULL);
	append_to(member, 11, 1);
	save(member);
	append_to(member, 21, 2);
	save(member);
	restart(member, NULL);
	assert_int_equal(member->loads, 1);
	assert_int_equal(member->applied, 21);
	assert_int_equal(member->sum, 21 * 22 / 2);
	expect_snapshot(member, 21, 2);
	/* the load forgets nothing; the next save forgets up to what was loaded */
	assert_int_equal(member->first, 12);
	append_to(member, 31, 2);
	save(member);
	assert_int_equal(member->first, 22);
}

static void a_start_with_missing_entries_is_refused(void **state)
{
	struct world *world = *state;
	struct member *member = &world->members[0];
	struct snapline_error error;

	start(member, NULL);
	append_to(member, 11, 1);
	save(member);
	stop(member);
	member->last = 31;
	member->first = 13;
	assert_int_equal(try_start(member, by_hand, &error), -EIO);
	assert_non_null(strstr(error.text, "begins at index 13"));
	assert_non_null(strstr(error.text, "ends at 11"));
	assert_int_equal(member->loads, 0);
	member->first = 12;
	assert_int_equal(try_start(member, by_hand, &error), 0);
	assert_int_equal(member->first, 12);
}

/* braft's name: what on_snapshot_load returns is what opening returns. */
static void shutdown_and_join_work_after_init_fails(void **state)
{
	struct world *world = *state;
	struct member *member = &world->members[0];
	struct snapline_error error;

	start(member, NULL);
	append_to(member, 11, 1);
	save(member);
	stop(member);
	member->load_result = -1;
	assert_int_equal(try_start(member, by_hand, &error), -1);
	assert_non_null(strstr(error.text, "index 11"));
	member->load_result = 0;
	assert_int_equal(try_start(member, by_hand, &error), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_failed_save_leaves_snapshot_and_log),
		STORY(EIO_in_a_save_puts_the_node_in_error),
		STORY(an_asynchronous_save_that_fails_loses_no_entries),
		STORY(a_commit_that_fails_loses_no_entries),
		STORY(RestoreSnapshot),
		STORY(a_start_with_missing_entries_is_refused),
		STORY(shutdown_and_join_work_after_init_fails),
	};

	/* a write beyond the limit fails instead of killing */
	(void)signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
