/* SPDX-License-Identifier: BSD-3-Clause */
/* What a follower answers to InstallSnapshot, row by row as braft's
 * handle_install_snapshot_request and register_downloading_snapshot do. What becomes of a
 * download is in executor_install.c, saves are in executor_save.c. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "control/throttle_braft.h"
#include "tests/unit/executor_world.h"

struct row {
	const char *name;
	/* what is true before */
	enum executor_state state;
	bool is_stopped;
	bool knows_no_leader;
	bool is_unsupported;
	bool is_full; /* the throttle takes no more */
	const char *inactive;
	/* what is asked; NULL and 0 mean the usual */
	const char *group_id, *peer_id, *server_id;
	int64_t term, index;
	/* what comes of it */
	enum executor_work work;
	enum executor_state after;
	bool is_owner; /* is answered later; `code` and `text` are the old call's */
	int code;
	const char *text;
	int64_t answer_term;
	bool success;
};

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
	{.name = "no store",
		.is_unsupported = true,
		.code = EINVAL,
		.text = "Not support snapshot"},
	{.name = "server_id does not parse",
		.server_id = "127.0.0.1",
		.code = 1003,
		.text = "Fail to parse server_id"},
	{.name = "the node is in error",
		.inactive = "ERROR",
		.index = 300,
		.code = EINVAL,
		.text = "node g:127.0.0.1:18801:0:0 is not in active state, state ERROR"},
	{.name = "the node shuts down",
		.inactive = "SHUTTING",
		.index = LAST,
		.code = EINVAL,
		.text = "node g:127.0.0.1:18801:0:0 is not in active state, state "
			"SHUTTING"},
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
		.work = EXECUTOR_CANCEL_COPY,
		.after = EXECUTOR_CANCELLING,
		.answer_term = 6},
	{.name = "another leader in this term, while loading",
		.state = EXECUTOR_LOADING,
		.server_id = USURPER,
		.index = 300,
		.after = EXECUTOR_LOADING,
		.answer_term = 6},
	{.name = "no leader known in this term",
		.knows_no_leader = true,
		.server_id = USURPER,
		.index = 300,
		.work = EXECUTOR_COPY,
		.after = EXECUTOR_DOWNLOADING,
		.is_owner = true},
	{.name = "a newer term, another leader",
		.server_id = USURPER,
		.term = 6,
		.index = 300,
		.work = EXECUTOR_COPY,
		.after = EXECUTOR_DOWNLOADING,
		.is_owner = true},
	{.name = "a newer term interrupts the download, and waits for its end (6)",
		.state = EXECUTOR_DOWNLOADING,
		.term = 6,
		.index = UNDER_WAY,
		.work = EXECUTOR_CANCEL_COPY,
		.after = EXECUTOR_CANCELLING,
		.is_owner = true,
		.code = EINTR,
		.text = RETRY},
	{.name = "a newer term with a newer snapshot",
		.state = EXECUTOR_DOWNLOADING,
		.term = 6,
		.index = UNDER_WAY + 1,
		.work = EXECUTOR_CANCEL_COPY,
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
	{.name = "0: too many at once",
		.is_full = true,
		.index = 300,
		.code = EBUSY,
		.text = "Fail to add install_snapshot tasks now"},
	{.name = "0: comes before everything else here",
		.is_full = true,
		.is_stopped = true,
		.index = LAST,
		.code = EBUSY,
		.text = "Fail to add install_snapshot tasks now"},
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
	{.name = "3: comes before 4",
		.state = EXECUTOR_SAVING,
		.index = LAST,
		.after = EXECUTOR_SAVING,
		.answer_term = 5,
		.success = true},
	{.name = "4: this node is saving",
		.state = EXECUTOR_SAVING,
		.index = 300,
		.after = EXECUTOR_SAVING,
		.code = EBUSY,
		.text = "Is saving snapshot"},
	{.name = "4: also while the save is made durable",
		.state = EXECUTOR_SAVE_COMMITTING,
		.index = 300,
		.after = EXECUTOR_SAVE_COMMITTING,
		.code = EBUSY,
		.text = "Is saving snapshot"},
	{.name = "5: nothing under way",
		.index = LAST + 1,
		.work = EXECUTOR_COPY,
		.after = EXECUTOR_DOWNLOADING,
		.is_owner = true},
	{.name = "6: a retry takes the running copy over",
		.state = EXECUTOR_DOWNLOADING,
		.index = UNDER_WAY,
		.after = EXECUTOR_DOWNLOADING,
		.is_owner = true,
		.code = EINTR,
		.text = RETRY},
	{.name = "6: also while it is loaded",
		.state = EXECUTOR_LOADING,
		.index = UNDER_WAY,
		.after = EXECUTOR_LOADING,
		.is_owner = true,
		.code = EINTR,
		.text = RETRY},
	{.name = "6: also when it was cancelled, whose end it then gets",
		.state = EXECUTOR_CANCELLING,
		.index = UNDER_WAY,
		.after = EXECUTOR_CANCELLING,
		.is_owner = true,
		.code = EINTR,
		.text = RETRY},
	{.name = "7: older than what is under way",
		.state = EXECUTOR_DOWNLOADING,
		.index = UNDER_WAY - 1,
		.after = EXECUTOR_DOWNLOADING,
		.code = EINVAL,
		.text = "A newer snapshot is under installing"},
	{.name = "7: comes before 8",
		.state = EXECUTOR_LOADING,
		.index = UNDER_WAY - 1,
		.after = EXECUTOR_LOADING,
		.code = EINVAL,
		.text = "A newer snapshot is under installing"},
	{.name = "8: newer, but the old one is being made durable",
		.state = EXECUTOR_COMMITTING,
		.index = UNDER_WAY + 1,
		.after = EXECUTOR_COMMITTING,
		.code = EBUSY,
		.text = "A former snapshot is under loading"},
	{.name = "8: newer, but the old one is being loaded",
		.state = EXECUTOR_LOADING,
		.index = UNDER_WAY + 1,
		.after = EXECUTOR_LOADING,
		.code = EBUSY,
		.text = "A former snapshot is under loading"},
	{.name = "9: newer than what is under way",
		.state = EXECUTOR_DOWNLOADING,
		.index = UNDER_WAY + 1,
		.work = EXECUTOR_CANCEL_COPY,
		.after = EXECUTOR_CANCELLING,
		.code = EBUSY,
		.text = TRYING},
	{.name = "9: cancelled once is enough",
		.state = EXECUTOR_CANCELLING,
		.index = UNDER_WAY + 1,
		.after = EXECUTOR_CANCELLING,
		.code = EBUSY,
		.text = TRYING},
};

static void check_row(const struct row *row)
{
	struct throttle_limits limits;
	struct throttle_braft throttle;
	struct executor executor;
	struct executor_update update;
	struct executor_request request = {
		.group_id = row->group_id != NULL ? row->group_id : "g",
		.peer_id = row->peer_id != NULL ? row->peer_id : SELF,
		.server_id = row->server_id != NULL ? row->server_id : LEADER,
		.term = row->term != 0 ? row->term : TERM,
		.index = row->index,
		.uri = URI,
	};

	prepare(&executor, row->state);
	throttle_limits_default(&limits);
	limits.max_install_tasks = row->is_full ? 0 : 1;
	throttle_braft_init(&throttle, &limits, 0);
	executor.throttle = &throttle.port;
	executor.has_leader = !row->knows_no_leader;
	executor.is_unsupported = row->is_unsupported;
	executor.is_stopped = row->is_stopped;
	executor.inactive = row->inactive;
	memset(&update, 0x55, sizeof(update));
	executor_on_install(&executor, &request, &second_call, &update);
	assert_int_equal(update.work, row->work);
	assert_int_equal(update.log, EXECUTOR_LOG_NONE);
	assert_int_equal(update.fault, EXECUTOR_FAULT_NONE);
	assert_int_equal(executor.state, row->after);
	/* a task is held by a copy that starts, and by nothing else */
	assert_int_equal(throttle.install_tasks, row->work == EXECUTOR_COPY);
	if (row->is_owner)
		assert_ptr_equal(executor.owner, &second_call);
	if (row->code != 0)
		assert_refused(&update, row->is_owner ? &first_call : &second_call,
			row->code, row->text);
	else if (row->is_owner)
		assert_int_equal(update.nanswers, 0);
	else
		assert_responded(&update, &second_call, row->answer_term, row->success);
}

static void every_row_of_brafts_tables(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		print_message("    %s\n", rows[i].name);
		check_row(&rows[i]);
	}
}

/* A hostile request must not make the counter overflow. */
static void the_last_term_of_all_does_not_overflow(void **state)
{
	struct executor executor;
	struct executor_update update;

	(void)state;
	prepare(&executor, EXECUTOR_IDLE);
	install(&executor, LEADER, INT64_MAX, 1, &first_call, &update);
	assert_responded(&update, &first_call, INT64_MAX, true);
	install(&executor, USURPER, INT64_MAX, 1, &first_call, &update);
	assert_responded(&update, &first_call, INT64_MAX, false);
	install(&executor, LEADER, INT64_MIN, INT64_MIN, &first_call, &update);
	assert_responded(&update, &first_call, INT64_MAX, false);
}

/* After a conflict nobody is leader: the next one heard of in that term is. */
static void two_leaders_in_a_term_are_both_dropped(void **state)
{
	struct executor executor;
	struct executor_update update;

	(void)state;
	prepare(&executor, EXECUTOR_IDLE);
	install(&executor, USURPER, TERM, 300, &first_call, &update);
	assert_responded(&update, &first_call, TERM + 1, false);
	install(&executor, LEADER, TERM, 300, &first_call, &update);
	assert_responded(&update, &first_call, TERM + 1, false);
	install(&executor, USURPER, TERM + 1, 300, &first_call, &update);
	assert_int_equal(update.work, EXECUTOR_COPY);
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
		cmocka_unit_test(the_last_term_of_all_does_not_overflow),
		cmocka_unit_test(two_leaders_in_a_term_are_both_dropped),
		cmocka_unit_test(an_identity_that_makes_no_sense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
