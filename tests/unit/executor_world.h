/* SPDX-License-Identifier: BSD-3-Clause */
/* A follower in term 5 of LEADER with snapshot 100, and ways to bring it into a state. */
#ifndef EXECUTOR_WORLD_H
#define EXECUTOR_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "control/executor.h"

#define SELF "127.0.0.1:18801:0"
#define LEADER "127.0.0.1:18802:0"
#define USURPER "127.0.0.1:18803:0"
#define URI "remote://127.0.0.1:18802/-7"

/* Term 5 with LEADER, snapshot 100; where a copy is under way, it is of 200. */
enum { TERM = 5, LAST = 100, UNDER_WAY = 200 };

#define RETRY "Interrupted by the retry InstallSnapshotRequest"
#define TRYING "A former snapshot is under installing,  trying to cancel"

static int first_call, second_call; /* their addresses are the calls */

static inline void install(struct executor *executor, const char *server_id, int64_t term,
	int64_t index, void *call, struct executor_update *update)
{
	const struct executor_request request = {.group_id = "g",
		.server_id = server_id,
		.peer_id = SELF,
		.term = term,
		.index = index,
		.uri = URI};

	executor_on_install(executor, &request, call, update);
}

static inline void assert_refused(const struct executor_update *update, const void *call,
	int code, const char *text)
{
	assert_int_equal(update->nanswers, 1);
	assert_ptr_equal(update->answers[0].call, call);
	assert_int_equal(update->answers[0].code, code);
	assert_string_equal(update->answers[0].text, text);
	assert_false(update->answers[0].success);
}

static inline void assert_responded(const struct executor_update *update,
	const void *call, int64_t term, bool success)
{
	assert_int_equal(update->nanswers, 1);
	assert_ptr_equal(update->answers[0].call, call);
	assert_int_equal(update->answers[0].code, 0);
	assert_int_equal(update->answers[0].term, term);
	assert_int_equal(update->answers[0].success, success);
}

static const struct executor_end copied = {.snapshot = {UNDER_WAY, TERM}};

/* Brings an executor into a state by what leads there. */
static inline void prepare(struct executor *executor, enum executor_state state)
{
	struct executor_update update;

	assert_int_equal(executor_init(executor, "g", SELF, LAST, NULL), 0);
	/* hears of its leader by a snapshot it has */
	install(executor, LEADER, TERM, 1, &first_call, &update);
	assert_responded(&update, &first_call, TERM, true);
	if (state == EXECUTOR_SAVING || state == EXECUTOR_SAVE_COMMITTING)
		executor_on_save(executor, &first_call, UNDER_WAY, &update);
	else if (state != EXECUTOR_IDLE)
		install(executor, LEADER, TERM, UNDER_WAY, &first_call, &update);
	if (state == EXECUTOR_SAVE_COMMITTING)
		executor_on_saved(executor, &copied, &update);
	if (state == EXECUTOR_COMMITTING || state == EXECUTOR_LOADING)
		assert_true(executor_on_commit(executor));
	if (state == EXECUTOR_LOADING)
		executor_on_copied(executor, &copied, &update);
	if (state == EXECUTOR_CANCELLING)
		install(executor, LEADER, TERM, UNDER_WAY + 9, &second_call, &update);
	assert_int_equal(executor->state, state);
}

#endif
