/* SPDX-License-Identifier: BSD-3-Clause */
/* What the programs of the bench say: one measured value a line, which run.sh collects.
 *
 *   case TAB subject TAB unit TAB value
 *
 * A value that was measured several times is printed several times. */
#ifndef SAMPLE_H
#define SAMPLE_H

#include <stdint.h>

#include "dataplane/base/units.h"

void sample(const char *what, const char *subject, const char *unit, double value);

/* Cycles a packet of so many bytes, and the rate that one core then fills: by the
 * time-stamp counter, as the cycles are. */
void sample_cycles(uint32_t slice, const char *subject, double cycles);

/* The monotonic clock. */
nsec sample_clock(void);
/* Ticks of the time-stamp counter a second, measured over 20 ms at the first call. */
double sample_tsc_hz(void);

/* The number behind argv[at], or the fallback when there are not so many. Exits with a
 * line on what is no number. */
uint32_t sample_number(int argc, char *const argv[], int at, uint32_t fallback);
/* The same, where 0 is as good as another and nothing is 1. */
uint32_t sample_count(int argc, char *const argv[], int at);

#endif
