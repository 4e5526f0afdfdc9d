/* SPDX-License-Identifier: BSD-3-Clause */
/* What a worker hears: from its own queue, and from the other workers what came to theirs
 * by mistake. */
#include "dataplane/worker_internal.h"

enum { CACHE_LINE = 64 }; /* bytes */

/* Hands a frame to another worker of the device. */
static COLD void hand_over(struct worker *worker, const struct nic_rx *rx, uint32_t to)
{
	if (!strays_put(
		    worker->config.strays, worker->config.queue, to, rx->data, rx->len)) {
		worker->frames_lost++;
		return;
	}
	worker->handed |= 1u << to;
}

/* Each worker asks for itself, and the answer comes to any queue. */
static COLD void share(struct worker *worker, const struct nic_rx *rx)
{
	const struct strays *strays = worker->config.strays;

	for (uint32_t to = 0; strays != NULL && to < strays->nqueues; to++) {
		if (to != worker->config.queue)
			hand_over(worker, rx, to);
	}
}

static void to_session(struct worker *worker, const struct nic_rx *rx,
	const struct ether_frame *frame, nsec now)
{
	struct session *session = NULL;
	struct wire_header header;

	if (wire_get_header(frame->payload, frame->payload_len, &header) == ACCEPTED &&
		session_slot(header.session_id) < WORKER_SESSIONS)
		session = worker->sessions[session_slot(header.session_id)];
	if (session == NULL || session->is_stopping ||
		!ether_is_intact(frame, rx->is_sum_good)) {
		worker->frames_bad++;
		return;
	}
	(void)session_on_packet(session, frame, now);
	if (unlikely(session->has_new_limit)) {
		session->has_new_limit = false;
		worker_limit(worker, session, now);
	}
}

static void on_datagram(struct worker *worker, const struct nic_rx *rx,
	const struct ether_frame *frame, nsec now)
{
	const struct strays *strays = worker->config.strays;
	uint32_t to = (uint16_t)(frame->dst_port - worker->config.port);

	if (!ip_is_equal(&frame->dst_ip, &worker->config.ip))
		worker->frames_bad++;
	else if (likely(to == worker->config.queue))
		to_session(worker, rx, frame, now);
	else if (strays != NULL && to < strays->nqueues &&
		 frame->queue == worker->config.queue)
		hand_over(worker, rx, to);
	else
		worker->frames_bad++;
}

/* queue is the one the frame came to. */
static void on_frame(
	struct worker *worker, const struct nic_rx *rx, uint32_t queue, nsec now)
{
	struct ether_frame frame;

	ether_parse(rx->data, rx->len, &frame);
	if (frame.kind == ETHER_OTHER || frame.vlan != worker->config.vlan)
		return;
	frame.queue = queue;
	if (likely(frame.kind == ETHER_UDP)) {
		on_datagram(worker, rx, &frame, now);
		return;
	}
	worker_on_neighbor(worker, &frame, now);
	if (frame.kind == ETHER_ANSWER && queue == worker->config.queue)
		share(worker, rx);
}

static bool poll_nic(struct worker *worker, nsec now)
{
	struct nic *nic = worker->config.nic;
	struct nic_rx frames[NIC_BURST];
	int count = nic->ops->rx(nic->self, frames, NIC_BURST);

	/* the headers of a frame are two lines that a device or another core wrote */
	for (int i = 0; i < count; i++) {
		__builtin_prefetch(frames[i].data);
		__builtin_prefetch(frames[i].data + CACHE_LINE);
	}
	for (int i = 0; i < count; i++)
		on_frame(worker, &frames[i], worker->config.queue, now);
	if (count > 0)
		nic->ops->release(nic->self, frames, count);
	if (count < NIC_BURST)
		worker->turns.emptied_at = now;
	return count > 0;
}

static bool poll_strays(struct worker *worker, uint32_t from, nsec now)
{
	struct strays *strays = worker->config.strays;
	uint32_t to = worker->config.queue;
	const struct stray *stray;
	int count = 0;

	for (; count < NIC_BURST; count++) {
		struct nic_rx rx = {0};

		stray = strays_front(strays, from, to);
		if (stray == NULL)
			break;
		rx.data = stray->bytes;
		rx.len = stray->len;
		on_frame(worker, &rx, from, now);
		strays_drop(strays, from, to);
	}
	return count > 0;
}

static void wake_others(struct worker *worker)
{
	for (uint32_t to = 0; worker->handed != 0; to++) {
		if (worker->handed & 1u << to)
			worker->config.wake(worker->config.wake_ctx, to);
		worker->handed &= ~(1u << to);
	}
}

bool worker_receive(struct worker *worker, nsec now)
{
	const struct strays *strays = worker->config.strays;
	bool busy = poll_nic(worker, now);

	for (uint32_t from = 0; strays != NULL && from < strays->nqueues; from++) {
		if (from != worker->config.queue)
			busy |= poll_strays(worker, from, now);
	}
	wake_others(worker);
	return busy;
}
