/* SPDX-License-Identifier: BSD-3-Clause */
/* Time and size units shared by every layer. */
#ifndef UNITS_H
#define UNITS_H

#include <stdint.h>

typedef int64_t nsec; /* a point in time or a span, monotonic nanoseconds */

#define NEVER INT64_MAX

#define USEC ((nsec)1000)
#define MSEC (1000 * USEC)
#define SEC (1000 * MSEC)

#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#define RATE_UNLIMITED UINT64_MAX    /* bits a second */
#define RATE_AUTO (UINT64_MAX - 1)   /* what others leave, see auto_rate.h */
#define RATE_MIN ((uint64_t)1000000) /* the smallest limit that is not a pause */
#define RATE_MAX (400 * (uint64_t)1000000000)

#define COLD __attribute__((cold, noinline))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

static inline nsec nsec_min(nsec a, nsec b)
{
	return a < b ? a : b;
}

static inline nsec nsec_max(nsec a, nsec b)
{
	return a > b ? a : b;
}

static inline uint32_t u32_min(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static inline uint32_t u32_max(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static inline uint64_t u64_max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline uint64_t u64_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

#endif
