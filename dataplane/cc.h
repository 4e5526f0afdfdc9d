/* SPDX-License-Identifier: BSD-3-Clause */
/* Congestion control: how many packets a sender may have in the network.
 *
 *   swift  keeps the queueing delay small (Kumar et al., SIGCOMM 2020); counts marks as
 *          DCTCP does; loss is repaired, and feared only if less is lost with a smaller
 *          window
 *   fixed  the configured window: for links that never queue (rings, memif)
 *   aimd   one more a round trip, less at every loss: for clocks that cannot be trusted
 *
 * Decisions fall once a round trip; what an ACK costs is a few additions. */
#ifndef CC_H
#define CC_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/units.h"
#include "dataplane/loss_trial.h"

enum cc_kind {
	CC_AUTO, /* whoever knows the device decides; undecided, it is fixed */
	CC_FIXED,
	CC_SWIFT,
	CC_AIMD,
};

/* How long packets may wait in queues, beyond the shortest round trip: two bursts of the
 * fastest NICs. */
#define CC_QUEUE (15 * USEC)

enum {
	CC_ONE = 1 << 16, /* a packet in units of the window */
	CC_WINDOW_FIRST = 16,
	CC_WINDOW_MIN = 2,
	CC_WINDOW_LOSS_MIN = 16, /* fewer, and a burst of losses takes all ACKs with it */
	CC_SAMPLES = 8, /* the same for all, or who has more would see a shorter queue */
	CC_UNIT = 1024, /* 1 in factors and shares */
};

/* What a batch of acknowledgements or a timer has shown. */
struct cc_ack {
	nsec now;
	nsec rtt;  /* of the newest packet, by the network; 0: not measured */
	nsec base; /* shortest of this path that was the network's; 0: not known yet */
	nsec srtt; /* 0: not measured yet */
	uint32_t nacked;
	uint32_t nlost;
	uint32_t nspurious; /* declared lost before, and acknowledged now */
	uint32_t nmarked;   /* CE */
	bool is_limited;    /* the window was what held the sender back */
};

struct cc;

struct cc_ops {
	const char *name;
	void (*on_ack)(struct cc *cc, const struct cc_ack *ack);
	void (*on_loss)(struct cc *cc, const struct cc_ack *ack); /* NULL: nothing */
	/* probes: timeouts in a row */
	void (*on_probe_timeout)(struct cc *cc, uint32_t probes);
};

struct cc {
	const struct cc_ops *ops;
	uint32_t window;  /* CC_ONE a packet */
	uint32_t max;     /* the same */
	bool is_starting; /* doubles every round trip until something speaks against it */
	nsec last_decrease;
	uint32_t marked; /* share of CE, smoothed over 16 rounds, of CC_UNIT */
	uint32_t ndecreases;
	nsec min_rtt; /* 0: not measured */
	nsec queue;   /* CC_QUEUE, unless the owner of a slower device knows better */
	/* the round trip under way */
	nsec round_at;     /* 0: none */
	nsec round_min;    /* shortest of the newest CC_SAMPLES; NEVER: too few yet */
	nsec samples_min;  /* of those that are being collected */
	uint32_t nsamples; /* how many they are */
	uint32_t round_acked;
	uint32_t round_marked;
	bool round_limited;
	uint32_t rounds;   /* since the queue was drained */
	uint32_t drained;  /* the window to go back to; 0: not draining */
	bool is_refilling; /* on the way back */
	uint32_t calm;     /* rounds in a row with half the target's queue or less */
	struct loss_trial trial;
	uint32_t before_cut; /* the window, of the trial */
};

/* max: packets, at least CC_WINDOW_MIN. */
void cc_init(struct cc *cc, enum cc_kind kind, uint32_t max);
void cc_on_ack(struct cc *cc, const struct cc_ack *ack);
void cc_on_probe_timeout(struct cc *cc, uint32_t probes);

/* "auto", "swift", "fixed", "aimd". Returns false for anything else. */
bool cc_parse(const char *text, enum cc_kind *kind);

/* For the kinds: multiplies the window by factor / CC_UNIT, not below floor packets, and
 * not twice in a round trip. Returns whether it did. */
bool cc_decrease(
	struct cc *cc, const struct cc_ack *ack, uint32_t factor, uint32_t floor);
void cc_increase(struct cc *cc, uint32_t amount); /* CC_ONE a packet */
/* Adds an ACK to its round. Returns whether the round is complete: the caller looks at
 * it, then begins the next with cc_begin_round. */
bool cc_ends_round(struct cc *cc, const struct cc_ack *ack);
void cc_begin_round(struct cc *cc, nsec now);

extern const struct cc_ops cc_swift_ops;
extern const struct cc_ops cc_fixed_ops;
extern const struct cc_ops cc_aimd_ops;

static inline uint32_t cc_window(const struct cc *cc)
{
	return cc->window / CC_ONE;
}

#endif
