/* SPDX-License-Identifier: BSD-3-Clause */
/* A worker with a nic and a store of paper: frames and requests lie on a tray until the
 * test looks at them. For worker.c and worker_store.c. */
#ifndef WORKER_PAPER_H
#define WORKER_PAPER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/crc.h"
#include "dataplane/worker.h"
#include "hugepages/pool.h"

enum { CHUNK = MANIFEST_CHUNK_MIN, SLICE = 1408, BUFFERS = 4, FRAMES = 64, SIZE = 100 };

struct frame {
	uint32_t len;
	uint8_t bytes[2048];
};

struct fixture {
	struct worker worker;
	struct nic nic;
	struct store store;
	struct arena arena;
	struct pool pool;
	struct manifest manifest;
	struct session *session;
	void *memory;
	struct frame in; /* the next frame to come, if len is not 0 */
	struct frame out[FRAMES];
	uint32_t nout;
	uint32_t capacity; /* frames the nic takes before it is full */
	struct store_request request;
	bool wrong_sum;     /* of the datagrams the test makes */
	bool nic_says_good; /* whatever their checksum is */
	bool is_busy;       /* the store holds request */
	struct transfer_report report;
	uint32_t nreports;
	uint64_t pn; /* of the peer */
};

static const struct ip us = IP_V4(10, 0, 0, 1);
static const struct ip them = IP_V4(10, 0, 0, 2);
static const uint8_t mac1[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t mac2[6] = {2, 0, 0, 0, 0, 2};
static const uint8_t mac3[6] = {2, 0, 0, 0, 0, 3};

/* ---- nic and store ------------------------------------------------------------------
 */

static inline int paper_rx(void *self, struct nic_rx frames[], int max)
{
	struct fixture *f = self;

	(void)max;
	if (f->in.len == 0)
		return 0;
	frames[0] = (struct nic_rx){f->in.bytes, f->in.len, f, f->nic_says_good};
	return 1;
}

static inline void paper_release(void *self, struct nic_rx frames[], int count)
{
	struct fixture *f = self;

	assert_int_equal(count, 1);
	assert_ptr_equal(frames[0].handle, f);
	f->in.len = 0;
}

static inline int paper_tx(void *self, const struct nic_tx frames[], int count)
{
	struct fixture *f = self;
	int taken = 0;

	for (; taken < count && f->nout < f->capacity; taken++) {
		struct frame *out = &f->out[f->nout++];

		out->len = frames[taken].head_len + frames[taken].payload_len;
		memcpy(out->bytes, frames[taken].head, frames[taken].head_len);
		if (frames[taken].payload_len > 0)
			memcpy(out->bytes + frames[taken].head_len, frames[taken].payload,
				frames[taken].payload_len);
	}
	return taken;
}

static inline bool paper_submit(void *self, const struct store_request *request)
{
	struct fixture *f = self;

	if (f->is_busy)
		return false;
	f->request = *request;
	f->is_busy = true;
	return true;
}

/* Completes what the test has allowed: see write_out. */
static inline int paper_poll(void *self, struct store_completion completions[], int max)
{
	struct fixture *f = self;

	(void)max;
	if (!f->is_busy || f->request.object != NULL)
		return 0;
	f->is_busy = false;
	completions[0] = (struct store_completion){.cookie = f->request.cookie};
	return 1;
}

/* The store's work is done; the next poll tells. */
static inline void finish_request(struct fixture *f)
{
	assert_true(f->is_busy);
	if (f->request.op == STORE_READ) {
		memset(f->request.buf, 5, SIZE);
		store_sum_slices(&f->request, SIZE);
	}
	f->request.object = NULL;
}

static const struct nic_ops nic_ops = {
	.rx = paper_rx, .release = paper_release, .tx = paper_tx};
static const struct store_ops store_ops = {.submit = paper_submit, .poll = paper_poll};

static inline void on_report(void *ctx, const struct transfer_report *report)
{
	struct fixture *f = ctx;

	f->report = *report;
	f->nreports++;
}

/* ---- fixture ------------------------------------------------------------------------
 */

static inline int start(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	size_t memory = pool_memory(BUFFERS, CHUNK);
	struct worker_config config = {.nic = &f->nic,
		.store = &f->store,
		.pool = &f->pool,
		.nbuffers = BUFFERS,
		.ip = IP_V4(10, 0, 0, 1),
		.prefix_len = 22,
		.gateway = IP_V4(10, 0, 3, 254),
		.port = 4791,
		.report = on_report,
		.report_ctx = f};
	uint8_t bytes[SIZE];

	f->nic = (struct nic){&nic_ops, f, {2, 0, 0, 0, 0, 1}, 1500, false};
	f->store = (struct store){&store_ops, f};
	f->capacity = FRAMES;
	f->memory = malloc(memory);
	arena_init(&f->arena, f->memory, memory);
	assert_int_equal(pool_init(&f->pool, &f->arena, BUFFERS, CHUNK), 0);
	assert_int_equal(manifest_init(&f->manifest, CHUNK, NULL), 0);
	assert_int_equal(manifest_add(&f->manifest, "a", SIZE, 0644, NULL), 0);
	assert_int_equal(manifest_layout(&f->manifest, NULL), 0);
	memset(bytes, 5, SIZE);
	f->manifest.leaves[0] = manifest_leaf_of(bytes, SIZE);
	assert_int_equal(worker_init(&f->worker, &config), 0);
	*state = f;
	return 0;
}

static inline int end(void **state)
{
	struct fixture *f = *state;

	worker_fini(&f->worker);
	session_destroy(f->session);
	manifest_fini(&f->manifest);
	free(f->memory);
	free(f);
	return 0;
}

static inline void add_session(struct fixture *f, enum transfer_role role, uint8_t net)
{
	struct transfer_session params = {.role = role,
		.session_id = session_make_id(3, 7),
		.peer_session_id = session_make_id(9, 1),
		.peer_ip = IP_V4(10, 0, net, 2),
		.peer_port = 4791,
		.slice_size = SLICE,
		.manifest = &f->manifest,
		.object = (struct store_object *)f};

	memset(params.rx_key, 1, sizeof(params.rx_key));
	memset(params.tx_key, 2, sizeof(params.tx_key));
	assert_int_equal(session_create(&f->session, &params, 1024, 5 * SEC), 0);
	worker_add(&f->worker, f->session, 0);
}

/* Empties the tray and lets the worker turn once. */
static inline void turn(struct fixture *f, nsec now)
{
	f->nout = 0;
	(void)worker_run(&f->worker, now);
}

static inline void hear_arp(struct fixture *f, const struct ip *target,
	const struct ip *sender, bool is_reply, nsec now)
{
	struct ether_path path = {
		.src_mac = {2, 0, 0, 0, 0, 2}, .dst_mac = {2, 0, 0, 0, 0, 1}};

	path.src_ip = *sender;
	path.dst_ip = *target;
	f->in.len = is_reply ? ether_put_answer(f->in.bytes, &path)
			     : ether_put_question(f->in.bytes, &path);
	turn(f, now);
}

static const struct ether_path to_us = {.src_mac = {2, 0, 0, 0, 0, 2},
	.dst_mac = {2, 0, 0, 0, 0, 1},
	.src_ip = IP_V4(10, 0, 0, 2),
	.dst_ip = IP_V4(10, 0, 0, 1),
	.src_port = 4791,
	.dst_port = 4791};

/* A sealed packet of the peer's with this body. */
static inline void hear_packet(
	struct fixture *f, enum wire_type type, const void *body, uint32_t len, nsec now)
{
	const struct wire_header header = {.type = type,
		.session_id = f->session->params.session_id,
		.payload_len = (uint16_t)len,
		.payload_crc = crc32c(body, len)};
	uint8_t *wire = f->in.bytes + ETHER_UDP_HEADERS;

	ether_put_udp(f->in.bytes, &to_us, WIRE_HEADER_LEN + len);
	f->in.bytes[ETHER_UDP_HEADERS - 1] = f->wrong_sum;
	wire_put_header(
		wire, &header, f->session->params.rx_key, &f->session->self, f->pn++);
	memcpy(wire + WIRE_HEADER_LEN, body, len);
	f->in.len = ETHER_UDP_HEADERS + WIRE_HEADER_LEN + len;
	turn(f, now);
}

static inline void hear_pull(struct fixture *f, nsec now)
{
	const struct wire_pull pull = {
		.credit = 1000, .nruns = 1, .runs = {{.first = 0, .count = 1}}};
	uint8_t body[WIRE_BODY_MAX];

	hear_packet(f, WIRE_PULL, body, wire_put_pull(body, &pull), now);
}

static inline void hear_data(struct fixture *f, nsec now)
{
	uint8_t bytes[SIZE];

	memset(bytes, 5, SIZE);
	hear_packet(f, WIRE_DATA, bytes, SIZE, now);
}

/* What the i-th frame that was sent is. */
static inline struct ether_frame sent(const struct fixture *f, uint32_t i)
{
	struct ether_frame frame;

	assert_true(i < f->nout);
	ether_parse(f->out[i].bytes, f->out[i].len, &frame);
	return frame;
}

static inline enum wire_type sent_type(const struct fixture *f, uint32_t i)
{
	struct ether_frame frame = sent(f, i);
	struct wire_header header;

	assert_int_equal(frame.kind, ETHER_UDP);
	assert_int_equal(
		wire_get_header(frame.payload, frame.payload_len, &header), ACCEPTED);
	return header.type;
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, start, end)

#endif
