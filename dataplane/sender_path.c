/* SPDX-License-Identifier: BSD-3-Clause */
/* What a sender does when the way to the receiver, or the receiver, fails: PROBEs,
 * another path, smaller slices, and a long wait. */
#include <errno.h>

#include "dataplane/crc.h"
#include "dataplane/sender.h"
#include "dataplane/sender_internal.h"

static const uint8_t zeros[WIRE_SLICE_MAX];

void sender_slice(struct sender *sender)
{
	sender->slices_shift =
		31 - (uint32_t)__builtin_clz(sender->config.manifest->chunk_size /
					     sender->config.slice_size);
	sender->member.object = sender->config.object;
	sender->member.slice_size = sender->config.slice_size;
}

void sender_touch(struct sender *sender, nsec now)
{
	sender->watch.alive_at = now;
}

static COLD void resume(struct sender *sender, nsec now)
{
	sender->watch.silence = now - sender->watch.heard_at;
	sender->member.is_away = sender->is_paused;
	sender_move(sender, SENDER_RUNNING);
}

void sender_on_heard(struct sender *sender, nsec now)
{
	if (sender->state == SENDER_SUSPENDED)
		resume(sender, now);
	watch_on_heard(&sender->watch, now);
	sender->timed_at = NEVER; /* what came may set one */
}

/* Blocks go back: others may need them while nobody knows when this one goes on. */
static COLD void suspend(struct sender *sender, nsec now)
{
	sender->watch.silence = now - sender->watch.heard_at;
	sender->member.is_away = true;
	sender_move(sender, SENDER_SUSPENDED);
	sender_rewind(sender);
	inflight_give_up(&sender->inflight, now);
	sender->inflight.probes = sender->is_switching;
	sender->may_probe = false;
	sender->nstuck = 0;
	sender->next_question = now;
}

/* Everything is numbered and sliced anew: the receiver begins its open chunks again. */
static COLD void change_slices(struct sender *sender, nsec now)
{
	sender_drop_requests(sender);
	sender->nresend = 0;
	sender->may_probe = false;
	inflight_give_up(&sender->inflight, now);
	sender->inflight.probes = 1; /* asks again until there is an answer */
	sender->epoch++;
	sender->is_switching = true;
	sender->config.slice_size = prober_slice_size(&sender->prober);
	sender_slice(sender);
}

static COLD void on_probe_timeout(struct sender *sender, nsec now)
{
	sender->may_probe = true;
	cc_on_probe_timeout(&sender->cc, sender->inflight.probes);
	sender_apply(sender);
	if (sender->is_paused) {
		if (sender->inflight.count == 0)
			sender->inflight.probes = 0;
		return;
	}
	sender->watch.unanswered++;
	if (++sender->unacked_probes % WATCH_CHANGE_AFTER == 0) {
		sender->path_changes++;
		delay_forget(&sender->delay);
	}
	if (prober_on_timeout(&sender->prober, sender->inflight.probes, now))
		change_slices(sender, now);
}

static COLD void ask_slowly(struct sender *sender, nsec now)
{
	if (now < sender->next_question)
		return;
	prober_ask(&sender->prober);
	if (++sender->watch.unanswered % WATCH_CHANGE_AFTER == 0)
		sender->path_changes++;
	sender->next_question = now + WATCH_INTERVAL;
}

static bool is_silent(const struct sender *sender, nsec now)
{
	/* a receiver that has not begun may be busy with its disk */
	return sender->watch.is_heard && watch_is_silent(&sender->watch, now);
}

static bool may_search(const struct sender *sender)
{
	return !sender->is_paused && !sender->is_switching &&
	       sender->inflight.probes == 0;
}

/* Ten packets of data in vain: a limit that holds data back is no hole. */
static bool is_stuck(const struct sender *sender, nsec now)
{
	return sender->nstuck >= WATCH_SUSPEND_AFTER &&
	       now >= sender->stuck_at + sender->config.stall_timeout;
}

void sender_on_timers(struct sender *sender, nsec now)
{
	if (now >= watch_stalled_at(&sender->watch, sender->config.stall_timeout)) {
		sender_fail(sender, -ETIMEDOUT, UINT32_MAX);
		return;
	}
	if (is_stuck(sender, now)) {
		sender_fail(sender, -EMSGSIZE, UINT32_MAX);
		return;
	}
	if (sender->state == SENDER_SUSPENDED) {
		ask_slowly(sender, now);
		return;
	}
	if (is_silent(sender, now)) {
		suspend(sender, now);
		return;
	}
	if (now >= sender->prober.next && may_search(sender) &&
		prober_on_time(&sender->prober, sender->inflight.srtt, now))
		change_slices(sender, now);
	inflight_age(&sender->inflight, now);
	if (now < inflight_deadline(&sender->inflight)) {
		sender->timed_at = now;
		return;
	}
	if (inflight_on_timer(&sender->inflight, &sender->outcome, now)) {
		on_probe_timeout(sender, now);
	} else {
		sender_judge(sender, 0, 0, now);
		sender_apply(sender);
	}
}

nsec sender_timers_deadline(const struct sender *sender)
{
	nsec deadline = watch_stalled_at(&sender->watch, sender->config.stall_timeout);

	if (sender->state == SENDER_SUSPENDED)
		return nsec_min(deadline, sender->next_question);
	if (sender->watch.is_heard)
		deadline = nsec_min(deadline, watch_silent_at(&sender->watch));
	if (may_search(sender))
		deadline = nsec_min(deadline, sender->prober.next);
	if (sender->is_limited)
		deadline = nsec_min(deadline, inflight_overdue_at(&sender->inflight));
	return nsec_min(deadline, inflight_deadline(&sender->inflight));
}

/* Where timeouts pass, PROBEs have a rhythm of their own. */
void sender_ask_echo(struct sender *sender)
{
	if (sender->state == SENDER_RUNNING && !sender->is_paused &&
		sender->oldest_request != sender->next_request &&
		sender->inflight.probes == 0)
		prober_ask(&sender->prober);
}

bool sender_poll_probe(struct sender *sender, struct packet *packet, nsec now)
{
	static const struct inflight_slice control = {0};
	const struct wire_probe probe = {
		.epoch = sender->epoch,
		.slice_size = sender->config.slice_size,
		.unanswered = sender->watch.unanswered,
	};
	uint32_t crc;
	uint32_t which;

	if (sender_is_over(sender) || !prober_poll(&sender->prober, &which))
		return false;
	packet->header.type = WIRE_PROBE;
	packet->header.flags = WIRE_ACK_NOW;
	packet->payload = packet->body;
	packet->payload_len = wire_put_probe(packet->body, &probe);
	packet->padding = zeros;
	if (which != PROBER_SMALL)
		packet->padding_len = sender->prober.sizes[which] - packet->payload_len;
	crc = crc32c(packet->body, packet->payload_len);
	packet->header.payload_crc = crc32c_extend(crc, zeros, packet->padding_len);
	packet->pn = inflight_send(&sender->inflight, &control, now);
	prober_on_sent(&sender->prober, which, packet->pn);
	return true;
}
