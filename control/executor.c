/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/executor.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const bool moves[EXECUTOR_LOADING + 1][EXECUTOR_LOADING + 1] = {
	[EXECUTOR_IDLE] = {[EXECUTOR_SAVING] = true, [EXECUTOR_DOWNLOADING] = true},
	[EXECUTOR_SAVING] = {[EXECUTOR_SAVE_COMMITTING] = true, [EXECUTOR_IDLE] = true},
	[EXECUTOR_SAVE_COMMITTING] = {[EXECUTOR_IDLE] = true},
	[EXECUTOR_DOWNLOADING] = {[EXECUTOR_CANCELLING] = true,
		[EXECUTOR_COMMITTING] = true,
		[EXECUTOR_LOADING] = true,
		[EXECUTOR_IDLE] = true},
	/* a copier that was done before it heard has made its snapshot durable */
	[EXECUTOR_CANCELLING] = {[EXECUTOR_LOADING] = true, [EXECUTOR_IDLE] = true},
	[EXECUTOR_COMMITTING] = {[EXECUTOR_LOADING] = true, [EXECUTOR_IDLE] = true},
	[EXECUTOR_LOADING] = {[EXECUTOR_IDLE] = true},
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
	executor->min_index_gap = 1;
	executor->last_index = last_index;
	return peer_id_parse(&executor->self, peer_id, fault);
}

bool executor_is_installing(const struct executor *executor)
{
	return executor->state >= EXECUTOR_DOWNLOADING;
}

static bool is_saving(const struct executor *executor)
{
	return executor->state == EXECUTOR_SAVING ||
	       executor->state == EXECUTOR_SAVE_COMMITTING;
}

static struct executor_answer *add_answer(struct executor_update *update, void *call)
{
	assert(update->nanswers < EXECUTOR_ANSWERS_MAX);
	update->answers[update->nanswers].call = call;
	return &update->answers[update->nanswers++];
}

static void PRINTF_LIKE(4, 5) refuse(
	struct executor_update *update, void *call, int code, const char *format, ...)
{
	struct executor_answer *answer = add_answer(update, call);
	va_list args;

	answer->code = code;
	va_start(args, format);
	(void)vsnprintf(answer->text, sizeof(answer->text), format, args);
	va_end(args);
}

static void respond(
	struct executor_update *update, void *call, int64_t term, bool success)
{
	struct executor_answer *answer = add_answer(update, call);

	answer->term = term;
	answer->success = success;
}

static void fail_node(struct executor *executor, enum executor_fault fault, int code,
	struct executor_update *update)
{
	executor->inactive = "ERROR";
	update->fault = fault;
	update->fault_code = code;
}

/* Returns whether one more download is within the cap. */
static bool add_task(struct executor *executor)
{
	struct throttle *throttle = executor->throttle;

	return throttle == NULL || throttle->ops->add_task(throttle, false);
}

static void finish_task(struct executor *executor)
{
	if (executor->throttle != NULL)
		executor->throttle->ops->finish_task(executor->throttle, false);
}

static void interrupt(struct executor *executor, struct executor_update *update)
{
	if (executor->state != EXECUTOR_DOWNLOADING)
		return;
	executor_move(executor, EXECUTOR_CANCELLING);
	update->work = EXECUTOR_CANCEL_COPY;
}

static void start_copy(struct executor *executor, const struct executor_request *request,
	void *call, struct executor_update *update)
{
	const char *uri = request->uri;

	if (uri == NULL || strlen(uri) >= sizeof(executor->uri))
		uri = "";
	executor_move(executor, EXECUTOR_DOWNLOADING);
	executor->downloading = request->index;
	executor->owner = call;
	executor->owner_term = executor->term;
	(void)snprintf(executor->uri, sizeof(executor->uri), "%s", uri);
	update->work = EXECUTOR_COPY;
}

/* The running copy goes on and answers the new call; the old one hears of it now. */
static void replace_owner(
	struct executor *executor, void *call, struct executor_update *update)
{
	refuse(update, executor->owner, EINTR,
		"Interrupted by the retry InstallSnapshotRequest");
	executor->owner = call;
	executor->owner_term = executor->term;
}

static void meet_download(struct executor *executor, int64_t index, void *call,
	struct executor_update *update)
{
	bool is_firm = executor->state == EXECUTOR_COMMITTING ||
		       executor->state == EXECUTOR_LOADING;

	if (index == executor->downloading) {
		replace_owner(executor, call, update);
	} else if (index < executor->downloading) {
		refuse(update, call, EINVAL, "A newer snapshot is under installing");
	} else if (is_firm) {
		refuse(update, call, EBUSY, "A former snapshot is under loading");
	} else {
		interrupt(executor, update);
		refuse(update, call, EBUSY,
			"A former snapshot is under installing,  trying to cancel");
	}
}

/* SnapshotExecutor::register_downloading_snapshot; the terms that it compares are one
 * here. Returns whether a copy starts, which keeps the task. */
static bool register_download(struct executor *executor,
	const struct executor_request *request, void *call,
	struct executor_update *update)
{
	if (executor->is_stopped)
		refuse(update, call, EHOSTDOWN, "Node is stopped");
	else if (request->index <= executor->last_index)
		respond(update, call, executor->term, true);
	else if (is_saving(executor))
		refuse(update, call, EBUSY, "Is saving snapshot");
	else if (executor->state != EXECUTOR_IDLE)
		meet_download(executor, request->index, call, update);
	else
		start_copy(executor, request, call, update);
	return update->work == EXECUTOR_COPY;
}

/* RaftServiceImpl::install_snapshot and the head of handle_install_snapshot_request.
 * Returns whether the request is this node's to look at. */
static bool is_addressed(struct executor *executor,
	const struct executor_request *request, void *call, struct peer_id *server,
	struct executor_update *update)
{
	char self[PEER_ID_TEXT_MAX];
	struct peer_id peer;

	if (peer_id_parse(&peer, request->peer_id, NULL) != 0) {
		refuse(update, call, EINVAL, "peer_id invalid");
	} else if (strcmp(request->group_id, executor->group_id) != 0 ||
		   !peer_id_is_equal(&peer, &executor->self)) {
		refuse(update, call, ENOENT, "peer_id not exist");
	} else if (executor->is_unsupported) {
		refuse(update, call, EINVAL, "Not support snapshot");
	} else if (peer_id_parse(server, request->server_id, NULL) != 0) {
		refuse(update, call, EXECUTOR_EREQUEST, "Fail to parse server_id");
	} else if (executor->inactive != NULL) {
		peer_id_format(&executor->self, self);
		refuse(update, call, EINVAL,
			"node %s:%s is not in active state, state %s", executor->group_id,
			self, executor->inactive);
	} else {
		return true;
	}
	return false;
}

static void step_down(struct executor *executor, int64_t term,
	const struct peer_id *leader, struct executor_update *update)
{
	executor->term = term;
	executor->has_leader = leader != NULL;
	if (leader != NULL)
		executor->leader = *leader;
	interrupt(executor, update);
}

void executor_on_install(struct executor *executor,
	const struct executor_request *request, void *call,
	struct executor_update *update)
{
	struct peer_id server;

	memset(update, 0, sizeof(*update));
	if (!is_addressed(executor, request, call, &server, update))
		return;
	if (request->term < executor->term) {
		respond(update, call, executor->term, false);
		return;
	}
	if (request->term > executor->term || !executor->has_leader)
		step_down(executor, request->term, &server, update);
	if (!peer_id_is_equal(&server, &executor->leader)) {
		/* two leaders in one term: ELEADERCONFLICT, nobody is believed; the term
		 * is from outside and must not overflow */
		step_down(executor, executor->term + (executor->term < INT64_MAX), NULL,
			update);
		respond(update, call, executor->term, false);
		return;
	}
	if (!add_task(executor)) {
		refuse(update, call, EBUSY, "Fail to add install_snapshot tasks now");
		return;
	}
	if (!register_download(executor, request, call, update))
		finish_task(executor);
}

/* The download is over, one way or the other. Returns the call to answer. */
static void *end_download(struct executor *executor)
{
	void *owner = executor->owner;

	executor_move(executor, EXECUTOR_IDLE);
	executor->owner = NULL;
	executor->downloading = 0;
	return owner;
}

void executor_on_bad_uri(struct executor *executor, struct executor_update *update)
{
	memset(update, 0, sizeof(*update));
	finish_task(executor);
	refuse(update, end_download(executor), EINVAL, "Fail to copy from , %s",
		executor->uri);
}

bool executor_on_commit(struct executor *executor)
{
	if (executor->state != EXECUTOR_DOWNLOADING)
		return false;
	executor_move(executor, EXECUTOR_COMMITTING);
	return true;
}

void executor_on_copied(struct executor *executor, const struct executor_end *end,
	struct executor_update *update)
{
	bool is_durable = end->code == 0 || (end->code == EEXIST && !end->is_remote);

	memset(update, 0, sizeof(*update));
	finish_task(executor);
	if (!is_durable) {
		if (end->code == EIO && !end->is_remote)
			fail_node(executor, EXECUTOR_FAULT_SNAPSHOT, EIO, update);
		refuse(update, end_download(executor), end->code, "%s",
			end->text != NULL ? end->text : "");
	} else if (executor->inactive != NULL) {
		refuse(update, end_download(executor), EINVAL,
			"FSMCaller is in bad status");
	} else if (end->snapshot.index < executor->downloading) {
		/* cannot be opened, or is older than announced: a success would make the
		 * leader believe that we have more than we have */
		refuse(update, end_download(executor), EXECUTOR_EINTERNAL,
			"Fail to copy snapshot from %s", executor->uri);
	} else {
		executor_move(executor, EXECUTOR_LOADING);
		executor->copied = end->snapshot;
		update->work = EXECUTOR_LOAD;
		update->snapshot = end->snapshot;
	}
}

int executor_check_load(
	const struct log_id *snapshot, int64_t last_applied, struct fault *fault)
{
	if (last_applied <= snapshot->index)
		return 0;
	return fault_set(fault, -ESTALE,
		"Loading a stale snapshot, last_applied_index=%lld snapshot_index=%lld",
		(long long)last_applied, (long long)snapshot->index);
}

/* A snapshot is durable, and the state machine is at least as new. */
static void take_over(
	struct executor *executor, struct log_id snapshot, struct executor_update *update)
{
	executor->last_index = snapshot.index;
	executor->last_term = snapshot.term;
	update->log = EXECUTOR_LOG_SNAPSHOT;
	update->snapshot = snapshot;
}

void executor_on_loaded(struct executor *executor, const struct executor_end *end,
	bool is_broken, struct executor_update *update)
{
	int64_t term = executor->owner_term;
	void *owner = end_download(executor);

	memset(update, 0, sizeof(*update));
	update->adopts_configuration = true;
	if (end->code == 0) {
		take_over(executor, executor->copied, update);
		respond(update, owner, term, true);
		return;
	}
	if (is_broken)
		fail_node(executor, EXECUTOR_FAULT_STATE_MACHINE, end->code, update);
	refuse(update, owner, end->code, "%s", end->text != NULL ? end->text : "");
}

/* The timer asks without a call. */
static void answer_save(
	struct executor_update *update, void *call, int code, const char *text)
{
	if (call == NULL)
		return;
	if (code == 0)
		respond(update, call, 0, true);
	else
		refuse(update, call, code, "%s", text != NULL ? text : "");
}

void executor_on_save(struct executor *executor, void *call, int64_t last_applied,
	struct executor_update *update)
{
	bool is_idle = last_applied < executor->last_index ||
		       last_applied - executor->last_index < executor->min_index_gap;

	memset(update, 0, sizeof(*update));
	if (executor->is_unsupported) {
		answer_save(update, call, EINVAL, "Snapshot is not supported");
	} else if (executor->is_stopped) {
		answer_save(update, call, EPERM, "Is stopped");
	} else if (executor_is_installing(executor)) {
		answer_save(update, call, EBUSY, "Is loading another snapshot");
	} else if (executor->state != EXECUTOR_IDLE) {
		answer_save(update, call, EBUSY, "Is saving another snapshot");
	} else if (is_idle) {
		update->log = EXECUTOR_LOG_IDLE;
		answer_save(update, call, 0, NULL);
	} else if (executor->inactive != NULL) {
		answer_save(update, call, EINVAL, "FSMCaller is in bad status");
	} else {
		executor_move(executor, EXECUTOR_SAVING);
		executor->saver = call;
		update->work = EXECUTOR_SAVE;
	}
}

static void end_save(struct executor *executor, const struct executor_end *end,
	struct executor_update *update)
{
	executor_move(executor, EXECUTOR_IDLE);
	if (end->code == EIO)
		fail_node(executor, EXECUTOR_FAULT_SNAPSHOT, EIO, update);
	answer_save(update, executor->saver, end->code, end->text);
	executor->saver = NULL;
}

void executor_on_saved(struct executor *executor, const struct executor_end *end,
	struct executor_update *update)
{
	static const struct executor_end stale = {
		.code = ESTALE, .text = "the saved snapshot is no newer than the last"};

	assert(executor->state == EXECUTOR_SAVING);
	memset(update, 0, sizeof(*update));
	if (end->code == 0 && end->snapshot.index > executor->last_index) {
		executor_move(executor, EXECUTOR_SAVE_COMMITTING);
		executor->saving = end->snapshot;
		update->work = EXECUTOR_COMMIT_SAVE;
		update->snapshot = end->snapshot;
		return;
	}
	update->work = EXECUTOR_ABORT_SAVE;
	end_save(executor, end->code != 0 ? end : &stale, update);
}

void executor_on_save_committed(struct executor *executor, const struct executor_end *end,
	struct executor_update *update)
{
	assert(executor->state == EXECUTOR_SAVE_COMMITTING);
	memset(update, 0, sizeof(*update));
	if (end->code == 0)
		take_over(executor, executor->saving, update);
	end_save(executor, end, update);
}

void executor_on_step_down(struct executor *executor, int64_t term,
	const struct peer_id *leader, struct executor_update *update)
{
	memset(update, 0, sizeof(*update));
	if (term >= executor->term) /* an older one is late news */
		step_down(executor, term, leader, update);
}

void executor_on_error(struct executor *executor, struct executor_update *update)
{
	memset(update, 0, sizeof(*update));
	executor->inactive = "ERROR";
	interrupt(executor, update);
}

void executor_on_stop(struct executor *executor, struct executor_update *update)
{
	memset(update, 0, sizeof(*update));
	executor->is_stopped = true;
	interrupt(executor, update);
}

bool executor_is_done(const struct executor *executor)
{
	return executor->is_stopped && executor->state == EXECUTOR_IDLE;
}
