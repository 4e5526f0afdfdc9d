/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/bucket.h"

#include <assert.h>

#define DEFAULT_SPAN (50 * USEC)
#define DEFAULT_MIN (64 * KIB)

/* BUCKET_BURST_MAX * BUCKET_BYTE and twice that fit an int64_t. */
static_assert(BUCKET_BURST_MAX <= (uint64_t)INT64_MAX / 2 / 8000000000,
	"a full bucket's room never overflows");

uint64_t bucket_default_burst(uint64_t rate_bps)
{
	uint64_t burst;

	if (rate_bps > RATE_MAX)
		return DEFAULT_MIN;
	burst = rate_bps * (uint64_t)DEFAULT_SPAN / (uint64_t)BUCKET_BYTE;
	return burst < DEFAULT_MIN ? DEFAULT_MIN : burst;
}

static int64_t capacity_of(uint64_t rate_bps, uint64_t burst)
{
	if (burst == 0)
		burst = bucket_default_burst(rate_bps);
	else if (burst < BUCKET_BURST_MIN)
		burst = BUCKET_BURST_MIN;
	return (int64_t)u64_min(burst, BUCKET_BURST_MAX) * BUCKET_BYTE;
}

void bucket_init(struct bucket *bucket, uint64_t rate_bps, uint64_t burst, nsec now)
{
	int64_t capacity = capacity_of(rate_bps, burst);

	*bucket = (struct bucket){
		.rate_bps = rate_bps,
		.tokens = capacity,
		.capacity = capacity,
		.filled_at = now,
	};
}

void bucket_set(struct bucket *bucket, uint64_t rate_bps, uint64_t burst, nsec now)
{
	int64_t capacity = capacity_of(rate_bps, burst);

	bucket_fill(bucket, now);
	if (bucket_is_unlimited(bucket))
		bucket->tokens = 0;
	if (bucket->tokens > capacity)
		bucket->tokens = capacity;
	if (bucket->tokens < -capacity)
		bucket->tokens = -capacity;
	bucket->rate_bps = rate_bps;
	bucket->capacity = capacity;
	bucket->filled_at = now;
}

nsec bucket_deadline(const struct bucket *bucket, uint32_t len)
{
	int64_t rate = (int64_t)bucket->rate_bps;
	int64_t price, lack;

	if (bucket_is_unlimited(bucket))
		return bucket->filled_at;
	if (rate == 0)
		return NEVER;
	price = (int64_t)len * BUCKET_BYTE;
	if (price > bucket->capacity)
		price = bucket->capacity;
	lack = price - bucket->tokens;
	return lack <= 0 ? bucket->filled_at : bucket->filled_at + (lack - 1) / rate + 1;
}
