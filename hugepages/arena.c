/* SPDX-License-Identifier: BSD-3-Clause */
#include "hugepages/arena.h"

#include <errno.h>
#include <string.h>

void arena_init(struct arena *arena, void *base, size_t size)
{
	arena->base = base;
	arena->size = size;
	arena->used = 0;
}

int arena_take(struct arena *arena, size_t len, size_t align, void **memory)
{
	uintptr_t at = (uintptr_t)arena->base + arena->used;
	size_t gap, left = arena_left(arena);

	if (align == 0 || (align & (align - 1)) != 0)
		return -EINVAL;
	gap = (size_t)(-at & (align - 1));
	if (gap > left || len > left - gap)
		return -ENOSPC;
	arena->used += gap + len;
	memset((void *)(at + gap), 0, len);
	*memory = (void *)(at + gap);
	return 0;
}

size_t arena_left(const struct arena *arena)
{
	return arena->size - arena->used;
}
