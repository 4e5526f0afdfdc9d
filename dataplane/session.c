/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/crc.h"

int session_create(struct session **session, const struct transfer_session *params,
	uint32_t window, nsec stall_timeout)
{
	struct session *made = calloc(1, sizeof(*made));

	if (made == NULL)
		return -ENOMEM;
	made->params = *params;
	if (params->role == TRANSFER_RECEIVE) {
		uint32_t most = params->manifest->nchunks / u32_max(params->stripes, 1);

		made->pulled = calloc(BITMAP_WORDS(most + 1), sizeof(*made->pulled));
		if (made->pulled == NULL) {
			free(made);
			return -ENOMEM;
		}
	}
	made->params.peer_port = (uint16_t)(params->peer_port + params->stripe);
	made->window = u32_min(window, INFLIGHT_WINDOW_MAX);
	made->stall_timeout = stall_timeout;
	made->rate_bps = params->rate_bps == 0 ? RATE_UNLIMITED : params->rate_bps;
	made->peer_rate_bps = RATE_UNLIMITED;
	made->peer.ip = params->peer_ip;
	made->peer.port = made->params.peer_port;
	pn_window_init(&made->received);
	*session = made;
	return 0;
}

void session_destroy(struct session *session)
{
	if (session != NULL)
		free(session->pulled);
	free(session);
}

static void add(_Atomic uint64_t *counter, uint64_t amount)
{
	/* single writer: a load and a store, no locked instruction */
	atomic_store_explicit(counter,
		atomic_load_explicit(counter, memory_order_relaxed) + amount,
		memory_order_relaxed);
}

static enum verdict to_receiver(struct session *session, const struct wire_header *header,
	const uint8_t *payload, nsec now)
{
	struct receiver *receiver = &session->machine.receiver;
	union {
		struct wire_probe probe;
		struct wire_close close;
	} body;

	switch (header->type) {
	case WIRE_DATA:
		return receiver_on_data(receiver, header, payload, now);
	case WIRE_PROBE:
		if (!wire_get_probe(payload, header->payload_len, &body.probe))
			return CORRUPT;
		return receiver_on_probe(receiver, header, &body.probe, now);
	case WIRE_PROBE_ACK:
		return receiver_on_sign(receiver, header, now);
	case WIRE_CLOSE:
		if (!wire_get_close(payload, header->payload_len, &body.close))
			return CORRUPT;
		return receiver_on_close(receiver, &body.close, now);
	default:
		return CORRUPT;
	}
}

/* It comes with every PULL: one that is lost or late holds for a moment at most. */
static void heed_rate(struct session *session, uint32_t mbps)
{
	uint64_t rate_bps = mbps == 0 ? RATE_UNLIMITED : mbps * (uint64_t)1000000;

	if (mbps == WIRE_RATE_AUTO)
		rate_bps = RATE_AUTO;
	else if (rate_bps > RATE_MAX)
		rate_bps = RATE_UNLIMITED;
	if (rate_bps == session->peer_rate_bps)
		return;
	session->peer_rate_bps = rate_bps;
	session->has_new_limit = true;
}

static enum verdict to_sender(struct session *session, const struct wire_header *header,
	const uint8_t *payload, nsec now)
{
	struct sender *sender = &session->machine.sender;
	union {
		struct wire_pull pull;
		struct wire_ack ack;
		struct wire_close close;
	} body;
	enum verdict verdict;

	switch (header->type) {
	case WIRE_PULL:
		if (!wire_get_pull(payload, header->payload_len, &body.pull))
			return CORRUPT;
		verdict = sender_on_pull(sender, &body.pull, header->flags, now);
		if (verdict == ACCEPTED)
			heed_rate(session, body.pull.max_rate_mbps);
		return verdict;
	case WIRE_ACK:
		if (!wire_get_ack(payload, header->payload_len, &body.ack))
			return CORRUPT;
		return sender_on_ack(sender, &body.ack, now);
	case WIRE_CLOSE:
		if (!wire_get_close(payload, header->payload_len, &body.close))
			return CORRUPT;
		return sender_on_close(sender, &body.close, now);
	default:
		return CORRUPT;
	}
}

static enum verdict dispatch(struct session *session, const struct wire_header *header,
	const uint8_t *payload, nsec now)
{
	/* the slices of a chunk are checked where they are placed: a chunk that is
	 * complete already need not be read again */
	if (header->type != WIRE_DATA &&
		crc32c(payload, header->payload_len) != header->payload_crc)
		return CORRUPT;
	if (session->params.role == TRANSFER_SEND)
		return to_sender(session, header, payload, now);
	return to_receiver(session, header, payload, now);
}

COLD void session_change_port(struct session *session)
{
	uint32_t mix = session->params.peer_session_id ^ session->params.stripe << 24;
	uint32_t high;

	/* Knuth's multiplicative hash. The low bits count, for by them the peer's hints
	 * tell one port from the next. */
	mix = (mix + ++session->nports) * 2654435761u;
	high = mix >> 22 << 4;
	session->path.src_port =
		(uint16_t)(SESSION_PORT_MIN + (high | (session->nports & 15)));
	steering_on_port(&session->steering, session->path.src_port);
}

/* Where the peer's packets come to, and where it says that ours do. */
static void note_landing(
	struct session *session, const struct ether_frame *frame, uint8_t hint)
{
	bool is_astray = frame->queue != session->params.stripe;

	session->hint = steering_hint(frame->queue, frame->src_port);
	if (is_astray)
		add(&session->counters.strays, 1);
	/* relaxed: a state to look at, it orders nothing */
	atomic_store_explicit(
		&session->counters.is_astray, is_astray, memory_order_relaxed);
	if (steering_on_hint(&session->steering, hint))
		session_change_port(session);
}

/* Sent before the other end took the new slice size, or before we did. A PROBE says the
 * whole number itself, and an end is an end in any epoch. */
static bool is_of_other_epoch(
	const struct session *session, const struct wire_header *header)
{
	uint32_t epoch = session->params.role == TRANSFER_SEND
				 ? session->machine.sender.epoch
				 : session->machine.receiver.epoch;

	return header->type != WIRE_PROBE && header->type != WIRE_CLOSE &&
	       !wire_is_of_epoch(header, epoch);
}

static enum verdict take(
	struct session *session, const struct ether_frame *frame, nsec now)
{
	struct pn_window *received = &session->received;
	struct wire_header header;
	enum verdict verdict;
	bool is_next, is_probe;
	uint64_t pn;

	verdict = wire_get_header(frame->payload, frame->payload_len, &header);
	if (verdict != ACCEPTED)
		return verdict;
	if (header.session_id != session->params.session_id ||
		header.path != session->params.stripe)
		return STALE;
	pn = pn_expand(received, header.pn);
	if (!wire_is_authentic(
		    frame->payload, session->params.rx_key, &session->self, pn))
		return CORRUPT;
	verdict = pn_window_check(received, pn);
	if (verdict != ACCEPTED)
		return verdict;
	if (is_of_other_epoch(session, &header))
		return STALE;
	verdict = dispatch(session, &header, frame->payload + WIRE_HEADER_LEN, now);
	if (verdict == CORRUPT)
		return verdict;
	is_probe = header.type == WIRE_PROBE;
	if (is_probe && verdict == STALE)
		return STALE;
	if (frame->is_ce && header.type == WIRE_DATA)
		session->machine.receiver.ce_count++;
	note_landing(session, frame, header.hint);
	is_next = pn == received->next;
	pn_window_add(received, pn);
	if (header.type == WIRE_DATA || is_probe)
		receiver_on_number(&session->machine.receiver, &header, is_next, now);
	return verdict == STALE ? ACCEPTED
				: verdict; /* authentic, only too late to matter */
}

enum verdict session_on_packet(
	struct session *session, const struct ether_frame *frame, nsec now)
{
	enum verdict verdict = take(session, frame, now);

	if (verdict == CORRUPT || verdict == STALE) {
		add(&session->counters.packets_bad, 1);
		return verdict;
	}
	/* only the holder of the key could have sent it: this is where the peer is now */
	if (verdict == ACCEPTED && !session->is_path_set) {
		memcpy(session->path.dst_mac, frame->src_mac, ETHER_MAC_LEN);
		session->is_path_known = true;
		session->path_at = now;
	}
	add(&session->counters.wire_bytes,
		session->headers + frame->payload_len + ETHER_WIRE_OVERHEAD);
	return verdict;
}

bool session_poll(
	struct session *session, struct packet *packet, bool may_send_data, nsec now)
{
	uint32_t changes;
	bool sends;

	if (session->params.role == TRANSFER_SEND) {
		session->machine.sender.is_held = !may_send_data;
		sends = sender_poll(&session->machine.sender, packet, now);
		changes = session->machine.sender.path_changes;
	} else {
		sends = receiver_poll(
			&session->machine.receiver, &session->received, packet, now);
		changes = session->machine.receiver.path_changes;
	}
	/* routers that spread flows over several ways choose anew */
	if (changes != session->path_changes)
		session_change_port(session);
	session->path_changes = changes;
	if (sends)
		add(&session->counters.wire_bytes,
			session->headers + WIRE_HEADER_LEN + packet->payload_len +
				packet->padding_len + ETHER_WIRE_OVERHEAD);
	return sends;
}

static void seal(const struct session *session, const struct packet *packet, uint8_t *out)
{
	struct wire_header header = packet->header;

	header.session_id = session->params.peer_session_id;
	header.payload_len = (uint16_t)(packet->payload_len + packet->padding_len);
	header.path = (uint8_t)session->params.stripe;
	header.hint = session->hint;
	wire_put_header(out, &header, session->params.tx_key, &session->peer, packet->pn);
}

uint32_t session_frame(
	const struct session *session, const struct packet *packet, struct nic_tx *frame)
{
	const struct ether_path *path = &session->path;
	uint8_t *wire = frame->head + session->headers;
	bool is_inline = packet->payload == packet->body;

	ether_put_udp(frame->head, path,
		WIRE_HEADER_LEN + packet->payload_len + packet->padding_len);
	seal(session, packet, wire);
	frame->head_len = session->headers + WIRE_HEADER_LEN;
	if (is_inline) {
		memcpy(wire + WIRE_HEADER_LEN, packet->body, packet->payload_len);
		frame->head_len += packet->payload_len;
		frame->payload = packet->padding; /* zeros: no sum changes by them */
		frame->payload_len = packet->padding_len;
	} else {
		frame->payload = packet->payload;
		frame->payload_len = packet->payload_len;
	}
	ether_seal_udp(
		frame->head, path, frame->head_len, is_inline ? 0 : packet->payload_sum);
	frame->wants_sum = path->sum == ETHER_SUM_NIC;
	frame->is_ipv6 = !ip_is_v4(&path->src_ip);
	frame->link_len = (uint8_t)ether_link_len(path);
	return frame->head_len + frame->payload_len;
}

void session_touch(struct session *session, nsec now)
{
	if (session->params.role == TRANSFER_SEND)
		sender_touch(&session->machine.sender, now);
	else
		receiver_touch(&session->machine.receiver, now);
}

void session_set_paused(struct session *session, bool is_paused)
{
	if (session->params.role == TRANSFER_SEND)
		sender_set_paused(&session->machine.sender, is_paused);
	else
		receiver_set_paused(&session->machine.receiver, is_paused);
}

nsec session_deadline(const struct session *session)
{
	if (session->params.role == TRANSFER_SEND)
		return sender_deadline(&session->machine.sender);
	return receiver_deadline(&session->machine.receiver);
}

uint64_t session_backlog(const struct session *session)
{
	const struct sender *sender = &session->machine.sender;

	if (session->params.role != TRANSFER_SEND || sender->state != SENDER_RUNNING)
		return 0;
	return sender_backlog(sender);
}

static void publish(_Atomic uint64_t *counter, uint64_t value)
{
	atomic_store_explicit(counter, value, memory_order_relaxed);
}

void session_count(struct session *session)
{
	struct session_counters *counters = &session->counters;

	if (session->params.role == TRANSFER_SEND) {
		const struct sender *sender = &session->machine.sender;

		publish(&counters->slice_size, sender->config.slice_size);
		publish(&counters->path_changes, sender->path_changes);
		publish(&counters->bytes_done, sender->bytes_acked);
		publish(&counters->bytes_resent, sender->bytes_resent);
		publish(&counters->packets_lost,
			sender->inflight.lost - sender->inflight.spurious);
	} else {
		const struct receiver *receiver = &session->machine.receiver;

		publish(&counters->slice_size, receiver->config.slice_size);
		publish(&counters->path_changes, receiver->path_changes);
		publish(&counters->bytes_done, receiver->bytes_written);
		publish(&counters->bytes_resent, receiver->bytes_duplicate);
		publish(&counters->bytes_reused, receiver->bytes_reused);
	}
}

static bool has_ended(const struct session *session, struct transfer_report *report)
{
	if (session->params.role == TRANSFER_SEND) {
		const struct sender *sender = &session->machine.sender;

		report->event = sender->code == 0 ? REPORT_DONE : REPORT_FAILED;
		report->code = sender->code;
		report->by_peer = sender->by_peer;
		report->chunk = sender->fail_chunk;
		return sender->state == SENDER_FAILED || sender->state == SENDER_CLOSED;
	}
	report->event = session->machine.receiver.code == 0 ? REPORT_DONE : REPORT_FAILED;
	report->code = session->machine.receiver.code;
	report->by_peer = session->machine.receiver.by_peer;
	report->chunk = session->machine.receiver.fail_chunk;
	return session->machine.receiver.state == RECEIVER_DONE ||
	       session->machine.receiver.state == RECEIVER_FAILED;
}

/* Whether the machine was suspended or resumed since the last report. */
static bool has_turned(struct session *session, struct transfer_report *report)
{
	bool is_suspended = session->machine.receiver.state == RECEIVER_SUSPENDED;

	report->silence = session->machine.receiver.watch.silence;
	if (session->params.role == TRANSFER_SEND) {
		is_suspended = session->machine.sender.state == SENDER_SUSPENDED;
		report->silence = session->machine.sender.watch.silence;
	}
	if (is_suspended == session->is_suspended)
		return false;
	session->is_suspended = is_suspended;
	report->event = is_suspended ? REPORT_SUSPENDED : REPORT_RESUMED;
	report->code = 0;
	report->by_peer = false;
	report->chunk = UINT32_MAX;
	return true;
}

bool session_next_report(struct session *session, struct transfer_report *report)
{
	if (session->is_reported)
		return false;
	*report = (struct transfer_report){.session_id = session->params.session_id,
		.stripe = session->params.stripe,
		.stripes = session->params.stripes};
	session->is_reported = has_ended(session, report);
	return session->is_reported || has_turned(session, report);
}

static uint64_t load(const _Atomic uint64_t *counter)
{
	/* relaxed: a plain count, it orders nothing */
	return atomic_load_explicit(counter, memory_order_relaxed);
}

void session_add_stats(const struct session *session, struct transfer_stats *stats)
{
	const struct session_counters *counters = &session->counters;
	uint64_t slice_size;

	stats->bytes_done += load(&counters->bytes_done);
	stats->bytes_resent += load(&counters->bytes_resent);
	stats->bytes_reused += load(&counters->bytes_reused);
	stats->wire_bytes += load(&counters->wire_bytes);
	stats->packets_lost += load(&counters->packets_lost);
	stats->packets_bad += load(&counters->packets_bad);
	stats->strays += load(&counters->strays);
	stats->path_changes += load(&counters->path_changes);
	slice_size = load(&counters->slice_size);
	if (stats->slice_size == 0 || slice_size < stats->slice_size)
		stats->slice_size = slice_size;
	if (atomic_load_explicit(&counters->is_astray, memory_order_relaxed))
		stats->steered_by = STEERED_BY_HAND_OFF;
}
