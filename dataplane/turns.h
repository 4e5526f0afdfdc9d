/* SPDX-License-Identifier: BSD-3-Clause */
/* When a worker was away. Its clock is read once a turn and its CPU may be taken at any
 * moment, so that a delay it measures is partly its own:
 *
 *   turn ──────► turn ─────────────────────────────────► turn
 *    │ frames made here go out        │ a frame came, and is found here
 *    └ turns_took: this late at most  └──── turns_waited: so long ago at most
 *      turns_away: later by all of them, while the nic has no room
 *
 * Both are bounds: what is longer than they are was the network. */
#ifndef TURNS_H
#define TURNS_H

#include <stdbool.h>
#include <stddef.h>

#include "dataplane/base/units.h"

#define TURNS_LONG (200 * USEC) /* a turn full of packets takes less */

enum { TURNS_KEPT = 32 };

struct turns {
	nsec began;      /* the turn under way */
	nsec emptied_at; /* when the nic last had nothing more */
	bool was_busy;   /* the turn before it: a thread sleeps after others only */
	size_t next;     /* to be overwritten */
	struct {
		nsec began, took;
	} kept[TURNS_KEPT]; /* the last long ones */
};

static inline void turns_begin(struct turns *turns, nsec now)
{
	nsec took = now - turns->began;

	if (unlikely(turns->was_busy && took > TURNS_LONG)) {
		turns->kept[turns->next].began = turns->began;
		turns->kept[turns->next].took = took;
		turns->next = (turns->next + 1) % TURNS_KEPT;
	}
	turns->began = now;
}

/* How late what was made in a turn went out, if the turn was long; it began then, give or
 * take the precision of a time on the wire. turns may be NULL: never away. */
static inline nsec turns_took(const struct turns *turns, nsec began)
{
	for (size_t i = 0; turns != NULL && i < TURNS_KEPT; i++) {
		nsec distance = turns->kept[i].began - began;

		if (distance > -USEC && distance < USEC)
			return turns->kept[i].took;
	}
	return 0;
}

/* The same for what the nic may not have taken at once: all long turns since, up to where
 * turns_waited begins. */
static inline nsec turns_away(const struct turns *turns, nsec began)
{
	nsec sum = 0;

	for (size_t i = 0; turns != NULL && i < TURNS_KEPT; i++) {
		if (turns->kept[i].began > began - USEC &&
			turns->kept[i].began < turns->emptied_at)
			sum += turns->kept[i].took;
	}
	return sum;
}

/* How long ago a frame that is found now came at most. */
static inline nsec turns_waited(const struct turns *turns, nsec now)
{
	return turns != NULL ? now - turns->emptied_at : 0;
}

#endif
