/* SPDX-License-Identifier: BSD-3-Clause */
/* What an end knows of its peer: when it was heard last, and how many questions in a row
 * it left unanswered. Both ends keep one.
 *
 *   RUNNING ─10 unanswered, or 5 s of silence─► SUSPENDED ─stall timeout─► FAILED
 *      ▲                                            │
 *      └─────────── any authenticated packet ◄──────┘
 *
 * Every second question without an answer goes out from another source port. */
#ifndef WATCH_H
#define WATCH_H

#include <stdbool.h>

#include "dataplane/base/units.h"

#define WATCH_SILENCE (5 * SEC)
#define WATCH_INTERVAL (250 * MSEC) /* between the questions of a suspended end */

enum {
	WATCH_SUSPEND_AFTER = 10, /* questions without an answer */
	WATCH_CHANGE_AFTER = 2,   /* before the path is changed, and again each time */
};

struct watch {
	nsec heard_at;       /* the newest authenticated packet; at first: the start */
	nsec alive_at;       /* heard of elsewhere: delays giving up, and nothing else */
	nsec silence;        /* of the last suspension, until it began or ended */
	uint32_t unanswered; /* questions since heard_at */
	bool is_heard;       /* at least once */
};

static inline void watch_init(struct watch *watch, nsec now)
{
	*watch = (struct watch){.heard_at = now, .alive_at = now};
}

static inline void watch_on_heard(struct watch *watch, nsec now)
{
	watch->heard_at = now;
	watch->unanswered = 0;
	watch->is_heard = true;
}

static inline nsec watch_silent_at(const struct watch *watch)
{
	return watch->heard_at + WATCH_SILENCE;
}

static inline bool watch_is_silent(const struct watch *watch, nsec now)
{
	return watch->unanswered >= WATCH_SUSPEND_AFTER || now >= watch_silent_at(watch);
}

static inline nsec watch_stalled_at(const struct watch *watch, nsec stall_timeout)
{
	return nsec_max(watch->heard_at, watch->alive_at) + stall_timeout;
}

#endif
