/* SPDX-License-Identifier: BSD-3-Clause */
/* Where a transfer's time went, and what it waited for. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/effort.h"
#include "control/transfer_codec.h"
#include "dataplane/base/json.h"
#include "dataplane/base/units.h"

/* A second on the wire, and little else. */
static const struct effort_report even = {
	.steps = {.open = 2 * MSEC, .prepare = 3 * MSEC, .wire = SEC, .fsync = MSEC},
	.has_leader = true,
	.leader = {.read = 100 * MSEC,
		.checksum = 50 * MSEC,
		.worker = 300 * MSEC,
		.rx = 40 * MSEC,
		.tx = 160 * MSEC,
		.cpu = 450 * MSEC},
	.follower = {.worker = 400 * MSEC, .rx = 150 * MSEC, .write = 200 * MSEC},
};

static void when_all_threads_wait_it_is_the_wire(void **state)
{
	(void)state;
	assert_string_equal(effort_bottleneck(&even), "the wire");
}

static void the_thread_that_was_busiest_names_itself(void **state)
{
	struct effort_report report = even;

	(void)state;
	report.follower.write = 700 * MSEC;
	assert_string_equal(effort_bottleneck(&report), "follower's disk");
	report.follower.worker = 800 * MSEC;
	assert_string_equal(effort_bottleneck(&report), "follower's worker");
	report.leader.worker = 900 * MSEC;
	assert_string_equal(effort_bottleneck(&report), "leader's worker");
	/* reading and summing are one thread's */
	report.leader.read = 600 * MSEC;
	report.leader.checksum = 350 * MSEC;
	assert_string_equal(effort_bottleneck(&report), "leader's disk");
	/* two of them shared it: none was busy for half of the time */
	report.stripes = 2;
	assert_string_equal(effort_bottleneck(&report), "the wire");
}

static void a_step_that_took_longer_than_the_wire_is_it(void **state)
{
	struct effort_report report = even;

	(void)state;
	report.steps.fsync = 2 * SEC;
	assert_string_equal(effort_bottleneck(&report), "fsync");
	report.steps.prepare = 3 * SEC;
	assert_string_equal(effort_bottleneck(&report), "prepare");
	report.steps.open = 4 * SEC;
	assert_string_equal(effort_bottleneck(&report), "open");
}

static char *print(const struct effort_report *report)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	struct json json;

	json_init(&json, out);
	json_open_object(&json, NULL);
	effort_json(report, &json);
	json_close(&json);
	(void)fclose(out);
	return text;
}

static void json_has_milliseconds_of_every_stage(void **state)
{
	struct effort_report report = even;
	char *text = print(&report);

	(void)state;
	assert_non_null(strstr(text, "\"wire\":1000.000"));
	/* what the driver did not take is protocol, checks and copy */
	assert_non_null(strstr(text, "\"leader_send\":100.000"));
	assert_non_null(strstr(text, "\"follower_copy\":250.000"));
	assert_non_null(strstr(text, "\"bottleneck\":\"the wire\""));
	free(text);

	/* an old leader, or a copy over TCP: nobody knows */
	report.has_leader = false;
	text = print(&report);
	assert_null(strstr(text, "leader_"));
	free(text);
}

static void the_answer_to_close_may_say_what_it_took(void **state)
{
	const struct close_response answers[] = {
		{0}, {.has_effort = true, .effort = {1, 2, 3, 4, 5, 6, UINT64_MAX}}};
	struct close_response again;
	uint8_t *bytes;
	size_t len;

	(void)state;
	for (int i = 0; i < 2; i++) {
		memset(&again, 0xff, sizeof(again));
		assert_int_equal(close_response_encode(&answers[i], &bytes, &len), 0);
		/* from a leader that does not say, it is the empty message of old */
		assert_int_equal(len == 0, i == 0);
		assert_int_equal(close_response_decode(&again, bytes, len), 0);
		free(bytes);
		assert_int_equal(again.has_effort, i == 1);
		assert_memory_equal(
			&again.effort, &answers[i].effort, sizeof(again.effort));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(when_all_threads_wait_it_is_the_wire),
		cmocka_unit_test(the_thread_that_was_busiest_names_itself),
		cmocka_unit_test(a_step_that_took_longer_than_the_wire_is_it),
		cmocka_unit_test(json_has_milliseconds_of_every_stage),
		cmocka_unit_test(the_answer_to_close_may_say_what_it_took),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
