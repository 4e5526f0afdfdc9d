/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/shaper.h"

#include <assert.h>
#include <string.h>

#define REST_MAX (100 * USEC)
#define REST_PART 8 /* of a burst: half of what there is room for while it catches up */

enum { QUANTUM = 4096 }; /* bytes a turn for a weight of 1 */

static_assert(SHAPER_SHARES == 64, "a mask has a bit for each");

static uint64_t bit(uint32_t at)
{
	return (uint64_t)1 << at;
}

void shaper_init(struct shaper *shaper, struct lease_source *port, nsec now)
{
	memset(shaper, 0, sizeof(*shaper));
	lease_init(&shaper->port, port);
	bucket_init(&shaper->own, RATE_UNLIMITED, 0, now);
	meter_init(&shaper->meter, now);
}

void shaper_set_rate(struct shaper *shaper, uint64_t rate_bps, uint64_t burst, nsec now)
{
	bucket_set(&shaper->own, rate_bps, burst, now);
	shaper->is_trying = false;
}

void shaper_try_rate(struct shaper *shaper, uint64_t rate_bps, uint64_t burst, nsec now)
{
	bucket_set(&shaper->own, rate_bps, burst, now);
	shaper->is_trying = true;
}

void shaper_add(
	struct shaper *shaper, uint32_t at, const struct shaper_terms *terms, nsec now)
{
	struct shaper_share *share = &shaper->shares[at];

	assert(at < SHAPER_SHARES && terms->class < SHAPER_CLASSES);
	*share = (struct shaper_share){
		.class = terms->class,
		.weight = terms->weight == 0 ? SHAPER_WEIGHT_DEFAULT : terms->weight,
		.frame = terms->frame,
	};
	share->weight = u32_min(share->weight, SHAPER_WEIGHT_MAX);
	bucket_init(&share->limit, terms->rate_bps, 0, now);
	shaper->members[share->class] |= bit(at);
}

void shaper_remove(struct shaper *shaper, uint32_t at)
{
	shaper->members[shaper->shares[at].class] &= ~bit(at);
	shaper->limited &= ~bit(at);
}

void shaper_limit(struct shaper *shaper, uint32_t at, uint64_t rate_bps, nsec now)
{
	bucket_set(&shaper->shares[at].limit, rate_bps, 0, now);
}

void shaper_weigh(struct shaper *shaper, uint32_t at, uint32_t weight)
{
	shaper->shares[at].weight = u32_min(weight, SHAPER_WEIGHT_MAX);
}

void shaper_classify(struct shaper *shaper, uint32_t at, enum shaper_class class)
{
	struct shaper_share *share = &shaper->shares[at];

	assert(class < SHAPER_CLASSES && (shaper->members[share->class] & bit(at)));
	shaper->members[share->class] &= ~bit(at);
	shaper->members[class] |= bit(at);
	share->class = class;
}

/* Whose tokens were waited for has not lost what came while this thread was away. */
static void excuse(struct shaper *shaper, nsec now)
{
	if (shaper->state == SHAPER_QUEUE_EMPTY && !shaper->is_trying)
		bucket_excuse(&shaper->own, now);
	else if (shaper->state == SHAPER_PORT_EMPTY)
		lease_excuse(&shaper->port, now);
	for (uint64_t left = shaper->limited; left != 0; left &= left - 1)
		bucket_excuse(&shaper->shares[__builtin_ctzll(left)].limit, now);
}

void shaper_begin(struct shaper *shaper, nsec now)
{
	lease_begin(&shaper->port, now);
	excuse(shaper, now);
	shaper->quiet = 0;
	shaper->limited = 0;
	shaper->state = SHAPER_FREE;
}

/* The next of the mask behind `at`, around the corner. */
static uint32_t behind(uint64_t mask, uint32_t at)
{
	uint64_t higher = at + 1 < SHAPER_SHARES ? mask & ~(bit(at + 1) - 1) : 0;

	return (uint32_t)__builtin_ctzll(higher != 0 ? higher : mask);
}

/* Whose turn it is among those of a class that are not quiet. A share that overdrew waits
 * as many turns as it takes. */
static uint32_t take_turn(struct shaper *shaper, enum shaper_class class)
{
	uint64_t awake = shaper->members[class] & ~shaper->quiet;
	uint32_t at = shaper->current[class];

	if ((awake & bit(at)) && shaper->shares[at].deficit > 0)
		return at;
	do {
		at = behind(awake, at);
		shaper->shares[at].deficit +=
			(int64_t)shaper->shares[at].weight * QUANTUM;
	} while (shaper->shares[at].deficit <= 0);
	shaper->current[class] = at;
	return at;
}

static int look_up(struct shaper *shaper, uint32_t frame, nsec now)
{
	shaper->frame = frame;
	if (!bucket_has(&shaper->own, frame, now))
		shaper->state = SHAPER_QUEUE_EMPTY;
	else if (!lease_has(&shaper->port, frame, now))
		shaper->state = SHAPER_PORT_EMPTY;
	return shaper->state;
}

int shaper_next(struct shaper *shaper, nsec now)
{
	for (uint32_t class = 0; class < SHAPER_CLASSES; class ++) {
		while (shaper->members[class] & ~shaper->quiet) {
			uint32_t at = take_turn(shaper, class);
			struct shaper_share *share = &shaper->shares[at];

			if (!bucket_has(&share->limit, share->frame, now)) {
				shaper_quiet(shaper, at);
				shaper->limited |= bit(at);
				continue;
			}
			if (look_up(shaper, share->frame, now) == SHAPER_FREE)
				return (int)at;
			return -1; /* those of the next class must not overtake */
		}
	}
	return -1;
}

static void count(struct shaper *shaper, uint32_t len)
{
	shaper->meter.bytes += len;
	shaper->packets++;
	bucket_charge(&shaper->own, len);
	lease_charge(&shaper->port, len);
}

void shaper_sent(struct shaper *shaper, uint32_t at, uint32_t len)
{
	count(shaper, len);
	bucket_charge(&shaper->shares[at].limit, len);
	shaper->shares[at].deficit -= len;
}

void shaper_quiet(struct shaper *shaper, uint32_t at)
{
	struct shaper_share *share = &shaper->shares[at];

	/* nothing is saved up */
	if (share->deficit > 0)
		share->deficit = 0;
	shaper->quiet |= bit(at);
}

void shaper_charge(struct shaper *shaper, int at, uint32_t len)
{
	count(shaper, len);
	if (at >= 0)
		bucket_charge(&shaper->shares[at].limit, len);
}

void shaper_end(struct shaper *shaper, nsec now)
{
	meter_end(&shaper->meter, shaper_is_waiting(shaper), now);
	/* relaxed: a plain count, it orders nothing */
	atomic_store_explicit(&shaper->npackets, shaper->packets, memory_order_relaxed);
}

static nsec own_deadline(const struct bucket *bucket, uint32_t frame)
{
	uint32_t some = (uint32_t)(bucket->capacity / BUCKET_BYTE / REST_PART);
	nsec deadline = bucket_deadline(bucket, frame);

	if (deadline == NEVER || some <= frame)
		return deadline;
	return nsec_min(deadline + REST_MAX, bucket_deadline(bucket, some));
}

static nsec port_deadline(const struct lease *lease)
{
	nsec deadline = lease_deadline(lease);

	if (deadline == NEVER)
		return NEVER;
	return deadline + nsec_min(lease->slack / REST_PART, REST_MAX);
}

nsec shaper_deadline(const struct shaper *shaper)
{
	nsec deadline = NEVER;

	if (shaper->state == SHAPER_QUEUE_EMPTY)
		deadline = own_deadline(&shaper->own, shaper->frame);
	else if (shaper->state == SHAPER_PORT_EMPTY)
		deadline = port_deadline(&shaper->port);
	for (uint64_t left = shaper->limited; left != 0; left &= left - 1) {
		const struct shaper_share *share = &shaper->shares[__builtin_ctzll(left)];

		deadline = nsec_min(deadline, own_deadline(&share->limit, share->frame));
	}
	return deadline;
}
