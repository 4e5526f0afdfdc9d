/* SPDX-License-Identifier: BSD-3-Clause */
/* A worker's automatic rate: when there is one, and what it is told. */
#include <stdatomic.h>

#include "dataplane/worker_internal.h"

#define ECHO_INTERVAL (2 * MSEC) /* of each session */
#define LOOK_PART 16             /* of the ceiling: so late an ACK may be found */

static bool wants_auto(const struct session *session)
{
	return session->params.role == TRANSFER_SEND &&
	       (session->rate_bps == RATE_AUTO || session->peer_rate_bps == RATE_AUTO);
}

static void apply(struct worker *worker, nsec now)
{
	uint64_t auto_bps = auto_rate_bps(&worker->auto_rate);

	if (worker->is_auto && auto_bps < worker->fixed_bps)
		shaper_try_rate(&worker->shaper, auto_bps,
			auto_rate_burst(&worker->auto_rate), now);
	else
		shaper_set_rate(
			&worker->shaper, worker->fixed_bps, worker->fixed_burst, now);
	/* relaxed: plain numbers, they order nothing */
	atomic_store_explicit(&worker->counters.auto_bps,
		worker->is_auto ? auto_rate_bps(&worker->auto_rate) : 0,
		memory_order_relaxed);
	atomic_store_explicit(&worker->counters.added_ns,
		worker->is_auto ? (uint64_t)worker->auto_rate.added : 0,
		memory_order_relaxed);
}

static void restart_delays(struct worker *worker, bool forgets)
{
	for (size_t i = 0; i < WORKER_SESSIONS; i++) {
		struct session *session = worker->sessions[i];

		if (session == NULL || session->params.role != TRANSFER_SEND)
			continue;
		delay_restart(&session->machine.sender.delay);
		if (forgets)
			delay_forget(&session->machine.sender.delay);
	}
}

static void begin(struct worker *worker, nsec now)
{
	auto_rate_init(&worker->auto_rate, worker->config.auto_ceiling,
		worker->shaper.meter.bytes, now);
	worker->is_auto_limited = false;
	restart_delays(worker, false);
}

void worker_choose_auto(struct worker *worker, nsec now)
{
	bool is_auto = worker->is_auto_set;

	for (size_t i = 0; i < WORKER_SESSIONS && !is_auto; i++) {
		const struct session *session = worker->sessions[i];

		is_auto = session != NULL && wants_auto(session);
	}
	if (is_auto == worker->is_auto)
		return;
	worker->is_auto = is_auto;
	if (is_auto)
		begin(worker, now);
	apply(worker, now);
}

void worker_set_rate(struct worker *worker, uint64_t rate_bps, uint64_t burst, nsec now)
{
	worker->is_auto_set = rate_bps == RATE_AUTO;
	worker->fixed_bps = worker->is_auto_set ? RATE_UNLIMITED : rate_bps;
	worker->fixed_burst = worker->is_auto_set ? 0 : burst;
	worker_choose_auto(worker, now);
	apply(worker, now);
}

void worker_set_ceiling(struct worker *worker, nsec ceiling, nsec now)
{
	worker->config.auto_ceiling = ceiling;
	if (worker->is_auto)
		begin(worker, now);
}

/* Each session knows its own way: the one whose packets wait longest decides. */
static void look(const struct worker *worker, struct auto_round *round)
{
	*round = (struct auto_round){
		.bytes = worker->shaper.meter.bytes,
		.is_limited = worker->is_auto_limited,
	};
	for (size_t i = 0; i < WORKER_SESSIONS; i++) {
		const struct session *session = worker->sessions[i];
		const struct delay *delay;

		if (session == NULL || session->params.role != TRANSFER_SEND)
			continue;
		delay = &session->machine.sender.delay;
		round->frame = u32_max(round->frame, worker->shaper.shares[i].frame);
		round->nunsure += delay->nunsure;
		round->acked += (uint64_t)delay->nacked * worker->shaper.shares[i].frame;
		round->proven = nsec_max(round->proven, delay_proven(delay));
		if (delay->nsamples == 0) {
			round->rtt =
				nsec_max(round->rtt, delay->base + delay_proven(delay));
			continue;
		}
		round->nsamples += delay->nsamples;
		round->added = nsec_max(round->added, delay_added(delay));
		round->rtt = nsec_max(round->rtt, delay->least);
	}
}

/* However little data the rate lets through, there is something to measure. */
void worker_ask_echoes(struct worker *worker, nsec now)
{
	if (!worker->is_auto || now < worker->echo_at)
		return;
	worker->echo_at = now + ECHO_INTERVAL;
	for (size_t i = 0; i < WORKER_SESSIONS; i++) {
		struct session *session = worker->sessions[i];

		if (session != NULL && session->params.role == TRANSFER_SEND)
			sender_ask_echo(&session->machine.sender);
	}
}

nsec worker_look_deadline(const struct worker *worker)
{
	for (size_t i = 0; worker->is_auto && i < WORKER_SESSIONS; i++) {
		const struct session *session = worker->sessions[i];

		if (session != NULL && session->params.role == TRANSFER_SEND &&
			inflight_load(&session->machine.sender.inflight) > 0)
			return worker->turns.began +
			       worker->auto_rate.ceiling / LOOK_PART;
	}
	return NEVER;
}

void worker_follow_auto(struct worker *worker, nsec now)
{
	struct auto_rate *rate = &worker->auto_rate;
	struct auto_round round;
	enum auto_verdict verdict;

	if (worker->shaper.state == SHAPER_QUEUE_EMPTY &&
		rate->rate_bps <= worker->fixed_bps)
		worker->is_auto_limited = true;
	if (now < auto_rate_deadline(rate))
		return;
	look(worker, &round);
	verdict = auto_rate_on_round(rate, &round, now);
	if (verdict == AUTO_WAIT)
		return;
	worker->is_auto_limited = false;
	restart_delays(worker, verdict == AUTO_FORGET);
	apply(worker, now);
}
