/* SPDX-License-Identifier: BSD-3-Clause */
/* Saving through the public header: now and later, too often, too early; and what the log
 * may forget after it. */
#include "api_world.h"

static void a_save_ends_when_its_word_comes(void **state)
{
	struct world *world = *state;
	struct member *member = &world->members[0];
	struct outcome outcome = {0};

	start(member, NULL);
	assert_int_equal(status_of(member).state, SNAPLINE_IDLE);
	append_to(member, 10, 1);
	member->holds_saves = true;
	snapline_do_snapshot(member->node, on_done, &outcome);
	wait_held(member);
	assert_int_equal(status_of(member).state, SNAPLINE_SAVING);
	/* on_snapshot_save has returned: the state machine applies on */
	append_to(member, 11, 1);
	save_fails(member, EBUSY, "Is saving another snapshot");
	assert_int_equal(atomic_load(&outcome.times), 0);
	assert_int_equal(status_of(member).last_index, 0);
	/* this thread is none of Snapline's */
	release_held(member);
	expect(&outcome, 0, "");
	expect_snapshot(member, 11, 1);
	assert_int_equal(status_of(member).state, SNAPLINE_IDLE);
	assert_int_equal(count_entries(member), 1);
}

static void nothing_new_saves_nothing_and_empties_the_log(void **state)
{
	static const char *const gap[] = {
		"snapshot-interval-s=0", "do-snapshot-min-index-gap=5", NULL};
	struct world *world = *state;
	struct member *member = &world->members[0];

	start(member, gap);
	append_to(member, 4, 1);
	save(member);
	assert_int_equal(member->saves, 0);
	append_to(member, 5, 1);
	save(member);
	assert_int_equal(member->saves, 1);
	assert_int_equal(member->first, 1);
	append_to(member, 9, 1);
	save(member);
	assert_int_equal(member->saves, 1);
	expect_snapshot(member, 5, 1);
	/* the entries that were kept for slow followers have gone, no others */
	assert_int_equal(member->first, 6);
	assert_int_equal(member->last, 9);
}

/* braft's name: after the second snapshot index 5 is gone and 12 can be read. */
static void read_committed_user_log(void **state)
{
	struct world *world = *state;
	struct member *member = &world->members[0];

	start(member, NULL);
	append_to(member, 11, 1);
	save(member);
	assert_int_equal(member->first, 1);
	append_to(member, 21, 1);
	save(member);
	assert_int_equal(member->first, 12);
	assert_int_equal(log_term_at(member, 5), 0);
	assert_int_equal(log_term_at(member, 12), 1);
	append_to(member, 31, 1);
	save(member);
	assert_int_equal(member->first, 22);
	save(member);
	assert_int_equal(member->first, 32);
	assert_int_equal(member->last, 31);
	assert_int_equal(member->resets, 0);
}

static void wait_saved(struct member *member, int64_t index)
{
	for (int ms = 0; status_of(member).last_index < index; ms++) {
		if (ms > PATIENCE_MS)
			fail_msg("no snapshot by itself");
		nap();
	}
}

static void AutoSnapshot(void **state)
{
	static const char *const often[] = {"snapshot-interval-s=1", NULL};
	struct world *world = *state;
	struct member *member = &world->members[0];

	append_to(member, 3, 1);
	start(member, often);
	wait_saved(member, 3);
	/* the next one a second after the end of the last */
	append_to(member, 5, 1);
	wait_saved(member, 5);
	assert_int_equal(member->saves, 2);
}

static void so_many_entries_save(void **state)
{
	static const char *const entries[] = {
		"snapshot-interval-s=0", "snapshot-log-entries=10", NULL};
	struct world *world = *state;
	struct member *member = &world->members[0];

	start(member, entries);
	append_to(member, 9, 1);
	save(member);
	assert_int_equal(member->saves, 1);
	append_to(member, 19, 1);
	wait_saved(member, 19);
	assert_int_equal(member->saves, 2);
}

static void so_many_bytes_save(void **state)
{
	static const char *const bytes[] = {
		"snapshot-interval-s=0", "snapshot-log-bytes=1000", NULL};
	struct world *world = *state;
	struct member *member = &world->members[0];

	start(member, bytes);
	append_to(member, 10, 1);
	wait_saved(member, 10);
	assert_int_equal(member->saves, 1);
}

/* A node that only receives: no state machine, no log. */
static void NoSnapshot(void **state)
{
	struct world *world = *state;
	struct member *member = &world->members[0];
	struct snapline_error error;
	struct snapline_reader *reader;
	struct snapline_options options = {.store = member->store, .group = "g"};

	assert_int_equal(snapline_open(&member->node, &options, &error), -EINVAL);
	assert_non_null(strstr(error.text, "peer_id must be given"));
	member->node = NULL;
	start(member, NULL); /* finds a port */
	stop(member);
	options.peer_id = member->peer_id;
	assert_int_equal(snapline_open(&member->node, &options, &error), 0);
	save_fails(member, EINVAL, "Snapshot is not supported");
	assert_int_equal(snapline_reader_open(member->node, &reader, &error), -ENOENT);
	save_fails(member, EINVAL, "Snapshot is not supported");
}

static void options_answer_for_themselves(void **state)
{
	static const char *const wrong[] = {"do-snapshot-min-index-gap=0", NULL};
	static const char *const shapeless[] = {"snapshot-interval-s", NULL};
	struct world *world = *state;
	struct member *member = &world->members[0];
	struct snapline_error error;

	start(member, NULL);
	assert_int_equal(
		snapline_set_option(member->node, "snapshot-interval", "1", &error),
		-ENOENT);
	assert_non_null(strstr(error.text, "snapshot-interval-s"));
	assert_int_equal(snapline_set_option(member->node, "do-snapshot-min-index-gap",
				 "none", &error),
		-EINVAL);
	assert_int_equal(error.code, -EINVAL);
	assert_int_equal(
		snapline_set_option(member->node, "copy-file", "false", &error), -EPERM);
	/* takes effect at once */
	append_to(member, 3, 1);
	assert_int_equal(snapline_set_option(
				 member->node, "do-snapshot-min-index-gap", "4", &error),
		0);
	save(member);
	assert_int_equal(member->saves, 0);
	assert_int_equal(
		snapline_set_option(member->node, "snapshot-interval-s", "1", NULL), 0);
	append_to(member, 4, 1);
	wait_saved(member, 4);
	stop(member);
	assert_int_equal(try_start(member, wrong, &error), -EINVAL);
	assert_int_equal(try_start(member, shapeless, &error), -EINVAL);
	assert_non_null(strstr(error.text, "name=value"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_save_ends_when_its_word_comes),
		STORY(nothing_new_saves_nothing_and_empties_the_log),
		STORY(read_committed_user_log),
		STORY(AutoSnapshot),
		STORY(so_many_entries_save),
		STORY(so_many_bytes_save),
		STORY(NoSnapshot),
		STORY(options_answer_for_themselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
