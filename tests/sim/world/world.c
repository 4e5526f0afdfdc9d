/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/world/world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/crc.h"
#include "tests/sim/world/disk.h"

#define TURN (2 * USEC) /* what one turn of a worker costs */

/* xorshift64*: reproducible everywhere. */
uint32_t world_random(struct world *world, uint32_t below)
{
	world->random ^= world->random >> 12;
	world->random ^= world->random << 25;
	world->random ^= world->random >> 27;
	return (uint32_t)((world->random * 0x2545f4914f6cdd1dull) >> 32) % below;
}

static bool happens(struct world *world, uint32_t ppm)
{
	return ppm != 0 && world_random(world, 1000000) < ppm;
}

static void corrupt(struct world *world, struct world_frame *frame)
{
	uint32_t flips = 1 + world_random(world, 8);

	for (uint32_t i = 0; i < flips; i++)
		frame->bytes[world_random(world, frame->len)] ^=
			(uint8_t)(1u << world_random(world, 8));
}

static nsec travel_time(struct world *world)
{
	const struct world_link *link = &world->options.link;
	nsec time = link->delay;

	if (link->jitter > 0)
		time += world_random(world, (uint32_t)link->jitter);
	if (happens(world, link->reorder_ppm))
		time += world_random(world, (uint32_t)(20 * link->delay + 1));
	return time;
}

static void launch(struct world *world, int to, const struct nic_tx *tx)
{
	struct world_frame *frame;

	if (world->nframes == WORLD_FRAMES)
		return; /* the queue is full: a loss like any other */
	frame = world->nspare > 0 ? world->spare[--world->nspare]
				  : malloc(sizeof(*frame));
	frame->at = world->now + travel_time(world);
	frame->to = to;
	frame->len = tx->head_len + tx->payload_len;
	assert(frame->len <= WORLD_FRAME_MAX);
	memcpy(frame->bytes, tx->head, tx->head_len);
	if (tx->payload_len > 0)
		memcpy(frame->bytes + tx->head_len, tx->payload, tx->payload_len);
	if (happens(world, world->options.link.corrupt_ppm))
		corrupt(world, frame);
	world->frames[world->nframes++] = frame;
}

static int link_tx(void *self, const struct nic_tx frames[], int count)
{
	struct world_end *end = self;
	struct world *world = end->world;
	const struct world_link *link = &world->options.link;

	for (int i = 0; i < count; i++) {
		end->frames_sent++;
		end->bytes_sent +=
			frames[i].head_len + frames[i].payload_len + ETHER_WIRE_OVERHEAD;
		if (end->is_cut || happens(world, link->loss_ppm))
			continue;
		launch(world, 1 - end->number, &frames[i]);
		if (happens(world, link->duplicate_ppm))
			launch(world, 1 - end->number, &frames[i]);
	}
	return count;
}

void world_inject(struct world *world, int to, const uint8_t *bytes, uint32_t len)
{
	struct nic_tx tx = {.head_len = 0, .payload = bytes, .payload_len = len};

	launch(world, to, &tx);
}

/* The earliest frame for `to` that has arrived, taken out; NULL when there is none. */
static struct world_frame *arrive(struct world *world, int to)
{
	uint32_t best = world->nframes;

	for (uint32_t i = 0; i < world->nframes; i++) {
		const struct world_frame *frame = world->frames[i];

		if (frame->to == to && frame->at <= world->now &&
			(best == world->nframes || frame->at < world->frames[best]->at))
			best = i;
	}
	if (best == world->nframes)
		return NULL;
	struct world_frame *found = world->frames[best];

	world->frames[best] = world->frames[--world->nframes];
	return found;
}

static int link_rx(void *self, struct nic_rx frames[], int max)
{
	struct world_end *end = self;
	int count = 0;

	for (; count < max; count++) {
		struct world_frame *frame = arrive(end->world, end->number);

		if (frame == NULL)
			break;
		frames[count] = (struct nic_rx){frame->bytes, frame->len, frame};
	}
	return count;
}

static void link_release(void *self, struct nic_rx frames[], int count)
{
	struct world_end *end = self;

	for (int i = 0; i < count; i++)
		end->world->spare[end->world->nspare++] = frames[i].handle;
}

static const struct nic_ops link_ops = {
	.rx = link_rx,
	.release = link_release,
	.tx = link_tx,
};

static void on_report(void *ctx, const struct transfer_report *report)
{
	struct world_end *end = ctx;

	if (report->event != REPORT_STOPPED)
		end->last = *report;
	end->nreports[report->event]++;
}

static void make_end(struct world *world, int number)
{
	const struct world_options *options = &world->options;
	struct world_end *end = &world->ends[number];
	size_t memory = pool_memory(options->buffers, options->chunk_size);
	struct worker_config config = {
		.nic = &end->nic,
		.store = &end->store,
		.pool = &end->pool,
		.nbuffers = options->buffers,
		.ip = {10, 0, 0, (uint8_t)(1 + number)},
		.prefix_len = 24,
		.port = 4791,
		.report = on_report,
		.report_ctx = end,
	};
	int err;

	end->world = world;
	end->number = number;
	end->rotten_chunk = UINT32_MAX;
	end->nic = (struct nic){&link_ops, end, {2, 0, 0, 0, 0, (uint8_t)number}, 9000};
	end->store = (struct store){&world_disk_ops, end};
	end->memory = malloc(memory);
	arena_init(&end->arena, end->memory, memory);
	err = pool_init(&end->pool, &end->arena, options->buffers, options->chunk_size);
	assert(err == 0);
	err = worker_init(&end->worker, &config);
	assert(err == 0);
	(void)err;
}

static void make_session(struct world *world, int number)
{
	struct world_end *end = &world->ends[number];
	struct transfer_session params = {
		.role = number == 0 ? TRANSFER_SEND : TRANSFER_RECEIVE,
		.session_id = session_make_id((uint32_t)number + 3, 7),
		.peer_session_id = session_make_id((uint32_t)(1 - number) + 3, 7),
		.peer_ip = {10, 0, 0, (uint8_t)(2 - number)},
		.peer_port = 4791,
		.slice_size = world->options.slice_size,
		.manifest = &world->manifest,
		.object = (struct store_object *)world,
	};
	int err;

	memset(params.tx_key, number + 1, TRANSFER_KEY_LEN);
	memset(params.rx_key, 2 - number, TRANSFER_KEY_LEN);
	err = session_create(
		&end->session, &params, WIRE_ACK_BITS, world->options.stall_timeout);
	assert(err == 0);
	(void)err;
	worker_add(&end->worker, end->session, world->now);
}

static void make_snapshot(struct world *world)
{
	const struct world_options *options = &world->options;
	int err = manifest_init(&world->manifest, options->chunk_size, NULL);
	char name[32];

	for (size_t i = 0; i < options->nfiles && err == 0; i++) {
		(void)snprintf(name, sizeof(name), "file-%zu", i);
		err = manifest_add(&world->manifest, name, options->sizes[i], 0644, NULL);
	}
	err = err != 0 ? err : manifest_layout(&world->manifest, NULL);
	assert(err == 0);
	(void)err;
	world->image = calloc(world->manifest.nchunks + 1, options->chunk_size);
	world->writes = calloc(world->manifest.nchunks + 1, sizeof(*world->writes));
	for (uint32_t i = 0; i < world->manifest.nchunks; i++) {
		uint8_t *chunk = world->image + (size_t)i * options->chunk_size;
		uint32_t len = manifest_chunk_len(&world->manifest, i);

		world_disk_fill(world, i, chunk, len);
		world->manifest.leaves[i] = manifest_leaf_of(chunk, len);
		memset(chunk, 0, len);
	}
}

struct world *world_create(const struct world_options *options)
{
	struct world *world = calloc(1, sizeof(*world));

	world->options = *options;
	world->random = options->seed * 0x9e3779b97f4a7c15ull + 1;
	world->now = 1 * SEC;
	make_snapshot(world);
	for (int i = 0; i < 2; i++) {
		make_end(world, i);
		make_session(world, i);
	}
	return world;
}

void world_destroy(struct world *world)
{
	for (int i = 0; i < 2; i++) {
		worker_fini(&world->ends[i].worker);
		session_destroy(world->ends[i].session);
		free(world->ends[i].memory);
	}
	while (world->nframes > 0)
		free(world->frames[--world->nframes]);
	while (world->nspare > 0)
		free(world->spare[--world->nspare]);
	manifest_fini(&world->manifest);
	free(world->image);
	free(world->writes);
	free(world);
}

static nsec next_event(const struct world *world)
{
	nsec next = NEVER;

	for (uint32_t i = 0; i < world->nframes; i++)
		next = nsec_min(next, world->frames[i]->at);
	for (int i = 0; i < 2; i++) {
		next = nsec_min(next, world_disk_deadline(&world->ends[i]));
		next = nsec_min(next, worker_deadline(&world->ends[i].worker));
	}
	return next;
}

void world_step(struct world *world)
{
	bool busy = false;

	for (int i = 0; i < 2; i++)
		busy |= worker_run(&world->ends[i].worker, world->now);
	world->now += TURN;
	if (!busy) {
		nsec next = next_event(world);

		if (next != NEVER)
			world->now = nsec_max(world->now, next);
	}
}

bool world_run_until_end(struct world *world, nsec deadline)
{
	const struct session *sender = world->ends[0].session;
	const struct session *receiver = world->ends[1].session;

	while (world->now < deadline) {
		if (sender->is_reported && receiver->is_reported)
			return true;
		world_step(world);
	}
	return false;
}

bool world_is_identical(const struct world *world)
{
	for (uint32_t i = 0; i < world->manifest.nchunks; i++) {
		const struct manifest_leaf *leaf = &world->manifest.leaves[i];
		const uint8_t *chunk =
			world->image + (size_t)i * world->options.chunk_size;
		struct manifest_leaf found =
			manifest_leaf_of(chunk, manifest_chunk_len(&world->manifest, i));

		if (found.crc32c != leaf->crc32c || found.crc64 != leaf->crc64)
			return false;
		if (world->writes[i] != ((leaf->flags & LEAF_ZERO) ? 0 : 1))
			return false;
	}
	return true;
}
