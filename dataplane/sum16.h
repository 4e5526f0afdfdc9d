/* SPDX-License-Identifier: BSD-3-Clause */
/* The Internet's checksum (RFC 1071) in parts: sums of pieces of even length add up to
 * the sum of the whole. All functions are pure; any thread. */
#ifndef SUM16_H
#define SUM16_H

#include <stddef.h>
#include <stdint.h>

/* The sum of bytes, as 16-bit numbers in network order; an odd byte counts as the high
 * half of one. Not inverted. */
uint16_t sum16(const uint8_t *bytes, size_t len);

static inline uint16_t sum16_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)(sum + (sum >> 16));
}

/* The sum of one piece of even length and of what follows it. */
static inline uint16_t sum16_add(uint16_t one, uint16_t other)
{
	return sum16_fold((uint32_t)one + other);
}

#endif
