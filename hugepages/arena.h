/* SPDX-License-Identifier: BSD-3-Clause */
/* A region of memory handed out from the bottom up, never back: all of the data plane's
 * memory is taken at start, and every byte is accounted for.
 *
 *      base                                         base + size
 *      | chunk buffers | worker tables | ...  |  free  |
 *                                             used ►
 *
 * The arena does not own the memory: who gives it (an EAL memzone, arena_map, an array)
 * takes it back. One thread. */
#ifndef ARENA_H
#define ARENA_H

#include <stddef.h>
#include <stdint.h>

struct arena {
	uint8_t *base;
	size_t size; /* bytes */
	size_t used; /* bytes, alignment gaps included */
};

void arena_init(struct arena *arena, void *base, size_t size);

/* Takes len zeroed bytes at an address that is a multiple of align, a power of two.
 * Returns 0, -ENOSPC (what is left does not suffice) or -EINVAL. */
int arena_take(struct arena *arena, size_t len, size_t align, void **memory);

size_t arena_left(const struct arena *arena);

#endif
