/* SPDX-License-Identifier: BSD-3-Clause */
/* Finds the largest slice that the way to the receiver carries (RFC 8899).
 *
 * Data of the agreed size is a probe in itself: nothing waits. When it is not
 * acknowledged for two probe timeouts while small PROBEs are, PROBEs as long as each
 * size go out, twice; the largest that came is used from the fourth timeout on. Every
 * ten minutes larger ones are tried again.
 *
 *   agreed ─► 8192 ─► 4032 ─► 1408 ─► 1152 bytes      1152 fits IPv6's least MTU, 1280 */
#ifndef PROBER_H
#define PROBER_H

#include "dataplane/wire.h"

#define PROBER_RAISE (600 * SEC)  /* RFC 8899 5.1.1, PMTU_RAISE_TIMER */
#define PROBER_ROUND (200 * MSEC) /* or four round trips */

enum {
	PROBER_SIZES = 5,
	PROBER_SMALL = PROBER_SIZES, /* a PROBE without padding */
	PROBER_SUSPECT = 2,          /* timeouts in a row */
	PROBER_ROUNDS_DOWN = 2,      /* one a timeout */
	PROBER_ROUNDS_UP = 3,        /* one a PROBER_ROUND */
};

enum prober_search { SEARCH_NONE, SEARCH_SMALLER, SEARCH_LARGER };

struct prober {
	uint32_t sizes[PROBER_SIZES]; /* descending; the first is what was agreed */
	uint32_t nsizes;
	uint32_t at; /* which of them is in use */
	enum prober_search search;
	uint32_t rounds;                /* of the search, begun */
	uint32_t wanted;                /* bit a size: its PROBE is to go out */
	uint32_t sent;                  /* bit a size: pns has its newest */
	uint32_t acked;                 /* bit a size: a PROBE has come */
	uint64_t pns[PROBER_SIZES + 1]; /* of the newest PROBEs */
	bool is_cleared; /* since data came last: it is not the size that it lacks */
	nsec search_at;  /* not before, for a smaller one */
	nsec next;       /* of a larger one: the search, its next round; NEVER: none */
};

/* agreed: bytes, a multiple of 64 and at least CACHE_SLICE_MIN. */
void prober_init(struct prober *prober, uint32_t agreed);

static inline uint32_t prober_slice_size(const struct prober *prober)
{
	return prober->sizes[prober->at];
}

/* Data was acknowledged. */
void prober_on_data(struct prober *prober);
/* Whether the ACK names a PROBE that none named before. */
bool prober_on_ack(struct prober *prober, const struct wire_ack *ack);
/* A probe timeout, so many in a row; and when `next` has passed. Return whether another
 * size is in use now. */
bool prober_on_timeout(struct prober *prober, uint32_t timeouts, nsec now);
bool prober_on_time(struct prober *prober, nsec srtt, nsec now);
/* A small PROBE is to go out. */
void prober_ask(struct prober *prober);

/* Which PROBE to send: an index of sizes, or PROBER_SMALL. Returns false when none. */
bool prober_poll(const struct prober *prober, uint32_t *which);
void prober_on_sent(struct prober *prober, uint32_t which, uint64_t pn);

#endif
