/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/base/copy.h"

#include <string.h>

#ifdef __x86_64__

#include <immintrin.h>

/* Both copy the whole lines alone, and return how many bytes those were. */

__attribute__((target("avx512f"))) static size_t copy_lines(
	uint8_t *to, const uint8_t *from, size_t len)
{
	size_t at = 0;

	for (; at + COPY_ALIGN <= len; at += COPY_ALIGN)
		_mm512_stream_si512((__m512i *)(to + at), _mm512_loadu_si512(from + at));
	return at;
}

static size_t copy_quarters(uint8_t *to, const uint8_t *from, size_t len)
{
	size_t at = 0;

	for (; at + COPY_ALIGN <= len; at += COPY_ALIGN) {
		__m128i a = _mm_loadu_si128((const __m128i *)(from + at));
		__m128i b = _mm_loadu_si128((const __m128i *)(from + at + 16));
		__m128i c = _mm_loadu_si128((const __m128i *)(from + at + 32));
		__m128i d = _mm_loadu_si128((const __m128i *)(from + at + 48));

		_mm_stream_si128((__m128i *)(to + at), a);
		_mm_stream_si128((__m128i *)(to + at + 16), b);
		_mm_stream_si128((__m128i *)(to + at + 32), c);
		_mm_stream_si128((__m128i *)(to + at + 48), d);
	}
	return at;
}

void copy_past_cache(uint8_t *to, const uint8_t *from, size_t len)
{
	size_t done = __builtin_cpu_supports("avx512f") ? copy_lines(to, from, len)
							: copy_quarters(to, from, len);

	memcpy(to + done, from + done, len - done);
}

void copy_publish(void)
{
	_mm_sfence();
}

#else

void copy_past_cache(uint8_t *to, const uint8_t *from, size_t len)
{
	memcpy(to, from, len);
}

void copy_publish(void)
{
}

#endif
