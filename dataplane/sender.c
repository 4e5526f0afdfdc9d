/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/sender.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "dataplane/crc.h"

#define SIGN_INTERVAL (50 * MSEC)

enum { ACKS_A_WINDOW = 8 };

static const bool moves[SENDER_CLOSED + 1][SENDER_CLOSED + 1] = {
	[SENDER_RUNNING] = {[SENDER_FAILED] = true, [SENDER_CLOSED] = true},
};

static void sender_move(struct sender *sender, enum sender_state to)
{
	assert(moves[sender->state][to]);
	sender->state = to;
}

void sender_init(struct sender *sender, const struct sender_config *config, nsec now)
{
	memset(sender, 0, sizeof(*sender));
	sender->config = *config;
	sender->fail_chunk = UINT32_MAX;
	sender->last_heard = now;
	inflight_init(&sender->inflight);
	cc_init(&sender->cc, config->cc, config->window);
	sender->slices_shift = 31 - (uint32_t)__builtin_clz(config->manifest->chunk_size /
							    config->slice_size);
}

static struct sender_request *find(struct sender *sender, uint32_t number)
{
	struct sender_request *request = &sender->requests[number % SENDER_REQUESTS];

	if (request->state == REQUEST_FREE || request->number != number)
		return NULL;
	return request;
}

static void finish(struct sender *sender, struct sender_request *request)
{
	if (request->block != NULL) {
		cache_put(sender->config.cache, request->block);
		sender->nblocks--;
	}
	request->block = NULL;
	request->state = REQUEST_FREE;
	while (sender->oldest_request != sender->next_request &&
		find(sender, sender->oldest_request) == NULL)
		sender->oldest_request++;
}

void sender_fini(struct sender *sender)
{
	for (size_t i = 0; i < SENDER_REQUESTS; i++) {
		if (sender->requests[i].state != REQUEST_FREE)
			finish(sender, &sender->requests[i]);
	}
}

static COLD void fail(struct sender *sender, int code, uint32_t chunk)
{
	sender->code = code;
	sender->fail_chunk = chunk;
	sender->owes_close = true;
	sender_move(sender, SENDER_FAILED);
	sender_fini(sender);
}

static void want(struct sender *sender, uint32_t chunk, uint8_t flags)
{
	uint32_t number = sender->next_request++;
	struct sender_request *request = &sender->requests[number % SENDER_REQUESTS];
	uint32_t len = manifest_chunk_len(sender->config.manifest, chunk);
	uint32_t slice_size = sender->config.slice_size;

	assert(request->state == REQUEST_FREE);
	request->state = REQUEST_WANTED;
	request->number = number;
	request->chunk = chunk;
	request->flags = flags;
	request->nslices = (len + slice_size - 1) / slice_size;
	request->next_slice = 0;
	request->nacked = 0;
	bitmap_zero(request->acked, request->nslices);
}

static bool is_sane(const struct sender *sender, const struct wire_pull *pull)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < pull->nruns; i++) {
		uint64_t end = (uint64_t)pull->runs[i].first + pull->runs[i].count;

		if (end > sender->config.manifest->nchunks)
			return false;
		total += pull->runs[i].count;
	}
	/* a receiver never has more open than there are slots, and repeats all that are
	 * open */
	return total <= SENDER_REQUESTS &&
	       (int32_t)(pull->first_request - sender->next_request) <= 0;
}

enum verdict sender_on_pull(
	struct sender *sender, const struct wire_pull *pull, uint8_t flags, nsec now)
{
	uint32_t number = pull->first_request;

	if (!is_sane(sender, pull))
		return CORRUPT;
	sender->last_heard = now;
	if (pull->credit > sender->credit)
		sender->credit = pull->credit;
	if (sender->state != SENDER_RUNNING) {
		sender->owes_close = sender->state == SENDER_FAILED;
		return STALE;
	}
	for (uint32_t i = 0; i < pull->nruns; i++) {
		const struct wire_run *run = &pull->runs[i];

		for (uint32_t k = 0; k < run->count; k++, number++) {
			if (number != sender->next_request)
				continue;
			if (number - sender->oldest_request >= SENDER_REQUESTS)
				return ACCEPTED; /* the rest comes again with the next
						    PULL */
			want(sender, run->first + k, run->flags);
		}
	}
	if (flags & WIRE_ACK_NOW)
		sender->owes_sign = true;
	return ACCEPTED;
}

static uint32_t window(const struct sender *sender)
{
	return u32_min(cc_window(&sender->cc), sender->config.window);
}

/* Tells congestion control what an ACK or a timer has shown. */
static void judge(struct sender *sender, uint32_t nmarked, nsec now)
{
	const struct inflight_outcome *outcome = &sender->outcome;
	const struct cc_ack ack = {
		.now = now,
		.rtt = outcome->rtt,
		.srtt = sender->inflight.srtt,
		.nacked = outcome->nacked,
		.nlost = outcome->nlost,
		.nspurious = outcome->nspurious,
		.nmarked = nmarked,
		.is_limited = sender->is_limited,
	};

	cc_on_ack(&sender->cc, &ack);
	if (outcome->nacked > 0)
		sender->is_limited = false;
}

static void acknowledge(struct sender *sender, const struct inflight_slice *what)
{
	struct sender_request *request = find(sender, what->request);

	if (request == NULL || bitmap_test_and_set(request->acked, what->slice))
		return;
	if (++request->nacked == request->nslices) {
		sender->bytes_acked +=
			manifest_chunk_len(sender->config.manifest, request->chunk);
		finish(sender, request);
	}
}

static void apply(struct sender *sender)
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

enum verdict sender_on_ack(struct sender *sender, const struct wire_ack *ack, nsec now)
{
	if (!inflight_on_ack(&sender->inflight, ack, &sender->outcome, now))
		return CORRUPT;
	sender->last_heard = now;
	if (ack->credit > sender->credit)
		sender->credit = ack->credit;
	if (sender->state != SENDER_RUNNING)
		return STALE;
	judge(sender, new_marks(sender, ack->ce_count), now);
	apply(sender);
	return ACCEPTED;
}

enum verdict sender_on_close(
	struct sender *sender, const struct wire_close *close, nsec now)
{
	sender->last_heard = now;
	if (sender->state != SENDER_RUNNING)
		return STALE;
	sender->code = wire_close_error(close);
	sender->fail_chunk = close->chunk;
	sender->by_peer = true;
	sender_move(sender, SENDER_CLOSED);
	sender_fini(sender);
	return ACCEPTED;
}

/* A chunk that did not verify at the receiver was read again: if it is the disk that is
 * wrong, say so instead of sending the same bytes once more. */
static COLD bool is_rotten(
	const struct sender *sender, const struct sender_request *request)
{
	const struct manifest *manifest = sender->config.manifest;
	uint32_t len = manifest_chunk_len(manifest, request->chunk);

	return crc32c(request->block->buf, len) !=
	       manifest->leaves[request->chunk].crc32c;
}

/* Moves a request towards SENDING. Returns false when the sender failed over it. */
static bool prepare(struct sender *sender, struct sender_request *request)
{
	const struct sender_config *config = &sender->config;

	if (request->state == REQUEST_WANTED &&
		sender->nblocks <
			SENDER_READAHEAD + (window(sender) >> sender->slices_shift)) {
		request->block = cache_get(config->cache, config->object, request->chunk,
			config->slice_size, request->flags & PULL_REFRESH);
		if (request->block == NULL)
			return true;
		sender->nblocks++;
		request->state = REQUEST_LOADING;
	}
	if (request->state != REQUEST_LOADING)
		return true;
	if (request->block->state == BLOCK_FAILED) {
		fail(sender, request->block->error, request->chunk);
		return false;
	}
	if (request->block->state == BLOCK_READY) {
		if ((request->flags & PULL_REFRESH) && is_rotten(sender, request)) {
			fail(sender, -EBADMSG, request->chunk);
			return false;
		}
		request->state = REQUEST_SENDING;
	}
	return true;
}

static void fill(struct sender *sender, struct packet *packet,
	const struct sender_request *request, uint32_t slice)
{
	const struct sender_config *config = &sender->config;
	uint32_t offset = slice * config->slice_size;
	uint32_t len = manifest_chunk_len(config->manifest, request->chunk) - offset;

	len = u32_min(len, config->slice_size);
	packet->header.type = WIRE_DATA;
	packet->header.slice = (uint16_t)slice;
	packet->header.chunk = request->chunk;
	packet->header.payload_crc = request->block->slice_crc[slice];
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
		request = find(sender, what->request);
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

/* Requests before it are free, or entirely out. */
static void advance(struct sender *sender)
{
	if ((int32_t)(sender->first_unsent - sender->oldest_request) < 0)
		sender->first_unsent = sender->oldest_request;
	for (; sender->first_unsent != sender->next_request; sender->first_unsent++) {
		const struct sender_request *request = find(sender, sender->first_unsent);

		if (request != NULL && (request->state != REQUEST_SENDING ||
					       request->next_slice < request->nslices))
			return;
	}
}

static bool next_new(
	struct sender *sender, struct packet *packet, struct inflight_slice *what)
{
	for (uint32_t n = sender->first_unsent; n != sender->next_request; n++) {
		struct sender_request *request = find(sender, n);

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
	if (sender->inflight.count >= window(sender)) {
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

	if (sender->is_paused || !has_credit(sender))
		return false;
	if (!next_resend(sender, packet, &what) && !next_new(sender, packet, &what))
		return false;
	/* the receiver's own rhythm, 16 packets or 25 us, is too slow for a small window
	 */
	if (++sender->unasked >= u32_max(window(sender) / ACKS_A_WINDOW, 1) ||
		sender->may_probe) {
		packet->header.flags |= WIRE_ACK_NOW;
		sender->unasked = 0;
	}
	sender->may_probe = false;
	what.units = (uint16_t)wire_units(packet->payload_len);
	sender->sent_units += what.units;
	packet->pn = inflight_send(&sender->inflight, &what, now);
	return true;
}

static void poll_requests(struct sender *sender)
{
	advance(sender);
	for (uint32_t n = sender->first_unsent; n != sender->next_request; n++) {
		struct sender_request *request = find(sender, n);

		if (request != NULL && request->state < REQUEST_SENDING &&
			!prepare(sender, request))
			return;
	}
}

COLD void sender_set_paused(struct sender *sender, bool is_paused)
{
	if (sender->is_paused == is_paused)
		return;
	sender->is_paused = is_paused;
	sender->nresend = 0; /* what is not acknowledged goes out anew */
	sender->first_unsent = sender->oldest_request;
	for (size_t i = 0; i < SENDER_REQUESTS; i++) {
		struct sender_request *request = &sender->requests[i];

		if (request->block == NULL)
			continue;
		cache_put(sender->config.cache, request->block);
		sender->nblocks--;
		request->block = NULL;
		request->state = REQUEST_WANTED;
		request->next_slice = 0;
	}
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

static void on_timers(struct sender *sender, nsec now)
{
	if (now - sender->last_heard >= sender->config.stall_timeout) {
		fail(sender, -ETIMEDOUT, UINT32_MAX);
		return;
	}
	if (now < inflight_deadline(&sender->inflight))
		return;
	if (inflight_on_timer(&sender->inflight, &sender->outcome, now)) {
		sender->may_probe = true;
		cc_on_probe_timeout(&sender->cc, sender->inflight.probes);
	} else {
		judge(sender, 0, now);
	}
	apply(sender);
}

bool sender_poll(struct sender *sender, struct packet *packet, nsec now)
{
	bool sends = false;

	memset(&packet->header, 0, sizeof(packet->header));
	if (sender->state == SENDER_RUNNING)
		on_timers(sender, now);
	if (sender->state == SENDER_RUNNING && !sender->is_paused)
		poll_requests(sender);
	if (sender->state == SENDER_RUNNING)
		sends = poll_data(sender, packet, now);
	if (!sends)
		sends = poll_control(sender, packet, now);
	if (!sends)
		return false;
	packet->header.tx_time = wire_time(now);
	packet->header.sent_units = (uint32_t)sender->sent_units;
	sender->last_sent = now;
	return true;
}

nsec sender_deadline(const struct sender *sender)
{
	nsec deadline = NEVER;

	if (sender->state == SENDER_RUNNING)
		deadline = nsec_min(inflight_deadline(&sender->inflight),
			sender->last_heard + sender->config.stall_timeout);
	if (sender->owes_sign)
		deadline = nsec_min(deadline, sender->last_sent + SIGN_INTERVAL);
	return deadline;
}
