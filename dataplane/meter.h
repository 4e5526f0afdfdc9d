/* SPDX-License-Identifier: BSD-3-Clause */
/* How much passes a limit, how fast, and for how long something had to wait there. One
 * thread looks at it once a turn; the counters may be read by any. */
#ifndef METER_H
#define METER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "dataplane/base/units.h"

/* Written once a turn, each a plain number. */
struct meter_counters {
	_Atomic uint64_t bytes;    /* passed */
	_Atomic uint64_t rate_bps; /* the same, smoothed over a tenth of a second */
	_Atomic uint64_t
		throttled_ns; /* something could have passed, but for the limit */
};

struct meter {
	uint64_t bytes;    /* passed; its owner adds */
	nsec throttled_at; /* since when, as far as it was not counted; NEVER: not */
	nsec throttled_for;
	uint64_t sampled_bytes;
	nsec sampled_at;
	uint64_t rate_bps;
	struct meter_counters counters;
};

void meter_init(struct meter *meter, nsec now);
/* Once a turn, after all that passed in it. waits: something did not. */
void meter_end(struct meter *meter, bool waits, nsec now);

#endif
