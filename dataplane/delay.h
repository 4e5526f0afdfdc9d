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

#include "dataplane/turns.h"

/* Longer, a round trip says too little. A throttled sender sleeps for 200 us, a receiver
 * that waits for it for 50. */
#define DELAY_AWAY (300 * USEC)

/* One round trip, and what the ends themselves may have added to it. */
struct delay_sample {
	nsec rtt;    /* 0: none */
	nsec at;     /* when the sender's turn that found the ACK began */
	nsec sent;   /* before the packet was out of the sender's hands, at most */
	nsec waited; /* from the ACK's arrival until the sender found it, at most */
	nsec away;   /* the same for both at the receiver: its packet, its ACK */
};

struct delay {
	nsec base;         /* shortest round trip of this path; 0: not measured */
	nsec least;        /* shortest since delay_restart; NEVER: none */
	uint32_t nsamples; /* since then */
	uint32_t nunsure;  /* round trips that came since then as well, and say too little
			    */
	nsec proven;       /* least of all without what the ends added; NEVER: none */
	uint32_t nacked;   /* packets acknowledged since then */
	struct delay_sample last; /* not believed yet */
};

static inline void delay_init(struct delay *delay)
{
	*delay = (struct delay){.least = NEVER, .proven = NEVER};
}

/* The last round trip, now that all is known about it. Where the CPU was taken after a
 * turn had read the clock, and before it looked for packets, it is too short. */
static inline void delay_settle(struct delay *delay, const struct turns *turns)
{
	const struct delay_sample *last = &delay->last;
	nsec own = last->sent + last->waited + last->away;

	delay->proven = nsec_min(delay->proven, last->rtt - own);
	if (turns_took(turns, last->at) > 0 ||
		(own > DELAY_AWAY && last->rtt > delay->base + DELAY_AWAY)) {
		delay->nunsure++;
		return;
	}
	if (delay->base == 0 || (last->rtt < delay->base && own <= DELAY_AWAY))
		delay->base = last->rtt;
	delay->least = nsec_min(delay->least, last->rtt);
	delay->nsamples++;
}

/* What of a round trip was the network's; 0: nobody knows, for the ends may have added
 * too much. Unlike a sample it is not waited for: one more that is long does little harm.
 */
static inline nsec delay_of_network(
	const struct delay *delay, const struct delay_sample *sample)
{
	nsec own = sample->sent + sample->waited + sample->away;

	if (own <= TURNS_LONG)
		return sample->rtt;
	return sample->rtt - own > delay->base + DELAY_AWAY ? sample->rtt - own : 0;
}

/* An ACK has come: it may bear a round trip. Of each turn the last one counts. turns are
 * the sender's, or NULL. */
static inline void delay_on_ack(
	struct delay *delay, const struct delay_sample *sample, const struct turns *turns)
{
	struct delay_sample *last = &delay->last;

	last->away = nsec_max(last->away, sample->away);
	if (last->rtt != 0 && sample->at != last->at) {
		delay_settle(delay, turns);
		last->rtt = 0;
	}
	if (sample->rtt != 0)
		*last = *sample;
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
	delay->nunsure = 0;
	delay->proven = NEVER;
	delay->nacked = 0;
}

/* Only when there are samples. */
static inline nsec delay_added(const struct delay *delay)
{
	return nsec_max(delay->least - delay->base, 0);
}

/* The part of them that was the network's for certain; 0: none. */
static inline nsec delay_proven(const struct delay *delay)
{
	if (delay->base == 0 || delay->proven == NEVER)
		return 0;
	return nsec_max(delay->proven - delay->base, 0);
}

#endif
