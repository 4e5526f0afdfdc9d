/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers with units: what people may write, and what is refused instead of guessed. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataplane/base/parse.h"

struct example {
	const char *text;
	uint64_t value;
};

static void check(int (*parse)(const char *, uint64_t *), const struct example *examples,
	size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t value = 12345;

		if (parse(examples[i].text, &value) != 0)
			fail_msg("'%s' is refused", examples[i].text);
		assert_true(value == examples[i].value);
	}
}

static void refuse(
	int (*parse)(const char *, uint64_t *), const char *const *texts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t value = 12345;

		if (parse(texts[i], &value) != -EINVAL)
			fail_msg("'%s' is accepted", texts[i]);
		assert_true(value == 12345);
	}
}

static void numbers_are_digits(void **state)
{
	static const struct example good[] = {
		{"0", 0}, {"007", 7}, {"18446744073709551615", UINT64_MAX}};
	static const char *const bad[] = {
		"", " 1", "1 ", "-1", "+1", "0x10", "1.5", "18446744073709551616", "1k"};

	(void)state;
	check(parse_u64, good, ARRAY_LEN(good));
	refuse(parse_u64, bad, ARRAY_LEN(bad));
}

static void sizes_count_in_1024_when_they_say_so(void **state)
{
	static const struct example good[] = {
		{"4096", 4096},
		{"1KiB", 1024},
		{"1.5GiB", 3 * GIB / 2},
		{"2TiB", 2048 * GIB},
		{"10MB", 10000000},
		{"0.5B", 0},
		{"16777215TiB", 16777215 * (1024 * GIB)},
	};
	static const char *const bad[] = {"", "KiB", "1kib", "1K", "1 KiB", "1.KiB",
		"1.2345MiB", "16777216TiB", "-1MiB", "1e3", "1MiBx"};

	(void)state;
	check(parse_size, good, ARRAY_LEN(good));
	refuse(parse_size, bad, ARRAY_LEN(bad));
}

static void rates_are_bits_or_bytes_a_second(void **state)
{
	static const struct example good[] = {
		{"0", 0},
		{"unlimited", RATE_UNLIMITED},
		{"500Mbit", 500000000},
		{"2.5Gbit", 2500000000},
		{"10Gbit", 10000000000},
		{"1GiB/s", 8 * GIB},
		{"125MB/s", 1000000000},
	};
	/* 500 of what? A rate without its unit is a mistake waiting to happen. */
	static const char *const bad[] = {"", "500", "10G", "10gbit", "10Gbps", "1GiB",
		"Unlimited", "99999999999Tbit"};

	(void)state;
	check(parse_rate, good, ARRAY_LEN(good));
	refuse(parse_rate, bad, ARRAY_LEN(bad));
}

static int parse_span(const char *text, uint64_t *value)
{
	nsec span;
	int rv = parse_duration(text, &span);

	if (rv == 0)
		*value = (uint64_t)span;
	return rv;
}

static void durations_have_a_unit(void **state)
{
	static const struct example good[] = {
		{"250us", 250 * (uint64_t)USEC},
		{"500ms", 500 * (uint64_t)MSEC},
		{"1.5s", 1500 * (uint64_t)MSEC},
		{"10s", 10 * (uint64_t)SEC},
		{"2m", 120 * (uint64_t)SEC},
		{"1h", 3600 * (uint64_t)SEC},
	};
	static const char *const bad[] = {"", "10", "s", "10sec", "-1s", "9999999999h"};

	(void)state;
	check(parse_span, good, ARRAY_LEN(good));
	refuse(parse_span, bad, ARRAY_LEN(bad));
}

static void a_typing_mistake_finds_the_word_meant(void **state)
{
	static const char *const verbs[] = {"create", "list", "show", "verify"};

	(void)state;
	assert_string_equal(nearest_word("creat", verbs, 4), "create");
	assert_string_equal(nearest_word("lsit", verbs, 4), "list");
	assert_string_equal(nearest_word("shwo", verbs, 4), "show");
	assert_string_equal(nearest_word("varify", verbs, 4), "verify");
	assert_null(nearest_word("delete", verbs, 4));
	assert_null(nearest_word("", verbs, 4));
	assert_null(nearest_word("a-word-that-is-longer-than-any-table-row", verbs, 4));
}

/* The range in which a limit is kept to; 0 and none at all are always possible. */
static void limit_is_0_or_1_mbit_to_400_gbit_or_unlimited(void **state)
{
	static const struct {
		const char *text;
		int rv;
		uint64_t rate_bps;
	} rows[] = {
		{"0", 0, 0},
		{"unlimited", 0, RATE_UNLIMITED},
		{"1Mbit", 0, RATE_MIN},
		{"400Gbit", 0, RATE_MAX},
		{"999.999Kbit", -ERANGE, 7},
		{"1bit", -ERANGE, 7},
		{"400.001Gbit", -ERANGE, 7},
		{"46.6GiB/s", -ERANGE, 7},
		{"0Mbit", 0, 0},
		{"-1Mbit", -EINVAL, 7},
		{"10G", -EINVAL, 7},
		{"", -EINVAL, 7},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t rate_bps = 7;

		assert_int_equal(parse_limit(rows[i].text, &rate_bps), rows[i].rv);
		assert_true(rate_bps == rows[i].rate_bps);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limit_is_0_or_1_mbit_to_400_gbit_or_unlimited),
		cmocka_unit_test(numbers_are_digits),
		cmocka_unit_test(sizes_count_in_1024_when_they_say_so),
		cmocka_unit_test(rates_are_bits_or_bytes_a_second),
		cmocka_unit_test(durations_have_a_unit),
		cmocka_unit_test(a_typing_mistake_finds_the_word_meant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
