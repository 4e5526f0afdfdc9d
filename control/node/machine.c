/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/node/machine.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/node/node_state.h"
#include "control/uri.h"
#include "dataplane/base/log.h"

/* What the engine is told about an update, then who is answered. */
struct telling {
	struct engine_job job; /* first: the job is the telling */
	struct node *node;
	struct executor_update update;
	struct fault fault;
};

/* A save that asks the state machine first how far it is. */
struct asking {
	struct engine_job job; /* first */
	struct node *node;
	struct ask *ask;
	int64_t last_applied;
};

struct loading {
	struct engine_job job; /* first */
	struct node *node;
	struct log_id snapshot;
	struct fault fault;
	bool is_broken;
	uint64_t span; /* ns */
};

static void perform(struct node *node, const struct executor_update *update);

static struct executor_end end_of(const struct fault *fault)
{
	struct executor_end end = {.text = ""};

	if (fault != NULL && fault->code != 0) {
		end.code = -fault->code;
		end.text = fault->text;
	}
	return end;
}

static bool may_commit(void *ctx)
{
	struct node *node = ctx;

	return executor_on_commit(&node->executor);
}

/* Where the time went; a stock leader's copy has no such stages. */
static void log_stages(const struct incoming *incoming)
{
	const struct effort_report *report = &incoming->last.report;

	if (!incoming->last.has_report)
		return;
	log_line(LOG_INFO, "install",
		"event=stages open_ms=%llu prepare_ms=%llu wire_ms=%llu fsync_ms=%llu "
		"bottleneck=\"%s\"",
		(unsigned long long)report->steps.open / 1000000,
		(unsigned long long)report->steps.prepare / 1000000,
		(unsigned long long)report->steps.wire / 1000000,
		(unsigned long long)report->steps.fsync / 1000000,
		effort_bottleneck(report));
}

static void log_copied(const struct incoming *incoming, const struct fault *fault)
{
	const struct transfer_info *info = &incoming->last;

	if (fault != NULL)
		log_line(LOG_WARN, "install", "event=failed from=%s text=\"%s\"",
			incoming->peer, fault->text);
	else
		log_line(LOG_INFO, "install",
			"event=done from=%s index=%lld term=%lld files=%llu bytes=%llu "
			"reused=%llu ms=%llu path=%s",
			incoming->peer, (long long)info->index, (long long)info->term,
			(unsigned long long)info->files,
			(unsigned long long)info->bytes_total,
			(unsigned long long)info->bytes_reused,
			(unsigned long long)info->elapsed_ns / 1000000, info->path);
}

static void on_copied(void *ctx, const struct fault *fault)
{
	struct node *node = ctx;
	struct incoming *incoming = &node->incoming;
	struct executor_end end = end_of(fault);
	struct executor_update update;

	copier_describe(incoming->copier, &incoming->last);
	incoming->last.id = incoming->id;
	incoming->has_last = true;
	(void)snprintf(
		incoming->last.peer, sizeof(incoming->last.peer), "%s", incoming->peer);
	log_copied(incoming, fault);
	if (fault == NULL)
		log_stages(incoming);
	/* a leader with a broken disk must not put this node in error */
	end.is_remote = !copier_is_own_fault(incoming->copier);
	end.snapshot = (struct log_id){incoming->last.index, incoming->last.term};
	executor_on_copied(&node->executor, &end, &update);
	copier_destroy(incoming->copier);
	incoming->copier = NULL;
	perform(node, &update);
}

static void start_copier(struct node *node)
{
	struct incoming *incoming = &node->incoming;
	struct executor_update update;
	struct executor_end end;
	struct fault fault = {0};
	struct uri uri = {0};
	struct copier_options options = {
		.loop = node->loop,
		.storage = node->storage,
		.plane = node->plane,
		.policy = node_fetch_policy(node),
		.meta_only = !node->settings.copies_files,
		.filters = node->settings.filters_before_copy ||
			   node->settings.keeps_on_error,
		.group_id = node->group,
		.self = node->peer_id,
		.has_reader_id = true,
		.index = node->executor.downloading,
		.may_commit = may_commit,
		.on_end = on_copied,
		.ctx = node,
	};

	if (uri_parse(&uri, node->executor.uri, NULL) != 0) {
		executor_on_bad_uri(&node->executor, &update);
		perform(node, &update);
		return;
	}
	options.address = uri.address;
	options.reader_id = uri.reader_id;
	if (copier_start(&incoming->copier, &options, &fault) != 0) {
		end = end_of(&fault);
		executor_on_copied(&node->executor, &end, &update);
		perform(node, &update);
		return;
	}
	incoming->id = node->outgoing.next_id++;
	(void)snprintf(incoming->peer, sizeof(incoming->peer), "%.255s", uri.address);
	log_line(LOG_INFO, "install", "event=start from=%s index=%lld term=%lld",
		uri.address, (long long)node->executor.downloading,
		(long long)node->executor.owner_term);
}

static void load(struct engine_job *job, struct engine *engine)
{
	struct loading *loading = (struct loading *)job;
	uint64_t start = uv_hrtime();

	(void)engine_load(
		engine, loading->node->storage, &loading->is_broken, &loading->fault);
	loading->span = uv_hrtime() - start;
}

static void after_load(struct engine_job *job)
{
	struct loading *loading = (struct loading *)job;
	struct node *node = loading->node;
	struct executor_end end = end_of(&loading->fault);
	struct executor_update update;

	if (end.code == 0)
		log_line(LOG_INFO, "install", "event=loaded index=%lld ms=%llu",
			(long long)loading->snapshot.index,
			(unsigned long long)loading->span / 1000000);
	end.snapshot = loading->snapshot;
	executor_on_loaded(&node->executor, &end, loading->is_broken, &update);
	free(loading);
	perform(node, &update);
}

static void start_load(struct node *node, struct log_id snapshot)
{
	struct loading *loading = calloc(1, sizeof(*loading));
	struct executor_end end = {
		.code = ENOMEM, .text = "no memory to load a snapshot"};
	struct executor_update update;

	if (loading == NULL) {
		executor_on_loaded(&node->executor, &end, true, &update);
		perform(node, &update);
		return;
	}
	loading->job.work = load;
	loading->job.done = after_load;
	loading->node = node;
	loading->snapshot = snapshot;
	engine_queue_add(&node->queue, &loading->job);
}

static void on_saved(void *ctx, const struct fault *fault, struct log_id saved)
{
	struct node *node = ctx;
	struct executor_end end = end_of(fault);
	struct executor_update update;

	end.snapshot = saved;
	executor_on_saved(&node->executor, &end, &update);
	perform(node, &update);
}

static void on_save_committed(void *ctx, const struct fault *fault)
{
	struct node *node = ctx;
	struct executor_end end = end_of(fault);
	struct executor_update update;

	node->saver = NULL;
	end.snapshot = node->executor.saving;
	executor_on_save_committed(&node->executor, &end, &update);
	perform(node, &update);
}

static void start_saver(struct node *node)
{
	const struct saver_options options = {
		.loop = node->loop,
		.mailbox = &node->mailbox,
		.queue = &node->queue,
		.storage = node->storage,
		.on_saved = on_saved,
		.on_committed = on_save_committed,
		.ctx = node,
	};
	struct executor_end end = {.code = ENOMEM, .text = "no memory for a snapshot"};
	struct executor_update update;

	if (saver_start(&node->saver, &options) == 0)
		return;
	node->saver = NULL;
	executor_on_saved(&node->executor, &end, &update);
	perform(node, &update);
}

static void do_work(struct node *node, const struct executor_update *update)
{
	switch (update->work) {
	case EXECUTOR_COPY:
		start_copier(node);
		break;
	case EXECUTOR_CANCEL_COPY:
		copier_cancel(node->incoming.copier,
			node->executor.is_stopped
				? "the follower is being stopped; nothing was committed"
				: "interrupted by a newer term or snapshot; nothing was "
				  "committed");
		break;
	case EXECUTOR_LOAD:
		start_load(node, update->snapshot);
		break;
	case EXECUTOR_SAVE:
		start_saver(node);
		break;
	case EXECUTOR_COMMIT_SAVE:
		saver_commit(node->saver);
		break;
	case EXECUTOR_ABORT_SAVE:
		if (node->saver != NULL)
			saver_abort(node->saver);
		node->saver = NULL;
		break;
	case EXECUTOR_NO_WORK:
		break;
	}
}

static void tell(struct engine_job *job, struct engine *engine)
{
	struct telling *telling = (struct telling *)job;
	const struct executor_update *update = &telling->update;
	struct snapline_error error = {.code = -update->fault_code};
	bool is_broken = update->fault != EXECUTOR_FAULT_NONE;

	if (update->log == EXECUTOR_LOG_SNAPSHOT)
		(void)engine_on_snapshot(engine, update->snapshot.index,
			update->snapshot.term, &telling->fault);
	else if (update->log == EXECUTOR_LOG_IDLE)
		(void)engine_on_idle(engine, &telling->fault);
	if (telling->fault.code != 0) { /* the log's */
		is_broken = true;
		error.code = telling->fault.code;
		(void)snprintf(error.text, sizeof(error.text), "%s", telling->fault.text);
	} else {
		(void)snprintf(error.text, sizeof(error.text), "%s",
			update->nanswers > 0 ? update->answers[0].text
					     : "the node is in error");
	}
	if (is_broken && engine->fsm.on_error != NULL)
		engine->fsm.on_error(engine->fsm.ctx, &error);
}

static void answer(const struct executor_update *update)
{
	for (size_t i = 0; i < update->nanswers; i++) {
		if (update->answers[i].call != NULL)
			ask_answer(update->answers[i].call, &update->answers[i]);
	}
}

void machine_on_log_fault(struct node *node, const struct fault *fault)
{
	struct executor_update update;

	log_line(LOG_ERROR, "machine", "event=log_failed text=\"%s\"", fault->text);
	executor_on_error(&node->executor, &update);
	perform(node, &update);
}

static void after_tell(struct engine_job *job)
{
	struct telling *telling = (struct telling *)job;
	struct node *node = telling->node;

	answer(&telling->update);
	if (telling->fault.code != 0)
		machine_on_log_fault(node, &telling->fault);
	free(telling);
	node_on_settled(node);
}

/* Whether something is to be done in the queue before anybody is answered. */
static bool has_errand(const struct executor_update *update)
{
	/* who is told that a save failed finds temp gone: its removal is queued */
	return update->log != EXECUTOR_LOG_NONE || update->fault != EXECUTOR_FAULT_NONE ||
	       update->work == EXECUTOR_ABORT_SAVE;
}

static void perform(struct node *node, const struct executor_update *update)
{
	struct telling *telling;

	do_work(node, update);
	if (update->fault != EXECUTOR_FAULT_NONE)
		log_line(LOG_ERROR, "machine",
			"event=in_error code=%d text=\"the node takes part in nothing "
			"until it is restarted\"",
			update->fault_code);
	if (!has_errand(update)) {
		answer(update);
		node_on_settled(node);
		return;
	}
	telling = calloc(1, sizeof(*telling));
	if (telling == NULL) {
		struct executor_update broken;

		/* a log of another history may not be left as it is */
		answer(update);
		executor_on_error(&node->executor, &broken);
		perform(node, &broken);
		return;
	}
	telling->job.work = tell;
	telling->job.done = after_tell;
	telling->node = node;
	telling->update = *update;
	engine_queue_add(&node->queue, &telling->job);
}

/* Of the newest snapshot, if there is one. The log's rule knows only when there is a log.
 */
static int find_last_term(struct node *node, struct fault *fault)
{
	struct executor *executor = &node->executor;
	struct storage_reader *reader;
	bool has_manifest;
	int err;

	executor->last_term = node->engine.rule.newest.term;
	if (executor->last_index == 0 || executor->last_term != 0)
		return 0;
	err = storage_read(storage_path(node->storage), executor->last_index, &reader,
		&has_manifest, fault);
	if (err != 0)
		return err;
	executor->last_term = reader->term;
	storage_reader_free(reader);
	return 0;
}

int machine_init(struct node *node, struct fault *fault)
{
	struct executor *executor = &node->executor;
	int err = executor_init(executor, node->group, node->peer_id,
		storage_newest_index(node->storage), fault);

	if (err == 0)
		err = find_last_term(node, fault);
	if (err != 0)
		return err;
	executor->throttle = &node->throttle.port;
	executor->min_index_gap = (int64_t)node->settings.min_index_gap;
	return 0;
}

void machine_install(
	struct node *node, const struct executor_request *request, struct ask *ask)
{
	struct executor_update update;

	executor_on_install(&node->executor, request, ask, &update);
	perform(node, &update);
}

static void ask_applied(struct engine_job *job, struct engine *engine)
{
	struct asking *asking = (struct asking *)job;

	asking->last_applied = engine_last_applied(engine);
}

static void after_ask(struct engine_job *job)
{
	struct asking *asking = (struct asking *)job;
	struct node *node = asking->node;
	struct executor_update update;

	executor_on_save(&node->executor, asking->ask, asking->last_applied, &update);
	free(asking);
	perform(node, &update);
}

void machine_save(struct node *node, struct ask *ask)
{
	struct executor_answer no = {.code = EINVAL};
	struct executor_update update;
	struct asking *asking;

	if (!engine_can_save(&node->engine)) {
		(void)snprintf(no.text, sizeof(no.text),
			"Snapshot is not supported: this node has no state machine");
		if (ask != NULL)
			ask_answer(ask, &no);
		return;
	}
	if (node->executor.state != EXECUTOR_IDLE || node->executor.is_stopped) {
		/* refused, however far the state machine is, and it may be busy for long
		 */
		executor_on_save(&node->executor, ask, 0, &update);
		perform(node, &update);
		return;
	}
	asking = calloc(1, sizeof(*asking));
	if (asking == NULL) {
		no.code = ENOMEM;
		if (ask != NULL)
			ask_answer(ask, &no);
		node_on_settled(node); /* or the timer waits for ever */
		return;
	}
	asking->job.work = ask_applied;
	asking->job.done = after_ask;
	asking->node = node;
	asking->ask = ask;
	engine_queue_add(&node->queue, &asking->job);
}

void machine_step_down(struct node *node, int64_t term)
{
	struct executor_update update;

	executor_on_step_down(&node->executor, term, NULL, &update);
	perform(node, &update);
}

void machine_stop(struct node *node)
{
	struct executor_update update;

	executor_on_stop(&node->executor, &update);
	perform(node, &update);
}

bool machine_is_done(const struct node *node)
{
	return executor_is_done(&node->executor) && engine_queue_is_idle(&node->queue) &&
	       node->incoming.copier == NULL;
}
