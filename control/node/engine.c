/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/node/engine.h"

#include <errno.h>
#include <string.h>

#include "control/executor.h"
#include "control/node/handles.h"
#include "dataplane/base/log.h"

void engine_init(struct engine *engine, const struct snapline_fsm *fsm,
	const struct snapline_log *log)
{
	engine->fsm = *fsm;
	engine->log = *log;
	log_rule_init(&engine->rule);
	atomic_init(&engine->pin, LOG_NO_PIN);
}

bool engine_can_save(const struct engine *engine)
{
	return engine->fsm.on_snapshot_save != NULL;
}

/* Whether the log is ours to cut. */
static bool has_log(const struct engine *engine)
{
	return engine->log.truncate_prefix != NULL;
}

bool engine_has_log(const struct engine *engine)
{
	return engine->log.first_index != NULL;
}

bool engine_cuts_itself(const struct engine *engine)
{
	return engine_has_log(engine) && !has_log(engine);
}

static struct log_range range(const struct engine *engine)
{
	const struct snapline_log *log = &engine->log;
	struct log_range range = {
		.first_index = log->first_index(log->ctx),
		.last_index = log->last_index(log->ctx),
	};

	/* "0: empty" of the public header is first_index - 1 here */
	if (range.last_index < range.first_index)
		range.last_index = range.first_index - 1;
	return range;
}

static int carry_out(
	struct engine *engine, const struct log_update *update, struct fault *fault)
{
	const struct snapline_log *log = &engine->log;
	int err = 0;

	switch (update->action) {
	case LOG_KEEP:
		return 0;
	case LOG_TRUNCATE_PREFIX:
	case LOG_VIRTUAL_FIRST:
		err = log->truncate_prefix(log->ctx, update->index);
		break;
	case LOG_RESET:
		err = log->reset(log->ctx, update->index);
		break;
	}
	log_line(LOG_INFO, "engine", "event=log action=%s index=%lld err=%d",
		log_action_name(update->action), (long long)update->index, -err);
	if (err != 0)
		return fault_set(fault, err, "the log cannot %s at index %lld: %s",
			log_action_name(update->action), (long long)update->index,
			strerror(-err));
	return 0;
}

/* What the rule says, but for what is pinned. */
static int cut(
	struct engine *engine, const struct log_update *update, struct fault *fault)
{
	const struct log_update held = log_rule_hold(
		&engine->rule, *update, range(engine), atomic_load(&engine->pin));

	if (engine->rule.wanted != 0)
		log_line(LOG_INFO, "engine", "event=log_pinned from=%lld instead_of=%lld",
			(long long)atomic_load(&engine->pin),
			(long long)engine->rule.wanted);
	return carry_out(engine, &held, fault);
}

int engine_on_snapshot(
	struct engine *engine, int64_t index, int64_t term, struct fault *fault)
{
	const struct log_id snapshot = {index, term};
	struct log_update update;

	if (!has_log(engine))
		return 0;
	update = log_rule_on_snapshot(&engine->rule, snapshot, range(engine),
		engine->log.term_at(engine->log.ctx, index));
	return cut(engine, &update, fault);
}

int engine_on_idle(struct engine *engine, struct fault *fault)
{
	struct log_update update;

	if (!has_log(engine))
		return 0;
	update = log_rule_on_idle(&engine->rule, range(engine));
	return cut(engine, &update, fault);
}

void engine_set_pin(struct engine *engine, int64_t first)
{
	atomic_store(&engine->pin, first);
}

int engine_on_pin(struct engine *engine, struct fault *fault)
{
	struct log_update update;

	if (!has_log(engine))
		return 0;
	update = log_rule_on_pin(&engine->rule, range(engine), atomic_load(&engine->pin));
	return carry_out(engine, &update, fault);
}

static int load(
	struct engine *engine, const struct storage_reader *reader, struct fault *fault)
{
	struct snapline_reader handle = {.reader = reader};
	int err;

	if (engine->fsm.on_snapshot_load == NULL)
		return 0;
	err = engine->fsm.on_snapshot_load(engine->fsm.ctx, &handle);
	if (err != 0)
		return fault_set(fault, err,
			"the state machine could not load the snapshot at index %lld: %s",
			(long long)reader->index, strerror(-err));
	return 0;
}

int engine_load(struct engine *engine, struct storage *storage, bool *is_broken,
	struct fault *fault)
{
	struct storage_reader *reader;
	struct log_id snapshot;
	int err;

	*is_broken = false;
	if (engine->fsm.on_snapshot_load == NULL)
		return 0;
	err = storage_open_newest(storage, &reader, fault);
	if (err != 0)
		return err;
	snapshot = (struct log_id){reader->index, reader->term};
	if (engine->fsm.last_applied != NULL)
		err = executor_check_load(
			&snapshot, engine->fsm.last_applied(engine->fsm.ctx), fault);
	if (err == 0) {
		err = load(engine, reader, fault);
		*is_broken = err != 0;
	}
	storage_reader_close(storage, reader);
	return err;
}

int engine_start(struct engine *engine, struct storage *storage, struct fault *fault)
{
	int64_t newest = storage_newest_index(storage);
	struct storage_reader *reader;
	int err = 0;

	if (has_log(engine))
		err = log_rule_check_start(newest, range(engine), fault);
	if (err != 0 || newest == 0)
		return err;
	if (engine->fsm.on_snapshot_load == NULL && !has_log(engine))
		return 0;
	err = storage_open_newest(storage, &reader, fault);
	if (err != 0)
		return err;
	err = load(engine, reader, fault);
	if (err == 0)
		err = engine_on_snapshot(engine, reader->index, reader->term, fault);
	storage_reader_close(storage, reader);
	if (err == 0 && has_log(engine))
		err = log_rule_check(&engine->rule, range(engine), fault);
	return err;
}

int64_t engine_last_applied(const struct engine *engine)
{
	if (engine->fsm.last_applied == NULL)
		return INT64_MAX;
	return engine->fsm.last_applied(engine->fsm.ctx);
}

void engine_log_length(const struct engine *engine, uint64_t *entries, uint64_t *bytes)
{
	const struct snapline_log *log = &engine->log;
	int64_t newest = engine->rule.newest.index;
	int64_t last;

	*entries = 0;
	*bytes = 0;
	if (!has_log(engine))
		return;
	last = range(engine).last_index;
	if (last <= newest)
		return;
	*entries = (uint64_t)(last - newest);
	if (log->bytes_from != NULL)
		*bytes = log->bytes_from(log->ctx, newest + 1);
}

void engine_measure_from(
	const struct engine *engine, int64_t first, struct engine_log *measured)
{
	const struct snapline_log *log = &engine->log;
	const struct log_range now = range(engine);

	*measured = (struct engine_log){.first_index = now.first_index};
	if (first < now.first_index)
		first = now.first_index;
	if (now.last_index < first)
		return;
	measured->entries = (uint64_t)(now.last_index - first + 1);
	if (log->bytes_from != NULL)
		measured->bytes = log->bytes_from(log->ctx, first);
}
