/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/bucket.h"

#include <assert.h>

#define DEFAULT_SPAN (500 * USEC) /* of slow rates, up to DEFAULT_MOST */
#define DEFAULT_LEAST (64 * KIB)
#define DEFAULT_MOST (512 * KIB)
#define DEFAULT_SPAN_LEAST (50 * USEC) /* of any */

/* BUCKET_BURST_MAX * BUCKET_BYTE and twice that fit an int64_t. */
static_assert(BUCKET_BURST_MAX <= (uint64_t)INT64_MAX / 2 / 8000000000,
	"a full bucket's room never overflows");

static uint64_t bytes_of(uint64_t rate_bps, nsec span)
{
	return rate_bps * (uint64_t)span / (uint64_t)BUCKET_BYTE;
}

uint64_t bucket_default_burst(uint64_t rate_bps)
{
	uint64_t burst;

	if (rate_bps > RATE_MAX)
		return DEFAULT_LEAST;
	burst = u64_min(bytes_of(rate_bps, DEFAULT_SPAN), DEFAULT_MOST);
	burst = u64_max(burst, bytes_of(rate_bps, DEFAULT_SPAN_LEAST));
	return u64_max(burst, DEFAULT_LEAST);
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
	bucket->missed = 0;
	bucket->filled_at = now;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* What a span brings; more than all buckets hold is as good as any. */
static int64_t earned_in(const struct bucket *bucket, nsec span)
{
	int64_t earned;

	if (__builtin_mul_overflow(span, (int64_t)bucket->rate_bps, &earned))
		return INT64_MAX / 2;
	return least(earned, INT64_MAX / 2);
}

/* As full as it is while something was missed. Returns what of these tokens had no room.
 */
static int64_t fill_quarter(struct bucket *bucket, int64_t tokens)
{
	int64_t room = bucket->capacity / 4 - bucket->tokens;
	int64_t taken = room > 0 ? least(tokens, room) : 0;

	bucket->tokens += taken;
	return tokens - taken;
}

/* Part of what was missed, as much as the span brings. */
static void repay(struct bucket *bucket, nsec span)
{
	int64_t rest = bucket->capacity - bucket->capacity / 4;
	int64_t owed = rest / MSEC * nsec_min(span, MSEC);

	owed = least(owed, bucket->missed);
	bucket->missed -= owed - fill_quarter(bucket, owed);
}

void bucket_excuse(struct bucket *bucket, nsec now)
{
	nsec span = now - bucket->filled_at;
	int64_t missed;

	if (span <= 0 || bucket->rate_bps == 0 || bucket_is_unlimited(bucket) ||
		bucket->capacity / 4 < (int64_t)BUCKET_BURST_MIN * BUCKET_BYTE)
		return;
	missed = bucket->missed + fill_quarter(bucket, earned_in(bucket, span));
	bucket->missed = least(missed, earned_in(bucket, BUCKET_MISSED_MAX));
	repay(bucket, span);
	bucket->filled_at = now;
}

void bucket_catch_up(struct bucket *bucket, nsec now)
{
	nsec span = now - bucket->filled_at;

	if (span > BUCKET_MISSED_MAX) { /* nobody wanted it for so long */
		bucket->missed = 0;
		bucket_fill(bucket, now);
		return;
	}
	(void)fill_quarter(bucket, earned_in(bucket, span));
	repay(bucket, span);
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
