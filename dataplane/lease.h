/* SPDX-License-Identifier: BSD-3-Clause */
/* One rate for several threads: the source sells its time in spans, one after another,
 * and a span is worth what the rate makes of it. Buying is one atomic operation for many
 * packets.
 *
 *   source   ──────[ A ][ B ][ A ][ B ]──► sold_until
 *                              ▲ now
 *
 * A thread may buy one span ahead, which is then its turn: so all get the same number of
 * spans, in the order they asked, and whoever wants nothing leaves them to the others.
 * Time that nobody could buy, for the thread that waited for it came too late, is sold
 * by and by, as in bucket.h. Two spans may be in a thread's hands at once, so in a window
 * T at most rate * T + burst + 2 spans a thread but one pass. */
#ifndef LEASE_H
#define LEASE_H

#include <stdalign.h>
#include <stdatomic.h>

#include "dataplane/bucket.h"

struct lease_source {
	/* any thread */
	alignas(64) _Atomic int64_t sold_until; /* nsec */
	_Atomic int64_t missed;                 /* nsec to be sold by and by */
	/* the control thread writes, all read */
	alignas(64) _Atomic uint32_t version; /* of what follows */
	_Atomic uint64_t rate_bps;
	_Atomic uint64_t burst; /* bytes */
	uint32_t grain;         /* bytes, constant: no span is worth less */
};

/* One thread's part. */
struct lease {
	struct lease_source *source; /* NULL: unlimited */
	uint32_t version;
	uint64_t rate_bps;
	nsec span;      /* of a purchase */
	nsec slack;     /* time not sold in time that may still be */
	nsec extra;     /* of a span, what comes of the time that was missed */
	int64_t worth;  /* tokens of a span, see bucket.h */
	int64_t tokens; /* in hand; below 0: overdrawn */
	int64_t debt;   /* the most that may be owed, tokens */
	nsec begins;    /* of the span bought ahead; NEVER: none */
};

/* grain: bytes, at least what one lease_has asks for. burst: bytes, 0: the default. */
void lease_source_init(struct lease_source *source, uint64_t rate_bps, uint32_t grain);
/* Control thread. Spans sold ahead are void: a new rate holds at once, when the threads
 * take their next turn; wake those that sleep. */
void lease_source_set(
	struct lease_source *source, uint64_t rate_bps, uint64_t burst, nsec now);
uint64_t lease_source_rate(const struct lease_source *source);
uint64_t lease_source_burst(const struct lease_source *source); /* bytes */

void lease_init(struct lease *lease, struct lease_source *source);
/* Once a turn, before the others: learns of a new rate. */
void lease_begin(struct lease *lease, nsec now);
/* Its owner waited for tokens, and comes only now. Right before it asks again. */
void lease_excuse(struct lease *lease, nsec now);
/* After lease_has said no: when to ask again, NEVER while paused. */
nsec lease_deadline(const struct lease *lease);

/* For lease_has: buys what is missing for so many tokens. */
bool lease_buy(struct lease *lease, int64_t want, nsec now);

/* Whether so many bytes may pass now. */
static inline bool lease_has(struct lease *lease, uint32_t len, nsec now)
{
	return lease->rate_bps == RATE_UNLIMITED ||
	       (lease->tokens >= (int64_t)len * BUCKET_BYTE && lease->rate_bps != 0) ||
	       lease_buy(lease, (int64_t)len * BUCKET_BYTE, now);
}

/* Takes what is owed for bytes that pass, tokens or not; at most a burst is owed. */
static inline void lease_charge(struct lease *lease, uint32_t len)
{
	if (lease->rate_bps == RATE_UNLIMITED)
		return;
	lease->tokens -= (int64_t)len * BUCKET_BYTE;
	if (unlikely(lease->tokens < -lease->debt))
		lease->tokens = -lease->debt;
}

#endif
