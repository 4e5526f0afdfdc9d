/* SPDX-License-Identifier: BSD-3-Clause */
/* A token bucket: so many bits a second, and so many bytes at once.
 *
 * Tokens are counted in 1/8e9 of a byte: a rate in bits a second times a span in
 * nanoseconds is a whole number of them. Nothing is ever rounded, so a rate does not
 * drift however irregular the calls, and refilling costs one multiplication. In a window
 * of any length T no more than rate * T + burst passes, of what was asked for.
 *
 * Who waits for tokens and comes back too late, because a scheduler gave its core to
 * others, would lose what the burst has no room for, and stay below its rate for ever. It
 * says so by bucket_excuse, and gets that by and by: until it has, the bucket holds a
 * quarter of a burst, and earns the rest once more a millisecond. So a window of a
 * millisecond has no more than before, and longer ones make up for what was missed, of
 * BUCKET_MISSED_MAX at most.
 *
 * Lengths are bytes, at most 512 MiB where there is a limit; with debt that fits an
 * int64_t. A rate is 0 (paused), RATE_MIN to RATE_MAX, or RATE_UNLIMITED. One thread;
 * time never goes back. */
#ifndef BUCKET_H
#define BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/units.h"

#define BUCKET_BYTE ((int64_t)8000000000) /* tokens */
#define BUCKET_BURST_MIN (16 * KIB)       /* more than any frame */
#define BUCKET_BURST_MAX (256 * MIB)
/* A hypervisor that has given away a machine's share of a tenth of a second stops all of
 * it for a third of that; what is longer than half of it is somebody's will. */
#define BUCKET_MISSED_MAX (50 * MSEC)

struct bucket {
	uint64_t rate_bps;
	int64_t tokens;   /* below 0: overdrawn, by capacity at most */
	int64_t capacity; /* the burst */
	int64_t missed;   /* tokens to be had by and by */
	nsec filled_at;
};

/* What a rate may pass at once when nobody said: 500 us of it, as a worker that shares
 * its core comes late so often; 64 KiB at least, and more than 512 KiB only where that is
 * less than 50 us. */
uint64_t bucket_default_burst(uint64_t rate_bps);

/* Starts full. burst in bytes, 0: the default; brought into its bounds. */
void bucket_init(struct bucket *bucket, uint64_t rate_bps, uint64_t burst, nsec now);

/* From now on. What was earned until now is kept as far as the burst has room, and a
 * bucket that was unlimited starts empty: a new rate is never begun with a jump. */
void bucket_set(struct bucket *bucket, uint64_t rate_bps, uint64_t burst, nsec now);

/* When so many bytes may pass, if nothing else does before: at most filled_at when they
 * may already, NEVER while paused. */
nsec bucket_deadline(const struct bucket *bucket, uint32_t len);

/* Takes what is owed for bytes that pass, whether there were tokens or not: the debt is
 * paid before anything else may go. */
static inline void bucket_charge(struct bucket *bucket, uint32_t len);

/* Its owner waited for tokens, and comes only now: what they came to meanwhile is not
 * lost to it. Right before it asks again, for BUCKET_BURST_MIN at most at a time; a burst
 * of less than four of these catches up nothing. */
void bucket_excuse(struct bucket *bucket, nsec now);

/* For bucket_fill. */
void bucket_catch_up(struct bucket *bucket, nsec now);

static inline bool bucket_is_unlimited(const struct bucket *bucket)
{
	return bucket->rate_bps == RATE_UNLIMITED;
}

static inline void bucket_fill(struct bucket *bucket, nsec now)
{
	int64_t room = bucket->capacity - bucket->tokens;
	int64_t earned;

	if (now <= bucket->filled_at || bucket_is_unlimited(bucket))
		return;
	if (unlikely(bucket->missed != 0)) {
		bucket_catch_up(bucket, now);
		return;
	}
	if (__builtin_mul_overflow(
		    now - bucket->filled_at, (int64_t)bucket->rate_bps, &earned) ||
		earned > room)
		earned = room;
	bucket->tokens += earned;
	bucket->filled_at = now;
}

/* Whether so many bytes may pass now; what is more than the burst needs a full bucket. */
static inline bool bucket_has(struct bucket *bucket, uint32_t len, nsec now)
{
	if (bucket_is_unlimited(bucket))
		return true;
	if (bucket->rate_bps == 0)
		return false;
	bucket_fill(bucket, now);
	return bucket->tokens >= (int64_t)len * BUCKET_BYTE ||
	       bucket->tokens == bucket->capacity;
}

static inline void bucket_charge(struct bucket *bucket, uint32_t len)
{
	if (bucket_is_unlimited(bucket))
		return;
	bucket->tokens -= (int64_t)len * BUCKET_BYTE;
	if (unlikely(bucket->tokens < -bucket->capacity))
		bucket->tokens = -bucket->capacity;
}

#endif
