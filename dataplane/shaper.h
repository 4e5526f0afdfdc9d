/* SPDX-License-Identifier: BSD-3-Clause */
/* Who may send data next on a queue, and whether anybody may: port, queue, session.
 *
 *   port (lease_source, shared)   rate of all queues together
 *     └─ queue (one worker)       a lease of the port, and a rate of its own
 *          └─ shares (sessions)   recovery before rebalance; within a class by weight;
 *                                 each with a limit of its own
 *
 * Sessions of a class take turns by deficit round robin: in a turn each may send its
 * weight in bytes, and what one does not use is the others'. Packets that carry no data
 * always pass, and are charged.
 *
 *   shaper_begin ─► shaper_next ─► shaper_sent | shaper_quiet ─► … ─► shaper_end
 *
 * All lengths are bytes on the wire: the frame, its preamble, FCS and gap. One thread;
 * the counters may be read by any. */
#ifndef SHAPER_H
#define SHAPER_H

#include "dataplane/lease.h"
#include "dataplane/meter.h"

enum {
	SHAPER_SHARES = 64,
	SHAPER_WEIGHT_DEFAULT = 10,
	SHAPER_WEIGHT_MAX = 100,
};

enum shaper_class {
	SHAPER_RECOVERY, /* a follower that its group needs: before all others */
	SHAPER_REBALANCE,
	SHAPER_CLASSES,
};

struct shaper_share {
	enum shaper_class class;
	uint32_t weight; /* 1 to SHAPER_WEIGHT_MAX */
	uint32_t frame;  /* longest data packet, bytes */
	int64_t deficit; /* bytes it may send in this turn of its class */
	struct bucket limit;
};

struct shaper {
	struct lease port;
	struct bucket own;
	bool is_trying; /* own is */
	struct shaper_share shares[SHAPER_SHARES];
	uint64_t members[SHAPER_CLASSES]; /* bit i: shares[i] */
	uint32_t current[SHAPER_CLASSES]; /* whose turn it is */
	uint64_t quiet;                   /* nothing more from these until shaper_end */
	uint64_t limited;                 /* of these, by their own limits */
	enum { SHAPER_FREE, SHAPER_QUEUE_EMPTY, SHAPER_PORT_EMPTY } state;
	uint32_t frame;            /* of who waits for queue or port */
	struct meter meter;        /* sent, control packets as well */
	uint64_t packets;          /* the same */
	_Atomic uint64_t npackets; /* for others to read; written once a turn */
};

/* port may be NULL: unlimited. */
void shaper_init(struct shaper *shaper, struct lease_source *port, nsec now);
/* The queue's own rate; burst as in bucket.h. */
void shaper_set_rate(struct shaper *shaper, uint64_t rate_bps, uint64_t burst, nsec now);
/* The same, of a rate that is found by trying: what was missed of it is left to others.
 */
void shaper_try_rate(struct shaper *shaper, uint64_t rate_bps, uint64_t burst, nsec now);

struct shaper_terms {
	enum shaper_class class;
	uint32_t weight; /* 0: the default */
	uint32_t frame;  /* longest data packet, bytes */
	uint64_t rate_bps;
};

/* at: below SHAPER_SHARES, free. */
void shaper_add(
	struct shaper *shaper, uint32_t at, const struct shaper_terms *terms, nsec now);
void shaper_remove(struct shaper *shaper, uint32_t at);
void shaper_limit(struct shaper *shaper, uint32_t at, uint64_t rate_bps, nsec now);
/* Its part among those of its class, from its next turn on: 1 to SHAPER_WEIGHT_MAX. */
void shaper_weigh(struct shaper *shaper, uint32_t at, uint32_t weight);
/* Among whom it takes its turns, between shaper_end and shaper_begin. */
void shaper_classify(struct shaper *shaper, uint32_t at, enum shaper_class class);

void shaper_begin(struct shaper *shaper, nsec now);
/* Whose data packet goes next. Returns the share's number, or -1: nobody's. */
int shaper_next(struct shaper *shaper, nsec now);
/* The share sent a data packet. */
void shaper_sent(struct shaper *shaper, uint32_t at, uint32_t len);
/* The share has no data to send now: the next turn asks it again. */
void shaper_quiet(struct shaper *shaper, uint32_t at);
/* A packet without data went out; at is -1 when it was no share's. */
void shaper_charge(struct shaper *shaper, int at, uint32_t len);
void shaper_end(struct shaper *shaper, nsec now);

/* Whether data waits for tokens: of the queue, the port, or a share's own limit. */
static inline bool shaper_is_waiting(const struct shaper *shaper)
{
	return shaper->state != SHAPER_FREE || shaper->limited != 0;
}

/* When to ask again, while somebody waits for tokens: once there are some for more than a
 * packet, as waking up for each costs more than sending it; an eighth of the burst, but
 * 100 us later at most. NEVER when nobody waits. */
nsec shaper_deadline(const struct shaper *shaper);

#endif
