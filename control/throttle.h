/* SPDX-License-Identifier: BSD-3-Clause */
/* How fast snapshots may be read and written, and how many at once: the port behind which
 * a policy sits. One throttle a disk, shared by all groups and both directions, as
 * braft's SnapshotThrottle. Called from one thread; time is an argument. */
#ifndef THROTTLE_H
#define THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/units.h"

struct throttle;

struct throttle_ops {
	/* How many of `bytes` may be moved now: 0 to bytes. */
	uint64_t (*grant)(struct throttle *throttle, uint64_t bytes, nsec now);
	/* Gives back what was granted at granted_at and not used. */
	void (*give_back)(struct throttle *throttle, uint64_t granted, uint64_t used,
		nsec granted_at, nsec now);
	/* Whether one more snapshot may be sent (leader) or received. */
	bool (*add_task)(struct throttle *throttle, bool is_leader);
	void (*finish_task)(struct throttle *throttle, bool is_leader);
	/* How long to wait after a grant of 0. */
	nsec (*retry_after)(const struct throttle *throttle);
};

/* An implementation embeds this first. */
struct throttle {
	const struct throttle_ops *ops;
};

#endif
