/* SPDX-License-Identifier: BSD-3-Clause */
/* CRC-32C (ISA-L crc32_iscsi) and CRC-64 (ECMA-182 reflected), with the algebra to join
 * them. "123456789" gives CRC-32C 0xE3069283. All functions are pure; any thread. */
#ifndef CRC_H
#define CRC_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(const uint8_t *bytes, size_t len);
/* CRC of A||B, given the CRC of A and the bytes of B; crc is 0 for an empty A. */
uint32_t crc32c_extend(uint32_t crc, const uint8_t *bytes, size_t len);
/* The same as crc32c_extend by the portable base version: the oracle of the tests. */
uint32_t crc32c_extend_base(uint32_t crc, const uint8_t *bytes, size_t len);
/* CRC of A||B, given both CRCs and the length of B. */
uint32_t crc32c_concat(uint32_t crc_a, uint32_t crc_b, uint64_t len_b);

uint64_t crc64(const uint8_t *bytes, size_t len);
uint64_t crc64_extend(uint64_t crc, const uint8_t *bytes, size_t len);
/* The portable base version, again an oracle. */
uint64_t crc64_extend_base(uint64_t crc, const uint8_t *bytes, size_t len);

/* Folding slices into the CRC of a chunk in any order:
 *
 *   fold = 0;  for each slice, once:  fold ^= crc32c_multiply(slice_crc, power of the
 * bytes after the slice);  then fold is the CRC of the chunk.
 *
 * XOR undoes itself: a slice folded twice cancels out, so test the bitmap before folding.
 */

/* x^(8 * nbytes) mod P: the constant that moves a CRC over nbytes. */
uint32_t crc32c_power(uint64_t nbytes);
/* a * b mod P. */
uint32_t crc32c_multiply(uint32_t a, uint32_t b);
/* The portable version, bit by bit: the oracle of the tests. */
uint32_t crc32c_multiply_base(uint32_t a, uint32_t b);

#endif
