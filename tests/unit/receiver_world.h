/* SPDX-License-Identifier: BSD-3-Clause */
/* A receiver with a manifest and buffers, and sender and store in the test's hand. */
#ifndef RECEIVER_WORLD_H
#define RECEIVER_WORLD_H

#include "dataplane/crc.h"
#include "dataplane/receiver.h"
#include "hugepages/pool.h"

enum { CHUNK = MANIFEST_CHUNK_MIN, SLICE = 8192, SLICES = CHUNK / SLICE, BUFFERS = 40 };
enum { OPEN = 32 };                /* chunks at once */
enum { CHUNKS = 400, TAIL = 100 }; /* the last chunk has a hundred bytes */
#define STALL (5 * SEC)

struct fixture {
	struct manifest manifest;
	struct arena arena;
	struct pool pool;
	struct cache cache;
	uint64_t pulled[BITMAP_WORDS(CHUNKS)];
	struct receiver receiver;
	struct receiver_config config;
	struct pn_window window;
	struct packet packet;
	uint8_t bytes[CHUNK]; /* every chunk holds these */
	void *memory;
};

static inline int start(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	size_t memory = pool_memory(BUFFERS, CHUNK);

	f->memory = malloc(memory);
	arena_init(&f->arena, f->memory, memory);
	assert_int_equal(pool_init(&f->pool, &f->arena, BUFFERS, CHUNK), 0);
	assert_int_equal(cache_init(&f->cache, &f->pool, BUFFERS, false), 0);
	assert_int_equal(manifest_init(&f->manifest, CHUNK, NULL), 0);
	assert_int_equal(
		manifest_add(&f->manifest, "a", (CHUNKS - 1) * CHUNK + TAIL, 0644, NULL),
		0);
	assert_int_equal(manifest_layout(&f->manifest, NULL), 0);
	for (uint32_t i = 0; i < CHUNK; i++)
		f->bytes[i] = (uint8_t)(i * 31 + i / 251 + 1);
	for (uint32_t i = 0; i < CHUNKS; i++)
		f->manifest.leaves[i] =
			manifest_leaf_of(f->bytes, manifest_chunk_len(&f->manifest, i));
	f->config = (struct receiver_config){.manifest = &f->manifest,
		.object = (struct store_object *)f,
		.pool = &f->pool,
		.cache = &f->cache,
		.pulled = f->pulled,
		.slice_size = SLICE,
		.max_chunks = OPEN,
		.stall_timeout = STALL};
	receiver_init(&f->receiver, &f->config, 0);
	pn_window_init(&f->window);
	*state = f;
	return 0;
}

static inline int end(void **state)
{
	struct fixture *f = *state;

	receiver_fini(&f->receiver);
	assert_int_equal(f->pool.nfree, BUFFERS);
	cache_fini(&f->cache);
	manifest_fini(&f->manifest);
	free(f->memory);
	free(f);
	return 0;
}

static inline bool next(struct fixture *f, nsec now)
{
	return receiver_poll(&f->receiver, &f->window, &f->packet, now);
}

static inline struct wire_pull next_pull(struct fixture *f, nsec now)
{
	struct wire_pull pull;

	assert_true(next(f, now));
	assert_int_equal(f->packet.header.type, WIRE_PULL);
	assert_int_equal(f->packet.header.payload_crc,
		crc32c(f->packet.body, f->packet.payload_len));
	assert_true(wire_get_pull(f->packet.body, f->packet.payload_len, &pull));
	return pull;
}

static inline struct wire_header header_of(
	const struct fixture *f, uint32_t chunk, uint32_t slice)
{
	uint32_t len = manifest_chunk_len(&f->manifest, chunk) - slice * SLICE;

	len = u32_min(len, SLICE);
	return (struct wire_header){.type = WIRE_DATA,
		.chunk = chunk,
		.slice = (uint16_t)slice,
		.payload_len = (uint16_t)len,
		.payload_crc = crc32c(f->bytes + slice * SLICE, len)};
}

static inline enum verdict hear(
	struct fixture *f, uint32_t chunk, uint32_t slice, nsec now)
{
	struct wire_header header = header_of(f, chunk, slice);

	return receiver_on_data(
		&f->receiver, &header, f->bytes + (size_t)slice * SLICE, now);
}

static inline void hear_chunk(struct fixture *f, uint32_t chunk, nsec now)
{
	for (uint32_t slice = 0; slice * SLICE < manifest_chunk_len(&f->manifest, chunk);
		slice++)
		assert_int_equal(hear(f, chunk, slice, now), ACCEPTED);
}

/* The store takes the one write that is due; returns its chunk. */
static inline uint32_t write_one(struct fixture *f, int error, nsec now)
{
	struct store_request request;
	uint32_t slot;

	assert_true(receiver_next_write(&f->receiver, &request, &slot));
	assert_int_equal(request.op, STORE_WRITE);
	assert_memory_equal(
		request.buf, f->bytes, manifest_chunk_len(&f->manifest, request.chunk));
	receiver_mark_writing(&f->receiver, slot);
	receiver_on_written(&f->receiver, slot, error, now);
	return request.chunk;
}

#endif
