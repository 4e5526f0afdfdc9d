/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers with units, as people write them on command lines and in configuration files.
 * Each parser returns 0 or -EINVAL, and takes the whole text or nothing. Numbers may have
 * up to three decimals: 2.5Gbit. */
#ifndef PARSE_H
#define PARSE_H

#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/units.h"

/* Decimal digits and nothing else. */
int parse_u64(const char *text, uint64_t *value);
/* 4096, 64KiB, 1.5GiB; KB, MB, GB are powers of ten. */
int parse_size(const char *text, uint64_t *bytes);
/* 0 (paused), 500Mbit, 10Gbit, 1GiB/s, unlimited. */
int parse_rate(const char *text, uint64_t *rate_bps);
/* What the data plane can keep to: 0 (paused), RATE_MIN to RATE_MAX, unlimited,
 * auto (RATE_AUTO). Returns -ERANGE for another rate. */
int parse_limit(const char *text, uint64_t *rate_bps);
/* 500ms, 10s, 2m, 1h. */
int parse_duration(const char *text, nsec *span);

/* The candidate nearest to a mistyped word, or NULL when none is near. */
const char *nearest_word(const char *word, const char *const candidates[], size_t count);

#endif
