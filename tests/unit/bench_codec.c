/* SPDX-License-Identifier: BSD-3-Clause */
/* What a tuner may have a bench try: there and back, ranges, and what holds then. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/bench_codec.h"

static const struct bench_settings all = {
	.window = 256, .buffers = 32, .rate_bps = RATE_AUTO, .burst = 64 * KIB};

static void expect_same(const struct bench_settings *a, const struct bench_settings *b)
{
	assert_int_equal(a->window, b->window);
	assert_int_equal(a->buffers, b->buffers);
	assert_true(a->rate_bps == b->rate_bps);
	assert_int_equal(a->burst, b->burst);
}

static void what_is_asked_arrives_and_the_rest_is_not_said(void **state)
{
	struct bench_settings again;
	uint8_t *bytes;
	size_t len;

	(void)state;
	assert_int_equal(bench_set_request_encode(&all, &bytes, &len), 0);
	assert_int_equal(bench_set_request_decode(&again, bytes, len), 0);
	expect_same(&again, &all);
	free(bytes);
	assert_int_equal(bench_set_request_decode(&again, NULL, 0), 0);
	expect_same(&again, &(struct bench_settings){0});
	assert_int_equal(bench_set_request_decode(&again, (const uint8_t *)"\x08\x00", 2),
		-EBADMSG); /* a window of 0 */
	assert_int_equal(
		bench_set_request_decode(&again, (const uint8_t *)"\x08", 1), -EBADMSG);
}

static void the_answer_says_what_holds(void **state)
{
	struct bench_settings again;
	uint8_t *bytes;
	size_t len;

	(void)state;
	assert_int_equal(bench_set_response_encode(&all, &bytes, &len), 0);
	assert_int_equal(bench_set_response_decode(&again, bytes, len), 0);
	expect_same(&again, &all);
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(bench_set_response_decode(&again, bytes, cut), -EBADMSG);
	free(bytes);
}

static void values_out_of_range_are_named(void **state)
{
	static const struct {
		struct bench_settings settings;
		const char *name; /* NULL: in range */
	} cases[] = {
		{{0}, NULL},
		{{.window = 16, .buffers = 4, .rate_bps = RATE_MIN, .burst = 16 * KIB},
			NULL},
		{{.window = 2048, .buffers = 65535, .rate_bps = RATE_UNLIMITED}, NULL},
		{{.rate_bps = RATE_AUTO, .burst = 256 * MIB}, NULL},
		{{.window = 15}, "window 15: 16 to 2048"},
		{{.window = 2049}, "window"},
		{{.buffers = 3}, "buffers"},
		{{.buffers = 65536}, "buffers"},
		{{.rate_bps = RATE_MIN - 1}, "rate"},
		{{.rate_bps = RATE_MAX + 1}, "rate"},
		{{.burst = 16 * KIB - 1}, "burst"},
		{{.burst = 256 * MIB + 1}, "burst"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fault fault = {0};
		int err = bench_settings_check(&cases[i].settings, &fault);

		assert_int_equal(err, cases[i].name != NULL ? -EINVAL : 0);
		if (cases[i].name != NULL)
			assert_non_null(strstr(fault.text, cases[i].name));
	}
}

static uint64_t merged_rate(uint64_t own, uint64_t asked)
{
	const struct bench_settings mine = {.rate_bps = own},
				    theirs = {.rate_bps = asked};

	return bench_settings_merge(&mine, &theirs).rate_bps;
}

static void a_bench_never_sends_faster_than_its_own_operator_allows(void **state)
{
	(void)state;
	assert_true(merged_rate(0, 0) == RATE_UNLIMITED);
	assert_true(merged_rate(0, RATE_MIN) == RATE_MIN);
	assert_true(merged_rate(0, RATE_AUTO) == RATE_AUTO);
	assert_true(merged_rate(RATE_MIN, RATE_MAX) == RATE_MIN);
	assert_true(merged_rate(RATE_MIN, RATE_UNLIMITED) == RATE_MIN);
	assert_true(merged_rate(RATE_MIN, RATE_AUTO) == RATE_MIN);
	assert_true(merged_rate(RATE_MAX, RATE_MIN) == RATE_MIN);
	assert_true(merged_rate(RATE_AUTO, RATE_MIN) == RATE_AUTO);
	assert_true(merged_rate(RATE_AUTO, RATE_UNLIMITED) == RATE_AUTO);
}

static void what_is_not_asked_stays_and_buffers_are_as_many_as_there_are(void **state)
{
	const struct bench_settings own = {.window = 2048, .buffers = 16, .burst = MIB};
	struct bench_settings held = bench_settings_merge(&own, &all);

	(void)state;
	assert_int_equal(held.window, 256);
	assert_int_equal(held.buffers, 16);
	assert_int_equal(held.burst, 64 * KIB);
	held = bench_settings_merge(&own, &(struct bench_settings){.buffers = 4});
	assert_int_equal(held.window, 2048);
	assert_int_equal(held.buffers, 4);
	assert_int_equal(held.burst, MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_asked_arrives_and_the_rest_is_not_said),
		cmocka_unit_test(the_answer_says_what_holds),
		cmocka_unit_test(values_out_of_range_are_named),
		cmocka_unit_test(a_bench_never_sends_faster_than_its_own_operator_allows),
		cmocka_unit_test(
			what_is_not_asked_stays_and_buffers_are_as_many_as_there_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
