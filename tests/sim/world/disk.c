/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/world/disk.h"

#include <errno.h>
#include <string.h>

#include "dataplane/crc.h"

void world_disk_fill(
	const struct world *world, uint32_t chunk, uint8_t *bytes, uint32_t len)
{
	uint64_t state = (world->options.seed << 20) + chunk + 1;

	if (chunk % 10 == 9) {
		memset(bytes, 0, len);
		return;
	}
	for (uint32_t i = 0; i < len; i += 8) {
		state = state * 6364136223846793005ull + 1442695040888963407ull;
		memcpy(bytes + i, &state, u32_min(8, len - i));
	}
}

/* When a request will be done: reads after a while, writes one after another. */
static nsec done_at(struct world_end *end, const struct store_request *request)
{
	struct world *world = end->world;
	nsec at =
		world->now + world_random(world, (uint32_t)world->options.disk_delay + 1);
	uint64_t len = manifest_chunk_len(&world->manifest, request->chunk);

	if (request->op != STORE_WRITE || world->options.write_rate == 0)
		return at;
	end->disk_free_at = nsec_max(end->disk_free_at, world->now) +
			    (nsec)(len * (uint64_t)SEC / world->options.write_rate);
	return nsec_max(at, end->disk_free_at);
}

static bool disk_submit(void *self, const struct store_request *request)
{
	struct world_end *end = self;

	for (size_t i = 0; i < WORLD_REQUESTS; i++) {
		struct world_disk_request *slot = &end->disk[i];

		if (slot->used)
			continue;
		slot->used = true;
		slot->request = *request;
		slot->done_at = done_at(end, request);
		return true;
	}
	return false;
}

static void read_chunk(struct world_end *end, const struct store_request *request)
{
	struct world *world = end->world;
	uint32_t len = manifest_chunk_len(&world->manifest, request->chunk);

	world_disk_fill(world, request->chunk, request->buf, len);
	if (request->chunk == end->rotten_chunk) {
		request->buf[len / 2] ^= 4;
		if (end->rot_heals)
			end->rotten_chunk = UINT32_MAX;
	}
	store_sum_slices(request, len);
}

static int write_chunk(struct world_end *end, const struct store_request *request)
{
	struct world *world = end->world;
	struct world_copy *copy = (struct world_copy *)request->object;
	uint32_t len = manifest_chunk_len(&world->manifest, request->chunk);

	if (world->options.space != 0 && end->written + len > world->options.space)
		return -ENOSPC;
	if (copy->image != NULL)
		memcpy(copy->image + (size_t)request->chunk * world->options.chunk_size,
			request->buf, len);
	copy->writes[request->chunk]++;
	end->written += len;
	return 0;
}

static int disk_poll(void *self, struct store_completion completions[], int max)
{
	struct world_end *end = self;
	int count = 0;
	int error;

	for (size_t i = 0; i < WORLD_REQUESTS && count < max; i++) {
		struct world_disk_request *slot = &end->disk[i];

		if (!slot->used || slot->done_at > end->world->now)
			continue;
		error = end->disk_error;
		if (error == 0 && slot->request.op == STORE_READ)
			read_chunk(end, &slot->request);
		else if (error == 0)
			error = write_chunk(end, &slot->request);
		completions[count++] = (struct store_completion){
			.cookie = slot->request.cookie, .error = error};
		slot->used = false;
	}
	return count;
}

const struct store_ops world_disk_ops = {.submit = disk_submit, .poll = disk_poll};

nsec world_disk_deadline(const struct world_end *end)
{
	nsec deadline = NEVER;

	for (size_t i = 0; i < WORLD_REQUESTS; i++) {
		if (end->disk[i].used)
			deadline = nsec_min(deadline, end->disk[i].done_at);
	}
	return deadline;
}
