/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/executor.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum { EREQUEST = 1003 }; /* brpc's */

static const bool moves[EXECUTOR_COMMITTING + 1][EXECUTOR_COMMITTING + 1] = {
	[EXECUTOR_IDLE] = {[EXECUTOR_DOWNLOADING] = true},
	[EXECUTOR_DOWNLOADING] = {[EXECUTOR_IDLE] = true,
		[EXECUTOR_CANCELLING] = true,
		[EXECUTOR_COMMITTING] = true},
	[EXECUTOR_CANCELLING] = {[EXECUTOR_IDLE] = true},
	[EXECUTOR_COMMITTING] = {[EXECUTOR_IDLE] = true},
};

static void executor_move(struct executor *executor, enum executor_state to)
{
	assert(moves[executor->state][to]);
	executor->state = to;
}

int executor_init(struct executor *executor, const char *group_id, const char *peer_id,
	int64_t last_index, struct fault *fault)
{
	memset(executor, 0, sizeof(*executor));
	if (group_id[0] == '\0' || strlen(group_id) >= sizeof(executor->group_id))
		return fault_set(fault, -EINVAL, "the group id must have 1 to %zu bytes",
			sizeof(executor->group_id) - 1);
	memcpy(executor->group_id, group_id, strlen(group_id) + 1);
	executor->last_index = last_index;
	return peer_id_parse(&executor->self, peer_id, fault);
}

static enum executor_step refuse(
	struct executor_answer *answer, int code, const char *text)
{
	answer->code = code;
	answer->text = text;
	return EXECUTOR_ANSWER;
}

static enum executor_step respond(
	struct executor_answer *answer, int64_t term, bool success)
{
	answer->term = term;
	answer->success = success;
	return EXECUTOR_ANSWER;
}

/* A newer term, or the first leader heard of in this one. */
static void step_down(
	struct executor *executor, int64_t term, const struct peer_id *leader)
{
	executor->term = term;
	executor->leader = *leader;
	executor->has_leader = true;
}

static enum executor_step cancel(
	struct executor *executor, struct executor_answer *answer, const char *text)
{
	executor_move(executor, EXECUTOR_CANCELLING);
	answer->code = EBUSY;
	answer->text = text;
	return EXECUTOR_CANCEL;
}

/* SnapshotExecutor::register_downloading_snapshot. */
static enum executor_step register_download(struct executor *executor, int64_t index,
	void *call, struct executor_answer *answer)
{
	if (executor->is_stopped)
		return refuse(answer, EHOSTDOWN, "Node is stopped");
	if (index <= executor->last_index)
		return respond(answer, executor->term, true);
	if (executor->state == EXECUTOR_IDLE) {
		executor_move(executor, EXECUTOR_DOWNLOADING);
		executor->downloading = index;
		executor->owner = call;
		return EXECUTOR_START;
	}
	if (executor->state == EXECUTOR_CANCELLING)
		return refuse(answer, EBUSY,
			"A former snapshot is under installing,  trying to cancel");
	if (index == executor->downloading) {
		answer->code = EINTR;
		answer->text = "Interrupted by the retry InstallSnapshotRequest";
		answer->replaced = executor->owner;
		executor->owner = call;
		return EXECUTOR_JOIN;
	}
	if (index < executor->downloading)
		return refuse(answer, EINVAL, "A newer snapshot is under installing");
	if (executor->state == EXECUTOR_COMMITTING)
		return refuse(answer, EBUSY, "A former snapshot is under loading");
	return cancel(executor, answer,
		"A former snapshot is under installing,  trying to cancel");
}

enum executor_step executor_on_install(struct executor *executor,
	const struct executor_request *request, void *call,
	struct executor_answer *answer)
{
	struct peer_id peer;
	struct peer_id server;
	bool is_newer;

	memset(answer, 0, sizeof(*answer));
	if (peer_id_parse(&peer, request->peer_id, NULL) != 0)
		return refuse(answer, EINVAL, "peer_id invalid");
	if (strcmp(request->group_id, executor->group_id) != 0 ||
		!peer_id_is_equal(&peer, &executor->self))
		return refuse(answer, ENOENT, "peer_id not exist");
	if (peer_id_parse(&server, request->server_id, NULL) != 0)
		return refuse(answer, EREQUEST, "Fail to parse server_id");
	if (request->term < executor->term)
		return respond(answer, executor->term, false);
	is_newer = request->term > executor->term;
	if (is_newer || !executor->has_leader)
		step_down(executor, request->term, &server);
	if (!peer_id_is_equal(&server, &executor->leader)) {
		/* two leaders in one term: ELEADERCONFLICT, nobody is believed */
		executor->term += executor->term < INT64_MAX;
		executor->has_leader = false;
		(void)respond(answer, executor->term, false);
		if (executor->state != EXECUTOR_DOWNLOADING)
			return EXECUTOR_ANSWER;
		executor_move(executor, EXECUTOR_CANCELLING);
		return EXECUTOR_CANCEL;
	}
	if (is_newer && executor->state == EXECUTOR_DOWNLOADING)
		return cancel(executor, answer,
			"A former snapshot is under installing,  trying to cancel");
	return register_download(executor, request->index, call, answer);
}

bool executor_on_commit(struct executor *executor)
{
	if (executor->state != EXECUTOR_DOWNLOADING)
		return false;
	executor_move(executor, EXECUTOR_COMMITTING);
	return true;
}

void *executor_on_copied(struct executor *executor, int code, const char *text,
	int64_t index, struct executor_answer *answer)
{
	void *owner = executor->owner;

	memset(answer, 0, sizeof(*answer));
	executor_move(executor, EXECUTOR_IDLE);
	executor->owner = NULL;
	executor->downloading = 0;
	if (code == 0 && index > executor->last_index)
		executor->last_index = index;
	if (code == 0)
		(void)respond(answer, executor->term, true);
	else
		(void)refuse(answer, code, text);
	return owner;
}

bool executor_on_stop(struct executor *executor)
{
	executor->is_stopped = true;
	if (executor->state != EXECUTOR_DOWNLOADING)
		return false;
	executor_move(executor, EXECUTOR_CANCELLING);
	return true;
}
