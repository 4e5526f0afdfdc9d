/* SPDX-License-Identifier: BSD-3-Clause */
/* The throttle that braft has (ThroughputSnapshotThrottle): so many bytes a second,
 * handed out in equal parts of a second, and so many snapshots received at once.
 *
 *   limit     = max(bytes_per_s, floor_bytes_per_s)
 *   per cycle = limit / checks_per_s, at least one byte
 *   a cycle lasts 1 s / checks_per_s, and starts at a multiple of that
 *
 * Two cycles may be emptied around the edge between them: a burst of up to twice a cycle,
 * as in braft. Unlike braft's, a request never fills a cycle that is over, and a limit
 * above 0 never rounds down to nothing: both stalled transfers. A limit of 0 is a pause.
 *
 * A quota, and no dataplane/bucket.h, because nothing of a cycle can be said in tokens
 * that are earned all the time: what is asked for half a cycle after it was emptied must
 * get nothing, where a bucket has half of it again; what an idle cycle has left is gone
 * at the edge; bytes are given back only to the cycle they came from; and a cycle may be
 * a single byte or UINT64_MAX / 1000 of them, beyond both ends of a bucket's burst.
 * Followers, stock ones too, time their questions by the edges. What is not braft's to
 * say, the disk's rate on the data plane, is of buckets (dataplane/disk_lease.h).
 *
 * Leader side: get_file refuses what it cannot grant with EAGAIN, and nothing in the
 * answer says when to return. The follower learns the leader's cycle from the answers
 * (control/fetch_call.h), where braft's waits a fixed second and so gets one cycle in
 * ten; its own throttle's retry_after is for its own grants. retry_after is a span: a
 * cycle, and so much more that the next one has begun. */
#ifndef THROTTLE_BRAFT_H
#define THROTTLE_BRAFT_H

#include "control/throttle.h"

enum { THROTTLE_CHECKS_PER_S = 10 }; /* the usual */

/* What may be changed at run time. */
struct throttle_limits {
	bool is_enabled;            /* false: bytes are not throttled; tasks still are */
	uint64_t bytes_per_s;       /* UINT64_MAX: no limit */
	uint64_t floor_bytes_per_s; /* the limit is never below */
	uint32_t checks_per_s;      /* 1 to 1000 */
	uint32_t max_install_tasks; /* snapshots received at once */
};

struct throttle_braft {
	struct throttle port; /* first: what users see */
	struct throttle_limits limits;
	nsec cycle_start;
	uint64_t used; /* bytes granted in this cycle */
	uint32_t install_tasks;
};

/* Bytes unlimited, THROTTLE_CHECKS_PER_S, 1000 tasks: braft's defaults. */
void throttle_limits_default(struct throttle_limits *limits);

void throttle_braft_init(
	struct throttle_braft *braft, const struct throttle_limits *limits, nsec now);
/* Holds from the next grant on; what was granted stays granted. */
void throttle_braft_set_limits(
	struct throttle_braft *braft, const struct throttle_limits *limits);

#endif
