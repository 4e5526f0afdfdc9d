/* SPDX-License-Identifier: BSD-3-Clause */
/* What a transfer took, stage by stage, so that the slowest names itself.
 *
 *   leader:    read, checksum (disk thread) ─► send, tx (worker) ─┐
 *   follower:  write (disk thread) ◄─ copy, rx (worker) ◄─────────┘
 *
 * Those run side by side; the steps run one after another and are the elapsed time. Pure.
 */
#ifndef EFFORT_H
#define EFFORT_H

#include <stdbool.h>
#include <stdint.h>

struct json;

/* Of one end, nanoseconds, since the transfer began; what other transfers did there at
 * the same time is in worker, rx, tx and cpu. */
struct effort {
	uint64_t read;
	uint64_t checksum;
	uint64_t write;
	uint64_t worker; /* busy turns of the workers */
	uint64_t rx;     /* of these, in the driver */
	uint64_t tx;     /* of these, filling packets and in the driver */
	uint64_t cpu;    /* of the process, the workers' idle polling left out */
};

/* Nanoseconds. */
struct effort_steps {
	uint64_t open;    /* asking the leader */
	uint64_t prepare; /* making the files */
	uint64_t wire;    /* chunks move: all the stages above */
	uint64_t fsync;   /* making it durable, and the rename */
};

struct effort_report {
	struct effort_steps steps;
	uint32_t stripes; /* workers and disk threads that shared it, each end; 0: one */
	struct effort follower;
	bool has_leader; /* it told */
	struct effort leader;
};

/* The step that took most; if that is the wire, the thread that was busy for half of it
 * at least: "leader's disk", "leader's worker", "follower's worker", "follower's disk",
 * and "the wire" when all of them waited. */
const char *effort_bottleneck(const struct effort_report *report);

/* As members "stages_ms" and "bottleneck" of the object that is open. */
void effort_json(const struct effort_report *report, struct json *json);

#endif
