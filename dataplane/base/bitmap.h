/* SPDX-License-Identifier: BSD-3-Clause */
/* A fixed-size set of small numbers, in 64-bit words that the caller owns. */
#ifndef BITMAP_H
#define BITMAP_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define BITMAP_WORDS(nbits) (((size_t)(nbits) + 63) / 64)

static inline bool bitmap_test(const uint64_t *map, uint32_t bit)
{
	return map[bit / 64] >> (bit % 64) & 1;
}

static inline void bitmap_set(uint64_t *map, uint32_t bit)
{
	map[bit / 64] |= (uint64_t)1 << (bit % 64);
}

static inline void bitmap_clear(uint64_t *map, uint32_t bit)
{
	map[bit / 64] &= ~((uint64_t)1 << (bit % 64));
}

/* Sets the bit. Returns whether it was set before. */
static inline bool bitmap_test_and_set(uint64_t *map, uint32_t bit)
{
	bool was = bitmap_test(map, bit);

	bitmap_set(map, bit);
	return was;
}

static inline void bitmap_zero(uint64_t *map, uint32_t nbits)
{
	memset(map, 0, BITMAP_WORDS(nbits) * sizeof(*map));
}

/* How many bits below nbits are set. Bits from nbits on must be clear. */
static inline uint32_t bitmap_count(const uint64_t *map, uint32_t nbits)
{
	uint32_t count = 0;

	for (size_t i = 0; i < BITMAP_WORDS(nbits); i++)
		count += (uint32_t)__builtin_popcountll(map[i]);
	return count;
}

/* The first clear bit in [from, nbits), or nbits when there is none. */
static inline uint32_t bitmap_next_clear(
	const uint64_t *map, uint32_t from, uint32_t nbits)
{
	while (from < nbits) {
		uint64_t clear = ~map[from / 64] >> (from % 64);

		if (clear != 0) {
			from += (uint32_t)__builtin_ctzll(clear);
			return from < nbits ? from : nbits;
		}
		from += 64 - from % 64;
	}
	return nbits;
}

#endif
