/* SPDX-License-Identifier: BSD-3-Clause */
/* The rate of a queue that leaves the network to others: as much as nobody else wants.
 *
 *   packets' delay beyond the shortest      the rate, in the next round
 *   up to a sixth of the ceiling            gently up, where it was what held data back
 *   up to a third of it                     as it is
 *   above                                   down at once, at most to a quarter
 *
 * Up, only where it was sent, and beyond where it was too much before by all rounds
 * together: what was less said nothing of it. Finding out what is too much costs others a
 * queue: as long as it is the same each time it is tried after a quarter of the time for
 * which it was, a second at most.
 *
 * Two thirds of the ceiling are left for what happens until a round is over: a round
 * trip, 2 to 200 ms, and longer where few packets come back. The rate never falls below a
 * hundredth of the best that was seen, nor 10 Mbit/s. A delay that stays for five seconds
 * is met by that floor; one that stays for ten is not ours, and becomes a part of the
 * way.
 *
 * Where an end is away from its CPU again and again there may be no round trip that says
 * anything (delay.h). Then the rate stays as it was last found to be good; half of it is
 * used when that was a tenth of a second ago, and never less for want of knowledge. But
 * where most round trips say nothing and the rate itself was not sent for so long, it is
 * brought down to seven eighths of what was sent at most: nobody has seen it be harmless,
 * and a driver that waits for room in a full queue looks like a CPU that is taken. */
#ifndef AUTO_RATE_H
#define AUTO_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/units.h"

#define AUTO_CEILING_DEFAULT (500 * USEC)
#define AUTO_CEILING_MIN (20 * USEC)
#define AUTO_CEILING_MAX (1 * SEC)
#define AUTO_FLOOR ((uint64_t)10000000) /* bits a second */
#define AUTO_PATIENCE (10 * SEC)
#define AUTO_BLIND (100 * MSEC) /* without a round trip that says anything */

/* What was seen since the last round. */
struct auto_round {
	nsec added;        /* delay beyond the shortest; of the session that has most */
	nsec proven;       /* the part of it that is not the ends' own, at least */
	nsec rtt;          /* longest of all sessions' */
	uint32_t nsamples; /* 0: added and rtt say nothing */
	uint32_t nunsure;  /* not among them: an end was away for too long */
	uint64_t bytes;    /* sent on the wire, ever */
	uint64_t acked;    /* bytes on the wire that came through in this round */
	uint32_t frame;    /* longest on the wire, bytes */
	bool is_limited;   /* data waited for this rate */
};

enum auto_verdict {
	AUTO_WAIT,   /* too early: the round goes on */
	AUTO_JUDGED, /* rate_bps is that of the next round, which begins now */
	AUTO_FORGET, /* the same; and the shortest round trips are to be learnt anew */
};

struct auto_rate {
	uint64_t rate_bps;
	uint64_t best_bps; /* the most that was sent without harm */
	nsec ceiling;      /* on the added delay */
	nsec added;        /* in the last round */
	nsec began;        /* the round */
	nsec span;         /* it lasts so long at least */
	nsec stuck_at;     /* something queues since; NEVER: it does not */
	uint64_t bytes;    /* when the round began */
	uint32_t calm;     /* rounds in a row that went up */
	uint64_t full_bps; /* where it was too much the last time */
	nsec full_since;   /* it was there, each time */
	nsec eased_at;     /* when it was decreased last */
	bool is_starting;  /* a quarter more in each round */
	uint64_t mean_bps; /* sent, in the last rounds */
	nsec raised_at;    /* when it went up last */
	nsec tried_at;     /* when it was sent last; or lowered since it was not */
	uint64_t peak_bps; /* the most that was, in a round since */
	int64_t unsure;    /* round trips since, less those that say something */
	nsec seen_at;      /* when a round trip last said anything */
	bool is_blind;     /* that is too long ago */
};

/* ceiling: AUTO_CEILING_MIN to AUTO_CEILING_MAX, 0: the default. Begins at the floor. */
void auto_rate_init(struct auto_rate *self, nsec ceiling, uint64_t bytes, nsec now);

/* When auto_rate_on_round may have something to say. */
static inline nsec auto_rate_deadline(const struct auto_rate *self)
{
	return self->began + self->span;
}

/* What may be sent. */
static inline uint64_t auto_rate_bps(const struct auto_rate *self)
{
	return self->is_blind ? u64_max(self->rate_bps / 2, AUTO_FLOOR) : self->rate_bps;
}

enum auto_verdict auto_rate_on_round(
	struct auto_rate *self, const struct auto_round *round, nsec now);

/* What may pass at once, bytes: a quarter of the ceiling's worth. */
uint64_t auto_rate_burst(const struct auto_rate *self);

#endif
