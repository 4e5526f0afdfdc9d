/* SPDX-License-Identifier: BSD-3-Clause */
/* What a receiver sends: ACK, PULL and CLOSE. */
#include <string.h>

#include "dataplane/crc.h"
#include "dataplane/receiver.h"
#include "dataplane/receiver_internal.h"

#define ACK_DELAY (25 * USEC)
#define CLOSE_INTERVAL (20 * MSEC)

enum {
	ACK_EVERY = 16,    /* packets */
	CLOSES = 5,        /* sent in all; the control plane tells the peer as well */
	CREDIT_SLACK = 64, /* slices: room for re-sent ones */
};

/* What the sender can usefully have sent: what it says it sent, all that is missing, and
 * some repair. Never less than granted before. */
static uint64_t grant(struct receiver *receiver)
{
	uint64_t credit =
		receiver->seen_units + receiver->missing_units +
		CREDIT_SLACK * (uint64_t)wire_units(receiver->config.slice_size);

	if (credit > receiver->credit && !receiver->is_paused)
		receiver->credit = credit;
	return receiver->credit;
}

static void put_ack(struct receiver *receiver, const struct pn_window *window,
	struct packet *packet, nsec now)
{
	struct wire_ack ack = {
		.delay_us = (uint16_t)nsec_min(
			(now - receiver->newest_at) / USEC, UINT16_MAX),
		.echo_time = receiver->echo_time,
		.ce_count = receiver->ce_count & 0xffffff,
		.credit = grant(receiver),
	};

	pn_window_report(window, &ack);
	packet->header.type = WIRE_ACK;
	packet->payload_len = wire_put_ack(packet->body, &ack);
	receiver->unacked = 0;
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

static void put_pull(struct receiver *receiver, struct packet *packet, nsec now)
{
	struct wire_pull pull = {
		.credit = grant(receiver),
		.first_request = receiver_oldest_request(receiver),
	};

	for (uint32_t n = pull.first_request; n != receiver->next_request; n++) {
		if (!add_run(&pull, receiver->asked[n % RECEIVER_SPAN],
			    receiver->config.stripes,
			    receiver->asked_flags[n % RECEIVER_SPAN]))
			break; /* the rest when the first ones are done */
	}
	packet->header.type = WIRE_PULL;
	if (now - receiver->last_heard >= PULL_INTERVAL_MAX / 2)
		packet->header.flags = WIRE_ACK_NOW;
	packet->payload_len = wire_put_pull(packet->body, &pull);
	receiver->owes_pull = false;
	receiver->last_pull = now;
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
	receiver->owes_close = ++receiver->nclose < CLOSES;
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
	if (receiver->owes_pull)
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
	return receiver->owes_close &&
	       (receiver->nclose == 0 || now >= receiver->last_close + CLOSE_INTERVAL);
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

bool receiver_poll(struct receiver *receiver, const struct pn_window *window,
	struct packet *packet, nsec now)
{
	memset(&packet->header, 0, sizeof(packet->header));
	if (receiver->state == RECEIVER_RUNNING) {
		if (now - receiver->last_heard >= receiver->config.stall_timeout)
			receiver_on_stall(receiver);
		else if (!receiver->is_paused)
			receiver_ask_more(receiver);
	}
	if (is_ack_due(receiver, now))
		put_ack(receiver, window, packet, now);
	else if (receiver->state == RECEIVER_RUNNING && is_pull_due(receiver, now))
		put_pull(receiver, packet, now);
	else if (receiver->state != RECEIVER_RUNNING && !receiver->by_peer &&
		 is_close_due(receiver, now))
		put_close(receiver, packet, now);
	else
		return false;
	packet->payload = packet->body;
	packet->header.payload_crc = crc32c(packet->body, packet->payload_len);
	packet->header.tx_time = wire_time(now);
	packet->pn = receiver->next_pn++;
	return true;
}

nsec receiver_deadline(const struct receiver *receiver)
{
	nsec deadline = NEVER;

	if (receiver->unacked > 0)
		deadline = receiver->first_unacked_at + ACK_DELAY;
	if (receiver->state == RECEIVER_RUNNING) {
		deadline = nsec_min(
			deadline, receiver->last_heard + receiver->config.stall_timeout);
		deadline = nsec_min(deadline, pull_at(receiver));
	} else if (receiver->owes_close && !receiver->by_peer) {
		deadline = nsec_min(deadline,
			receiver->nclose == 0 ? 0
					      : receiver->last_close + CLOSE_INTERVAL);
	}
	return deadline;
}
