/* SPDX-License-Identifier: BSD-3-Clause */
/* What a new snapshot does to the Raft log, as braft's LogManager decides it.
 *
 *   log  ──12─────────22─────────32────►   snapshots at 11, 21, 31
 *          └ first kept after 21 and 31: one more than the snapshot before the newest,
 *            so that a follower slightly behind still gets entries, not a snapshot
 *
 * A pin holds the cut back: entries from it on are kept for followers in flight, and what
 * was held back is cut when the pin moves or falls.
 *
 * Called only after the snapshot is durable under its final name. Nothing else may take
 * entries away: that is why a snapshot that fails loses none. */
#ifndef LOG_RULE_H
#define LOG_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/fault.h"

struct log_id {
	int64_t index; /* 0: none */
	int64_t term;
};

struct log_range {
	int64_t first_index; /* 1 in a new log */
	int64_t last_index;  /* first_index - 1 when empty */
};

struct log_rule {
	struct log_id newest; /* the newest two snapshots */
	struct log_id before;
	int64_t wanted; /* first index to keep but for a pin; 0: nothing was held back */
};

#define LOG_NO_PIN INT64_MAX

enum log_action {
	LOG_KEEP,
	LOG_TRUNCATE_PREFIX, /* drop everything before `index` */
	/* The snapshot is not in the log: drop everything before `index`; a log that ends
	 * before is then empty and continues there. The entry before `index` counts as
	 * present, with the snapshot's term. */
	LOG_VIRTUAL_FIRST,
	LOG_RESET, /* the log is of another history: drop everything, continue at `index`
		    */
};

struct log_update {
	enum log_action action;
	int64_t index; /* first index kept, or the next one to be written */
};

const char *log_action_name(enum log_action action);

void log_rule_init(struct log_rule *rule);

/* A snapshot was saved, installed, or loaded at start. term_in_log: what the log says of
 * snapshot.index, 0 when it has no such entry. Whatever the action, the snapshot's state
 * counts as applied. A snapshot no newer than the newest changes nothing. */
struct log_update log_rule_on_snapshot(struct log_rule *rule, struct log_id snapshot,
	struct log_range log, int64_t term_in_log);

/* A snapshot was asked for and nothing had happened since the newest: the entries kept
 * for slow followers go, too. */
struct log_update log_rule_on_idle(const struct log_rule *rule, struct log_range log);

/* The part of an update that leaves the entries from `pin` on; the rest is remembered. An
 * installed snapshot replaces the log, pinned or not. */
struct log_update log_rule_hold(struct log_rule *rule, struct log_update update,
	struct log_range log, int64_t pin);
/* The pin has moved, or fallen: what was held back and may go now. */
struct log_update log_rule_on_pin(
	struct log_rule *rule, struct log_range log, int64_t pin);

/* Before anything is loaded: whether snapshot (0: none) and log leave no entry out.
 * Returns 0, or -EIO naming the indexes: starting would lose committed entries. */
int log_rule_check_start(
	int64_t snapshot_index, struct log_range log, struct fault *fault);
/* After the update of log_rule_on_snapshot was carried out: the above, and the snapshot
 * must not be beyond the log. Returns 0 or -EIO. */
int log_rule_check(
	const struct log_rule *rule, struct log_range log, struct fault *fault);

#endif
