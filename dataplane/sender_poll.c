/* SPDX-License-Identifier: BSD-3-Clause */
/* What a sender sends: slices, signs of life and CLOSE. */
#include <errno.h>
#include <string.h>

#include "dataplane/crc.h"
#include "dataplane/sender.h"
#include "dataplane/sender_internal.h"

#define SIGN_INTERVAL (50 * MSEC)

enum { ACKS_A_WINDOW = 8 };

static void fill(const struct sender *sender, struct packet *packet,
	const struct sender_request *request, uint32_t slice)
{
	uint32_t slice_size = sender->config.slice_size;
	uint32_t offset = slice * slice_size;
	uint32_t len = u32_min(request->len - offset, slice_size);

	packet->header.type = WIRE_DATA;
	packet->header.slice = (uint16_t)slice;
	packet->header.chunk = request->chunk;
	packet->header.payload_crc = request->block->slice_crc[slice];
	if (request->block->slice_sum != NULL)
		packet->payload_sum = request->block->slice_sum[slice];
	packet->payload = request->block->buf + offset;
	packet->payload_len = len;
}

static bool next_resend(
	struct sender *sender, struct packet *packet, struct inflight_slice *what)
{
	while (sender->nresend > 0) {
		const struct sender_request *request;

		*what = sender->resend[sender->resend_head];
		sender->resend_head = (sender->resend_head + 1) % INFLIGHT_RING;
		sender->nresend--;
		request = sender_find_request(sender, what->request);
		if (request == NULL || bitmap_test(request->acked, what->slice))
			continue; /* arrived after all */
		if (request->state != REQUEST_SENDING)
			continue; /* paused since: it begins again */
		fill(sender, packet, request, what->slice);
		packet->header.flags |= WIRE_RETX;
		sender->bytes_resent += packet->payload_len;
		return true;
	}
	return false;
}

/* After a pause some of what begins again is there already. */
static bool has_unsent(struct sender_request *request)
{
	while (request->next_slice < request->nslices &&
		bitmap_test(request->acked, request->next_slice))
		request->next_slice++;
	return request->next_slice < request->nslices;
}

static bool next_new(
	struct sender *sender, struct packet *packet, struct inflight_slice *what)
{
	for (uint32_t n = sender->first_unsent; n != sender->next_request; n++) {
		struct sender_request *request = sender_find_request(sender, n);

		if (request == NULL || request->state != REQUEST_SENDING ||
			!has_unsent(request))
			continue;
		what->request = n;
		what->slice = (uint16_t)request->next_slice++;
		fill(sender, packet, request, what->slice);
		return true;
	}
	return false;
}

static bool has_credit(struct sender *sender)
{
	if (sender->may_probe)
		return true;
	if (sender->inflight.probes >= SENDER_STUCK)
		return false; /* nothing came of what went out: one at a time */
	if (inflight_load(&sender->inflight) >= sender_window(sender)) {
		sender->is_limited = true;
		return false;
	}
	return inflight_has_room(&sender->inflight) &&
	       sender->sent_units + wire_units(sender->config.slice_size) <=
		       sender->credit;
}

static bool poll_data(struct sender *sender, struct packet *packet, nsec now)
{
	struct inflight_slice what;

	if (sender->is_paused || sender->is_held || !has_credit(sender))
		return false;
	if (!next_resend(sender, packet, &what) && !next_new(sender, packet, &what))
		return false;
	/* the receiver's own rhythm, 16 packets or 25 us, is too slow for a small window
	 */
	if (++sender->unasked >= u32_max(sender_window(sender) / ACKS_A_WINDOW, 1) ||
		sender->inflight.overdue > 0 || sender->may_probe) {
		packet->header.flags |= WIRE_ACK_NOW;
		sender->unasked = 0;
	}
	if (sender->may_probe && sender->nstuck++ == 0)
		sender->stuck_at = now;
	sender->may_probe = false;
	what.units = (uint16_t)wire_units(packet->payload_len);
	sender->sent_units += what.units;
	packet->pn = inflight_send(&sender->inflight, &what, now);
	return true;
}

static COLD bool poll_control(struct sender *sender, struct packet *packet, nsec now)
{
	static const struct inflight_slice control = {0};

	if (sender->owes_close) {
		const struct wire_close close = {
			.code = (uint32_t)-sender->code,
			.chunk = sender->fail_chunk,
		};

		packet->header.type = WIRE_CLOSE;
		packet->payload_len = wire_put_close(packet->body, &close);
		sender->owes_close = false;
	} else if (sender->owes_place) {
		packet->header.type = WIRE_PROBE_ACK;
		packet->header.flags = WIRE_PACK;
		packet->header.chunk = sender->pack_chunk;
		packet->payload_len = 0;
		sender->owes_place = false;
		sender->owes_sign = false;
	} else if (sender->owes_sign && now - sender->last_sent >= SIGN_INTERVAL) {
		packet->header.type = WIRE_PROBE_ACK;
		packet->payload_len = 0;
		sender->owes_sign = false;
	} else {
		return false;
	}
	packet->payload = packet->body;
	packet->header.payload_crc = crc32c(packet->body, packet->payload_len);
	packet->pn = inflight_send(&sender->inflight, &control, now);
	return true;
}

/* Looks after the requests once a burst, whose packets share one `now`, and again when
 * the burst would end for want of a chunk. */
static bool poll_running(struct sender *sender, struct packet *packet, nsec now)
{
	bool is_fresh = sender->prepared_at == now;

	for (;;) {
		if (!is_fresh && !sender->is_paused)
			sender_prepare_requests(sender, now);
		sender->prepared_at = now;
		if (sender->state != SENDER_RUNNING)
			return false;
		if (poll_data(sender, packet, now))
			return true;
		if (!is_fresh)
			return false;
		is_fresh = false;
	}
}

bool sender_poll(struct sender *sender, struct packet *packet, nsec now)
{
	bool sends = false;

	memset(&packet->header, 0, sizeof(packet->header));
	packet->padding_len = 0;
	/* once a burst, whose packets share one `now` */
	if (sender->timed_at != now && !sender_is_over(sender))
		sender_on_timers(sender, now);
	if (sender->state == SENDER_RUNNING)
		sends = poll_running(sender, packet, now);
	if (!sends)
		sends = sender_poll_probe(sender, packet, now) ||
			poll_control(sender, packet, now);
	if (!sends)
		return false;
	packet->header.flags |= wire_epoch_flags(sender->epoch);
	packet->header.tx_time = wire_time(now);
	packet->header.sent_units = (uint32_t)sender->sent_units;
	sender->last_sent = now;
	return true;
}

nsec sender_deadline(const struct sender *sender)
{
	nsec deadline = NEVER;

	if (!sender_is_over(sender))
		deadline = nsec_min(
			sender_timers_deadline(sender), pack_deadline(&sender->member));
	if (sender->owes_sign)
		deadline = nsec_min(deadline, sender->last_sent + SIGN_INTERVAL);
	return deadline;
}
