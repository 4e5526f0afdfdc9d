/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/sender.h"

#include <assert.h>
#include <string.h>

#include "dataplane/sender_internal.h"

static const bool moves[SENDER_CLOSED + 1][SENDER_CLOSED + 1] = {
	[SENDER_RUNNING] = {[SENDER_SUSPENDED] = true,
		[SENDER_FAILED] = true,
		[SENDER_CLOSED] = true},
	[SENDER_SUSPENDED] =
		{[SENDER_RUNNING] = true, [SENDER_FAILED] = true, [SENDER_CLOSED] = true},
};

void sender_move(struct sender *sender, enum sender_state to)
{
	assert(moves[sender->state][to]);
	sender->state = to;
}

void sender_init(struct sender *sender, const struct sender_config *config, nsec now)
{
	memset(sender, 0, sizeof(*sender));
	sender->config = *config;
	sender->config.stripes = u32_max(config->stripes, 1);
	sender->fail_chunk = UINT32_MAX;
	sender->timed_at = NEVER;
	watch_init(&sender->watch, now);
	prober_init(&sender->prober, config->slice_size);
	inflight_init(&sender->inflight);
	cc_init(&sender->cc, config->cc, config->window);
	if (config->cc_queue != 0)
		sender->cc.queue = config->cc_queue;
	delay_init(&sender->delay);
	sender_slice(sender);
	pack_join(&config->cache->pack, &sender->member);
}

void sender_drop_requests(struct sender *sender)
{
	for (size_t i = 0; i < SENDER_REQUESTS; i++) {
		if (sender->requests[i].state != REQUEST_FREE)
			sender_finish_request(sender, &sender->requests[i]);
	}
}

void sender_fini(struct sender *sender)
{
	sender_drop_requests(sender);
	pack_leave(&sender->config.cache->pack, &sender->member);
}

COLD void sender_fail(struct sender *sender, int code, uint32_t chunk)
{
	sender->code = code;
	sender->fail_chunk = chunk;
	sender->owes_close = true;
	sender_move(sender, SENDER_FAILED);
	sender_fini(sender);
}

/* Tells congestion control what an ACK or a timer has shown. */
void sender_judge(struct sender *sender, nsec rtt, uint32_t nmarked, nsec now)
{
	const struct inflight_outcome *outcome = &sender->outcome;
	const struct cc_ack ack = {
		.now = now,
		.rtt = rtt,
		.base = sender->delay.base,
		.srtt = sender->inflight.srtt,
		.nacked = outcome->nacked,
		.nlost = outcome->nlost,
		.nspurious = outcome->nspurious,
		.nmarked = nmarked,
		.is_limited = sender->is_limited,
	};

	cc_on_ack(&sender->cc, &ack);
	sender->delay.nacked += outcome->nacked;
	if (outcome->nacked > 0)
		sender->is_limited = false;
}

static void acknowledge(struct sender *sender, const struct inflight_slice *what)
{
	struct sender_request *request = sender_find_request(sender, what->request);

	if (request == NULL || bitmap_test_and_set(request->acked, what->slice))
		return;
	if (++request->nacked == request->nslices) {
		sender->bytes_acked += request->len;
		sender_finish_request(sender, request);
	}
}

void sender_apply(struct sender *sender)
{
	const struct inflight_outcome *outcome = &sender->outcome;

	for (uint32_t i = 0; i < outcome->nacked; i++)
		acknowledge(sender, &outcome->acked[i]);
	for (uint32_t i = 0; i < outcome->nlost; i++) {
		uint32_t tail = (sender->resend_head + sender->nresend) % INFLIGHT_RING;

		assert(sender->nresend < INFLIGHT_RING);
		sender->resend[tail] = outcome->lost[i];
		sender->nresend++;
	}
}

/* The count is 24 bits, and ACKs overtake each other. */
static uint32_t new_marks(struct sender *sender, uint32_t ce_count)
{
	enum { MASK = (1 << 24) - 1 };
	uint32_t marks = (ce_count - sender->ce_count) & MASK;

	if (marks > MASK / 2)
		return 0;
	sender->ce_count = ce_count;
	return marks;
}

static void note_answers(struct sender *sender, const struct wire_ack *ack)
{
	bool is_answered = prober_on_ack(&sender->prober, ack);

	if (sender->outcome.nacked > 0) {
		prober_on_data(&sender->prober);
		sender->nstuck = 0;
	}
	if (sender->outcome.nacked > 0 || is_answered)
		sender->unacked_probes = 0;
}

/* Returns what of the round trip was the network's, 0: that is not known. */
static nsec measure(struct sender *sender, const struct wire_ack *ack, nsec now)
{
	const struct inflight_outcome *outcome = &sender->outcome;
	const struct turns *turns = sender->config.turns;
	const struct delay_sample sample = {
		.rtt = outcome->rtt,
		.at = now,
		.sent = outcome->rtt != 0 ? turns_away(turns, outcome->sent_at) : 0,
		.waited = turns_waited(turns, now),
		.away = (nsec)ack->away_us * USEC,
	};

	delay_on_ack(&sender->delay, &sample, turns);
	return delay_of_network(&sender->delay, &sample);
}

enum verdict sender_on_ack(struct sender *sender, const struct wire_ack *ack, nsec now)
{
	nsec rtt;

	if (!inflight_on_ack(&sender->inflight, ack, &sender->outcome, now))
		return CORRUPT;
	sender_on_heard(sender, now);
	if (ack->credit > sender->credit)
		sender->credit = ack->credit;
	if (sender_is_over(sender))
		return STALE;
	note_answers(sender, ack);
	rtt = measure(sender, ack, now);
	sender_judge(sender, rtt, new_marks(sender, ack->ce_count), now);
	sender_apply(sender);
	return ACCEPTED;
}

enum verdict sender_on_close(
	struct sender *sender, const struct wire_close *close, nsec now)
{
	sender_on_heard(sender, now);
	if (sender_is_over(sender))
		return STALE;
	sender->code = wire_close_error(close);
	sender->fail_chunk = close->chunk;
	sender->by_peer = true;
	sender_move(sender, SENDER_CLOSED);
	sender_fini(sender);
	return ACCEPTED;
}

uint64_t sender_backlog(const struct sender *sender)
{
	uint64_t slices = sender->nresend;

	for (size_t i = 0; i < SENDER_REQUESTS; i++) {
		const struct sender_request *request = &sender->requests[i];

		if (request->state != REQUEST_FREE)
			slices += request->nslices - request->next_slice;
	}
	return slices * sender->config.slice_size;
}
