/* SPDX-License-Identifier: BSD-3-Clause */
/* A worker with one session at a desk: its nic and its store are in the target's hand,
 * and whatever comes out of it is checked at once.
 *
 *   chunk 0: 44000 bytes   1: zeros   2: 3000 bytes   3: zeros   4: 64 bytes */
#ifndef SESSION_DESK_H
#define SESSION_DESK_H

#include "dataplane/crc.h"
#include "dataplane/worker.h"
#include "hugepages/pool.h"
#include "tests/fuzz/targets/fuzz.h"

enum {
	DESK_CHUNK = MANIFEST_CHUNK_MIN,
	DESK_CHUNKS = 5,
	DESK_SLICE = 1408, /* as agreed; the next smaller is 1152 */
	DESK_BUFFERS = 2,  /* fewer than chunks to move */
	DESK_REQUESTS = 8,
	DESK_FRAME = 2048,
	DESK_CONTENT = 44000, /* bytes of the largest chunk that is not zero */
	DESK_PORT = 4791,
};

struct desk {
	struct worker worker;
	struct nic nic;
	struct store store;
	struct arena arena;
	struct pool pool;
	struct manifest manifest;
	struct session *session;
	void *memory;
	uint8_t *content; /* DESK_CHUNKS times DESK_CONTENT; of zero chunks unused */
	uint64_t have;    /* receive: bit a chunk */
	nsec now;
	uint64_t pn;       /* the peer's next */
	uint64_t next_pn;  /* the session has used no number from here on */
	uint32_t capacity; /* frames the nic takes before it is full; UINT32_MAX: never */
	uint32_t in_len;   /* a frame waits if it is not 0 */
	uint8_t in[DESK_FRAME];
	uint32_t nrequests; /* under way in the store */
	struct store_request requests[DESK_REQUESTS];
	uint32_t ndone;
	struct store_completion done[DESK_REQUESTS];
	uint32_t pulled;  /* send: bit a chunk that a PULL named */
	bool may_be_done; /* send: the peer said so */
	uint32_t written; /* receive: bit a chunk that the store has */
	bool is_rotten;   /* some read was wrong */
	uint32_t nends;   /* DONE or FAILED */
	uint32_t nstopped;
	bool is_suspended;
};

static inline bool desk_is_zero(uint32_t chunk)
{
	return chunk == 1 || chunk == 3;
}

static inline const uint8_t *desk_content(const struct desk *desk, uint32_t chunk)
{
	return desk->content + (size_t)chunk * DESK_CONTENT;
}

static inline int desk_rx(void *self, struct nic_rx frames[], int max)
{
	struct desk *desk = self;

	MUST(max > 0);
	if (desk->in_len == 0)
		return 0;
	frames[0] = (struct nic_rx){desk->in, desk->in_len, desk, false};
	return 1;
}

static inline void desk_release(void *self, struct nic_rx frames[], int count)
{
	struct desk *desk = self;

	MUST(count == 1 && frames[0].handle == desk);
	desk->in_len = 0;
}

/* A slice is of a chunk that was asked for, and holds the bytes the store gave. */
static inline void desk_check_data(
	const struct desk *desk, const struct wire_header *header, const uint8_t *payload)
{
	const struct sender *sender = &desk->session->machine.sender;
	uint32_t size = sender->config.slice_size;
	uint32_t at = (uint32_t)header->slice * size;
	uint32_t len;

	if (!wire_is_of_epoch(header, sender->epoch))
		return; /* waited in the nic meanwhile */

	MUST(header->chunk < DESK_CHUNKS && (desk->pulled >> header->chunk & 1) != 0);
	len = manifest_chunk_len(&desk->manifest, header->chunk);
	MUST(at < len && header->payload_len == u32_min(size, len - at));
	if (!desk_is_zero(header->chunk) && !desk->is_rotten)
		MUST(memcmp(payload, desk_content(desk, header->chunk) + at,
			     header->payload_len) == 0);
}

static inline void desk_check_packet(struct desk *desk, const struct ether_frame *frame)
{
	const struct transfer_session *params = &desk->session->params;
	const uint8_t *payload = frame->payload + WIRE_HEADER_LEN;
	bool is_sender = params->role == TRANSFER_SEND;
	struct wire_header header;

	MUST(wire_get_header(frame->payload, frame->payload_len, &header) == ACCEPTED);
	MUST(header.session_id == params->peer_session_id);
	MUST(wire_is_authentic(
		frame->payload, params->tx_key, &desk->session->peer, header.pn));
	MUST(header.pn >= desk->next_pn);
	desk->next_pn = (uint64_t)header.pn + 1;
	MUST(header.payload_crc == crc32c(payload, header.payload_len));
	switch (header.type) {
	case WIRE_DATA:
		MUST(is_sender);
		desk_check_data(desk, &header, payload);
		break;
	case WIRE_PROBE:
	case WIRE_PROBE_ACK:
		MUST(is_sender);
		break;
	case WIRE_CLOSE:
		break;
	default:
		MUST(!is_sender);
		break;
	}
}

static inline int desk_tx(void *self, const struct nic_tx frames[], int count)
{
	struct desk *desk = self;
	int taken = 0;

	for (; taken < count && desk->capacity > 0; taken++) {
		const struct nic_tx *tx = &frames[taken];
		uint8_t bytes[DESK_FRAME];
		struct ether_frame frame;

		if (desk->capacity != UINT32_MAX)
			desk->capacity--;
		MUST(tx->head_len <= NIC_HEAD_MAX);
		MUST(tx->head_len + tx->payload_len <= sizeof(bytes));
		memcpy(bytes, tx->head, tx->head_len);
		if (tx->payload_len > 0)
			memcpy(bytes + tx->head_len, tx->payload, tx->payload_len);
		ether_parse(bytes, tx->head_len + tx->payload_len, &frame);
		if (frame.kind == ETHER_UDP)
			desk_check_packet(desk, &frame);
	}
	return taken;
}

/* Nothing reaches the disk but what the manifest promises, and only once. */
static inline void desk_check_write(
	const struct desk *desk, const struct store_request *request)
{
	uint32_t chunk = request->chunk;

	MUST(desk->session->params.role == TRANSFER_RECEIVE);
	MUST(!desk_is_zero(chunk) && (desk->have >> chunk & 1) == 0);
	MUST((desk->written >> chunk & 1) == 0);
	for (uint32_t i = 0; i < desk->nrequests; i++)
		MUST(desk->requests[i].chunk != chunk);
	MUST(memcmp(request->buf, desk_content(desk, chunk),
		     manifest_chunk_len(&desk->manifest, chunk)) == 0);
}

static inline bool desk_submit(void *self, const struct store_request *request)
{
	struct desk *desk = self;

	MUST(request->chunk < DESK_CHUNKS);
	if (desk->nrequests + desk->ndone == DESK_REQUESTS)
		return false;
	if (request->op == STORE_WRITE)
		desk_check_write(desk, request);
	else
		MUST((desk->pulled >> request->chunk & 1) != 0);
	desk->requests[desk->nrequests++] = *request;
	return true;
}

static inline int desk_poll(void *self, struct store_completion completions[], int max)
{
	struct desk *desk = self;
	int count = 0;

	while (count < max && desk->ndone > 0)
		completions[count++] = desk->done[--desk->ndone];
	return count;
}

static inline void desk_read(
	struct desk *desk, const struct store_request *request, bool rotten)
{
	uint32_t len = manifest_chunk_len(&desk->manifest, request->chunk);

	if (desk_is_zero(request->chunk))
		memset(request->buf, 0, len);
	else
		memcpy(request->buf, desk_content(desk, request->chunk), len);
	if (rotten)
		request->buf[len / 2] ^= 1;
	desk->is_rotten |= rotten;
	store_sum_slices(request, len);
}

/* The store is done with a request; the worker hears of it when it polls next. */
static inline void desk_finish(struct desk *desk, uint32_t which, int error, bool rotten)
{
	struct store_request request;

	if (desk->nrequests == 0)
		return;
	which %= desk->nrequests;
	request = desk->requests[which];
	desk->requests[which] = desk->requests[--desk->nrequests];
	if (error == 0 && request.op == STORE_READ)
		desk_read(desk, &request, rotten);
	if (error == 0 && request.op == STORE_WRITE)
		desk->written |= 1u << request.chunk;
	desk->done[desk->ndone++] =
		(struct store_completion){.cookie = request.cookie, .error = error};
}

static inline void desk_report(void *ctx, const struct transfer_report *report)
{
	struct desk *desk = ctx;

	MUST(report->session_id == desk->session->params.session_id);
	MUST(desk->nstopped == 0);
	if (report->event == REPORT_STOPPED) {
		desk->nstopped++;
		return;
	}
	if (report->event == REPORT_SUSPENDED || report->event == REPORT_RESUMED) {
		MUST(desk->nends == 0);
		MUST((report->event == REPORT_SUSPENDED) == !desk->is_suspended);
		desk->is_suspended = !desk->is_suspended;
		return;
	}
	MUST(++desk->nends == 1);
	MUST((report->event == REPORT_DONE) == (report->code == 0));
	if (report->event != REPORT_DONE)
		return;
	if (desk->session->params.role == TRANSFER_SEND)
		MUST(desk->may_be_done);
	else
		for (uint32_t i = 0; i < DESK_CHUNKS; i++)
			MUST(desk_is_zero(i) ||
				((desk->have | desk->written) >> i & 1) != 0);
}

static inline void desk_make_snapshot(struct desk *desk)
{
	struct manifest *manifest = &desk->manifest;

	MUST(manifest_init(manifest, DESK_CHUNK, NULL) == 0);
	MUST(manifest_add(manifest, "a", 4000, 0644, NULL) == 0);
	MUST(manifest_add(manifest, "b", 40000, 0644, NULL) == 0);
	MUST(manifest_add(manifest, "c", DESK_CHUNK + 3000, 0644, NULL) == 0);
	MUST(manifest_add(manifest, "d", DESK_CHUNK + 64, 0644, NULL) == 0);
	MUST(manifest_layout(manifest, NULL) == 0 && manifest->nchunks == DESK_CHUNKS);
	desk->content = malloc((size_t)DESK_CHUNKS * DESK_CONTENT);
	MUST(desk->content != NULL);
	for (uint32_t i = 0; i < DESK_CHUNKS; i++) {
		uint8_t *bytes = desk->content + (size_t)i * DESK_CONTENT;
		uint32_t len = manifest_chunk_len(manifest, i);

		if (desk_is_zero(i)) {
			manifest->leaves[i].flags = LEAF_ZERO;
			continue;
		}
		/* no two lines of 64 bytes near each other are the same */
		for (uint32_t at = 0; at < len; at += 64)
			memset(bytes + at, (int)(1 + 41 * i + at / 64 % 200),
				u32_min(64, len - at));
		manifest->leaves[i] = manifest_leaf_of(bytes, len);
	}
}

static inline void desk_init(struct desk *desk, enum transfer_role role, uint64_t have)
{
	static const struct nic_ops nic_ops = {desk_rx, desk_release, desk_tx};
	static const struct store_ops store_ops = {desk_submit, desk_poll};
	size_t memory = pool_memory(DESK_BUFFERS, DESK_CHUNK);
	struct worker_config config = {.nic = &desk->nic,
		.store = &desk->store,
		.pool = &desk->pool,
		.nbuffers = DESK_BUFFERS,
		.ip = IP_V4(10, 0, 0, 1),
		.prefix_len = 24,
		.port = DESK_PORT,
		.report = desk_report,
		.report_ctx = desk};
	struct transfer_session params = {.role = role,
		.session_id = session_make_id(3, 7),
		.peer_session_id = session_make_id(9, 1),
		.peer_ip = IP_V4(10, 0, 0, 2),
		.peer_port = DESK_PORT,
		.slice_size = DESK_SLICE,
		.rx_key = {1},
		.tx_key = {2},
		.manifest = &desk->manifest,
		.object = (struct store_object *)desk,
		.have = &desk->have};

	memset(desk, 0, sizeof(*desk));
	desk->have = have;
	desk->now = 1 * SEC;
	desk->capacity = UINT32_MAX;
	desk->nic = (struct nic){&nic_ops, desk, {2, 0, 0, 0, 0, 1}, 1500, false};
	desk->store = (struct store){&store_ops, desk};
	desk->memory = malloc(memory);
	MUST(desk->memory != NULL);
	arena_init(&desk->arena, desk->memory, memory);
	MUST(pool_init(&desk->pool, &desk->arena, DESK_BUFFERS, DESK_CHUNK) == 0);
	desk_make_snapshot(desk);
	MUST(worker_init(&desk->worker, &config) == 0);
	MUST(session_create(&desk->session, &params, WIRE_ACK_BITS, 5 * SEC) == 0);
	worker_add(&desk->worker, desk->session, desk->now);
}

static inline void desk_fini(struct desk *desk)
{
	worker_fini(&desk->worker);
	session_destroy(desk->session);
	manifest_fini(&desk->manifest);
	free(desk->content);
	free(desk->memory);
}

#endif
