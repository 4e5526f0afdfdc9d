/* SPDX-License-Identifier: BSD-3-Clause */
/* What a person sees while a snapshot moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/progress.h"
#include "dataplane/base/json.h"

static const struct progress_view half = {
	.stage = PROGRESS_WIRE,
	.bytes_done = 512 * MIB,
	.bytes_total = GIB,
	.files = 16,
	.rate_bps = 8 * 256 * MIB,
	.elapsed = 2 * SEC,
};

static const struct progress_summary finished = {
	.index = 4711,
	.term = 3,
	.files = 16,
	.bytes = 1250000000,
	.elapsed = 2 * SEC,
	.path = "dpdk",
	.bytes_resent = 4096,
	.bytes_reused = 0,
};

static void a_bar_fills_its_width_exactly(void **state)
{
	char line[PROGRESS_LINE_MAX];

	(void)state;
	assert_string_equal(progress_bar(&half, 80, line),
		"wire   [#######       ]  50%  512.0 MiB / 1.0 GiB  2.15 Gb/s  ETA "
		"2 s          ");
	for (unsigned width = 0; width < 1000; width++) {
		unsigned columns = width < 2 ? 1 : u32_min(width - 1, 400);

		assert_int_equal(strlen(progress_bar(&half, width, line)), columns);
	}
}

static void a_narrow_terminal_gets_the_numbers_without_the_bar(void **state)
{
	char line[PROGRESS_LINE_MAX];

	(void)state;
	assert_string_equal(
		progress_bar(&half, 40, line), "wire    50%  512.0 MiB / 1.0 GiB  2.15 ");
}

static void a_total_not_known_yet_is_not_shown(void **state)
{
	const struct progress_view start = {.stage = PROGRESS_OPEN};
	char line[PROGRESS_LINE_MAX];

	(void)state;
	assert_string_equal(
		progress_line(&start, line), "open: 0%, 0 B, 0 b/s, after 0 us");
}

/* Numbers that do not change say nothing: how long it has been so does. */
static void a_suspension_says_how_long_the_peer_is_silent(void **state)
{
	struct progress_view view = half;
	char line[PROGRESS_LINE_MAX];

	(void)state;
	view.stage = PROGRESS_SUSPENDED;
	view.silence = 12 * SEC + 345 * MSEC;
	assert_string_equal(progress_line(&view, line),
		"suspended: no packet from the peer for 12 s; 50%, 512.0 MiB / 1.0 "
		"GiB");
	for (unsigned width = 1; width < 200; width += 7)
		assert_int_equal(strlen(progress_bar(&view, width, line)),
			width < 2 ? 1 : width - 1);
}

static void more_done_than_asked_for_is_still_a_hundred(void **state)
{
	struct progress_view view = half;
	char line[PROGRESS_LINE_MAX];

	(void)state;
	view.bytes_done = 2 * GIB;
	assert_string_equal(progress_line(&view, line),
		"wire: 100%, 2.0 GiB / 1.0 GiB in 16 files, 2.15 Gb/s, after 2.00 s");
	view.bytes_done = GIB - 1;
	progress_line(&view, line);
	assert_memory_equal(line, "wire: 99%", 9);
}

static void off_a_terminal_a_line_comes_every_five_seconds(void **state)
{
	struct progress progress;
	char line[PROGRESS_LINE_MAX];
	unsigned lines = 0;

	(void)state;
	progress_init(&progress, PROGRESS_LINES, 0);
	for (nsec now = 0; now < 16 * SEC; now += 10 * MSEC)
		lines += progress_poll(&progress, &half, 80, now, line);
	assert_int_equal(lines, 3);
	assert_string_equal(line,
		"wire: 50%, 512.0 MiB / 1.0 GiB in 16 files, 2.15 Gb/s, after 2.00 "
		"s, ETA 2 s");
}

static void a_bar_is_drawn_at_once_and_ten_times_a_second(void **state)
{
	struct progress progress;
	char line[PROGRESS_LINE_MAX];
	unsigned lines = 0;

	(void)state;
	progress_init(&progress, PROGRESS_BAR, 5 * SEC);
	assert_true(progress_poll(&progress, &half, 80, 5 * SEC, line));
	for (nsec now = 5 * SEC; now <= 6 * SEC; now += 10 * MSEC)
		lines += progress_poll(&progress, &half, 80, now, line);
	assert_int_equal(lines, 10);
}

static void quiet_shows_nothing(void **state)
{
	struct progress progress;
	char line[PROGRESS_LINE_MAX];

	(void)state;
	progress_init(&progress, PROGRESS_QUIET, 0);
	assert_false(progress_poll(&progress, &half, 80, 3600 * SEC, line));
}

static void the_closing_line_tells_all_of_it(void **state)
{
	char line[PROGRESS_LINE_MAX];

	(void)state;
	assert_string_equal(progress_summary_text(&finished, line),
		"index 4711, term 3: 16 files, 1.2 GiB in 2.00 s, 5.00 Gb/s, path dpdk, "
		"4.0 KiB re-sent, 0 B reused");
}

static void the_closing_line_is_json_for_scripts(void **state)
{
	struct json json;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	assert_non_null(out);
	json_init(&json, out);
	json_open_object(&json, NULL);
	progress_summary_json(&finished, &json);
	json_close(&json);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(text,
		"{\"index\":4711,\"term\":3,\"files\":16,\"bytes\":1250000000,"
		"\"seconds\":2.000,\"gbit_per_s\":5.000,\"path\":\"dpdk\","
		"\"bytes_resent\":4096,\"bytes_reused\":0}\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bar_fills_its_width_exactly),
		cmocka_unit_test(a_narrow_terminal_gets_the_numbers_without_the_bar),
		cmocka_unit_test(a_total_not_known_yet_is_not_shown),
		cmocka_unit_test(a_suspension_says_how_long_the_peer_is_silent),
		cmocka_unit_test(more_done_than_asked_for_is_still_a_hundred),
		cmocka_unit_test(off_a_terminal_a_line_comes_every_five_seconds),
		cmocka_unit_test(a_bar_is_drawn_at_once_and_ten_times_a_second),
		cmocka_unit_test(quiet_shows_nothing),
		cmocka_unit_test(the_closing_line_tells_all_of_it),
		cmocka_unit_test(the_closing_line_is_json_for_scripts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
