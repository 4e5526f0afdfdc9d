/* SPDX-License-Identifier: BSD-3-Clause */
/* What a follower answers to InstallSnapshot, row by row as braft's
 * handle_install_snapshot_request and register_downloading_snapshot do. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "control/executor.h"
#include "dataplane/base/units.h"

#define SELF "127.0.0.1:18801:0"
#define LEADER "127.0.0.1:18802:0"
#define USURPER "127.0.0.1:18803:0"

/* Term 5 with LEADER, snapshot 100; where a copy is under way, it is of 200. */
enum { TERM = 5, LAST = 100, UNDER_WAY = 200 };

struct row {
	const char *name;
	/* what is true before */
	enum executor_state state;
	bool is_stopped;
	bool knows_no_leader;
	/* what is asked; NULL and 0 mean the usual */
	const char *group_id, *peer_id, *server_id;
	int64_t term, index;
	/* what comes of it */
	enum executor_step step;
	enum executor_state after;
	int code;
	const char *text;
	int64_t answer_term;
	bool success;
};

#define TRYING "A former snapshot is under installing,  trying to cancel"

static const struct row rows[] = {
	/* RaftServiceImpl::install_snapshot */
	{.name = "peer_id does not parse",
		.peer_id = "nobody",
		.code = EINVAL,
		.text = "peer_id invalid"},
	{.name = "unknown group",
		.group_id = "h",
		.code = ENOENT,
		.text = "peer_id not exist"},
	{.name = "unknown peer",
		.peer_id = "127.0.0.1:18801:1",
		.code = ENOENT,
		.text = "peer_id not exist"},
	/* NodeImpl::handle_install_snapshot_request */
	{.name = "server_id does not parse",
		.server_id = "127.0.0.1",
		.code = 1003,
		.text = "Fail to parse server_id"},
	{.name = "a term that is over", .term = 4, .index = 300, .answer_term = 5},
	{.name = "a term that is over, while downloading",
		.state = EXECUTOR_DOWNLOADING,
		.term = 4,
		.index = 300,
		.after = EXECUTOR_DOWNLOADING,
		.answer_term = 5},
	{.name = "another leader in this term",
		.server_id = USURPER,
		.index = 300,
		.answer_term = 6},
	{.name = "another leader in this term, while downloading",
		.state = EXECUTOR_DOWNLOADING,
		.server_id = USURPER,
		.index = 300,
		.step = EXECUTOR_CANCEL,
		.after = EXECUTOR_CANCELLING,
		.answer_term = 6},
	{.name = "another leader in this term, while committing",
		.state = EXECUTOR_COMMITTING,
		.server_id = USURPER,
		.index = 300,
		.after = EXECUTOR_COMMITTING,
		.answer_term = 6},
	{.name = "no leader known in this term",
		.knows_no_leader = true,
		.server_id = USURPER,
		.index = 300,
		.step = EXECUTOR_START,
		.after = EXECUTOR_DOWNLOADING},
	{.name = "a newer term, another leader",
		.server_id = USURPER,
		.term = 6,
		.index = 300,
		.step = EXECUTOR_START,
		.after = EXECUTOR_DOWNLOADING},
	{.name = "a newer term interrupts the download",
		.state = EXECUTOR_DOWNLOADING,
		.term = 6,
		.index = UNDER_WAY,
		.step = EXECUTOR_CANCEL,
		.after = EXECUTOR_CANCELLING,
		.code = EBUSY,
		.text = TRYING},
	{.name = "a newer term does not interrupt a commit",
		.state = EXECUTOR_COMMITTING,
		.term = 6,
		.index = 300,
		.after = EXECUTOR_COMMITTING,
		.code = EBUSY,
		.text = "A former snapshot is under loading"},
	/* SnapshotExecutor::register_downloading_snapshot */
	{.name = "1: stopped",
		.is_stopped = true,
		.index = 300,
		.code = EHOSTDOWN,
		.text = "Node is stopped"},
	{.name = "1: stopped comes before a snapshot we have",
		.is_stopped = true,
		.index = LAST,
		.code = EHOSTDOWN,
		.text = "Node is stopped"},
	{.name = "3: the snapshot we have",
		.index = LAST,
		.answer_term = 5,
		.success = true},
	{.name = "3: an older one", .index = 1, .answer_term = 5, .success = true},
	{.name = "3: the snapshot we have, in a newer term",
		.term = 9,
		.index = LAST,
		.answer_term = 9,
		.success = true},
	{.name = "3: the snapshot we have, while downloading",
		.state = EXECUTOR_DOWNLOADING,
		.index = LAST,
		.after = EXECUTOR_DOWNLOADING,
		.answer_term = 5,
		.success = true},
	{.name = "5: nothing under way",
		.index = LAST + 1,
		.step = EXECUTOR_START,
		.after = EXECUTOR_DOWNLOADING},
	{.name = "6: a retry takes the running copy over",
		.state = EXECUTOR_DOWNLOADING,
		.index = UNDER_WAY,
		.step = EXECUTOR_JOIN,
		.after = EXECUTOR_DOWNLOADING,
		.code = EINTR,
		.text = "Interrupted by the retry InstallSnapshotRequest"},
	{.name = "6: also while committing",
		.state = EXECUTOR_COMMITTING,
		.index = UNDER_WAY,
		.step = EXECUTOR_JOIN,
		.after = EXECUTOR_COMMITTING,
		.code = EINTR,
		.text = "Interrupted by the retry InstallSnapshotRequest"},
	{.name = "7: older than what is under way",
		.state = EXECUTOR_DOWNLOADING,
		.index = UNDER_WAY - 1,
		.after = EXECUTOR_DOWNLOADING,
		.code = EINVAL,
		.text = "A newer snapshot is under installing"},
	{.name = "7: also while committing",
		.state = EXECUTOR_COMMITTING,
		.index = UNDER_WAY - 1,
		.after = EXECUTOR_COMMITTING,
		.code = EINVAL,
		.text = "A newer snapshot is under installing"},
	{.name = "8: newer, but the old one is being loaded",
		.state = EXECUTOR_COMMITTING,
		.index = UNDER_WAY + 1,
		.after = EXECUTOR_COMMITTING,
		.code = EBUSY,
		.text = "A former snapshot is under loading"},
	{.name = "9: newer than what is under way",
		.state = EXECUTOR_DOWNLOADING,
		.index = UNDER_WAY + 1,
		.step = EXECUTOR_CANCEL,
		.after = EXECUTOR_CANCELLING,
		.code = EBUSY,
		.text = TRYING},
	{.name = "a cancelled copy has not ended yet",
		.state = EXECUTOR_CANCELLING,
		.index = UNDER_WAY + 1,
		.after = EXECUTOR_CANCELLING,
		.code = EBUSY,
		.text = TRYING},
	{.name = "a cancelled copy is not joined",
		.state = EXECUTOR_CANCELLING,
		.index = UNDER_WAY,
		.after = EXECUTOR_CANCELLING,
		.code = EBUSY,
		.text = TRYING},
};

static int first_call, second_call;

static enum executor_step install(struct executor *executor, const char *server_id,
	int64_t term, int64_t index, void *call, struct executor_answer *answer)
{
	const struct executor_request request = {.group_id = "g",
		.server_id = server_id,
		.peer_id = SELF,
		.term = term,
		.index = index};

	return executor_on_install(executor, &request, call, answer);
}

/* Brings an executor into a state by what leads there. */
static void prepare(struct executor *executor, enum executor_state state)
{
	struct executor_answer answer;

	assert_int_equal(executor_init(executor, "g", SELF, LAST, NULL), 0);
	/* hears of its leader by a snapshot it has */
	assert_int_equal(install(executor, LEADER, TERM, 1, &first_call, &answer),
		EXECUTOR_ANSWER);
	assert_true(answer.success);
	if (state == EXECUTOR_IDLE)
		return;
	assert_int_equal(install(executor, LEADER, TERM, UNDER_WAY, &first_call, &answer),
		EXECUTOR_START);
	if (state == EXECUTOR_COMMITTING)
		assert_true(executor_on_commit(executor));
	if (state == EXECUTOR_CANCELLING)
		assert_int_equal(install(executor, LEADER, TERM, UNDER_WAY + 9,
					 &second_call, &answer),
			EXECUTOR_CANCEL);
}

static void check_row(const struct row *row)
{
	struct executor executor;
	struct executor_answer answer;
	struct executor_request request = {
		.group_id = row->group_id != NULL ? row->group_id : "g",
		.peer_id = row->peer_id != NULL ? row->peer_id : SELF,
		.server_id = row->server_id != NULL ? row->server_id : LEADER,
		.term = row->term != 0 ? row->term : TERM,
		.index = row->index,
	};

	prepare(&executor, row->state);
	executor.has_leader = !row->knows_no_leader;
	if (row->is_stopped)
		(void)executor_on_stop(&executor);
	memset(&answer, 0x55, sizeof(answer));
	assert_int_equal(executor_on_install(&executor, &request, &second_call, &answer),
		row->step);
	assert_int_equal(executor.state, row->after);
	if (row->step == EXECUTOR_START) {
		assert_ptr_equal(executor.owner, &second_call);
		return;
	}
	assert_int_equal(answer.code, row->code);
	if (row->code != 0) {
		assert_string_equal(answer.text, row->text);
	} else {
		assert_int_equal(answer.term, row->answer_term);
		assert_int_equal(answer.success, row->success);
	}
	assert_ptr_equal(
		answer.replaced, row->step == EXECUTOR_JOIN ? &first_call : NULL);
}

static void every_row_of_brafts_tables(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		print_message("    %s\n", rows[i].name);
		check_row(&rows[i]);
	}
}

static void a_copy_answers_its_call_with_success(void **state)
{
	struct executor executor;
	struct executor_answer answer;

	(void)state;
	prepare(&executor, EXECUTOR_COMMITTING);
	assert_ptr_equal(
		executor_on_copied(&executor, 0, NULL, UNDER_WAY, &answer), &first_call);
	assert_int_equal(answer.code, 0);
	assert_true(answer.success);
	assert_int_equal(answer.term, TERM);
	assert_int_equal(executor.state, EXECUTOR_IDLE);
	assert_int_equal(executor.last_index, UNDER_WAY);
	/* and is not made again */
	assert_int_equal(
		install(&executor, LEADER, TERM, UNDER_WAY, &second_call, &answer),
		EXECUTOR_ANSWER);
	assert_true(answer.success);
}

static void a_copy_that_failed_is_told_and_may_be_tried_again(void **state)
{
	struct executor executor;
	struct executor_answer answer;

	(void)state;
	prepare(&executor, EXECUTOR_DOWNLOADING);
	assert_ptr_equal(
		executor_on_copied(&executor, ENOSPC, "/data is full", 0, &answer),
		&first_call);
	assert_int_equal(answer.code, ENOSPC);
	assert_string_equal(answer.text, "/data is full");
	assert_false(answer.success);
	assert_int_equal(executor.last_index, LAST);
	assert_int_equal(
		install(&executor, LEADER, TERM, UNDER_WAY, &second_call, &answer),
		EXECUTOR_START);
}

/* The older call is answered when it is replaced, the newer when the copy ends. */
static void every_call_is_answered_once(void **state)
{
	struct executor executor;
	struct executor_answer answer;

	(void)state;
	prepare(&executor, EXECUTOR_DOWNLOADING);
	assert_int_equal(
		install(&executor, LEADER, TERM, UNDER_WAY, &second_call, &answer),
		EXECUTOR_JOIN);
	assert_ptr_equal(answer.replaced, &first_call);
	assert_ptr_equal(
		executor_on_copied(&executor, 0, NULL, UNDER_WAY, &answer), &second_call);
	assert_null(executor.owner);
}

static void a_cancelled_copy_ends_with_its_own_answer(void **state)
{
	struct executor executor;
	struct executor_answer answer;

	(void)state;
	prepare(&executor, EXECUTOR_CANCELLING);
	assert_false(executor_on_commit(&executor));
	assert_ptr_equal(
		executor_on_copied(&executor, ECANCELED, "cancelled", 0, &answer),
		&first_call);
	assert_int_equal(answer.code, ECANCELED);
	/* the leader's next try, a second later */
	assert_int_equal(
		install(&executor, LEADER, TERM, UNDER_WAY + 9, &second_call, &answer),
		EXECUTOR_START);
}

static void a_commit_that_has_begun_is_not_stopped(void **state)
{
	struct executor executor;
	struct executor_answer answer;

	(void)state;
	prepare(&executor, EXECUTOR_COMMITTING);
	assert_false(executor_on_commit(&executor));
	assert_false(executor_on_stop(&executor));
	(void)executor_on_copied(&executor, 0, NULL, UNDER_WAY, &answer);
	assert_true(answer.success);
}

static void stopping_cancels_a_download_once(void **state)
{
	struct executor executor;

	(void)state;
	prepare(&executor, EXECUTOR_IDLE);
	assert_false(executor_on_stop(&executor));
	prepare(&executor, EXECUTOR_DOWNLOADING);
	assert_true(executor_on_stop(&executor));
	assert_false(executor_on_stop(&executor));
	assert_int_equal(executor.state, EXECUTOR_CANCELLING);
}

/* After a conflict nobody is leader: the next one heard of in that term is. */
static void two_leaders_in_a_term_are_both_dropped(void **state)
{
	struct executor executor;
	struct executor_answer answer;

	(void)state;
	prepare(&executor, EXECUTOR_IDLE);
	(void)install(&executor, USURPER, TERM, 300, &first_call, &answer);
	assert_int_equal(answer.term, TERM + 1);
	assert_int_equal(install(&executor, LEADER, TERM, 300, &first_call, &answer),
		EXECUTOR_ANSWER);
	assert_false(answer.success);
	assert_int_equal(install(&executor, USURPER, TERM + 1, 300, &first_call, &answer),
		EXECUTOR_START);
}

/* A hostile request must not make the counter overflow. */
static void the_last_term_of_all_does_not_overflow(void **state)
{
	struct executor executor;
	struct executor_answer answer;

	(void)state;
	prepare(&executor, EXECUTOR_IDLE);
	assert_int_equal(install(&executor, LEADER, INT64_MAX, 1, &first_call, &answer),
		EXECUTOR_ANSWER);
	(void)install(&executor, USURPER, INT64_MAX, 1, &first_call, &answer);
	assert_false(answer.success);
	assert_true(answer.term == INT64_MAX);
	assert_int_equal(
		install(&executor, LEADER, INT64_MIN, INT64_MIN, &first_call, &answer),
		EXECUTOR_ANSWER);
	assert_false(answer.success);
}

static void an_identity_that_makes_no_sense_is_refused(void **state)
{
	struct executor executor;
	struct fault fault = {0};
	char group[257];

	(void)state;
	memset(group, 'g', sizeof(group));
	group[256] = '\0';
	assert_int_equal(executor_init(&executor, group, SELF, 0, &fault), -EINVAL);
	assert_string_equal(fault.text, "the group id must have 1 to 255 bytes");
	assert_int_equal(executor_init(&executor, "", SELF, 0, NULL), -EINVAL);
	group[255] = '\0';
	assert_int_equal(executor_init(&executor, group, SELF, 0, NULL), 0);
	assert_int_equal(executor_init(&executor, "g", "me", 0, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_of_brafts_tables),
		cmocka_unit_test(a_copy_answers_its_call_with_success),
		cmocka_unit_test(a_copy_that_failed_is_told_and_may_be_tried_again),
		cmocka_unit_test(every_call_is_answered_once),
		cmocka_unit_test(a_cancelled_copy_ends_with_its_own_answer),
		cmocka_unit_test(a_commit_that_has_begun_is_not_stopped),
		cmocka_unit_test(stopping_cancels_a_download_once),
		cmocka_unit_test(two_leaders_in_a_term_are_both_dropped),
		cmocka_unit_test(the_last_term_of_all_does_not_overflow),
		cmocka_unit_test(an_identity_that_makes_no_sense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
