/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers for people. Each fills text (FORMAT_MAX bytes) and returns it. */
#ifndef FORMAT_H
#define FORMAT_H

#include <stdint.h>

#include "dataplane/base/units.h"

enum { FORMAT_MAX = 32 };

/* "512 B", "6.5 KiB", "1.0 GiB" */
char *format_bytes(uint64_t bytes, char text[static FORMAT_MAX]);
/* "0 b/s", "812 Mb/s", "9.87 Gb/s", "unlimited" for UINT64_MAX */
char *format_rate(uint64_t rate_bps, char text[static FORMAT_MAX]);
/* "250 us", "12 ms", "3.42 s", "2 m 05 s", "3 h 07 m" */
char *format_duration(nsec span, char text[static FORMAT_MAX]);

/* Bits a second of so many bytes in so long; 0 when the span is not positive, at most
 * UINT64_MAX. */
uint64_t rate_of(uint64_t bytes, nsec span);

#endif
