/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/meter.h"

#define SAMPLE_SPAN (10 * MSEC)

enum { SMOOTHING = 8 }; /* samples */

void meter_init(struct meter *meter, nsec now)
{
	*meter = (struct meter){.throttled_at = NEVER, .sampled_at = now};
}

static void sample(struct meter *meter, nsec now)
{
	nsec span = now - meter->sampled_at;
	uint64_t passed = meter->bytes - meter->sampled_bytes;
	int64_t rate = (int64_t)(passed * 8 * 1000000 / (uint64_t)(span / USEC));
	int64_t change = rate - (int64_t)meter->rate_bps;

	/* after a long sleep what was before means nothing */
	if (span < SMOOTHING * SAMPLE_SPAN)
		change = change * (span / USEC) / (SMOOTHING * SAMPLE_SPAN / USEC);
	meter->rate_bps += (uint64_t)change;
	meter->sampled_bytes = meter->bytes;
	meter->sampled_at = now;
}

static void publish(_Atomic uint64_t *counter, uint64_t value)
{
	/* relaxed: a plain count, it orders nothing */
	atomic_store_explicit(counter, value, memory_order_relaxed);
}

void meter_end(struct meter *meter, bool waits, nsec now)
{
	struct meter_counters *counters = &meter->counters;

	if (meter->throttled_at != NEVER)
		meter->throttled_for += now - meter->throttled_at;
	meter->throttled_at = waits ? now : NEVER;
	if (now - meter->sampled_at >= SAMPLE_SPAN)
		sample(meter, now);
	publish(&counters->bytes, meter->bytes);
	publish(&counters->rate_bps, meter->rate_bps);
	publish(&counters->throttled_ns, (uint64_t)meter->throttled_for);
}
