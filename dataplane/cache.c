/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/cache.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "hugepages/pool.h"

int cache_init(struct cache *cache, struct pool *pool, uint32_t nblocks, bool has_sums)
{
	size_t nslices = (size_t)nblocks * CACHE_SLICES_MAX;

	*cache = (struct cache){.pool = pool, .nblocks = nblocks};
	cache->blocks = calloc(nblocks, sizeof(*cache->blocks));
	cache->slice_crcs = calloc(nslices, sizeof(uint32_t));
	if (has_sums)
		cache->slice_sums = calloc(nslices, sizeof(uint16_t));
	if (cache->blocks == NULL || cache->slice_crcs == NULL ||
		(has_sums && cache->slice_sums == NULL)) {
		cache_fini(cache);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < nblocks; i++) {
		size_t first = (size_t)i * CACHE_SLICES_MAX;

		cache->blocks[i].slice_crc = &cache->slice_crcs[first];
		if (has_sums)
			cache->blocks[i].slice_sum = &cache->slice_sums[first];
	}
	return 0;
}

size_t cache_memory(uint32_t nblocks)
{
	return (size_t)nblocks *
	       (sizeof(struct block) + CACHE_SLICES_MAX * sizeof(uint32_t));
}

void cache_fini(struct cache *cache)
{
	free(cache->blocks);
	free(cache->slice_crcs);
	free(cache->slice_sums);
	cache->blocks = NULL;
	cache->slice_crcs = NULL;
	cache->slice_sums = NULL;
}

static void release(struct cache *cache, struct block *block)
{
	assert(block->refs == 0);
	pool_give(cache->pool, block->buf);
	block->buf = NULL;
	block->state = BLOCK_FREE;
	cache->nused--;
}

static struct block *find(const struct cache *cache, const struct store_object *object,
	uint32_t chunk, uint32_t slice_size)
{
	for (uint32_t i = 0; i < cache->nblocks; i++) {
		struct block *block = &cache->blocks[i];

		if (block->state != BLOCK_FREE && block->chunk == chunk &&
			block->object == object && block->slice_size == slice_size &&
			!block->is_stale)
			return block;
	}
	return NULL;
}

static struct block *find_free(struct cache *cache)
{
	for (uint32_t i = 0; i < cache->nblocks; i++) {
		if (cache->blocks[i].state == BLOCK_FREE)
			return &cache->blocks[i];
	}
	return NULL;
}

static bool is_idle(const struct block *block)
{
	return block->refs == 0 &&
	       (block->state == BLOCK_READY || block->state == BLOCK_FAILED);
}

bool cache_reclaim(struct cache *cache)
{
	struct block *oldest = NULL;

	for (uint32_t i = 0; i < cache->nblocks; i++) {
		struct block *block = &cache->blocks[i];

		if (is_idle(block) && (oldest == NULL || block->number < oldest->number))
			oldest = block;
	}
	if (oldest == NULL)
		return false;
	release(cache, oldest);
	return true;
}

/* A free block with a buffer, or NULL. A buffer that was given back may be the device's
 * to read for a while: then the next one. */
static struct block *take_block(struct cache *cache)
{
	struct block *block = find_free(cache);
	uint8_t *buf = block != NULL ? pool_take(cache->pool) : NULL;

	while (buf == NULL) {
		if (!cache_reclaim(cache))
			return NULL;
		buf = pool_take(cache->pool);
	}
	block = find_free(cache);
	block->buf = buf;
	cache->nused++;
	return block;
}

bool cache_has(const struct cache *cache, const struct store_object *object,
	uint32_t chunk, uint32_t slice_size)
{
	const struct block *block = find(cache, object, chunk, slice_size);

	return block != NULL && block->state != BLOCK_FAILED;
}

struct pack_room cache_room(const struct cache *cache)
{
	return (struct pack_room){
		.newest = cache->newest, .blocks = cache->nused + pool_room(cache->pool)};
}

struct block *cache_get(struct cache *cache, struct store_object *object, uint32_t chunk,
	uint32_t slice_size, bool refresh)
{
	struct block *block = find(cache, object, chunk, slice_size);

	if (block != NULL && (refresh || block->state == BLOCK_FAILED)) {
		block->is_stale = true;
		if (is_idle(block))
			release(cache, block);
		block = NULL;
	}
	if (block == NULL) {
		block = take_block(cache);
		if (block == NULL)
			return NULL;
		block->state = BLOCK_QUEUED;
		block->is_stale = false;
		block->error = 0;
		block->object = object;
		block->chunk = chunk;
		block->slice_size = slice_size;
		block->number = ++cache->newest;
		cache->nqueued++;
	}
	block->refs++;
	return block;
}

void cache_put(struct cache *cache, struct block *block)
{
	assert(block->refs > 0);
	block->refs--;
	if (is_idle(block) && (block->is_stale || block->state == BLOCK_FAILED))
		release(cache, block);
}

void cache_put_last(struct cache *cache, struct block *block)
{
	if (block->refs == 1 && block->state == BLOCK_READY && block->is_warm)
		block->is_stale = true;
	cache_put(cache, block);
}

bool cache_next_load(struct cache *cache, struct store_request *request)
{
	if (cache->nqueued == 0)
		return false;
	for (uint32_t i = 0; i < cache->nblocks; i++) {
		struct block *block = &cache->blocks[i];

		if (block->state != BLOCK_QUEUED)
			continue;
		*request = (struct store_request){
			.object = block->object,
			.cookie = i,
			.op = STORE_READ,
			.chunk = block->chunk,
			.buf = block->buf,
			.slice_size = block->slice_size,
			.slice_crc = block->slice_crc,
			.slice_sum = block->slice_sum,
		};
		return true;
	}
	return false;
}

void cache_mark_loading(struct cache *cache, const struct store_request *request)
{
	cache->blocks[request->cookie].state = BLOCK_LOADING;
	cache->nqueued--;
	cache->reads++;
}

void cache_on_loaded(struct cache *cache, const struct store_completion *completion)
{
	struct block *block = &cache->blocks[completion->cookie];

	assert(block->state == BLOCK_LOADING);
	block->error = completion->error;
	block->is_warm = completion->from_memory;
	cache->is_warm = completion->from_memory;
	block->state = completion->error == 0 ? BLOCK_READY : BLOCK_FAILED;
	if (is_idle(block) && (block->is_stale || block->state == BLOCK_FAILED))
		release(cache, block);
}

bool cache_forget(struct cache *cache, const struct store_object *object)
{
	bool all_gone = true;

	for (uint32_t i = 0; i < cache->nblocks; i++) {
		struct block *block = &cache->blocks[i];

		if (block->state == BLOCK_FREE || block->object != object)
			continue;
		assert(block->refs == 0);
		if (block->state == BLOCK_QUEUED) {
			cache->nqueued--;
			release(cache, block);
		} else if (block->state == BLOCK_LOADING) {
			all_gone = false;
		} else {
			release(cache, block);
		}
	}
	return all_gone;
}
