/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/world/lanes.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/bytes.h"
#include "dataplane/crc.h"

#define TURN (2 * USEC)

enum { BUFFERS = 40, PORT = 4791, SLOT = 3, UDP_AT = ETHER_HEADER_LEN + ETHER_IPV4_LEN };

static uint32_t draw(struct lanes *lanes, uint32_t below)
{
	lanes->random ^= lanes->random >> 12;
	lanes->random ^= lanes->random << 25;
	lanes->random ^= lanes->random >> 27;
	return (uint32_t)((lanes->random * 0x2545f4914f6cdd1dull) >> 32) % below;
}

static void fill_chunk(uint8_t *bytes, uint32_t chunk)
{
	for (uint32_t i = 0; i < LANES_CHUNK; i += 4)
		put_be32(bytes + i, (chunk + 1) * 2654435761u + i);
}

/* ---- network ------------------------------------------------------------------------
 */

static uint32_t land(struct lane *lane, const struct nic_tx *tx)
{
	struct lanes *lanes = lane->side->lanes_of;
	uint32_t ports;

	if (lanes->options.landing == LAND_SAME)
		return lane->queue;
	if (lanes->options.landing == LAND_FIRST ||
		tx->head_len < ETHER_UDP_HEADERS + WIRE_HEADER_LEN)
		return 0;
	ports = get_be32(tx->head + UDP_AT) ^ (uint32_t)lanes->options.seed;
	return (ports * 2654435761u) >> 24 & (lanes->options.nqueues - 1);
}

static bool is_lost(struct lane *lane, const struct nic_tx *tx)
{
	struct lanes *lanes = lane->side->lanes_of;
	const struct lanes_options *options = &lanes->options;

	if (options->broken != 0 && lane->queue == options->broken)
		return true;
	if (lanes->now - lanes->began < options->no_close_until &&
		tx->head_len >= ETHER_UDP_HEADERS + WIRE_HEADER_LEN &&
		(tx->head[ETHER_UDP_HEADERS] & 15) == WIRE_CLOSE)
		return true;
	return options->loss_ppm != 0 && draw(lanes, 1000000) < options->loss_ppm;
}

static int lane_tx(void *self, const struct nic_tx frames[], int count)
{
	struct lane *lane = self;
	struct lanes *lanes = lane->side->lanes_of;
	struct lanes_side *other = &lanes->sides[1 - lane->side->number];

	for (int i = 0; i < count; i++) {
		struct lane *to = &other->lanes[land(lane, &frames[i])];
		struct lanes_frame *frame;

		lane->side->nframes++;
		if (is_lost(lane, &frames[i]) || to->head - to->tail == LANES_FRAMES)
			continue;
		frame = malloc(sizeof(*frame));
		frame->at = lanes->now + lanes->options.delay;
		frame->len = frames[i].head_len + frames[i].payload_len;
		assert(frame->len <= LANES_FRAME_MAX);
		memcpy(frame->bytes, frames[i].head, frames[i].head_len);
		if (frames[i].payload_len > 0)
			memcpy(frame->bytes + frames[i].head_len, frames[i].payload,
				frames[i].payload_len);
		to->inbox[to->head++ % LANES_FRAMES] = frame;
	}
	return count;
}

static int lane_rx(void *self, struct nic_rx frames[], int max)
{
	struct lane *lane = self;
	int count = 0;

	for (; count < max && lane->tail != lane->head; count++) {
		struct lanes_frame *frame = lane->inbox[lane->tail % LANES_FRAMES];

		if (frame->at > lane->side->lanes_of->now)
			break;
		lane->tail++;
		frames[count] = (struct nic_rx){
			.data = frame->bytes, .len = frame->len, .handle = frame};
	}
	return count;
}

static void lane_release(void *self, struct nic_rx frames[], int count)
{
	(void)self;
	for (int i = 0; i < count; i++)
		free(frames[i].handle);
}

/* ---- disk ---------------------------------------------------------------------------
 */

static bool lane_submit(void *self, const struct store_request *request)
{
	struct lane *lane = self;
	const struct lanes *lanes = lane->side->lanes_of;

	if (lane->nrequests == LANES_REQUESTS)
		return false;
	lane->done_at[lane->nrequests] =
		lanes->now + (request->op == STORE_WRITE ? lanes->options.write_time : 0);
	lane->requests[lane->nrequests++] = *request;
	return true;
}

static void serve(struct lanes *lanes, const struct store_request *request)
{
	if (request->op == STORE_READ) {
		fill_chunk(request->buf, request->chunk);
		store_sum_slices(request, LANES_CHUNK);
		return;
	}
	lanes->writes[request->chunk]++;
	lanes->is_wrong |= crc32c(request->buf, LANES_CHUNK) !=
			   lanes->manifest.leaves[request->chunk].crc32c;
}

static int lane_poll(void *self, struct store_completion completions[], int max)
{
	struct lane *lane = self;
	struct lanes *lanes = lane->side->lanes_of;
	int count = 0;

	for (uint32_t i = 0; i < lane->nrequests && count < max;) {
		if (lane->done_at[i] > lanes->now) {
			i++;
			continue;
		}
		serve(lanes, &lane->requests[i]);
		completions[count++] =
			(struct store_completion){.cookie = lane->requests[i].cookie};
		lane->requests[i] = lane->requests[--lane->nrequests];
		lane->done_at[i] = lane->done_at[lane->nrequests];
	}
	return count;
}

/* ---- ends ---------------------------------------------------------------------------
 */

static void on_report(void *ctx, const struct transfer_report *report)
{
	struct lanes_side *side = ctx;

	if (!stripes_on_report(&side->stripes, report))
		return;
	side->nreports++;
	side->has_ended = true;
	side->code = report->code;
	side->failed_stripe = report->stripe;
}

/* Nobody sleeps here. */
static void on_strays(void *ctx, uint32_t queue)
{
	(void)ctx;
	(void)queue;
}

static void make_session(struct lane *lane)
{
	struct lanes *lanes = lane->side->lanes_of;
	int number = lane->side->number;
	struct transfer_session params = {
		.role = number == 0 ? TRANSFER_SEND : TRANSFER_RECEIVE,
		.session_id = session_make_id((uint32_t)(SLOT + number), 1),
		.peer_session_id = session_make_id((uint32_t)(SLOT + 1 - number), 1),
		.peer_ip = IP_V4(10, 0, 0, (uint8_t)(2 - number)),
		.peer_port = PORT,
		.stripes = lanes->options.nqueues,
		.stripe = lane->queue,
		.slice_size = LANES_SLICE,
		.manifest = &lanes->manifest,
		.object = (struct store_object *)lanes,
	};
	int err;

	memset(params.tx_key, 1 + number, sizeof(params.tx_key));
	memset(params.rx_key, 2 - number, sizeof(params.rx_key));
	err = session_create(
		&lane->session, &params, LANES_WINDOW, lanes->options.stall_timeout);
	assert(err == 0);
	(void)err;
	worker_add(&lane->worker, lane->session, lanes->now);
}

static void make_lane(struct lanes_side *side, uint32_t queue)
{
	static const struct nic_ops nic_ops = {
		.rx = lane_rx, .release = lane_release, .tx = lane_tx};
	static const struct store_ops store_ops = {
		.submit = lane_submit, .poll = lane_poll};
	size_t memory = pool_memory(BUFFERS, LANES_CHUNK);
	struct lane *lane = &side->lanes[queue];
	struct worker_config config = {
		.nic = &lane->nic,
		.store = &lane->store,
		.pool = &lane->pool,
		.nbuffers = BUFFERS,
		.ip = IP_V4(10, 0, 0, (uint8_t)(1 + side->number)),
		.prefix_len = 24,
		.port = PORT,
		.queue = queue,
		.strays = &side->strays,
		.wake = on_strays,
		.report = on_report,
		.report_ctx = side,
	};
	int err;

	lane->side = side;
	lane->queue = queue;
	lane->nic = (struct nic){.ops = &nic_ops,
		.self = lane,
		.mac = {2, 0, 0, 0, 0, (uint8_t)side->number},
		.mtu = LANES_FRAME_MAX - ETHER_HEADER_LEN};
	lane->store = (struct store){&store_ops, lane};
	lane->memory = malloc(memory);
	arena_init(&lane->arena, lane->memory, memory);
	err = pool_init(&lane->pool, &lane->arena, BUFFERS, LANES_CHUNK);
	assert(err == 0);
	err = worker_init(&lane->worker, &config);
	assert(err == 0);
	(void)err;
	make_session(lane);
}

static void make_snapshot(struct lanes *lanes)
{
	uint64_t size = (uint64_t)lanes->options.nchunks * LANES_CHUNK;
	uint8_t *chunk = malloc(LANES_CHUNK);
	int err = manifest_init(&lanes->manifest, LANES_CHUNK, NULL);

	if (err == 0)
		err = manifest_add(&lanes->manifest, "a", size, 0644, NULL);
	if (err == 0)
		err = manifest_layout(&lanes->manifest, NULL);
	assert(err == 0);
	(void)err;
	for (uint32_t i = 0; i < lanes->options.nchunks; i++) {
		fill_chunk(chunk, i);
		lanes->manifest.leaves[i] = manifest_leaf_of(chunk, LANES_CHUNK);
	}
	free(chunk);
	lanes->writes = calloc(lanes->options.nchunks, sizeof(lanes->writes[0]));
}

struct lanes *lanes_create(const struct lanes_options *options)
{
	struct lanes *lanes = calloc(1, sizeof(*lanes));

	lanes->options = *options;
	lanes->random = options->seed * 0x9e3779b97f4a7c15ull + 1;
	lanes->began = 1 * SEC;
	lanes->now = lanes->began;
	make_snapshot(lanes);
	for (int i = 0; i < 2; i++) {
		struct lanes_side *side = &lanes->sides[i];
		int err = strays_init(&side->strays, options->nqueues, LANES_FRAME_MAX);

		assert(err == 0);
		(void)err;
		side->lanes_of = lanes;
		side->number = i;
		stripes_init(&side->stripes, options->nqueues);
		for (uint32_t q = 0; q < options->nqueues; q++)
			make_lane(side, q);
	}
	return lanes;
}

static void free_lane(struct lane *lane)
{
	worker_fini(&lane->worker);
	session_destroy(lane->session);
	for (; lane->tail != lane->head; lane->tail++)
		free(lane->inbox[lane->tail % LANES_FRAMES]);
	free(lane->memory);
}

void lanes_destroy(struct lanes *lanes)
{
	for (int i = 0; i < 2; i++) {
		for (uint32_t q = 0; q < lanes->options.nqueues; q++)
			free_lane(&lanes->sides[i].lanes[q]);
		strays_fini(&lanes->sides[i].strays);
	}
	manifest_fini(&lanes->manifest);
	free(lanes->writes);
	free(lanes);
}

static nsec lane_deadline(const struct lane *lane)
{
	nsec next = worker_deadline(&lane->worker);

	if (lane->tail != lane->head)
		next = nsec_min(next, lane->inbox[lane->tail % LANES_FRAMES]->at);
	for (uint32_t i = 0; i < lane->nrequests; i++)
		next = nsec_min(next, lane->done_at[i]);
	return next;
}

void lanes_step(struct lanes *lanes)
{
	uint32_t nqueues = lanes->options.nqueues;
	nsec next = NEVER;
	bool busy = false;

	for (uint32_t i = 0; i < 2 * nqueues; i++)
		busy |= worker_run(&lanes->sides[i % 2].lanes[i / 2].worker, lanes->now);
	lanes->now += TURN;
	for (uint32_t i = 0; i < 2 * nqueues && !busy; i++)
		next = nsec_min(next, lane_deadline(&lanes->sides[i % 2].lanes[i / 2]));
	if (next != NEVER)
		lanes->now = nsec_max(lanes->now, next);
}

bool lanes_run(struct lanes *lanes, nsec deadline)
{
	while (!lanes->sides[0].has_ended || !lanes->sides[1].has_ended) {
		if (lanes->now >= deadline)
			return false;
		lanes_step(lanes);
	}
	return true;
}

bool lanes_are_identical(const struct lanes *lanes)
{
	for (uint32_t i = 0; i < lanes->options.nchunks; i++) {
		if (lanes->writes[i] != 1)
			return false;
	}
	return !lanes->is_wrong;
}
