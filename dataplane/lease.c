/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/lease.h"

#include <stddef.h>

#define SPAN_MIN (20 * USEC) /* at most 50 000 purchases a second and thread */

static uint64_t read_u64(const _Atomic uint64_t *value)
{
	/* relaxed: `version` orders what belongs together */
	return atomic_load_explicit(value, memory_order_relaxed);
}

static void publish(struct lease_source *source, uint64_t rate_bps, uint64_t burst)
{
	if (burst == 0)
		burst = bucket_default_burst(rate_bps);
	if (burst < BUCKET_BURST_MIN)
		burst = BUCKET_BURST_MIN;
	if (burst < 2 * (uint64_t)source->grain)
		burst = 2 *
			(uint64_t)
				source->grain; /* one in hand while the next is bought */
	burst = u64_min(burst, BUCKET_BURST_MAX);
	atomic_store_explicit(&source->rate_bps, rate_bps, memory_order_relaxed);
	atomic_store_explicit(&source->burst, burst, memory_order_relaxed);
	/* release: whoever sees the version sees the rate, too */
	atomic_fetch_add_explicit(&source->version, 1, memory_order_release);
}

void lease_source_init(struct lease_source *source, uint64_t rate_bps, uint32_t grain)
{
	atomic_init(&source->sold_until, INT64_MIN / 2);
	atomic_init(&source->missed, 0);
	atomic_init(&source->version, 0);
	source->grain = grain;
	publish(source, rate_bps, 0);
}

void lease_source_set(
	struct lease_source *source, uint64_t rate_bps, uint64_t burst, nsec now)
{
	bool was_unlimited = lease_source_rate(source) == RATE_UNLIMITED;
	int64_t sold = atomic_load(&source->sold_until);

	/* from now on; without a limit nothing was sold, and nothing is left over */
	while ((sold > now || was_unlimited) &&
		!atomic_compare_exchange_weak(&source->sold_until, &sold, now))
		;
	atomic_store(&source->missed, 0);
	publish(source, rate_bps, burst);
}

uint64_t lease_source_rate(const struct lease_source *source)
{
	return read_u64(&source->rate_bps);
}

uint64_t lease_source_burst(const struct lease_source *source)
{
	return read_u64(&source->burst);
}

void lease_init(struct lease *lease, struct lease_source *source)
{
	*lease = (struct lease){
		.source = source,
		.rate_bps = RATE_UNLIMITED,
		.begins = NEVER,
	};
}

static COLD void learn(struct lease *lease, nsec now)
{
	const struct lease_source *source = lease->source;
	uint64_t rate_bps = read_u64(&source->rate_bps);
	uint64_t burst = read_u64(&source->burst);
	nsec burst_span, rest;

	if (lease->rate_bps == RATE_UNLIMITED)
		lease->tokens = 0;
	lease->rate_bps = rate_bps;
	if (lease->begins > now)
		lease->begins = NEVER;
	if (rate_bps == 0 || rate_bps == RATE_UNLIMITED)
		return;
	lease->span = ((int64_t)source->grain * BUCKET_BYTE - 1) / (int64_t)rate_bps + 1;
	lease->span = nsec_max(lease->span, SPAN_MIN);
	lease->worth = lease->span * (int64_t)rate_bps;
	lease->debt = (int64_t)burst * BUCKET_BYTE;
	burst_span = lease->debt / (int64_t)rate_bps;
	lease->slack = nsec_max(burst_span - lease->span, 0);
	/* so much a millisecond more, also of that quarter that is not sold yet */
	rest = nsec_min(burst_span - burst_span / 4, SEC);
	lease->extra = lease->span * rest / (MSEC + rest);
	if (lease->tokens > lease->worth)
		lease->tokens = lease->worth; /* of a faster time */
	if (lease->tokens < -lease->debt)
		lease->tokens = -lease->debt;
}

void lease_begin(struct lease *lease, nsec now)
{
	uint32_t version;

	if (lease->source == NULL)
		return;
	/* acquire: pairs with publish */
	version = atomic_load_explicit(&lease->source->version, memory_order_acquire);
	if (likely(version == lease->version))
		return;
	lease->version = version;
	learn(lease, now);
}

nsec lease_deadline(const struct lease *lease)
{
	return lease->rate_bps == 0 ? NEVER : lease->begins;
}

/* Takes what is long past out of the time for sale. Returns how much that was. */
static nsec write_off(_Atomic int64_t *sold_until, nsec floor)
{
	int64_t sold = atomic_load_explicit(sold_until, memory_order_relaxed);

	/* relaxed: the number itself is all that is shared */
	do
		if (sold >= floor)
			return 0;
	while (!atomic_compare_exchange_weak_explicit(
		sold_until, &sold, floor, memory_order_relaxed, memory_order_relaxed));
	return floor - sold;
}

void lease_excuse(struct lease *lease, nsec now)
{
	struct lease_source *source = lease->source;
	nsec lost, missed;

	if (lease->rate_bps == 0 || lease->rate_bps == RATE_UNLIMITED ||
		lease->begins > now) /* not late */
		return;
	lost = write_off(&source->sold_until, now - lease->slack / 4);
	/* relaxed: a plain sum; that two add at once to nearly all of it does no harm */
	missed = atomic_load_explicit(&source->missed, memory_order_relaxed);
	lost = nsec_min(lost, BUCKET_MISSED_MAX - missed);
	if (lost > 0)
		atomic_fetch_add_explicit(&source->missed, lost, memory_order_relaxed);
}

/* Returns when the span begins. */
static nsec buy_span(const struct lease *lease, nsec now)
{
	_Atomic int64_t *sold_until = &lease->source->sold_until;
	_Atomic int64_t *missed = &lease->source->missed;
	int64_t sold = atomic_load_explicit(sold_until, memory_order_relaxed);
	nsec slack = lease->slack, advance = lease->span;
	nsec begins;

	if (unlikely(atomic_load_explicit(missed, memory_order_relaxed) > 0)) {
		slack /= 4;
		advance -= lease->extra;
	}
	do
		begins = nsec_max(sold, now - slack);
	/* relaxed: the number itself is all that is shared */
	while (!atomic_compare_exchange_weak_explicit(sold_until, &sold, begins + advance,
		memory_order_relaxed, memory_order_relaxed));
	if (begins - sold > BUCKET_MISSED_MAX) /* nobody wanted it for so long */
		atomic_store_explicit(missed, 0, memory_order_relaxed);
	else if (advance != lease->span)
		atomic_fetch_sub_explicit(missed, lease->extra, memory_order_relaxed);
	return begins;
}

bool lease_buy(struct lease *lease, int64_t want, nsec now)
{
	if (lease->rate_bps == 0)
		return false;
	while (lease->tokens < want) {
		if (lease->begins == NEVER)
			lease->begins = buy_span(lease, now);
		if (lease->begins > now)
			return false;
		lease->begins = NEVER;
		lease->tokens += lease->worth;
	}
	return true;
}
