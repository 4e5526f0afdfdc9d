/* SPDX-License-Identifier: BSD-3-Clause */
/* How a download ends, and what may end it. retry_request to retry_request_with_throttle
 * are the cases of braft's test_snapshot_executor.cpp, the three after them of its
 * test_node.cpp. */
#include <errno.h>
#include <string.h>

#include "control/throttle_braft.h"
#include "tests/unit/executor_world.h"

static struct executor executor;
static struct executor_update update;

static struct executor_end end_with(int code, const char *text, bool is_remote)
{
	return (struct executor_end){.code = code, .text = text, .is_remote = is_remote};
}

static void copy_ends(int code, const char *text)
{
	const struct executor_end end = end_with(code, text, false);

	executor_on_copied(&executor, code == 0 ? &copied : &end, &update);
}

static void load_ends(int code, const char *text, bool is_broken)
{
	const struct executor_end end = end_with(code, text, false);

	executor_on_loaded(&executor, &end, is_broken, &update);
}

static void retry_request(void **state)
{
	int calls[10];
	int interrupted = 0;

	(void)state;
	prepare(&executor, EXECUTOR_IDLE);
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		install(&executor, LEADER, TERM, UNDER_WAY, &calls[i], &update);
		if (i == 0) {
			assert_int_equal(update.work, EXECUTOR_COPY);
			assert_string_equal(executor.uri, URI);
			continue;
		}
		assert_int_equal(update.work, EXECUTOR_NO_WORK); /* the copy goes on */
		assert_refused(&update, &calls[i - 1], EINTR, RETRY);
		interrupted++;
	}
	copy_ends(0, NULL);
	load_ends(0, NULL, false);
	assert_responded(&update, &calls[9], TERM, true);
	assert_int_equal(interrupted, 9);
}

static void interrupt_installing(void **state)
{
	(void)state;
	prepare(&executor, EXECUTOR_DOWNLOADING);
	executor_on_step_down(&executor, TERM + 1, NULL, &update);
	assert_int_equal(update.work, EXECUTOR_CANCEL_COPY);
	assert_int_equal(update.nanswers, 0);
	assert_int_equal(executor.state, EXECUTOR_CANCELLING);
	assert_false(executor_on_commit(&executor));
	copy_ends(ECANCELED, "cancelled");
	assert_refused(&update, &first_call, ECANCELED, "cancelled");
	assert_int_equal(update.fault, EXECUTOR_FAULT_NONE);
	assert_int_equal(executor.last_index, LAST);
	assert_int_equal(executor.state, EXECUTOR_IDLE);
}

static void retry_install_snapshot(void **state)
{
	(void)state;
	prepare(&executor, EXECUTOR_LOADING);
	install(&executor, LEADER, TERM, UNDER_WAY, &second_call, &update);
	assert_refused(&update, &first_call, EINTR, RETRY);
	load_ends(0, NULL, false);
	assert_responded(&update, &second_call, TERM, true);
	install(&executor, LEADER, TERM, UNDER_WAY, &first_call, &update);
	assert_responded(&update, &first_call, TERM, true);
	assert_int_equal(update.work, EXECUTOR_NO_WORK);
}

/* The answer carries the term in which it was asked for. */
static void a_newer_leader_that_joins_is_answered_in_its_term(void **state)
{
	(void)state;
	prepare(&executor, EXECUTOR_LOADING);
	install(&executor, USURPER, TERM + 2, UNDER_WAY, &second_call, &update);
	assert_refused(&update, &first_call, EINTR, RETRY);
	load_ends(0, NULL, false);
	assert_responded(&update, &second_call, TERM + 2, true);
}

static struct throttle_braft throttle;

static void cap_tasks(uint32_t most)
{
	struct throttle_limits limits;

	throttle_limits_default(&limits);
	limits.max_install_tasks = most;
	throttle_braft_init(&throttle, &limits, 0);
	executor.throttle = &throttle.port;
}

static void retry_request_with_throttle(void **state)
{
	(void)state;
	prepare(&executor, EXECUTOR_IDLE);
	cap_tasks(2);
	install(&executor, LEADER, TERM, UNDER_WAY, &first_call, &update);
	install(&executor, LEADER, TERM, UNDER_WAY, &second_call, &update);
	assert_refused(&update, &first_call, EINTR, RETRY);
	assert_int_equal(throttle.install_tasks, 1);
	copy_ends(0, NULL);
	assert_int_equal(throttle.install_tasks, 0); /* loading needs no disk share */
	load_ends(0, NULL, false);
	assert_responded(&update, &second_call, TERM, true);
}

static void Leader_step_down_during_install_snapshot(void **state)
{
	(void)state;
	prepare(&executor, EXECUTOR_DOWNLOADING);
	install(&executor, USURPER, TERM + 1, UNDER_WAY, &second_call, &update);
	assert_int_equal(update.work, EXECUTOR_CANCEL_COPY);
	assert_refused(&update, &first_call, EINTR, RETRY);
	copy_ends(ECANCELED, "cancelled");
	assert_refused(&update, &second_call, ECANCELED, "cancelled");
	install(&executor, USURPER, TERM + 1, UNDER_WAY, &first_call, &update);
	assert_int_equal(update.work, EXECUTOR_COPY);
	copy_ends(0, NULL);
	load_ends(0, NULL, false);
	assert_responded(&update, &first_call, TERM + 1, true);
}

static void Report_error_during_install_snapshot(void **state)
{
	(void)state;
	prepare(&executor, EXECUTOR_DOWNLOADING);
	executor_on_error(&executor, &update);
	assert_int_equal(update.work, EXECUTOR_CANCEL_COPY);
	executor_on_stop(&executor, &update);
	assert_int_equal(update.work, EXECUTOR_NO_WORK);
	assert_false(executor_is_done(&executor));
	copy_ends(ECANCELED, "cancelled");
	assert_refused(&update, &first_call, ECANCELED, "cancelled");
	assert_true(executor_is_done(&executor));
}

static void install_snapshot_exceed_max_task_num(void **state)
{
	struct executor other;

	(void)state;
	prepare(&other, EXECUTOR_IDLE);
	prepare(&executor, EXECUTOR_IDLE);
	cap_tasks(1);
	other.throttle = &throttle.port;
	install(&executor, LEADER, TERM, UNDER_WAY, &first_call, &update);
	install(&other, LEADER, TERM, UNDER_WAY, &second_call, &update);
	assert_refused(
		&update, &second_call, EBUSY, "Fail to add install_snapshot tasks now");
	copy_ends(ENOSPC, "full");
	install(&other, LEADER, TERM, UNDER_WAY, &second_call, &update);
	assert_int_equal(update.work, EXECUTOR_COPY);
	executor_on_bad_uri(&other, &update);
	assert_int_equal(throttle.install_tasks, 0);
}

static void an_install_is_told_to_the_log_when_it_is_loaded(void **state)
{
	(void)state;
	prepare(&executor, EXECUTOR_DOWNLOADING);
	assert_true(executor_is_installing(&executor));
	assert_int_equal(executor.state, EXECUTOR_DOWNLOADING);
	assert_true(executor_on_commit(&executor));
	copy_ends(0, NULL);
	assert_int_equal(update.work, EXECUTOR_LOAD);
	assert_int_equal(update.snapshot.index, UNDER_WAY);
	assert_int_equal(update.log, EXECUTOR_LOG_NONE);
	assert_int_equal(executor.last_index, LAST);
	assert_int_equal(executor.state, EXECUTOR_LOADING);

	load_ends(0, NULL, false);
	assert_int_equal(update.log, EXECUTOR_LOG_SNAPSHOT);
	assert_int_equal(update.snapshot.index, UNDER_WAY);
	assert_int_equal(update.snapshot.term, TERM);
	assert_true(update.adopts_configuration);
	assert_responded(&update, &first_call, TERM, true);
	assert_int_equal(executor.last_index, UNDER_WAY);
	assert_false(executor_is_installing(&executor));
}

static void a_uri_that_makes_no_sense(void **state)
{
	(void)state;
	prepare(&executor, EXECUTOR_DOWNLOADING);
	executor_on_bad_uri(&executor, &update);
	assert_refused(&update, &first_call, EINVAL, "Fail to copy from , " URI);
	assert_int_equal(executor.state, EXECUTOR_IDLE);
}

static void a_uri_that_is_too_long_counts_as_bad(void **state)
{
	char uri[EXECUTOR_URI_MAX + 1];
	struct executor_request request = {.group_id = "g",
		.server_id = LEADER,
		.peer_id = SELF,
		.term = TERM,
		.index = UNDER_WAY,
		.uri = uri};

	(void)state;
	memset(uri, 'x', sizeof(uri));
	uri[EXECUTOR_URI_MAX] = '\0';
	prepare(&executor, EXECUTOR_IDLE);
	executor_on_install(&executor, &request, &first_call, &update);
	assert_string_equal(executor.uri, "");
	copy_ends(ECANCELED, "");
	request.uri = NULL;
	executor_on_install(&executor, &request, &first_call, &update);
	assert_string_equal(executor.uri, "");
}

static void a_copy_that_failed_is_told_and_may_be_tried_again(void **state)
{
	(void)state;
	prepare(&executor, EXECUTOR_DOWNLOADING);
	copy_ends(ENOSPC, "/data is full");
	assert_refused(&update, &first_call, ENOSPC, "/data is full");
	assert_int_equal(update.log, EXECUTOR_LOG_NONE);
	assert_int_equal(executor.last_index, LAST);
	install(&executor, LEADER, TERM, UNDER_WAY, &second_call, &update);
	assert_int_equal(update.work, EXECUTOR_COPY);
}

/* In braft a leader's broken disk ends every follower that asks it. */
static void remote_eio_does_not_kill_the_follower(void **state)
{
	struct executor_end end = end_with(EIO, "Fail to read", true);

	(void)state;
	prepare(&executor, EXECUTOR_DOWNLOADING);
	executor_on_copied(&executor, &end, &update);
	assert_refused(&update, &first_call, EIO, "Fail to read");
	assert_int_equal(update.fault, EXECUTOR_FAULT_NONE);
	install(&executor, LEADER, TERM, UNDER_WAY, &second_call, &update);
	assert_int_equal(update.work, EXECUTOR_COPY);
}

static void own_eio_puts_the_node_in_error(void **state)
{
	(void)state;
	prepare(&executor, EXECUTOR_DOWNLOADING);
	copy_ends(EIO, "disk");
	assert_refused(&update, &first_call, EIO, "disk");
	assert_int_equal(update.fault, EXECUTOR_FAULT_SNAPSHOT);
	assert_int_equal(update.fault_code, EIO);
	install(&executor, LEADER, TERM, UNDER_WAY, &second_call, &update);
	assert_refused(&update, &second_call, EINVAL,
		"node g:127.0.0.1:18801:0:0 is not in active state, state ERROR");
}

static void a_copy_that_cannot_be_read_or_is_too_old(void **state)
{
	static const int64_t indexes[] = {0, UNDER_WAY - 1};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(indexes); i++) {
		struct executor_end end = {.snapshot = {indexes[i], TERM}};

		prepare(&executor, EXECUTOR_COMMITTING);
		executor_on_copied(&executor, &end, &update);
		assert_refused(&update, &first_call, EXECUTOR_EINTERNAL,
			"Fail to copy snapshot from " URI);
	}
}

struct load_row {
	int code;
	const char *text;
	bool is_broken;
};

static void every_way_that_a_load_fails(void **state)
{
	static const struct load_row ends[] = {
		{EBADMSG, "load_meta failed", false},
		{EHOSTDOWN, "the queue is down", false},
		{ESTALE, "Loading a stale snapshot", false},
		{EINVAL, "FSMCaller is in bad status", false},
		{EPERM, "on_snapshot_load failed", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		prepare(&executor, EXECUTOR_LOADING);
		load_ends(ends[i].code, ends[i].text, ends[i].is_broken);
		assert_refused(&update, &first_call, ends[i].code, ends[i].text);
		assert_int_equal(update.log, EXECUTOR_LOG_NONE);
		assert_int_equal(executor.last_index, LAST);
		assert_true(update.adopts_configuration);
		assert_int_equal(update.fault, ends[i].is_broken
						       ? EXECUTOR_FAULT_STATE_MACHINE
						       : EXECUTOR_FAULT_NONE);
	}
}

static void what_was_applied_already_is_not_loaded(void **state)
{
	const struct log_id snapshot = {100, 5};
	struct fault fault = {0};

	(void)state;
	assert_int_equal(executor_check_load(&snapshot, 99, &fault), 0);
	assert_int_equal(executor_check_load(&snapshot, 100, &fault), 0);
	assert_int_equal(executor_check_load(&snapshot, 101, &fault), -ESTALE);
	assert_string_equal(fault.text, "Loading a stale snapshot, "
					"last_applied_index=101 snapshot_index=100");
}

/* The store has it, the state machine does not: the next try finds it there. */
static void a_snapshot_whose_load_failed_is_loaded_by_the_next_try(void **state)
{
	struct executor_end end = {.code = EEXIST, .snapshot = {UNDER_WAY, TERM}};

	(void)state;
	prepare(&executor, EXECUTOR_LOADING);
	load_ends(EHOSTDOWN, "the queue is down", false);
	install(&executor, LEADER, TERM, UNDER_WAY, &second_call, &update);
	assert_int_equal(update.work, EXECUTOR_COPY);
	executor_on_copied(&executor, &end, &update);
	assert_int_equal(update.work, EXECUTOR_LOAD);
	load_ends(0, NULL, false);
	assert_responded(&update, &second_call, TERM, true);

	prepare(&executor, EXECUTOR_DOWNLOADING);
	end.is_remote = true;
	executor_on_copied(&executor, &end, &update);
	assert_refused(&update, &first_call, EEXIST, "");
}

static void a_copy_is_not_loaded_by_a_node_in_error(void **state)
{
	(void)state;
	prepare(&executor, EXECUTOR_COMMITTING);
	executor_on_error(&executor, &update);
	assert_int_equal(update.work, EXECUTOR_NO_WORK);
	copy_ends(0, NULL);
	assert_refused(&update, &first_call, EINVAL, "FSMCaller is in bad status");
	assert_int_equal(update.work, EXECUTOR_NO_WORK);
}

/* The copier was done before it heard; what is durable must be loaded. */
static void a_cancel_that_came_too_late(void **state)
{
	(void)state;
	prepare(&executor, EXECUTOR_CANCELLING);
	copy_ends(0, NULL);
	assert_int_equal(update.work, EXECUTOR_LOAD);
	load_ends(0, NULL, false);
	assert_responded(&update, &first_call, TERM, true);
}

static void stop_interrupts_a_download_but_neither_commit_nor_load(void **state)
{
	(void)state;
	prepare(&executor, EXECUTOR_IDLE);
	executor_on_stop(&executor, &update);
	assert_int_equal(update.work, EXECUTOR_NO_WORK);
	assert_true(executor_is_done(&executor));

	prepare(&executor, EXECUTOR_DOWNLOADING);
	executor_on_stop(&executor, &update);
	assert_int_equal(update.work, EXECUTOR_CANCEL_COPY);
	executor_on_stop(&executor, &update);
	assert_int_equal(update.work, EXECUTOR_NO_WORK); /* once is enough */

	prepare(&executor, EXECUTOR_COMMITTING);
	executor_on_stop(&executor, &update);
	assert_int_equal(update.work, EXECUTOR_NO_WORK);
	copy_ends(0, NULL);
	executor_on_stop(&executor, &update);
	assert_int_equal(update.work, EXECUTOR_NO_WORK);
	load_ends(0, NULL, false);
	assert_responded(&update, &first_call, TERM, true);
	assert_true(executor_is_done(&executor));
}

static void an_older_step_down_is_late_news(void **state)
{
	(void)state;
	prepare(&executor, EXECUTOR_LOADING);
	executor_on_step_down(&executor, TERM - 1, NULL, &update);
	assert_int_equal(executor.term, TERM);
	assert_true(executor.has_leader);
	executor_on_step_down(&executor, TERM + 3, NULL, &update);
	assert_int_equal(update.work, EXECUTOR_NO_WORK);
	load_ends(0, NULL, false);
	assert_responded(&update, &first_call, TERM, true);
	assert_int_equal(executor.term, TERM + 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(retry_request),
		cmocka_unit_test(interrupt_installing),
		cmocka_unit_test(retry_install_snapshot),
		cmocka_unit_test(retry_request_with_throttle),
		cmocka_unit_test(a_newer_leader_that_joins_is_answered_in_its_term),
		cmocka_unit_test(Leader_step_down_during_install_snapshot),
		cmocka_unit_test(Report_error_during_install_snapshot),
		cmocka_unit_test(install_snapshot_exceed_max_task_num),
		cmocka_unit_test(an_install_is_told_to_the_log_when_it_is_loaded),
		cmocka_unit_test(a_uri_that_makes_no_sense),
		cmocka_unit_test(a_uri_that_is_too_long_counts_as_bad),
		cmocka_unit_test(a_copy_that_failed_is_told_and_may_be_tried_again),
		cmocka_unit_test(remote_eio_does_not_kill_the_follower),
		cmocka_unit_test(own_eio_puts_the_node_in_error),
		cmocka_unit_test(a_copy_that_cannot_be_read_or_is_too_old),
		cmocka_unit_test(every_way_that_a_load_fails),
		cmocka_unit_test(what_was_applied_already_is_not_loaded),
		cmocka_unit_test(a_snapshot_whose_load_failed_is_loaded_by_the_next_try),
		cmocka_unit_test(a_copy_is_not_loaded_by_a_node_in_error),
		cmocka_unit_test(a_cancel_that_came_too_late),
		cmocka_unit_test(stop_interrupts_a_download_but_neither_commit_nor_load),
		cmocka_unit_test(an_older_step_down_is_late_news),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
