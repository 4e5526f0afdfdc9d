/* SPDX-License-Identifier: BSD-3-Clause */
/* How long packets of one session wait on their way: round trips beyond the shortest one
 * seen. The least of a span counts: bursts and the noise of schedulers only ever add.
 *
 * A worker whose CPU was taken adds as well, and that is nobody's queue (turns.h). A long
 * round trip during which either end was away for long proves only what it was longer
 * than that; a short one is short whatever else there was. Whether the receiver was away
 * when it sent an ACK is known from the next one: a round trip counts when that came. */
#ifndef DELAY_H
#define DELAY_H

#include <stdbool.h>

#include "dataplane/base/units.h"

#define DELAY_AWAY (250 * USEC) /* longer, it says too little; threads sleep for 200 */

/* One round trip, and what the ends themselves may have added to it. */
struct delay_sample {
	nsec rtt;    /* 0: none */
	nsec sent;   /* before the packet was out of the sender's hands, at most */
	nsec waited; /* from the ACK's arrival until the sender found it, at most */
	nsec away;   /* the same for both at the receiver: its packet, its ACK */
};

struct delay {
	nsec base;         /* shortest round trip of this path; 0: not measured */
	nsec least;        /* shortest since delay_restart; NEVER: none */
	uint32_t nsamples; /* since then */
	nsec proven;       /* without what the ends added, of the rest; NEVER: none */
	uint32_t nacked;   /* packets acknowledged since then */
	struct delay_sample last; /* not believed yet */
};

static inline void delay_init(struct delay *delay)
{
	*delay = (struct delay){.least = NEVER, .proven = NEVER};
}

static inline bool delay_is_own(const struct delay *delay, const struct delay_sample *it)
{
	return it->rtt > delay->base + DELAY_AWAY &&
	       (it->sent > DELAY_AWAY || it->waited > DELAY_AWAY ||
		       it->away > DELAY_AWAY);
}

/* An ACK has come: it may bear a round trip. */
static inline void delay_on_ack(struct delay *delay, const struct delay_sample *sample)
{
	struct delay_sample last = delay->last;

	last.away = nsec_max(last.away, sample->away);
	if (last.rtt != 0 && delay_is_own(delay, &last)) {
		delay->proven = nsec_min(
			delay->proven, last.rtt - last.sent - last.waited - last.away);
	} else if (last.rtt != 0) {
		delay->least = nsec_min(delay->least, last.rtt);
		delay->nsamples++;
	}
	if (sample->rtt != 0 && (delay->base == 0 || sample->rtt < delay->base))
		delay->base = sample->rtt;
	delay->last = *sample;
}

/* What comes back may come another way: the next round trips tell how long that is. */
static inline void delay_forget(struct delay *delay)
{
	delay->base = 0;
	delay->last.rtt = 0;
}

static inline void delay_restart(struct delay *delay)
{
	delay->least = NEVER;
	delay->nsamples = 0;
	delay->proven = NEVER;
	delay->nacked = 0;
}

/* Only when there are samples. */
static inline nsec delay_added(const struct delay *delay)
{
	return nsec_max(delay->least - delay->base, 0);
}

/* Of round trips that say too little, the part that was the network's for certain. */
static inline nsec delay_proven(const struct delay *delay)
{
	return delay->proven == NEVER ? 0 : nsec_max(delay->proven - delay->base, 0);
}

#endif
