/* SPDX-License-Identifier: BSD-3-Clause */
/* What a receiver sends: ACK, PULL and CLOSE. */
#include <string.h>

#include "dataplane/crc.h"
#include "dataplane/ether.h"
#include "dataplane/receiver.h"
#include "dataplane/receiver_internal.h"

#define ACK_DELAY (25 * USEC)
#define ASK_AFTER (30 * MSEC) /* of silence a PULL wants an answer */
#define CLOSE_INTERVAL (20 * MSEC)
#define GRANT_INTERVAL                                                                   \
	(250 * USEC)           /* at least, when a limit makes it grant by and by        \
				*/
#define GRANT_BURST (2 * MSEC) /* of a limit: what a late thread makes up for */

enum {
	ACK_EVERY = 16,    /* packets */
	CLOSES = 5,        /* sent in all; the control plane tells the peer as well */
	CREDIT_SLACK = 64, /* slices: room for re-sent ones */
	FRAME_EXTRA = WIRE_HEADER_LEN + ETHER_WIRE_OVERHEAD,
};

/* Raises the credit by whole slices, paid for as frames, until it is enough or the limit
 * is reached. */
static void grant_by_and_by(struct receiver *receiver, uint64_t enough, nsec now)
{
	uint32_t slice = receiver->config.slice_size;
	uint32_t frame = slice + FRAME_EXTRA + receiver->config.headers;
	struct bucket *limit = &receiver->limit;

	while (receiver->credit < enough && bucket_has(limit, frame, now)) {
		bucket_charge(limit, frame);
		receiver->credit += wire_units(slice);
	}
	/* no ACK may be due before the sender needs it */
	if (receiver->credit < enough && receiver->missing_units > 0)
		receiver->grant_at =
			nsec_max(now + GRANT_INTERVAL, bucket_deadline(limit, frame));
}

/* What the sender can usefully have sent: what it says it sent, all that is missing, and
 * some repair. Never less than granted before. */
static uint64_t grant(struct receiver *receiver, nsec now)
{
	uint64_t credit =
		receiver->seen_units + receiver->missing_units +
		CREDIT_SLACK * (uint64_t)wire_units(receiver->config.slice_size);

	receiver->grant_at = NEVER;
	if (credit <= receiver->credit || receiver->is_paused)
		return receiver->credit;
	if (likely(bucket_is_unlimited(&receiver->limit)))
		receiver->credit = credit;
	else
		grant_by_and_by(receiver, credit, now);
	return receiver->credit;
}

/* What our absence may have added: to the way of the packet this ACK answers, or of the
 * ACK before it. */
static uint16_t away_us(const struct receiver *receiver)
{
	const struct turns *turns = receiver->config.turns;
	nsec took = nsec_max(turns_took(turns, receiver->acked_at),
		turns_took(turns, receiver->newest_at));

	return (uint16_t)nsec_min(
		nsec_max(receiver->newest_waited, took) / USEC, UINT16_MAX);
}

static void put_ack(struct receiver *receiver, const struct pn_window *window,
	struct packet *packet, nsec now)
{
	struct wire_ack ack = {
		.delay_us = (uint16_t)nsec_min(
			(now - receiver->newest_at) / USEC, UINT16_MAX),
		.away_us = away_us(receiver),
		.echo_time = receiver->echo_time,
		.ce_count = receiver->ce_count & 0xffffff,
		.credit = grant(receiver, now),
	};

	pn_window_report(window, &ack);
	packet->header.type = WIRE_ACK;
	packet->payload_len = wire_put_ack(packet->body, &ack);
	receiver->unacked = 0;
	receiver->acked_at = now;
	receiver->ack_now = false;
}

/* Appends a request; returns false when the runs are full. */
static bool add_run(
	struct wire_pull *pull, uint32_t chunk, uint32_t stripes, uint8_t flags)
{
	struct wire_run *last = pull->nruns > 0 ? &pull->runs[pull->nruns - 1] : NULL;

	if (last != NULL && last->first + last->count * stripes == chunk &&
		last->flags == flags) {
		last->count++;
		return true;
	}
	if (pull->nruns == WIRE_RUNS_MAX)
		return false;
	pull->runs[pull->nruns++] = (struct wire_run){chunk, 1, flags};
	return true;
}

/* 0 means no limit there; a pause is for credit to make. */
static uint32_t rate_to_ask_for(const struct receiver *receiver)
{
	uint64_t rate_bps = receiver->limit.rate_bps;

	if (receiver->wants_auto)
		return WIRE_RATE_AUTO;
	return rate_bps == RATE_UNLIMITED ? 0 : (uint32_t)((rate_bps + 999999) / 1000000);
}

static void count_question(struct receiver *receiver, nsec now)
{
	/* PULLs that go out for other reasons follow too soon to be questions */
	if (receiver->is_asking && now - receiver->asked_at < receiver->pull_interval)
		return;
	receiver->asked_at = now;
	/* the one before it has had no answer */
	if (receiver->is_asking && ++receiver->watch.unanswered % WATCH_CHANGE_AFTER == 0)
		receiver->path_changes++;
	receiver->is_asking = true;
}

void receiver_on_heard(struct receiver *receiver, nsec now)
{
	if (receiver->state == RECEIVER_SUSPENDED) {
		receiver->watch.silence = now - receiver->watch.heard_at;
		receiver_move(receiver, RECEIVER_RUNNING);
		receiver->pull_interval = PULL_INTERVAL_MIN;
		receiver->owes_pull = true;
	}
	receiver->is_asking = false;
	watch_on_heard(&receiver->watch, now);
}

void receiver_touch(struct receiver *receiver, nsec now)
{
	receiver->watch.alive_at = now;
}

static void put_pull(struct receiver *receiver, struct packet *packet, nsec now)
{
	struct wire_pull pull = {
		.credit = grant(receiver, now),
		.max_rate_mbps = rate_to_ask_for(receiver),
		.first_request = receiver_oldest_request(receiver),
	};

	for (uint32_t n = pull.first_request; n != receiver->next_request; n++) {
		if (!add_run(&pull, receiver->asked[n % RECEIVER_SPAN],
			    receiver->config.stripes,
			    receiver->asked_flags[n % RECEIVER_SPAN]))
			break; /* the rest when the first ones are done */
	}
	packet->header.type = WIRE_PULL;
	if (receiver->config.first_chunks > 0 && !receiver->watch.is_heard)
		packet->header.flags = WIRE_ACK_NOW;
	if (now - receiver->watch.heard_at >= ASK_AFTER) {
		packet->header.flags = WIRE_ACK_NOW;
		count_question(receiver, now);
	}
	packet->payload_len = wire_put_pull(packet->body, &pull);
	receiver->owes_pull = false;
	receiver->last_pull = now;
}

/* The control plane tells the peer when all is done. While other stripes go on, the
 * sender of this one must hear it here, or would call the silence a failure. */
static bool is_striped(const struct receiver *receiver)
{
	return receiver->config.stripes > 1;
}

static nsec close_at(const struct receiver *receiver)
{
	if (receiver->nclose == 0)
		return 0;
	return receiver->last_close +
	       (receiver->nclose < CLOSES ? CLOSE_INTERVAL : PULL_INTERVAL_MAX);
}

static void put_close(struct receiver *receiver, struct packet *packet, nsec now)
{
	const struct wire_close close = {
		.code = (uint32_t)-receiver->code,
		.chunk = receiver->fail_chunk,
	};

	packet->header.type = WIRE_CLOSE;
	packet->payload_len = wire_put_close(packet->body, &close);
	receiver->last_close = now;
	receiver->owes_close = ++receiver->nclose < CLOSES || is_striped(receiver);
}

static bool is_ack_due(const struct receiver *receiver, nsec now)
{
	return receiver->unacked > 0 &&
	       (receiver->ack_now || receiver->unacked >= ACK_EVERY ||
		       now >= receiver->first_unacked_at + ACK_DELAY);
}

static nsec pull_at(const struct receiver *receiver)
{
	if (receiver->nopen == 0)
		return receiver->last_pull + PULL_INTERVAL_MAX; /* says we are alive */
	return receiver->last_pull + receiver->pull_interval;
}

static bool is_pull_due(struct receiver *receiver, nsec now)
{
	if (receiver->owes_pull || now >= receiver->grant_at)
		return true;
	if (now < pull_at(receiver))
		return false;
	if (now - receiver->last_data >= receiver->pull_interval)
		receiver->pull_interval =
			nsec_min(2 * receiver->pull_interval, PULL_INTERVAL_MAX);
	return true;
}

static bool is_close_due(const struct receiver *receiver, nsec now)
{
	return receiver->owes_close && now >= close_at(receiver);
}

void receiver_set_paused(struct receiver *receiver, bool is_paused)
{
	/* going on, the sender is told at once what it may send */
	if (receiver->is_paused && !is_paused) {
		receiver->owes_pull = true;
		receiver->pull_interval = PULL_INTERVAL_MIN;
	}
	receiver->is_paused = is_paused;
}

void receiver_set_rate(struct receiver *receiver, uint64_t rate_bps, nsec now)
{
	bool wants_auto = rate_bps == RATE_AUTO;
	uint64_t burst;

	if (wants_auto)
		rate_bps = RATE_UNLIMITED;
	if (receiver->limit.rate_bps == rate_bps && receiver->wants_auto == wants_auto)
		return;
	burst = bucket_default_burst(rate_bps);
	if (rate_bps != RATE_UNLIMITED && rate_bps / 8 / (SEC / GRANT_BURST) > burst)
		burst = rate_bps / 8 / (SEC / GRANT_BURST);
	receiver->wants_auto = wants_auto;
	bucket_set(&receiver->limit, rate_bps, burst, now);
	receiver->grant_at = NEVER;
	receiver->owes_pull = true;
}

static void look_out(struct receiver *receiver, nsec now)
{
	struct watch *watch = &receiver->watch;

	if (now >= watch_stalled_at(watch, receiver->config.stall_timeout)) {
		receiver_on_stall(receiver);
	} else if (receiver->state == RECEIVER_RUNNING && watch_is_silent(watch, now)) {
		watch->silence = now - watch->heard_at;
		receiver_move(receiver, RECEIVER_SUSPENDED);
	}
}

bool receiver_poll(struct receiver *receiver, const struct pn_window *window,
	struct packet *packet, nsec now)
{
	memset(&packet->header, 0, sizeof(packet->header));
	packet->padding_len = 0;
	if (!receiver_is_over(receiver)) {
		look_out(receiver, now);
		if (receiver->state == RECEIVER_RUNNING && !receiver->is_paused)
			receiver_ask_more(receiver);
	}
	if (is_ack_due(receiver, now))
		put_ack(receiver, window, packet, now);
	else if (!receiver_is_over(receiver) && is_pull_due(receiver, now))
		put_pull(receiver, packet, now);
	else if (receiver_is_over(receiver) && !receiver->by_peer &&
		 is_close_due(receiver, now))
		put_close(receiver, packet, now);
	else
		return false;
	packet->payload = packet->body;
	packet->header.payload_crc = crc32c(packet->body, packet->payload_len);
	packet->header.flags |= wire_epoch_flags(receiver->epoch);
	packet->header.tx_time = wire_time(now);
	packet->pn = receiver->next_pn++;
	return true;
}

nsec receiver_deadline(const struct receiver *receiver)
{
	nsec deadline = NEVER;

	if (receiver->unacked > 0)
		deadline = receiver->first_unacked_at + ACK_DELAY;
	if (!receiver_is_over(receiver)) {
		deadline = nsec_min(deadline, watch_stalled_at(&receiver->watch,
						      receiver->config.stall_timeout));
		deadline = nsec_min(deadline, pull_at(receiver));
		deadline = nsec_min(deadline, receiver->grant_at);
		if (receiver->state == RECEIVER_RUNNING)
			deadline = nsec_min(deadline, watch_silent_at(&receiver->watch));
	} else if (receiver->owes_close && !receiver->by_peer) {
		deadline = nsec_min(deadline, close_at(receiver));
	}
	return deadline;
}
