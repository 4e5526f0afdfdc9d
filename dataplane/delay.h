/* SPDX-License-Identifier: BSD-3-Clause */
/* How long packets of one session wait on their way: round trips beyond the shortest one
 * seen. The least of a span counts: bursts and the noise of schedulers only ever add. */
#ifndef DELAY_H
#define DELAY_H

#include "dataplane/base/units.h"

struct delay {
	nsec base;         /* shortest round trip of this path; 0: not measured */
	nsec least;        /* shortest since delay_restart; NEVER: none */
	uint32_t nsamples; /* since then */
	uint32_t nacked;   /* packets acknowledged since then */
};

static inline void delay_init(struct delay *delay)
{
	*delay = (struct delay){.least = NEVER};
}

static inline void delay_on_rtt(struct delay *delay, nsec rtt)
{
	if (delay->base == 0 || rtt < delay->base)
		delay->base = rtt;
	delay->least = nsec_min(delay->least, rtt);
	delay->nsamples++;
}

/* What comes back may come another way: the next round trips tell how long that is. */
static inline void delay_forget(struct delay *delay)
{
	delay->base = 0;
}

static inline void delay_restart(struct delay *delay)
{
	delay->least = NEVER;
	delay->nsamples = 0;
	delay->nacked = 0;
}

/* Only when there are samples. */
static inline nsec delay_added(const struct delay *delay)
{
	return nsec_max(delay->least - delay->base, 0);
}

#endif
