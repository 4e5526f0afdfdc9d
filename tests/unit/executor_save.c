/* SPDX-License-Identifier: BSD-3-Clause */
/* What becomes of a node's own snapshot: do_snapshot's rules in order, and how a save
 * ends. The log is told of it only when it is durable. */
#include <errno.h>
#include <string.h>

#include "tests/unit/executor_world.h"

struct row {
	const char *name;
	enum executor_state state;
	bool is_unsupported;
	bool is_stopped;
	const char *inactive;
	int64_t applied; /* 0: far enough */
	int64_t gap;     /* 0: the default */
	enum executor_work work;
	enum executor_log log;
	int code;
	const char *text;
};

#define LOADING "Is loading another snapshot"
#define SAVING "Is saving another snapshot"

static const struct row rows[] = {
	{.name = "no store",
		.is_unsupported = true,
		.code = EINVAL,
		.text = "Snapshot is not supported"},
	{.name = "stopped", .is_stopped = true, .code = EPERM, .text = "Is stopped"},
	{.name = "stopped comes before downloading",
		.state = EXECUTOR_DOWNLOADING,
		.is_stopped = true,
		.code = EPERM,
		.text = "Is stopped"},
	{.name = "downloading",
		.state = EXECUTOR_DOWNLOADING,
		.code = EBUSY,
		.text = LOADING},
	{.name = "downloading comes before the gap",
		.state = EXECUTOR_DOWNLOADING,
		.applied = LAST,
		.code = EBUSY,
		.text = LOADING},
	{.name = "cancelling",
		.state = EXECUTOR_CANCELLING,
		.code = EBUSY,
		.text = LOADING},
	{.name = "committing a download",
		.state = EXECUTOR_COMMITTING,
		.code = EBUSY,
		.text = LOADING},
	{.name = "loading", .state = EXECUTOR_LOADING, .code = EBUSY, .text = LOADING},
	{.name = "saving", .state = EXECUTOR_SAVING, .code = EBUSY, .text = SAVING},
	{.name = "saving comes before the gap",
		.state = EXECUTOR_SAVING,
		.applied = LAST,
		.code = EBUSY,
		.text = SAVING},
	{.name = "committing a save",
		.state = EXECUTOR_SAVE_COMMITTING,
		.code = EBUSY,
		.text = SAVING},
	{.name = "nothing new", .applied = LAST, .log = EXECUTOR_LOG_IDLE},
	{.name = "the state machine is behind its snapshot",
		.applied = LAST - 1,
		.log = EXECUTOR_LOG_IDLE},
	{.name = "too little new",
		.applied = LAST + 9,
		.gap = 10,
		.log = EXECUTOR_LOG_IDLE},
	{.name = "the gap comes before the state machine's error",
		.inactive = "ERROR",
		.applied = LAST,
		.log = EXECUTOR_LOG_IDLE},
	{.name = "just enough new",
		.applied = LAST + 10,
		.gap = 10,
		.work = EXECUTOR_SAVE},
	{.name = "one new entry", .applied = LAST + 1, .work = EXECUTOR_SAVE},
	{.name = "the state machine is in error",
		.inactive = "ERROR",
		.code = EINVAL,
		.text = "FSMCaller is in bad status"},
};

static void check_row(const struct row *row, void *call)
{
	struct executor executor;
	struct executor_update update;
	enum executor_state before;

	prepare(&executor, row->state);
	before = executor.state;
	executor.is_unsupported = row->is_unsupported;
	executor.is_stopped = row->is_stopped;
	executor.inactive = row->inactive;
	if (row->gap != 0)
		executor.min_index_gap = row->gap;
	memset(&update, 0x55, sizeof(update));
	executor_on_save(
		&executor, call, row->applied != 0 ? row->applied : INT64_MAX, &update);
	assert_int_equal(update.work, row->work);
	assert_int_equal(update.log, row->log);
	assert_int_equal(update.fault, EXECUTOR_FAULT_NONE);
	if (row->work == EXECUTOR_SAVE)
		assert_int_equal(executor.state, EXECUTOR_SAVING);
	else
		assert_int_equal(executor.state, before);
	if (call == NULL || row->work == EXECUTOR_SAVE)
		assert_int_equal(update.nanswers, 0);
	else if (row->code != 0)
		assert_refused(&update, call, row->code, row->text);
	else
		assert_responded(&update, call, 0, true);
}

static void every_rule_of_do_snapshot(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		print_message("    %s\n", rows[i].name);
		check_row(&rows[i], &second_call);
		check_row(&rows[i], NULL); /* the timer */
	}
}

static struct executor_end end_with(int code, const char *text)
{
	return (struct executor_end){.code = code, .text = text};
}

static void a_save_is_told_to_the_log_when_it_is_durable(void **state)
{
	struct executor_end end = end_with(0, NULL);
	struct executor executor;
	struct executor_update update;

	(void)state;
	prepare(&executor, EXECUTOR_SAVING);
	assert_int_equal(executor.state, EXECUTOR_SAVING);
	executor_on_saved(&executor, &copied, &update);
	assert_int_equal(update.work, EXECUTOR_COMMIT_SAVE);
	assert_int_equal(update.snapshot.index, UNDER_WAY);
	assert_int_equal(update.log, EXECUTOR_LOG_NONE);
	assert_int_equal(update.nanswers, 0);
	assert_int_equal(executor.last_index, LAST);

	executor_on_save_committed(&executor, &end, &update);
	assert_int_equal(update.work, EXECUTOR_NO_WORK);
	assert_int_equal(update.log, EXECUTOR_LOG_SNAPSHOT);
	assert_int_equal(update.snapshot.index, UNDER_WAY);
	assert_int_equal(update.snapshot.term, TERM);
	assert_responded(&update, &first_call, 0, true);
	assert_int_equal(executor.last_index, UNDER_WAY);
	assert_int_equal(executor.last_term, TERM);
	assert_int_equal(executor.state, EXECUTOR_IDLE);
	assert_int_equal(executor.state, EXECUTOR_IDLE);
}

/* braft swallows every code of close() but EIO, calls it success, and cuts the log. */
static void a_commit_that_fails_cuts_no_log(void **state)
{
	static const int codes[] = {ENOSPC, EEXIST, ESTALE, EPERM, EIO};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		struct executor_end end = end_with(codes[i], "no");
		struct executor executor;
		struct executor_update update;

		prepare(&executor, EXECUTOR_SAVE_COMMITTING);
		executor_on_save_committed(&executor, &end, &update);
		assert_refused(&update, &first_call, codes[i], "no");
		assert_int_equal(update.log, EXECUTOR_LOG_NONE);
		assert_int_equal(executor.last_index, LAST);
		assert_int_equal(update.fault,
			codes[i] == EIO ? EXECUTOR_FAULT_SNAPSHOT : EXECUTOR_FAULT_NONE);
		assert_int_equal(update.fault_code, codes[i] == EIO ? EIO : 0);
		assert_int_equal(executor.inactive != NULL, codes[i] == EIO);
	}
}

static void a_save_that_fails_is_dropped(void **state)
{
	static const struct {
		int code;
		bool is_fatal;
	} ends[] = {
		{EPERM, false},               /* the user's own */
		{EHOSTDOWN, false},           /* the queue takes no more */
		{ENOSPC, false}, {EIO, true}, /* also when the writer could not be made */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct executor_end end = end_with(ends[i].code, "no");
		struct executor executor;
		struct executor_update update;

		prepare(&executor, EXECUTOR_SAVING);
		executor_on_saved(&executor, &end, &update);
		assert_int_equal(update.work, EXECUTOR_ABORT_SAVE);
		assert_int_equal(update.log, EXECUTOR_LOG_NONE);
		assert_refused(&update, &first_call, ends[i].code, "no");
		assert_int_equal(update.fault != EXECUTOR_FAULT_NONE, ends[i].is_fatal);
		assert_int_equal(executor.last_index, LAST);
	}
}

/* An install cannot slip in between, but a user's code may name any index. */
static void a_save_that_is_not_newer_is_stale(void **state)
{
	struct executor_end end = {.snapshot = {LAST, TERM}};
	struct executor executor;
	struct executor_update update;

	(void)state;
	prepare(&executor, EXECUTOR_SAVING);
	executor_on_saved(&executor, &end, &update);
	assert_int_equal(update.work, EXECUTOR_ABORT_SAVE);
	assert_refused(&update, &first_call, ESTALE,
		"the saved snapshot is no newer than the last");
	assert_int_equal(update.fault, EXECUTOR_FAULT_NONE);
}

/* In braft a queue that refuses the timer's save leaves _saving_snapshot set for ever. */
static void saving_is_never_stuck(void **state)
{
	struct executor_end end = end_with(EHOSTDOWN, "the queue is down");
	struct executor executor;
	struct executor_update update;

	(void)state;
	prepare(&executor, EXECUTOR_IDLE);
	for (int i = 0; i < 3; i++) {
		executor_on_save(&executor, NULL, UNDER_WAY, &update);
		assert_int_equal(update.work, EXECUTOR_SAVE);
		executor_on_saved(&executor, &end, &update);
		assert_int_equal(update.work, EXECUTOR_ABORT_SAVE);
		assert_int_equal(update.nanswers, 0);
		assert_int_equal(executor.state, EXECUTOR_IDLE);
	}
	install(&executor, LEADER, TERM, UNDER_WAY, &first_call, &update);
	assert_int_equal(update.work, EXECUTOR_COPY);
}

static void a_save_under_way_is_finished_by_a_stopping_node(void **state)
{
	struct executor_end end = end_with(0, NULL);
	struct executor executor;
	struct executor_update update;

	(void)state;
	prepare(&executor, EXECUTOR_SAVING);
	executor_on_stop(&executor, &update);
	assert_int_equal(update.work, EXECUTOR_NO_WORK);
	assert_false(executor_is_done(&executor));
	executor_on_saved(&executor, &copied, &update);
	assert_int_equal(update.work, EXECUTOR_COMMIT_SAVE);
	executor_on_save_committed(&executor, &end, &update);
	assert_responded(&update, &first_call, 0, true);
	assert_true(executor_is_done(&executor));
}

static void a_step_down_does_not_interrupt_a_save(void **state)
{
	struct executor executor;
	struct executor_update update;

	(void)state;
	prepare(&executor, EXECUTOR_SAVING);
	executor_on_step_down(&executor, TERM + 1, NULL, &update);
	assert_int_equal(update.work, EXECUTOR_NO_WORK);
	assert_int_equal(executor.state, EXECUTOR_SAVING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_rule_of_do_snapshot),
		cmocka_unit_test(a_save_is_told_to_the_log_when_it_is_durable),
		cmocka_unit_test(a_commit_that_fails_cuts_no_log),
		cmocka_unit_test(a_save_that_fails_is_dropped),
		cmocka_unit_test(a_save_that_is_not_newer_is_stale),
		cmocka_unit_test(saving_is_never_stuck),
		cmocka_unit_test(a_save_under_way_is_finished_by_a_stopping_node),
		cmocka_unit_test(a_step_down_does_not_interrupt_a_save),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
