/* SPDX-License-Identifier: BSD-3-Clause */
/* The few bytes that libraft stores and sends in the place of a snapshot. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/reference_codec.h"

static struct reference example(void)
{
	struct reference reference = {
		.index = 4711,
		.term = 3,
		.leader_id = "127.0.0.1:7002:0:0",
		.uri = "remote://127.0.0.1:7002/-77",
	};

	memset(reference.root, 0xa5, sizeof(reference.root));
	return reference;
}

static void what_is_sent_is_what_arrives(void **state)
{
	struct reference sent = example();
	struct reference got;
	uint8_t *bytes;
	size_t len;

	(void)state;
	assert_int_equal(reference_encode(&sent, &bytes, &len), 0);
	assert_in_range(len, 1, 128); /* whatever the snapshot's size */
	assert_int_equal(reference_decode(&got, bytes, len), 0);
	assert_true(got.index == sent.index && got.term == sent.term);
	assert_memory_equal(got.root, sent.root, sizeof(got.root));
	assert_string_equal(got.leader_id, sent.leader_id);
	assert_string_equal(got.uri, sent.uri);
	free(bytes);
}

static void on_disk_nobody_offers_it(void **state)
{
	struct reference stored = example();
	struct reference got = example();
	uint8_t *bytes;
	size_t len;

	(void)state;
	stored.leader_id[0] = '\0';
	stored.uri[0] = '\0';
	assert_int_equal(reference_encode(&stored, &bytes, &len), 0);
	assert_int_equal(reference_decode(&got, bytes, len), 0);
	assert_string_equal(got.leader_id, "");
	assert_string_equal(got.uri, "");
	free(bytes);
}

static void refuses(const struct reference *reference)
{
	struct reference got;
	uint8_t *bytes;
	size_t len;

	assert_int_equal(reference_encode(reference, &bytes, &len), 0);
	assert_int_equal(reference_decode(&got, bytes, len), -EBADMSG);
	free(bytes);
}

static void what_cannot_be_is_refused(void **state)
{
	struct reference reference = example();
	struct reference got;
	uint8_t *bytes;
	size_t len;

	(void)state;
	reference.index = 0;
	refuses(&reference);
	reference = example();
	reference.term = -1;
	refuses(&reference);
	reference = example();
	assert_int_equal(reference_encode(&reference, &bytes, &len), 0);
	for (size_t cut = 0; cut < len; cut++) {
		struct reference ignored;

		(void)reference_decode(&ignored, bytes, cut);
	}
	assert_int_equal(
		reference_decode(&got, (const uint8_t *)"SNAPKV01", 8), -EBADMSG);
	assert_int_equal(reference_decode(&got, bytes, 20), -EBADMSG);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_sent_is_what_arrives),
		cmocka_unit_test(on_disk_nobody_offers_it),
		cmocka_unit_test(what_cannot_be_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
