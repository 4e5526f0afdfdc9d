/* SPDX-License-Identifier: BSD-3-Clause */
/* What was sent and not yet resolved: SACK bookkeeping, round-trip time, loss detection.
 *
 *   inflight_send ─► SENT ──ack──► ACKED
 *                      └─later packets acked (RFC 9002 6.1), or probe timeout─► LOST
 *                                     └─ acked after all: spurious, both thresholds
 *                                        grow to what was seen
 *
 * Lost slices go out again under a new packet number; a number is never reused. */
#ifndef INFLIGHT_H
#define INFLIGHT_H

#include "dataplane/base/bitmap.h"
#include "dataplane/wire.h"

enum {
	INFLIGHT_RING = 4096,
	INFLIGHT_WINDOW_MAX =
		INFLIGHT_RING / 2, /* the rest: lost ones that may still come */
	INFLIGHT_REORDER_MIN = 3,
	INFLIGHT_REORDER_MAX = 256, /* beyond it only time tells */
	INFLIGHT_OVERDUE_MAX = 64,  /* packets, that a window forgets about */
};

struct inflight_slice {
	uint32_t request;
	uint16_t slice;
	uint16_t units; /* WIRE_UNIT bytes; 0: not acknowledged by the peer (control) */
};

struct inflight_packet {
	uint64_t pn;
	nsec sent_at;
	struct inflight_slice what;
	enum {
		INFLIGHT_NONE,
		INFLIGHT_SENT,
		INFLIGHT_ACKED,
		INFLIGHT_LOST,
		INFLIGHT_PROBED /* taken for lost because of silence */
	} state;
};

/* What an ACK or a timer resolved. */
struct inflight_outcome {
	uint32_t nacked;
	uint32_t nlost;
	uint32_t nspurious; /* of nacked: were lost before */
	nsec rtt;           /* 0: nothing newer was acknowledged */
	nsec sent_at;       /* with it: the packet it was measured by */
	struct inflight_slice acked[WIRE_ACK_BITS];
	struct inflight_slice lost[INFLIGHT_RING];
};

struct inflight {
	uint64_t next_pn;
	uint64_t oldest;   /* no number below it is SENT */
	uint64_t ack_next; /* one above the largest acknowledged */
	uint32_t count;    /* packets SENT */
	uint64_t punctual; /* every number below it is acknowledged, lost or overdue */
	uint32_t overdue;  /* of count */
	uint32_t reorder;  /* packets; INFLIGHT_RING: only time tells */
	nsec late;         /* no packet is lost so soon: some came later than that */
	nsec late_at;      /* when it was last set */
	uint64_t lost;     /* packets declared lost, in all */
	uint64_t spurious; /* of those, acknowledged later */
	nsec srtt;         /* 0: not measured yet */
	nsec rttvar;
	nsec latest_rtt;
	nsec last_sent;
	nsec loss_deadline; /* when the next packet is lost by age */
	uint32_t probes;    /* probe timeouts since data was last acknowledged */
	uint64_t nprobes;   /* in all */
	struct inflight_packet ring[INFLIGHT_RING];
	uint64_t is_acked[BITMAP_WORDS(INFLIGHT_RING)]; /* by number, as ring */
};

void inflight_init(struct inflight *inflight);

/* Whether another packet number can be tracked. */
bool inflight_has_room(const struct inflight *inflight);

/* Records a packet that goes out now. Returns its number. */
uint64_t inflight_send(
	struct inflight *inflight, const struct inflight_slice *what, nsec now);

/* Looks for packets whose acknowledgement is overdue: see inflight_load. */
void inflight_age(struct inflight *inflight, nsec now);
/* When the next one will be. */
nsec inflight_overdue_at(const struct inflight *inflight);

/* Resolves packets. Returns false when the ACK names numbers never sent. */
bool inflight_on_ack(struct inflight *inflight, const struct wire_ack *ack,
	struct inflight_outcome *outcome, nsec now);

/* Call when the deadline has passed. Returns true when a probe should go out regardless
 * of window and credit: outcome->lost then holds the oldest packet. */
bool inflight_on_timer(
	struct inflight *inflight, struct inflight_outcome *outcome, nsec now);

/* Nothing that was sent is waited for any more. What comes after all still counts. */
void inflight_give_up(struct inflight *inflight, nsec now);

/* Once a probe timeout has passed, the next follows though all is lost, until data is
 * acknowledged. */
nsec inflight_deadline(const struct inflight *inflight);

/* Packets in flight as far as a window is concerned. What is overdue most likely is not
 * any more, though nobody can say yet what became of it: when everything under way is
 * lost, or every ACK, sending goes on for INFLIGHT_OVERDUE_MAX packets at the pace it
 * had, and the next ACK tells. After that a probe has to find out. */
static inline uint32_t inflight_load(const struct inflight *inflight)
{
	return inflight->count - u32_min(inflight->overdue, INFLIGHT_OVERDUE_MAX);
}

#endif
