/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <x86intrin.h>

void sample(const char *what, const char *subject, const char *unit, double value)
{
	(void)printf("%s\t%s\t%s\t%.6g\n", what, subject, unit, value);
	(void)fflush(stdout);
}

void sample_cycles(uint32_t slice, const char *subject, double cycles)
{
	char what[16], fills[64];

	(void)snprintf(what, sizeof(what), "%u", slice);
	(void)snprintf(fills, sizeof(fills), "%s fills", subject);
	sample(what, subject, "cycles/packet", cycles);
	sample(what, fills, "Gb/s", sample_tsc_hz() / cycles * slice * 8 / 1e9);
}

nsec sample_clock(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (nsec)now.tv_sec * SEC + now.tv_nsec;
}

double sample_tsc_hz(void)
{
	static double hz;
	nsec from = sample_clock();
	uint64_t ticks = __rdtsc();

	if (hz != 0)
		return hz;
	while (sample_clock() - from < 20 * MSEC)
		;
	ticks = __rdtsc() - ticks;
	hz = (double)ticks * (double)SEC / (double)(sample_clock() - from);
	return hz;
}

uint32_t sample_number(int argc, char *const argv[], int at, uint32_t fallback)
{
	char *end;
	unsigned long value;

	if (at >= argc)
		return fallback;
	value = strtoul(argv[at], &end, 10);
	if (end == argv[at] || *end != '\0' || value == 0 || value > UINT32_MAX) {
		(void)fprintf(
			stderr, "%s: '%.40s' is no number above 0\n", argv[0], argv[at]);
		exit(EX_USAGE);
	}
	return (uint32_t)value;
}

uint32_t sample_count(int argc, char *const argv[], int at)
{
	if (at < argc && strcmp(argv[at], "0") == 0)
		return 0;
	return sample_number(argc, argv, at, 1);
}
