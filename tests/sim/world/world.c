/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/world/world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/bitmap.h"
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

static void on_report(void *ctx, const struct transfer_report *report)
{
	struct world_end *end = ctx;

	if (report->event == REPORT_DONE || report->event == REPORT_FAILED)
		end->last = *report;
	end->nreports[report->event]++;
}

static struct ip address(const struct world *world, int number)
{
	struct ip v4 = IP_V4(10, 0, 0, (uint8_t)(1 + number));
	struct ip v6 = {{0xfd, [15] = (uint8_t)(1 + number)}};

	return world->options.is_ipv6 ? v6 : v4;
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
		.ip = address(world, number),
		.vlan = options->vlan,
		.sum = options->sum,
		.prefix_len = 24,
		.port = 4791,
		.cc = options->cc,
		.port_rate = &end->port_rate,
		.disk_rate = &end->disk_rate,
		.report = on_report,
		.report_ctx = end,
	};
	int err;

	end->world = world;
	end->number = number;
	end->rotten_chunk = UINT32_MAX;
	end->nic = (struct nic){&link_ops, end, {2, 0, 0, 0, 0, (uint8_t)number},
		options->mtu == 0 ? 9000 : options->mtu, options->sum == ETHER_SUM_NIC};
	end->store = (struct store){&world_disk_ops, end};
	end->memory = malloc(memory);
	arena_init(&end->arena, end->memory, memory);
	lease_source_init(&end->port_rate, RATE_UNLIMITED, BUCKET_BURST_MIN);
	lease_source_init(&end->disk_rate, RATE_UNLIMITED, options->chunk_size);
	err = pool_init(&end->pool, &end->arena, options->buffers, options->chunk_size);
	assert(err == 0);
	err = worker_init(&end->worker, &config);
	assert(err == 0);
	(void)err;
}

static uint32_t count_sessions(const struct world *world)
{
	const struct world_options *options = &world->options;
	uint32_t peers = u32_max(options->nsenders, options->nreceivers);

	return u32_max(u32_max(options->nsessions, peers), 1);
}

uint32_t world_slices(const struct world *world)
{
	return world->options.chunk_size / world->options.slice_size + 1;
}

/* The other ends from 2 on, see world.h. */
static uint32_t sender_number(const struct world *world, uint32_t which)
{
	return world->options.nsenders > 1 && which > 0 ? which + 1 : 0;
}

static uint32_t receiver_number(const struct world *world, uint32_t which)
{
	return world->options.nreceivers > 1 && which > 0 ? which + 1 : 1;
}

struct world_end *world_sender(struct world *world, uint32_t which)
{
	return &world->ends[sender_number(world, which)];
}

struct world_end *world_receiver(struct world *world, uint32_t which)
{
	return &world->ends[receiver_number(world, which)];
}

/* Slot 2n+3 at the sender, 2n+4 at the receiver. */
static void make_session(struct world *world, enum transfer_role role, uint32_t which)
{
	bool sends = role == TRANSFER_SEND;
	struct world_end *end =
		sends ? world_sender(world, which) : world_receiver(world, which);
	struct world_end *peer =
		sends ? world_receiver(world, which) : world_sender(world, which);
	struct transfer_session params = {
		.role = role,
		.session_id = session_make_id(2 * which + (sends ? 3 : 4), world->life),
		.peer_session_id =
			session_make_id(2 * which + (sends ? 4 : 3), world->life),
		.peer_ip = address(world, peer->number),
		.peer_port = 4791,
		.slice_size = world->options.slice_size,
		.rank = {.weight = world->options.weights[which]},
		.manifest = &world->manifest,
		.object = (struct store_object *)&world->copies[sends ? 0 : which],
		.have = sends ? NULL : world->copies[which].have,
	};
	uint32_t window = world->options.window;
	int err;

	memcpy(params.tx_key, &world->life, sizeof(world->life));
	memcpy(params.rx_key, &world->life, sizeof(world->life));
	params.tx_key[TRANSFER_KEY_LEN - 1] = sends ? 1 : 2;
	params.rx_key[TRANSFER_KEY_LEN - 1] = sends ? 2 : 1;
	err = session_create(&end->sessions[which], &params,
		window == 0 ? WIRE_ACK_BITS : window, world->options.stall_timeout);
	assert(err == 0);
	(void)err;
	worker_add(&end->worker, end->sessions[which], world->now);
	world->path = end->sessions[which]->path;
	end->session = end->sessions[0] != NULL ? end->sessions[0] : end->sessions[which];
}

void world_start(struct world *world, uint32_t which)
{
	struct world_copy *copy = &world->copies[which];

	for (uint32_t i = 0; i < world->manifest.nchunks; i++) {
		if (copy->writes[i] > 0)
			bitmap_set(copy->have, i);
		else
			bitmap_clear(copy->have, i);
	}
	make_session(world, TRANSFER_SEND, which);
	make_session(world, TRANSFER_RECEIVE, which);
	world->life++;
}

static bool has_let_go(const struct world_end *end, uint32_t which)
{
	uint32_t id = end->sessions[which]->params.session_id;

	return end->worker.sessions[session_slot(id)] == NULL;
}

void world_stop(struct world *world, uint32_t which)
{
	struct world_end *ends[] = {
		world_receiver(world, which), world_sender(world, which)};

	for (int i = 0; i < 2; i++)
		worker_stop(
			&ends[i]->worker, ends[i]->sessions[which]->params.session_id);
	while (!has_let_go(ends[0], which) || !has_let_go(ends[1], which))
		world_step(world);
	for (int i = 0; i < 2; i++) {
		session_destroy(ends[i]->sessions[which]);
		ends[i]->sessions[which] = NULL;
		ends[i]->session = NULL;
	}
}

void world_forget(struct world *world, uint32_t which)
{
	struct world_copy *copy = &world->copies[which];
	uint32_t nchunks = world->manifest.nchunks;

	memset(copy->image, 0, (size_t)nchunks * world->options.chunk_size);
	memset(copy->writes, 0, nchunks * sizeof(copy->writes[0]));
	memset(copy->sends, 0, (size_t)nchunks * world_slices(world));
}

static void make_snapshot(struct world *world)
{
	const struct world_options *options = &world->options;
	int err = manifest_init(&world->manifest, options->chunk_size, NULL);
	uint8_t *chunk = malloc(options->chunk_size);
	char name[32];

	for (size_t i = 0; i < options->nfiles && err == 0; i++) {
		(void)snprintf(name, sizeof(name), "file-%zu", i);
		err = manifest_add(&world->manifest, name, options->sizes[i], 0644, NULL);
	}
	err = err != 0 ? err : manifest_layout(&world->manifest, NULL);
	assert(err == 0);
	(void)err;
	for (uint32_t i = 0; i < count_sessions(world); i++) {
		if (!options->discards)
			world->copies[i].image =
				calloc(world->manifest.nchunks + 1, options->chunk_size);
		world->copies[i].writes =
			calloc(world->manifest.nchunks + 1, sizeof(uint32_t));
		world->copies[i].sends =
			calloc(world->manifest.nchunks + 1, world_slices(world));
		world->copies[i].have = calloc(
			BITMAP_WORDS(world->manifest.nchunks + 1), sizeof(uint64_t));
	}
	for (uint32_t i = 0; i < world->manifest.nchunks; i++) {
		uint32_t len = manifest_chunk_len(&world->manifest, i);

		world_disk_fill(world, i, chunk, len);
		world->manifest.leaves[i] = manifest_leaf_of(chunk, len);
	}
	free(chunk);
}

struct world *world_create(const struct world_options *options)
{
	struct world *world = calloc(1, sizeof(*world));

	world->options = *options;
	world->random = options->seed * 0x9e3779b97f4a7c15ull + 1;
	world->now = options->start == 0 ? 1 * SEC : options->start;
	world->life = 7;
	world->nends = 1 + u32_max(u32_max(options->nsenders, options->nreceivers), 1);
	make_snapshot(world);
	for (uint32_t i = 0; i < world->nends; i++)
		make_end(world, (int)i);
	for (uint32_t k = 0; k < count_sessions(world) && !options->starts_later; k++)
		world_start(world, k);
	return world;
}

void world_destroy(struct world *world)
{
	for (uint32_t i = 0; i < world->nends; i++) {
		worker_fini(&world->ends[i].worker);
		for (uint32_t k = 0; k < count_sessions(world); k++)
			session_destroy(world->ends[i].sessions[k]);
		free(world->ends[i].memory);
	}
	link_fini(world);
	for (uint32_t k = 0; k < count_sessions(world); k++) {
		free(world->copies[k].image);
		free(world->copies[k].writes);
		free(world->copies[k].sends);
		free(world->copies[k].have);
	}
	manifest_fini(&world->manifest);
	free(world);
}

static nsec next_event(const struct world *world)
{
	nsec next = NEVER;

	for (uint32_t i = 0; i < world->nends; i++) {
		const struct world_end *end = &world->ends[i];
		nsec own = nsec_min(
			link_deadline(world, i), nsec_min(world_disk_deadline(end),
							 worker_deadline(&end->worker)));

		own = nsec_max(own, end->absent_until);
		next = nsec_min(next, nsec_max(own, end->asleep_until));
	}
	return next;
}

/* Somebody else's turn on this CPU. */
static void leave(struct world *world, struct world_end *end, uint32_t percent)
{
	nsec least = MSEC, most = 5 * MSEC;
	uint32_t presence;

	if (world->options.absence_most != 0) {
		least = 0;
		most = world->options.absence_most;
	}
	presence = (uint32_t)((least + most) / 2) / percent * (100 - percent);
	end->left_at = world->now;
	end->absent_until =
		world->now + least + world_random(world, (uint32_t)(most - least));
	end->leaves_at = end->absent_until + world_random(world, 2 * presence);
}

static nsec wake_time(const struct world *world, const struct world_end *end)
{
	bool is_throttled = shaper_is_waiting(&end->worker.shaper);

	return nsec_min(world->now + (is_throttled ? 200 : 50) * USEC,
		worker_deadline(&end->worker));
}

static bool run_end(struct world *world, uint32_t i)
{
	struct world_end *end = &world->ends[i];
	uint32_t percent = world->options.absence_percent[i];
	bool leaves, busy;
	nsec now;

	if (world->now < end->absent_until || world->now < end->asleep_until)
		return false;
	leaves = percent != 0 && world->now >= end->leaves_at;
	now = end->has_old_clock ? end->left_at + TURN : world->now;
	end->has_old_clock = leaves && world_random(world, 2) == 0;
	end->is_leaving = leaves && !end->has_old_clock;
	busy = worker_run(&end->worker, now);
	if (leaves)
		leave(world, end, percent);
	if (world->options.sleeps && !busy)
		end->asleep_until = wake_time(world, end);
	return busy;
}

/* Who has nothing to do looks again and again: what comes next has not been waiting. */
static void pass_time(struct world *world, nsec until)
{
	world->now = until;
	for (uint32_t i = 0; i < world->nends; i++) {
		struct world_end *end = &world->ends[i];

		if ((end->absent_until == 0 || end->absent_until < until) &&
			end->asleep_until < until)
			end->worker.turns.emptied_at = until;
	}
}

void world_step(struct world *world)
{
	bool busy = false;

	for (uint32_t i = 0; i < world->nends; i++)
		busy |= run_end(world, i);
	world->now += TURN;
	if (!busy) {
		nsec next = next_event(world);

		if (next != NEVER)
			pass_time(world, nsec_max(world->now, next));
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

bool world_is_sound(const struct world *world, uint32_t which, uint32_t *nchunks)
{
	const struct world_copy *copy = &world->copies[which];

	*nchunks = 0;
	for (uint32_t i = 0; i < world->manifest.nchunks; i++) {
		const struct manifest_leaf *leaf = &world->manifest.leaves[i];
		bool is_zero = (leaf->flags & LEAF_ZERO) != 0;
		const uint8_t *chunk =
			copy->image + (size_t)i * world->options.chunk_size;
		struct manifest_leaf found;

		if (copy->writes[i] > (is_zero ? 0 : 1))
			return false;
		if (copy->writes[i] == 0 && !is_zero)
			continue;
		found = manifest_leaf_of(chunk, manifest_chunk_len(&world->manifest, i));
		if (found.crc32c != leaf->crc32c || found.crc64 != leaf->crc64)
			return false;
		(*nchunks)++;
	}
	return true;
}

bool world_is_identical(const struct world *world)
{
	uint32_t nchunks;

	for (uint32_t i = 0; i < count_sessions(world); i++) {
		if (!world_is_sound(world, i, &nchunks) ||
			nchunks != world->manifest.nchunks)
			return false;
	}
	return true;
}
