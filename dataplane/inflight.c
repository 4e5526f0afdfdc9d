/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/inflight.h"

#include <assert.h>
#include <string.h>

#include "dataplane/base/bitmap.h"

#define RTT_INITIAL (10 * MSEC)
#define PTO_MIN (2 * MSEC)
#define PTO_MAX (150 * MSEC) /* 8 KiB each: less than 64 KB a second */
#define ACK_DELAY_MAX (1 * MSEC)
#define LOSS_DELAY_MIN (500 * USEC)
#define LATE_MIN (5 * MSEC) /* may be waited for however short the round trip is */
#define LATE_MAX (100 * MSEC)

enum { PROBES_SHIFT_MAX = 7, LATE_ROUNDS = 64 };

static struct inflight_packet *slot(struct inflight *inflight, uint64_t pn)
{
	return &inflight->ring[pn % INFLIGHT_RING];
}

void inflight_init(struct inflight *inflight)
{
	memset(inflight, 0, sizeof(*inflight));
	inflight->reorder = INFLIGHT_REORDER_MIN;
	inflight->loss_deadline = NEVER;
}

bool inflight_has_room(const struct inflight *inflight)
{
	return inflight->next_pn - inflight->oldest < INFLIGHT_RING;
}

uint64_t inflight_send(
	struct inflight *inflight, const struct inflight_slice *what, nsec now)
{
	uint64_t pn = inflight->next_pn++;
	struct inflight_packet *packet = slot(inflight, pn);

	packet->pn = pn;
	packet->sent_at = now;
	packet->what = *what;
	packet->state = INFLIGHT_NONE;
	bitmap_clear(inflight->is_acked, pn % INFLIGHT_RING);
	if (what->units != 0) {
		packet->state = INFLIGHT_SENT;
		inflight->count++;
		inflight->last_sent = now;
	}
	return pn;
}

/* RFC 6298, with the peer's delay taken out. */
static nsec measure(struct inflight *inflight, const struct wire_ack *ack, nsec now)
{
	nsec rtt = wire_time_to_nsec(wire_time(now) - ack->echo_time);
	nsec deviation;

	rtt = nsec_max(rtt - (nsec)ack->delay_us * USEC, 1 * USEC);
	inflight->latest_rtt = rtt;
	if (inflight->srtt == 0) {
		inflight->srtt = rtt;
		inflight->rttvar = rtt / 2;
		return rtt;
	}
	deviation = inflight->srtt > rtt ? inflight->srtt - rtt : rtt - inflight->srtt;
	inflight->rttvar += (deviation - inflight->rttvar) / 4;
	inflight->srtt += (rtt - inflight->srtt) / 8;
	if (inflight->late > 0 &&
		now - inflight->late_at > LATE_ROUNDS * inflight->srtt) {
		inflight->late -= inflight->late / 8;
		inflight->late_at = now;
	}
	return rtt;
}

static nsec patience(const struct inflight *inflight)
{
	return inflight->srtt * 9 / 8 + 2 * inflight->rttvar;
}

void inflight_age(struct inflight *inflight, nsec now)
{
	nsec before = now - patience(inflight);

	if (inflight->srtt == 0 || inflight->overdue >= INFLIGHT_OVERDUE_MAX)
		return;
	if (inflight->punctual < inflight->oldest)
		inflight->punctual = inflight->oldest;
	for (; inflight->punctual < inflight->next_pn; inflight->punctual++) {
		const struct inflight_packet *packet = slot(inflight, inflight->punctual);

		if (packet->state != INFLIGHT_SENT)
			continue;
		if (packet->sent_at > before)
			break;
		inflight->overdue++;
	}
}

nsec inflight_overdue_at(const struct inflight *inflight)
{
	const struct inflight_packet *packet =
		&inflight->ring[inflight->punctual % INFLIGHT_RING];

	if (inflight->srtt == 0 || inflight->overdue >= INFLIGHT_OVERDUE_MAX ||
		inflight->punctual == inflight->next_pn || packet->state != INFLIGHT_SENT)
		return NEVER;
	return packet->sent_at + patience(inflight);
}

/* A packet is not in flight any more. */
static void settle(struct inflight *inflight, const struct inflight_packet *packet)
{
	inflight->count--;
	if (packet->pn < inflight->punctual)
		inflight->overdue--;
}

static void advance(struct inflight *inflight)
{
	while (inflight->oldest < inflight->next_pn &&
		slot(inflight, inflight->oldest)->state != INFLIGHT_SENT)
		inflight->oldest++;
}

static void lose(struct inflight *inflight, struct inflight_packet *packet,
	struct inflight_outcome *outcome)
{
	packet->state = INFLIGHT_LOST;
	settle(inflight, packet);
	inflight->lost++;
	outcome->lost[outcome->nlost++] = packet->what;
}

/* RFC 9002 6.1: lost when a later packet was acknowledged and either `reorder` packets or
 * 9/8 of a round trip lie between them. */
static void detect(struct inflight *inflight, struct inflight_outcome *outcome, nsec now)
{
	nsec delay = nsec_max(
		nsec_max(inflight->srtt, inflight->latest_rtt) * 9 / 8, LOSS_DELAY_MIN);

	delay = nsec_max(
		delay, nsec_min(inflight->late, nsec_max(2 * inflight->srtt, LATE_MIN)));

	inflight->loss_deadline = NEVER;
	for (uint64_t pn = inflight->oldest; pn < inflight->ack_next; pn++) {
		struct inflight_packet *packet = slot(inflight, pn);

		if (packet->state != INFLIGHT_SENT)
			continue;
		if (pn + inflight->reorder < inflight->ack_next ||
			packet->sent_at + delay <= now) {
			lose(inflight, packet, outcome);
		} else {
			inflight->loss_deadline = packet->sent_at + delay;
			break; /* those behind it were sent later */
		}
	}
	advance(inflight);
}

/* It was not lost, only late: be as patient with the next one. */
static COLD void forgive(
	struct inflight *inflight, const struct inflight_packet *packet, nsec now)
{
	uint64_t distance = inflight->ack_next - packet->pn;
	nsec late = (now - packet->sent_at) * 9 / 8;

	inflight->spurious++;
	inflight->late = nsec_min(nsec_max(inflight->late, late), LATE_MAX);
	inflight->late_at = now;
	if (inflight->reorder == INFLIGHT_RING)
		return;
	inflight->reorder = u32_min(inflight->reorder * 2, INFLIGHT_REORDER_MAX);
	if (distance > INFLIGHT_REORDER_MAX)
		inflight->reorder = INFLIGHT_RING;
	else if (distance > inflight->reorder)
		inflight->reorder = (uint32_t)distance;
}

static void acknowledge(struct inflight *inflight, uint64_t pn,
	struct inflight_outcome *outcome, nsec now)
{
	struct inflight_packet *packet = slot(inflight, pn);

	if (packet->pn != pn)
		return;
	if (packet->state == INFLIGHT_SENT) {
		settle(inflight, packet);
	} else if (packet->state == INFLIGHT_LOST) {
		forgive(inflight, packet, now);
		outcome->nspurious++;
	} else if (packet->state == INFLIGHT_PROBED) {
		inflight->spurious++; /* it was its ACK that was late, or lost */
		outcome->nspurious++;
	} else {
		return;
	}
	packet->state = INFLIGHT_ACKED;
	bitmap_set(inflight->is_acked, pn % INFLIGHT_RING);
	outcome->acked[outcome->nacked++] = packet->what;
}

/* Which of the 64 packets from pn on were acknowledged before: an ACK repeats what the
 * last 1024 packets became, and only what is new costs anything. */
static uint64_t known_acked(const struct inflight *inflight, uint64_t pn)
{
	enum { WORDS = INFLIGHT_RING / 64 };
	uint32_t shift = pn % 64;
	uint64_t low = inflight->is_acked[pn / 64 % WORDS] >> shift;
	uint64_t high = inflight->is_acked[(pn / 64 + 1) % WORDS];

	return shift == 0 ? low : low | high << (64 - shift);
}

static void clear(struct inflight_outcome *outcome)
{
	outcome->nacked = 0;
	outcome->nlost = 0;
	outcome->nspurious = 0;
	outcome->rtt = 0;
}

bool inflight_on_ack(struct inflight *inflight, const struct wire_ack *ack,
	struct inflight_outcome *outcome, nsec now)
{
	uint64_t base = inflight->next_pn -
			(uint32_t)((uint32_t)inflight->next_pn - ack->base_pn);
	uint64_t largest = base + (ack->largest_pn - ack->base_pn);

	clear(outcome);
	if (base >= inflight->next_pn || largest >= inflight->next_pn ||
		largest - base >= WIRE_ACK_BITS || base + ack->nbits > inflight->next_pn)
		return false;
	if (largest >= inflight->ack_next) {
		inflight->ack_next = largest + 1;
		outcome->rtt = measure(inflight, ack, now);
		outcome->sent_at =
			now - wire_time_to_nsec(wire_time(now) - ack->echo_time);
	}
	for (uint32_t word = 0; word < BITMAP_WORDS(ack->nbits); word++) {
		uint64_t bits =
			ack->bits[word] & ~known_acked(inflight, base + word * 64);

		for (; bits != 0; bits &= bits - 1) {
			uint32_t bit = word * 64 + (uint32_t)__builtin_ctzll(bits);

			if (bit < ack->nbits)
				acknowledge(inflight, base + bit, outcome, now);
		}
	}
	if (outcome->nacked > 0)
		inflight->probes = 0;
	detect(inflight, outcome, now);
	return true;
}

static nsec probe_timeout(const struct inflight *inflight)
{
	nsec srtt = inflight->srtt != 0 ? inflight->srtt : RTT_INITIAL;
	nsec var = inflight->srtt != 0 ? inflight->rttvar : RTT_INITIAL / 2;
	nsec pto = nsec_max(srtt + 4 * var + ACK_DELAY_MAX, PTO_MIN);

	return nsec_min(pto << u32_min(inflight->probes, PROBES_SHIFT_MAX),
		nsec_max(PTO_MAX, 2 * pto));
}

static bool expects(const struct inflight *inflight)
{
	return inflight->count > 0 || inflight->probes > 0;
}

bool inflight_on_timer(
	struct inflight *inflight, struct inflight_outcome *outcome, nsec now)
{
	clear(outcome);
	if (now >= inflight->loss_deadline) {
		detect(inflight, outcome, now);
		return false;
	}
	if (!expects(inflight) || now < inflight->last_sent + probe_timeout(inflight))
		return false;
	inflight->probes++;
	inflight->nprobes++;
	inflight->last_sent = now;
	advance(inflight); /* past control packets, which nobody acknowledges */
	if (inflight->count == 0)
		return true;
	lose(inflight, slot(inflight, inflight->oldest), outcome);
	slot(inflight, inflight->oldest)->state = INFLIGHT_PROBED;
	advance(inflight);
	return true;
}

COLD void inflight_give_up(struct inflight *inflight, nsec now)
{
	for (; inflight->oldest < inflight->next_pn; inflight->oldest++) {
		struct inflight_packet *packet = slot(inflight, inflight->oldest);

		if (packet->state == INFLIGHT_SENT) {
			packet->state = INFLIGHT_LOST;
			inflight->lost++;
		}
	}
	inflight->count = 0;
	inflight->overdue = 0;
	inflight->probes = 0;
	inflight->last_sent = now;
	inflight->loss_deadline = NEVER;
}

nsec inflight_deadline(const struct inflight *inflight)
{
	nsec probe = NEVER;

	if (expects(inflight))
		probe = inflight->last_sent + probe_timeout(inflight);
	return nsec_min(inflight->loss_deadline, probe);
}
