/* SPDX-License-Identifier: BSD-3-Clause */
/* Copies what nobody on this core will read again.
 *
 * A store that goes past the caches spares reading the destination's lines first, which
 * is a third of the traffic of a copy into cold memory. */
#ifndef COPY_H
#define COPY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__

#include <emmintrin.h>

/* to is 16-byte aligned. Another thread may read the bytes after copy_publish. */
static inline void copy_past_cache(uint8_t *to, const uint8_t *from, size_t len)
{
	size_t at = 0;

	for (; at + 64 <= len; at += 64) {
		__m128i a = _mm_loadu_si128((const __m128i *)(from + at));
		__m128i b = _mm_loadu_si128((const __m128i *)(from + at + 16));
		__m128i c = _mm_loadu_si128((const __m128i *)(from + at + 32));
		__m128i d = _mm_loadu_si128((const __m128i *)(from + at + 48));

		_mm_stream_si128((__m128i *)(to + at), a);
		_mm_stream_si128((__m128i *)(to + at + 16), b);
		_mm_stream_si128((__m128i *)(to + at + 32), c);
		_mm_stream_si128((__m128i *)(to + at + 48), d);
	}
	memcpy(to + at, from + at, len - at);
}

/* Such stores are ordered with others by nothing but this. */
static inline void copy_publish(void)
{
	_mm_sfence();
}

#else

static inline void copy_past_cache(uint8_t *to, const uint8_t *from, size_t len)
{
	memcpy(to, from, len);
}

static inline void copy_publish(void)
{
}

#endif

#endif
