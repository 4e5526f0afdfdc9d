/* SPDX-License-Identifier: BSD-3-Clause */
/* The Raft engine around a node: its state machine and its log, both optional, and what a
 * new snapshot means to them (control/log_rule.h).
 *
 * Blocks; called from libuv's thread pool, or before the loop runs. Never two calls at
 * once: the executor allows one save, download or load at a time. */
#ifndef ENGINE_H
#define ENGINE_H

#include <stdatomic.h>

#include "control/log_rule.h"
#include "control/snapline.h"
#include "control/storage/storage.h"

struct engine {
	struct snapline_fsm fsm; /* on_snapshot_save NULL: no state machine */
	struct snapline_log log; /* first_index NULL: no log */
	struct log_rule rule;
	_Atomic int64_t pin; /* first entry kept for followers; the loop writes it */
};

/* What the log holds for a follower. */
struct engine_log {
	int64_t first_index;
	uint64_t entries; /* from the one asked for on */
	uint64_t bytes;   /* of these; 0 where not known */
};

void engine_init(struct engine *engine, const struct snapline_fsm *fsm,
	const struct snapline_log *log);

bool engine_can_save(const struct engine *engine);

/* Loads the newest snapshot, as at start: checks the log before and after. Returns 0;
 * -EIO when entries are missing between snapshot and log (naming both indexes); what
 * on_snapshot_load returned; or an error of storage_open_newest other than -ENOENT. */
int engine_start(struct engine *engine, struct storage *storage, struct fault *fault);

/* Gives the newest snapshot to the state machine, unless that is ahead of it (-ESTALE).
 * Returns 0; what on_snapshot_load returned, with *is_broken set; or an error of
 * storage_open_newest. */
int engine_load(struct engine *engine, struct storage *storage, bool *is_broken,
	struct fault *fault);

/* A snapshot is durable (and loaded, if it was installed): the log may forget. Returns 0,
 * or what the log's function returned. */
int engine_on_snapshot(
	struct engine *engine, int64_t index, int64_t term, struct fault *fault);

/* Entries from first on are not cut; LOG_NO_PIN: none are kept. Any thread, at once. */
void engine_set_pin(struct engine *engine, int64_t first);
/* The pin has moved or fallen: cuts what it had held back. Returns as engine_on_snapshot.
 */
int engine_on_pin(struct engine *engine, struct fault *fault);

/* Whether there is a log to look at. */
bool engine_has_log(const struct engine *engine);
/* Whether the engine cuts its log by itself: then engine_measure_from may be called from
 * the loop. */
bool engine_cuts_itself(const struct engine *engine);
void engine_measure_from(
	const struct engine *engine, int64_t first, struct engine_log *measured);

/* A snapshot was asked for and there is nothing new. Returns as engine_on_snapshot. */
int engine_on_idle(struct engine *engine, struct fault *fault);

/* Index of the last applied entry; INT64_MAX without a state machine. */
int64_t engine_last_applied(const struct engine *engine);
/* Entries, and their bytes, logged since the newest snapshot; 0 where not known. */
void engine_log_length(const struct engine *engine, uint64_t *entries, uint64_t *bytes);

#endif
