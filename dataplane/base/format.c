/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/base/format.h"

#include <stdio.h>

char *format_bytes(uint64_t bytes, char text[static FORMAT_MAX])
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double value = (double)bytes / 1024;
	size_t unit = 0;

	if (bytes < 1024) {
		(void)snprintf(text, FORMAT_MAX, "%u B", (unsigned)bytes);
		return text;
	}
	/* 1023.95 would be printed as 1024.0 */
	while (value >= 1023.95 && unit + 1 < ARRAY_LEN(units)) {
		value /= 1024;
		unit++;
	}
	(void)snprintf(text, FORMAT_MAX, "%.1f %s", value, units[unit]);
	return text;
}

char *format_rate(uint64_t rate_bps, char text[static FORMAT_MAX])
{
	static const char *const units[] = {"b/s", "kb/s", "Mb/s", "Gb/s", "Tb/s"};
	double value = (double)rate_bps;
	size_t unit = 0;

	if (rate_bps == UINT64_MAX) {
		(void)snprintf(text, FORMAT_MAX, "unlimited");
		return text;
	}
	if (rate_bps == RATE_AUTO) {
		(void)snprintf(text, FORMAT_MAX, "auto");
		return text;
	}
	while (value >= 999.5 && unit + 1 < ARRAY_LEN(units)) {
		value /= 1000;
		unit++;
	}
	(void)snprintf(text, FORMAT_MAX, "%.*f %s", unit >= 3 && value < 99.95 ? 2 : 0,
		value, units[unit]);
	return text;
}

char *format_duration(nsec span, char text[static FORMAT_MAX])
{
	/* Rounded to what is printed first, so that 59.996 s is not "60.00 s". */
	long long hundredths = (span + 5 * MSEC) / (10 * MSEC);
	long long seconds = (span + SEC / 2) / SEC;
	long long minutes = (span + 30 * SEC) / (60 * SEC);

	if (span < MSEC)
		(void)snprintf(text, FORMAT_MAX, "%lld us", (long long)(span / USEC));
	else if (span < SEC)
		(void)snprintf(text, FORMAT_MAX, "%lld ms", (long long)(span / MSEC));
	else if (hundredths < 6000)
		(void)snprintf(text, FORMAT_MAX, "%lld.%02lld s", hundredths / 100,
			hundredths % 100);
	else if (seconds < 3600)
		(void)snprintf(
			text, FORMAT_MAX, "%lld m %02lld s", seconds / 60, seconds % 60);
	else
		(void)snprintf(
			text, FORMAT_MAX, "%lld h %02lld m", minutes / 60, minutes % 60);
	return text;
}

uint64_t rate_of(uint64_t bytes, nsec span)
{
	unsigned __int128 bits = (unsigned __int128)bytes * 8;

	if (span <= 0)
		return 0;
	bits = bits * (uint64_t)SEC / (uint64_t)span;
	return bits > UINT64_MAX ? UINT64_MAX : (uint64_t)bits;
}
