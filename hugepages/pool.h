/* SPDX-License-Identifier: BSD-3-Clause */
/* Equal buffers carved from an arena, taken and given back.
 *
 *      pool:  [0][1][2][3]     free stack: 3 1 0    (2 is out)
 *
 * Buffers start on 4 KiB so that they suit O_DIRECT. The last one given back is the next
 * one taken: it is the one still in the CPU's cache. One thread. */
#ifndef POOL_H
#define POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "hugepages/arena.h"

enum { POOL_ALIGN = 4096 };

/* Whether somebody still reads a buffer that was given back: it is not handed out then.
 */
struct pool_holds {
	bool (*is_held)(void *ctx, const uint8_t *buffer); /* NULL: nobody does */
	void *ctx;
};

struct pool {
	uint8_t *buffers;
	uint32_t *free; /* a stack of numbers of buffers */
	uint32_t count; /* buffers in all */
	uint32_t nfree;
	uint32_t most;           /* that may be out at once */
	uint32_t size;           /* bytes a buffer, as asked for */
	uint32_t step;           /* bytes from one buffer to the next */
	struct pool_holds holds; /* set after pool_init */
};

/* Returns 0, -EINVAL for a count or size of 0 or a size above 1 GiB, or -ENOSPC when the
 * arena is too small. */
int pool_init(struct pool *pool, struct arena *arena, uint32_t count, uint32_t size);

/* Returns a buffer, or NULL when none is free or too many are out. The contents are
 * whatever was left there.
 */
uint8_t *pool_take(struct pool *pool);
/* buffer came from pool_take of this pool and is given back once. */
void pool_give(struct pool *pool, uint8_t *buffer);

/* From now on at most so many are out at once; those beyond come back when they do. */
void pool_limit(struct pool *pool, uint32_t most);
/* How many pool_take would give now. */
uint32_t pool_room(const struct pool *pool);

/* Bytes of arena that a pool takes, for sizing it. */
size_t pool_memory(uint32_t count, uint32_t size);

#endif
