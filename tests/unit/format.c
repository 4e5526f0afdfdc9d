/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers for people: three or four digits, and never "1024.0 KiB" or "60.00 s". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataplane/base/format.h"

static void bytes_in_powers_of_1024(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} examples[] = {
		{0, "0 B"},
		{1023, "1023 B"},
		{1024, "1.0 KiB"},
		{6656, "6.5 KiB"},
		{MIB - 1, "1.0 MiB"},
		{GIB, "1.0 GiB"},
		{UINT64_MAX, "16.0 EiB"},
	};
	char text[FORMAT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(examples); i++)
		assert_string_equal(
			format_bytes(examples[i].bytes, text), examples[i].text);
}

static void rates_in_powers_of_1000(void **state)
{
	static const struct {
		uint64_t rate_bps;
		const char *text;
	} examples[] = {
		{0, "0 b/s"},
		{999, "999 b/s"},
		{812400000, "812 Mb/s"},
		{999600000, "1.00 Gb/s"},
		{9870000000, "9.87 Gb/s"},
		{123456000000, "123 Gb/s"},
		{UINT64_MAX, "unlimited"},
	};
	char text[FORMAT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(examples); i++)
		assert_string_equal(
			format_rate(examples[i].rate_bps, text), examples[i].text);
}

static void durations_in_the_unit_that_reads_best(void **state)
{
	static const struct {
		nsec span;
		const char *text;
	} examples[] = {
		{0, "0 us"},
		{250 * USEC, "250 us"},
		{12 * MSEC, "12 ms"},
		{3420 * MSEC, "3.42 s"},
		{59994 * MSEC, "59.99 s"},
		{59996 * MSEC, "1 m 00 s"},
		{125 * SEC, "2 m 05 s"},
		{3599 * SEC + 600 * MSEC, "1 h 00 m"},
		{11220 * SEC, "3 h 07 m"},
	};
	char text[FORMAT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(examples); i++)
		assert_string_equal(
			format_duration(examples[i].span, text), examples[i].text);
}

static void a_rate_is_bits_by_time_and_never_overflows(void **state)
{
	(void)state;
	assert_true(rate_of(125000000, SEC) == 1000000000);
	assert_true(rate_of(1, 0) == 0);
	assert_true(rate_of(UINT64_MAX, 1) == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_in_powers_of_1024),
		cmocka_unit_test(rates_in_powers_of_1000),
		cmocka_unit_test(durations_in_the_unit_that_reads_best),
		cmocka_unit_test(a_rate_is_bits_by_time_and_never_overflows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
