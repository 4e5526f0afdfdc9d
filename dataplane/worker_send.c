/* SPDX-License-Identifier: BSD-3-Clause */
/* What a worker sends, in this order: packets that keep sessions alive, which always
 * pass, then data, which the shaper lets pass. */
#include <stdatomic.h>
#include <string.h>

#include "dataplane/worker_internal.h"

#define COUNT_INTERVAL (10 * MSEC)

enum {
	QUANTUM = 8,       /* control packets of a session in a turn */
	BUDGET = NIC_BURST /* data packets of all sessions in a turn: others wait */
};

static uint32_t frame_packet(
	const struct session *session, const struct packet *packet, struct nic_tx *frame)
{
	return session_frame(session, packet, frame) + ETHER_WIRE_OVERHEAD;
}

/* Without a MAC for the peer packets are dropped: a session's timers must run all the
 * same, and all of what is no data is repeated. */
static bool send_control(
	struct worker *worker, struct session *session, bool *full, nsec now)
{
	bool reachable = worker_has_path(worker, session, now);
	int at = session->params.role == TRANSFER_SEND
			 ? (int)session_slot(session->params.session_id)
			 : -1;
	struct packet packet;

	for (int made = 0; made < QUANTUM; made++) {
		struct nic_tx *frame = worker_next_frame(worker);

		*full = frame == NULL;
		if (*full || !session_poll(session, &packet, false, now))
			return made > 0;
		if (!reachable) {
			worker->unreachable++;
			continue;
		}
		shaper_charge(&worker->shaper, at, frame_packet(session, &packet, frame));
		worker->ntx++;
	}
	return true;
}

/* Of all sessions in turn, another one first each time. */
static bool send_all_control(struct worker *worker, bool *full, nsec now)
{
	uint64_t left = worker->members;
	bool busy = false;

	while (left != 0 && !*full) {
		uint64_t behind = left & UINT64_MAX << worker->first;
		uint32_t at = (uint32_t)__builtin_ctzll(behind != 0 ? behind : left);
		struct session *session = worker->sessions[at];

		left &= ~((uint64_t)1 << at);
		if (!session->is_stopping)
			busy |= send_control(worker, session, full, now);
		worker->first = (at + 1) % WORKER_SESSIONS;
	}
	return busy;
}

static bool send_data(struct worker *worker, nsec now)
{
	struct shaper *shaper = &worker->shaper;
	struct packet packet;
	int made = 0;

	while (made < BUDGET) {
		struct nic_tx *frame = worker_next_frame(worker);
		int at = frame != NULL ? shaper_next(shaper, now) : -1;
		struct session *session = at >= 0 ? worker->sessions[at] : NULL;

		if (session == NULL)
			break;
		if (session->is_stopping || !session->is_path_known ||
			!session_poll(session, &packet, true, now)) {
			shaper_quiet(shaper, (uint32_t)at);
			continue;
		}
		made++;
		worker->ntx++;
		if (packet.header.type == WIRE_DATA)
			shaper_sent(shaper, (uint32_t)at,
				frame_packet(session, &packet, frame));
		else
			shaper_charge(shaper, at, frame_packet(session, &packet, frame));
	}
	return made > 0;
}

static void count(struct worker *worker, nsec now)
{
	uint64_t backlog = 0;

	worker->counted_at = now;
	for (uint64_t left = worker->members; left != 0; left &= left - 1) {
		const struct session *session = worker->sessions[__builtin_ctzll(left)];

		if (!session->is_stopping)
			backlog += session_backlog(session);
	}
	/* relaxed: plain numbers, they order nothing */
	atomic_store_explicit(&worker->counters.backlog, backlog, memory_order_relaxed);
	atomic_store_explicit(
		&worker->counters.drops, worker->unreachable, memory_order_relaxed);
}

bool worker_send(struct worker *worker, nsec now)
{
	bool full = false;
	bool busy;

	shaper_begin(&worker->shaper, now);
	worker_ask_echoes(worker, now);
	busy = send_all_control(worker, &full, now);
	if (!full)
		busy |= send_data(worker, now);
	shaper_end(&worker->shaper, now);
	if (worker->is_auto)
		worker_follow_auto(worker, now);
	if (now - worker->counted_at >= COUNT_INTERVAL)
		count(worker, now);
	return busy;
}

/* Each stripe has an equal part of what a session may. */
static uint64_t part_of(const struct session *session, uint64_t rate_bps)
{
	uint32_t stripes = u32_max(session->params.stripes, 1);

	return rate_bps >= RATE_AUTO || rate_bps == 0 ? rate_bps : rate_bps / stripes;
}

void worker_limit(struct worker *worker, struct session *session, nsec now)
{
	uint64_t rate_bps = part_of(session, session->rate_bps);

	if (session->params.role == TRANSFER_RECEIVE) {
		receiver_set_rate(&session->machine.receiver, rate_bps, now);
		return;
	}
	rate_bps = u64_min(rate_bps, session->peer_rate_bps);
	shaper_limit(&worker->shaper, session_slot(session->params.session_id),
		rate_bps == RATE_AUTO ? RATE_UNLIMITED : rate_bps, now);
	worker_choose_auto(worker, now);
}
