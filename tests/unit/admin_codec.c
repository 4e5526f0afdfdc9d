/* SPDX-License-Identifier: BSD-3-Clause */
/* What an operator asks of a node about transfers, and is told: there and back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "control/transfer_codec.h"
#include "tests/unit/same_rank.h"

static void orders_name_a_transfer(void **state)
{
	const struct order_request order = {INT64_MAX};
	struct order_request again;
	uint8_t *bytes;
	size_t len;

	(void)state;
	assert_int_equal(order_request_encode(&order, &bytes, &len), 0);
	assert_int_equal(order_request_decode(&again, bytes, len), 0);
	free(bytes);
	assert_true(again.id == INT64_MAX);
	assert_int_equal(order_request_decode(&again, (const uint8_t *)"", 0), -EBADMSG);
}

static void start_and_list_survive(void **state)
{
	struct start_request start = {"10.0.0.1:80:1", {true, SHAPER_REBALANCE, 3}};
	struct start_response started = {INT64_MAX};
	struct list_request list = {true, 9};
	struct start_request start_again;
	struct start_response started_again;
	struct list_request list_again;
	uint8_t *bytes;
	size_t len;

	(void)state;
	assert_int_equal(start_request_encode(&start, &bytes, &len), 0);
	assert_int_equal(start_request_decode(&start_again, bytes, len), 0);
	free(bytes);
	assert_string_equal(start_again.peer, "10.0.0.1:80:1");
	assert_same_rank(&start_again.rank, &start.rank);
	assert_int_equal(start_response_encode(&started, &bytes, &len), 0);
	assert_int_equal(start_response_decode(&started_again, bytes, len), 0);
	free(bytes);
	assert_true(started_again.id == INT64_MAX);
	assert_int_equal(list_request_encode(&list, &bytes, &len), 0);
	assert_int_equal(list_request_decode(&list_again, bytes, len), 0);
	free(bytes);
	assert_true(list_again.has_id && list_again.id == 9);
	/* "all" has no bytes */
	list.has_id = false;
	assert_int_equal(list_request_encode(&list, &bytes, &len), 0);
	assert_int_equal(len, 0);
	assert_int_equal(list_request_decode(&list_again, bytes, len), 0);
	free(bytes);
	assert_false(list_again.has_id);
}

static void a_list_of_transfers_survives(void **state)
{
	struct transfer_info infos[3] = {
		{.id = 1, .sending = true, .peer = "p", .group_id = "g", .path = "dpdk"},
		{.id = 2, .stage = STAGE_FAILED, .error_code = 28, .error_text = "full"},
		{.id = 3,
			.stage = STAGE_SUSPENDED,
			.silent_ns = 12,
			.elapsed_ns = UINT64_MAX,
			.bytes_total = 1ull << 40,
			.rank = {true, SHAPER_REBALANCE, 99}},
	};
	struct transfer_list list = {.transfers = infos, .count = 3};
	struct transfer_list again;
	uint8_t *bytes;
	size_t len;

	(void)state;
	assert_int_equal(transfer_list_encode(&list, &bytes, &len), 0);
	assert_int_equal(transfer_list_decode(&again, bytes, len), 0);
	free(bytes);
	assert_int_equal(again.count, 3);
	assert_true(again.transfers[0].sending);
	assert_string_equal(again.transfers[0].path, "dpdk");
	assert_string_equal(again.transfers[1].path, "");
	assert_int_equal(again.transfers[1].stage, STAGE_FAILED);
	assert_int_equal(again.transfers[1].error_code, 28);
	assert_string_equal(again.transfers[1].error_text, "full");
	assert_true(again.transfers[2].elapsed_ns == UINT64_MAX);
	assert_true(again.transfers[2].silent_ns == 12);
	assert_true(again.transfers[2].bytes_total == 1ull << 40);
	assert_int_equal(again.transfers[2].rank.weight, 99);
	transfer_list_fini(&again);
	assert_int_equal(transfer_list_decode(&again, NULL, 0), 0);
	assert_int_equal(again.count, 0);
	transfer_list_fini(&again);
}

static void stages_have_names(void **state)
{
	(void)state;
	assert_string_equal(transfer_stage_name(STAGE_OPEN), "open");
	assert_string_equal(transfer_stage_name(STAGE_FAILED), "failed");
	assert_string_equal(transfer_stage_name(STAGE_PAUSED), "paused");
	assert_string_equal(transfer_stage_name((enum transfer_stage)99), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(orders_name_a_transfer),
		cmocka_unit_test(start_and_list_survive),
		cmocka_unit_test(a_list_of_transfers_survives),
		cmocka_unit_test(stages_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
