/* SPDX-License-Identifier: BSD-3-Clause */
#include "hugepages/pool.h"

#include <assert.h>
#include <errno.h>
#include <stdalign.h>

enum { POOL_SIZE_MAX = 1 << 30 };

static uint32_t step_of(uint32_t size)
{
	return (size + POOL_ALIGN - 1) / POOL_ALIGN * POOL_ALIGN;
}

size_t pool_memory(uint32_t count, uint32_t size)
{
	return (size_t)count * (step_of(size) + sizeof(uint32_t)) + POOL_ALIGN +
	       alignof(uint32_t);
}

int pool_init(struct pool *pool, struct arena *arena, uint32_t count, uint32_t size)
{
	void *buffers, *numbers;
	int rc;

	if (count == 0 || size == 0 || size > POOL_SIZE_MAX)
		return -EINVAL;
	pool->size = size;
	pool->step = step_of(size);
	rc = arena_take(arena, (size_t)count * pool->step, POOL_ALIGN, &buffers);
	if (rc != 0)
		return rc;
	rc = arena_take(arena, count * sizeof(uint32_t), alignof(uint32_t), &numbers);
	if (rc != 0)
		return rc;
	pool->buffers = buffers;
	pool->free = numbers;
	pool->count = count;
	pool->nfree = count;
	pool->most = count;
	pool->holds = (struct pool_holds){0};
	for (uint32_t i = 0; i < count; i++)
		pool->free[i] = count - 1 - i;
	return 0;
}

static uint8_t *buffer_at(const struct pool *pool, uint32_t at)
{
	return pool->buffers + (size_t)pool->free[at] * pool->step;
}

void pool_limit(struct pool *pool, uint32_t most)
{
	pool->most = most;
}

uint32_t pool_room(const struct pool *pool)
{
	uint32_t out = pool->count - pool->nfree;

	if (out >= pool->most)
		return 0;
	return pool->most - out < pool->nfree ? pool->most - out : pool->nfree;
}

uint8_t *pool_take(struct pool *pool)
{
	if (pool_room(pool) == 0)
		return NULL;
	for (uint32_t i = pool->nfree; i-- > 0;) {
		uint8_t *buffer = buffer_at(pool, i);

		if (pool->holds.is_held != NULL &&
			pool->holds.is_held(pool->holds.ctx, buffer))
			continue;
		pool->free[i] = pool->free[--pool->nfree];
		return buffer;
	}
	return NULL;
}

void pool_give(struct pool *pool, uint8_t *buffer)
{
	size_t offset = (size_t)(buffer - pool->buffers);

	assert(offset % pool->step == 0 && offset / pool->step < pool->count);
	assert(pool->nfree < pool->count);
	pool->free[pool->nfree++] = (uint32_t)(offset / pool->step);
}
