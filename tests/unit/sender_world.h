/* SPDX-License-Identifier: BSD-3-Clause */
/* A sender with a manifest, a cache of four buffers, and a disk in the test's hand. */
#ifndef SENDER_WORLD_H
#define SENDER_WORLD_H

#include "dataplane/crc.h"
#include "dataplane/sender.h"
#include "hugepages/pool.h"

enum { CHUNK = MANIFEST_CHUNK_MIN, SLICE = 8192, SLICES = CHUNK / SLICE, BUFFERS = 4 };
enum { CHUNKS = 301, TAIL = 5 }; /* the last chunk has five bytes */
#define PLENTY ((uint64_t)1 << 40)
#define STALL (5 * SEC)

struct fixture {
	struct manifest manifest;
	struct arena arena;
	struct pool pool;
	struct cache cache;
	struct sender sender;
	struct packet packet;
	void *memory;
};

static inline int start(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	size_t memory = pool_memory(BUFFERS, CHUNK);
	struct sender_config config = {.manifest = &f->manifest,
		.object = (struct store_object *)f,
		.cache = &f->cache,
		.slice_size = SLICE,
		.window = WIRE_ACK_BITS,
		.stall_timeout = STALL};

	f->memory = malloc(memory);
	arena_init(&f->arena, f->memory, memory);
	assert_int_equal(pool_init(&f->pool, &f->arena, BUFFERS, CHUNK), 0);
	assert_int_equal(cache_init(&f->cache, &f->pool, BUFFERS, false), 0);
	assert_int_equal(manifest_init(&f->manifest, CHUNK, NULL), 0);
	assert_int_equal(
		manifest_add(&f->manifest, "a", (CHUNKS - 1) * CHUNK + TAIL, 0644, NULL),
		0);
	assert_int_equal(manifest_layout(&f->manifest, NULL), 0);
	assert_int_equal(f->manifest.nchunks, CHUNKS);
	sender_init(&f->sender, &config, 0);
	*state = f;
	return 0;
}

static inline int end(void **state)
{
	struct fixture *f = *state;

	sender_fini(&f->sender);
	assert_int_equal(f->sender.nblocks, 0);
	cache_fini(&f->cache);
	manifest_fini(&f->manifest);
	free(f->memory);
	free(f);
	return 0;
}

static inline struct wire_pull pull_of(
	uint32_t first_request, uint32_t first, uint16_t count, uint64_t credit)
{
	return (struct wire_pull){.credit = credit,
		.first_request = first_request,
		.nruns = 1,
		.runs = {{.first = first, .count = count}}};
}

static inline enum verdict hear_pull(
	struct fixture *f, const struct wire_pull *pull, nsec now)
{
	return sender_on_pull(&f->sender, pull, 0, now);
}

static inline bool next(struct fixture *f, nsec now)
{
	return sender_poll(&f->sender, &f->packet, now);
}

/* The disk answers every read: all bytes of chunk n are n. */
static inline void read_disk(struct fixture *f, int error)
{
	struct store_request request;

	while (cache_next_load(&f->cache, &request)) {
		uint32_t len = manifest_chunk_len(&f->manifest, request.chunk);

		cache_mark_loading(&f->cache, &request);
		memset(request.buf, (int)request.chunk, len);
		for (uint32_t at = 0; at < len; at += SLICE)
			request.slice_crc[at / SLICE] =
				crc32c(request.buf + at, u32_min(SLICE, len - at));
		cache_on_loaded(
			&f->cache, &(struct store_completion){
					   .cookie = request.cookie, .error = error});
	}
}

/* Pulls one chunk and takes all its slices out; returns how many. */
static inline uint32_t serve(struct fixture *f, uint32_t request, uint32_t chunk)
{
	struct wire_pull pull = pull_of(request, chunk, 1, PLENTY);
	uint32_t count = 0;

	assert_int_equal(hear_pull(f, &pull, 0), ACCEPTED);
	assert_false(next(f, 0));
	read_disk(f, 0);
	while (next(f, 0))
		count++;
	return count;
}

static inline enum verdict acknowledge(
	struct fixture *f, uint32_t first, uint32_t last, nsec now)
{
	struct wire_ack ack = {.largest_pn = last,
		.base_pn = first,
		.nbits = (uint16_t)(last - first + 1)};

	for (uint32_t i = 0; i < ack.nbits; i++)
		bitmap_set(ack.bits, i);
	return sender_on_ack(&f->sender, &ack, now);
}

#endif
