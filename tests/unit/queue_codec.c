/* SPDX-License-Identifier: BSD-3-Clause */
/* What an operator says about queues and rates: there and back, ranges, and noise. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/queue_codec.h"

static void a_list_of_queues_survives(void **state)
{
	struct transfer_queue queues[2] = {
		{.limit = {.rate_bps = RATE_UNLIMITED, .burst = 65536},
			.port_rate_bps = RATE_UNLIMITED},
		{.limit = {.port = 7,
			 .queue = 15,
			 .rate_bps = RATE_MIN,
			 .burst = 1 << 20},
			.port_rate_bps = RATE_MAX,
			.is_hardware = true,
			.rate_now_bps = 999999,
			.bytes = UINT64_MAX,
			.packets = 5,
			.backlog = 6,
			.throttled_ns = 7,
			.drops = 8,
			.auto_bps = 10,
			.added = 11,
			.read_at = 9},
	};
	struct queue_list list = {.queues = queues,
		.count = 2,
		.disk = {RATE_UNLIMITED, 1, 2, UINT64_MAX, 4, 5},
		.has_disk = true};
	struct queue_list again;
	uint8_t *bytes, *same;
	size_t len, same_len;

	(void)state;
	assert_int_equal(queue_list_encode(&list, &bytes, &len), 0);
	assert_int_equal(queue_list_decode(&again, bytes, len), 0);
	assert_int_equal(again.count, 2);
	assert_int_equal(again.queues[1].limit.queue, 15);
	assert_true(again.queues[1].is_hardware);
	assert_int_equal(again.queues[1].throttled_ns, 7);
	assert_int_equal(again.queues[1].auto_bps, 10);
	assert_int_equal(again.queues[1].added, 11);
	assert_true(again.has_disk);
	assert_memory_equal(&again.disk, &list.disk, sizeof(list.disk));
	assert_int_equal(queue_list_encode(&again, &same, &same_len), 0);
	assert_int_equal(same_len, len);
	assert_memory_equal(same, bytes, len);
	free(same);
	free(bytes);
	queue_list_fini(&again);
	assert_int_equal(queue_list_decode(&again, NULL, 0), 0);
	assert_int_equal(again.count, 0);
	assert_false(again.has_disk);
	queue_list_fini(&again);
	assert_int_equal(
		queue_list_decode(&again, (const uint8_t *)"\x0a\x01\x08", 3), -EBADMSG);
}

static int there_and_back(const struct transfer_rate *rate, struct transfer_rate *again)
{
	uint8_t *bytes;
	size_t len;
	int rv;

	assert_int_equal(set_rate_request_encode(rate, &bytes, &len), 0);
	rv = set_rate_request_decode(again, bytes, len);
	free(bytes);
	return rv;
}

static void a_rate_is_for_a_queue_or_a_port(void **state)
{
	struct transfer_rate rate = {1, 3, RATE_MAX, BUCKET_BURST_MIN, 0}, again;

	(void)state;
	assert_int_equal(there_and_back(&rate, &again), 0);
	assert_memory_equal(&again, &rate, sizeof(rate));
	rate = (struct transfer_rate){0, TRANSFER_ALL_QUEUES, 0, 0, 0};
	assert_int_equal(there_and_back(&rate, &again), 0);
	assert_memory_equal(&again, &rate, sizeof(rate));
	rate = (struct transfer_rate){0, 1, RATE_AUTO, 0, AUTO_CEILING_MIN};
	assert_int_equal(there_and_back(&rate, &again), 0);
	assert_memory_equal(&again, &rate, sizeof(rate));
}

static void what_no_bucket_can_keep_is_refused(void **state)
{
	static const struct transfer_rate rates[] = {
		{0, 0, RATE_MIN - 1, 0, 0},
		{0, 0, RATE_MAX + 1, 0, 0},
		{0, 0, UINT64_MAX - 2, 0, 0},
		{0, 0, RATE_MIN, BUCKET_BURST_MIN - 1, 0},
		{0, 0, RATE_MIN, BUCKET_BURST_MAX + 1, 0},
		{0, 0, RATE_AUTO, 0, AUTO_CEILING_MIN - 1},
		{0, 0, RATE_AUTO, 0, AUTO_CEILING_MAX + 1},
	};
	struct throttle_request request = {.id = -1, .has_rate = true, .rate_bps = 1};
	struct throttle_request answer;
	struct transfer_rate again;
	uint8_t *bytes;
	size_t len;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rates); i++)
		assert_int_equal(there_and_back(&rates[i], &again), -EBADMSG);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(throttle_request_encode(&request, &bytes, &len), 0);
		assert_int_equal(throttle_request_decode(&answer, bytes, len),
			i == 0 ? -EBADMSG : 0);
		free(bytes);
		request.rate_bps = RATE_UNLIMITED;
	}
	assert_int_equal(answer.id, -1);
	assert_true(answer.rate_bps == RATE_UNLIMITED);
}

static void a_disk_has_a_rate_of_its_own_but_none_automatic(void **state)
{
	static const struct {
		uint64_t rate_bps;
		int code;
	} cases[] = {{0, 0}, {RATE_MIN, 0}, {RATE_MAX, 0}, {RATE_UNLIMITED, 0},
		{RATE_MIN - 1, -EBADMSG}, {RATE_MAX + 1, -EBADMSG},
		{RATE_AUTO, -EBADMSG}};
	uint64_t rate_bps;
	uint8_t *bytes;
	size_t len;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(
			disk_rate_request_encode(cases[i].rate_bps, &bytes, &len), 0);
		assert_int_equal(
			disk_rate_request_decode(&rate_bps, bytes, len), cases[i].code);
		assert_true(rate_bps == cases[i].rate_bps);
		free(bytes);
	}
	assert_int_equal(disk_rate_request_decode(&rate_bps, NULL, 0), -EBADMSG);
}

/* Of a transfer, one thing or the other may be changed, or both. */
static void a_throttle_changes_a_rate_or_a_rank(void **state)
{
	const struct throttle_request requests[] = {
		{.id = 1, .has_rate = true, .rate_bps = 0},
		{.id = 2, .rank = {.weight = SHAPER_WEIGHT_MAX}},
		{.id = 3,
			.has_rate = true,
			.rate_bps = RATE_AUTO,
			.rank = {true, SHAPER_REBALANCE, 1}},
		{.id = 4}, /* nothing at all */
	};
	struct throttle_request again;
	uint8_t *bytes;
	size_t len;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		int want = i == 3 ? -EBADMSG : 0;

		assert_int_equal(throttle_request_encode(&requests[i], &bytes, &len), 0);
		memset(&again, 0, sizeof(again));
		assert_int_equal(throttle_request_decode(&again, bytes, len), want);
		free(bytes);
		assert_int_equal(again.id, requests[i].id);
		assert_int_equal(again.has_rate, requests[i].has_rate);
		assert_true(again.rate_bps == requests[i].rate_bps);
		assert_int_equal(again.rank.has_class, requests[i].rank.has_class);
		assert_int_equal(again.rank.class, requests[i].rank.class);
		assert_int_equal(again.rank.weight, requests[i].rank.weight);
	}
}

static void nothing_and_half_of_something_is_malformed(void **state)
{
	struct transfer_rate rate = {1, 3, RATE_MAX, MIB, 0}, again;
	struct throttle_request request;
	uint8_t *bytes;
	size_t len;

	(void)state;
	assert_int_equal(set_rate_request_encode(&rate, &bytes, &len), 0);
	/* the optional burst, 4 bytes at the end, may be missing */
	for (size_t cut = 0; cut < len; cut++)
		if (cut != len - 4)
			assert_int_equal(
				set_rate_request_decode(&again, bytes, cut), -EBADMSG);
	free(bytes);
	assert_int_equal(throttle_request_decode(&request, NULL, 0), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_of_queues_survives),
		cmocka_unit_test(a_rate_is_for_a_queue_or_a_port),
		cmocka_unit_test(what_no_bucket_can_keep_is_refused),
		cmocka_unit_test(a_disk_has_a_rate_of_its_own_but_none_automatic),
		cmocka_unit_test(a_throttle_changes_a_rate_or_a_rank),
		cmocka_unit_test(nothing_and_half_of_something_is_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
