/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/crc.h"

#include <limits.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif

#include <isa-l/crc.h>
#include <isa-l/crc64.h>

/* CRC-32C's polynomial, bit-reflected. */
#define POLYNOMIAL 0x82f63b78u
/* x^-64, for x^(2^31 - 1) is 1. */
#define X_TO_MINUS_64 0xe67cce65u

/* ISA-L takes an int length and a non-const buffer that it does not write. */
enum { PIECE = INT_MAX & ~4095 };

uint32_t crc32c_extend(uint32_t crc, const uint8_t *bytes, size_t len)
{
	uint32_t raw = ~crc;

	while (len > 0) {
		size_t piece = len < PIECE ? len : PIECE;

		raw = crc32_iscsi((unsigned char *)(uintptr_t)bytes, (int)piece, raw);
		bytes += piece;
		len -= piece;
	}
	return ~raw;
}

uint32_t crc32c(const uint8_t *bytes, size_t len)
{
	return crc32c_extend(0, bytes, len);
}

uint32_t crc32c_extend_base(uint32_t crc, const uint8_t *bytes, size_t len)
{
	return ~crc32_iscsi_base((unsigned char *)(uintptr_t)bytes, (int)len, ~crc);
}

uint64_t crc64_extend(uint64_t crc, const uint8_t *bytes, size_t len)
{
	return crc64_ecma_refl(crc, bytes, len);
}

uint64_t crc64(const uint8_t *bytes, size_t len)
{
	return crc64_extend(0, bytes, len);
}

uint64_t crc64_extend_base(uint64_t crc, const uint8_t *bytes, size_t len)
{
	return crc64_ecma_refl_base(crc, bytes, len);
}

/* Polynomials over GF(2) modulo P, reflected: bit 31 is x^0. */
uint32_t crc32c_multiply_base(uint32_t a, uint32_t b)
{
	uint32_t product = 0;

	for (int i = 0; i < 32; i++) {
		product ^= b & (0u - (a >> 31));
		a <<= 1;
		b = (b >> 1) ^ (POLYNOMIAL & (0u - (b & 1)));
	}
	return product;
}

#ifdef __x86_64__

/* a * b * x^32: the CRC instruction multiplies what it reduces by x^32. A product of two
 * reflected numbers has its x^0 in bit 62; the instruction wants it in bit 63. */
__attribute__((target("pclmul,sse4.2"))) static uint32_t multiply_step(
	uint32_t a, uint32_t b)
{
	__m128i product = _mm_clmulepi64_si128(
		_mm_cvtsi32_si128((int)a), _mm_cvtsi32_si128((int)b), 0);

	return (uint32_t)_mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product) << 1);
}

__attribute__((target("pclmul,sse4.2"))) static uint32_t multiply(uint32_t a, uint32_t b)
{
	return multiply_step(multiply_step(a, b), X_TO_MINUS_64);
}

uint32_t crc32c_multiply(uint32_t a, uint32_t b)
{
	if (__builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.2"))
		return multiply(a, b);
	return crc32c_multiply_base(a, b);
}

#else

uint32_t crc32c_multiply(uint32_t a, uint32_t b)
{
	return crc32c_multiply_base(a, b);
}

#endif

uint32_t crc32c_power(uint64_t nbytes)
{
	uint32_t result = 0x80000000u; /* x^0 */
	uint32_t square = 0x00800000u; /* x^8 */

	for (; nbytes != 0; nbytes >>= 1) {
		if (nbytes & 1)
			result = crc32c_multiply(result, square);
		square = crc32c_multiply(square, square);
	}
	return result;
}

/* With the standard pre- and post-inversion, crc(A||B) = crc(A) * x^(8|B|) + crc(B):
 * the inversions of A's end and B's start cancel. */
uint32_t crc32c_concat(uint32_t crc_a, uint32_t crc_b, uint64_t len_b)
{
	return crc32c_multiply(crc_a, crc32c_power(len_b)) ^ crc_b;
}
