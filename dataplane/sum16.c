/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/sum16.h"

#include <string.h>

/* Two 64-bit lanes: the compiler makes SSE2 of them. */
typedef uint64_t lanes __attribute__((vector_size(16)));

/* Fewer bytes than lanes have, a part at a time: put together in memory first, they would
 * have to be in the cache before they can be read as one. */
static uint64_t tail(const uint8_t *bytes, size_t len)
{
	uint64_t sum = 0;
	uint32_t word;
	uint16_t half;

	for (; len >= sizeof(word); len -= sizeof(word), bytes += sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		sum += word;
	}
	if (len >= sizeof(half)) {
		memcpy(&half, bytes, sizeof(half));
		sum += half;
		bytes += sizeof(half);
	}
	return len % 2 != 0 ? sum + *bytes : sum;
}

/* Adds 32-bit numbers into 64-bit lanes, which overflow after 2^32 steps: never. The
 * order of bytes does not matter to a one's complement sum, but for a swap at its end. */
uint16_t sum16(const uint8_t *bytes, size_t len)
{
	lanes even = {0}, odd = {0}, step;
	uint64_t sum;

	for (; len >= sizeof(step); len -= sizeof(step), bytes += sizeof(step)) {
		memcpy(&step, bytes, sizeof(step));
		even += step & UINT32_MAX;
		odd += step >> 32;
	}
	even += odd;
	sum = (even[0] & UINT32_MAX) + (even[0] >> 32) + (even[1] & UINT32_MAX) +
	      (even[1] >> 32) + tail(bytes, len);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	return __builtin_bswap16(sum16_fold((uint32_t)sum));
}
