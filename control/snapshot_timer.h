/* SPDX-License-Identifier: BSD-3-Clause */
/* When this node takes a snapshot of its own: by time, as braft's SnapshotTimer, and by
 * what has been logged since the newest snapshot.
 *
 *   start ─► [1, interval], drawn once ─► run … end ─► interval ─► run … end ─► interval
 * …
 *
 * The first period is random, so that the nodes of a group do not stop to save all at
 * once; every later one is counted from the end of the run before. Two runs never
 * overlap: snapshot_timer_poll starts one, snapshot_timer_on_run_end ends it. A run that
 * leaves the log as long as it was (another snapshot was under way, the disk is full) is
 * not repeated for SNAPSHOT_TIMER_REST on account of the log. */
#ifndef SNAPSHOT_TIMER_H
#define SNAPSHOT_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/units.h"

#define SNAPSHOT_TIMER_REST (10 * SEC)

enum snapshot_trigger {
	SNAPSHOT_TRIGGER_NONE, /* not now */
	SNAPSHOT_TRIGGER_TIME,
	SNAPSHOT_TRIGGER_ENTRIES,
	SNAPSHOT_TRIGGER_BYTES,
};

/* Each 0: this trigger is off. */
struct snapshot_timer_limits {
	nsec interval;    /* not negative */
	uint64_t entries; /* logged since the newest snapshot */
	uint64_t bytes;   /* of these */
};

struct snapshot_timer {
	struct snapshot_timer_limits limits;
	uint64_t random;
	bool is_first; /* no period has been scheduled yet */
	bool is_on;
	bool is_running;
	bool is_closed;
	nsec due;           /* of the interval; NEVER: not scheduled */
	nsec rest_until;    /* of the log's triggers */
	uint64_t entries;   /* since the newest snapshot */
	uint64_t log_bytes; /* of these */
};

/* Off at first. random: any number, different on each node. */
void snapshot_timer_init(struct snapshot_timer *timer,
	const struct snapshot_timer_limits *limits, uint64_t random);

/* Switches on; during a run the next period starts when it ends. */
void snapshot_timer_on_start(struct snapshot_timer *timer, nsec now);
/* Switches off. A run under way goes on. */
void snapshot_timer_on_stop(struct snapshot_timer *timer);
/* Switches off for good. The owner waits for snapshot_timer_is_done. */
void snapshot_timer_on_close(struct snapshot_timer *timer);
bool snapshot_timer_is_done(const struct snapshot_timer *timer);

/* A changed interval is counted from now. */
void snapshot_timer_on_limits(struct snapshot_timer *timer,
	const struct snapshot_timer_limits *limits, nsec now);
/* The log grew, or a snapshot was taken: absolute numbers since the newest snapshot. */
void snapshot_timer_on_log(
	struct snapshot_timer *timer, uint64_t entries, uint64_t log_bytes);

/* Why a snapshot is to be taken now. Other than NONE starts a run. */
enum snapshot_trigger snapshot_timer_poll(struct snapshot_timer *timer, nsec now);
/* The run has ended, with or without a snapshot. */
void snapshot_timer_on_run_end(struct snapshot_timer *timer, nsec now);
/* When to poll again; may lie in the past. NEVER: only after another event. */
nsec snapshot_timer_deadline(const struct snapshot_timer *timer);

#endif
