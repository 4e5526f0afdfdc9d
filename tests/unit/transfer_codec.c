/* SPDX-License-Identifier: BSD-3-Clause */
/* Snapline's own messages: there and back, ranges, cuts at every byte, and noise. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/transfer_codec.h"
#include "tests/unit/same_rank.h"

static const struct transfer_endpoint endpoint = {
	.ip = IP_V4(10, 0, 0, 1),
	.prefix_len = 24,
	.port = 65535,
	.slice_size = 8192,
};

static struct open_request make_open_request(void)
{
	struct open_request request = {
		.version = OPEN_VERSION,
		.group_id = "g",
		.has_reader_id = true,
		.reader_id = INT64_MIN,
		.peer_id = "10.0.0.2:80:0",
		.endpoints = {endpoint, endpoint},
		.nendpoints = 2,
		.session_id = UINT32_MAX,
	};

	request.endpoints[1].ip.bytes[15] = 9;
	request.endpoints[1].has_gateway = true;
	request.endpoints[1].queues = 8;
	memset(request.nonce, 0xab, sizeof(request.nonce));
	return request;
}

static struct open_response make_open_response(void)
{
	struct open_response response = {
		.transfer_id = 1,
		.index = INT64_MAX,
		.term = 3,
		.table_size = 37,
		.manifest_size = UINT32_MAX,
		.endpoint = endpoint,
		.peer_endpoint = 1,
		.slice_size = 1408,
		.session_id = 0,
	};

	memset(response.nonce, 0xcd, sizeof(response.nonce));
	return response;
}

static void open_request_survives(void **state)
{
	struct open_request request = make_open_request();
	struct open_request again;
	uint8_t *bytes;
	size_t len;

	(void)state;
	assert_int_equal(open_request_encode(&request, &bytes, &len), 0);
	assert_int_equal(open_request_decode(&again, bytes, len), 0);
	free(bytes);
	assert_int_equal(again.version, OPEN_VERSION);
	assert_string_equal(again.group_id, "g");
	assert_true(again.has_reader_id);
	assert_true(again.reader_id == INT64_MIN);
	assert_string_equal(again.peer_id, "10.0.0.2:80:0");
	assert_int_equal(again.nendpoints, 2);
	assert_int_equal(again.endpoints[1].ip.bytes[15], 9);
	assert_int_equal(again.endpoints[1].port, 65535);
	assert_int_equal(again.endpoints[1].slice_size, 8192);
	assert_int_equal(again.endpoints[1].prefix_len, 24);
	assert_false(again.endpoints[0].has_gateway);
	assert_true(again.endpoints[1].has_gateway);
	assert_int_equal(again.endpoints[0].queues, 1); /* what an old peer has */
	assert_int_equal(again.endpoints[1].queues, 8);
	assert_memory_equal(again.nonce, request.nonce, sizeof(again.nonce));
	assert_true(again.session_id == UINT32_MAX);
	/* without what is optional, but with what a follower may ask for */
	request.rank = rank_of(SHAPER_REBALANCE + 1, 7);
	request.has_reader_id = false;
	request.peer_id[0] = '\0';
	request.nendpoints = 0;
	assert_int_equal(open_request_encode(&request, &bytes, &len), 0);
	assert_int_equal(open_request_decode(&again, bytes, len), 0);
	free(bytes);
	assert_false(again.has_reader_id);
	assert_string_equal(again.peer_id, "");
	assert_int_equal(again.nendpoints, 0);
	assert_same_rank(&again.rank, &request.rank);
}

static void open_response_survives(void **state)
{
	struct open_response response = make_open_response();
	struct open_response again;
	uint8_t *bytes;
	size_t len;

	(void)state;
	assert_int_equal(open_response_encode(&response, &bytes, &len), 0);
	assert_int_equal(open_response_decode(&again, bytes, len), 0);
	free(bytes);
	assert_true(again.transfer_id == 1);
	assert_true(again.index == INT64_MAX);
	assert_true(again.term == 3);
	assert_int_equal(again.table_size, 37);
	assert_true(again.manifest_size == UINT32_MAX);
	assert_true(ip_is_equal(&again.endpoint.ip, &endpoint.ip));
	assert_int_equal(again.peer_endpoint, 1);
	assert_int_equal(again.slice_size, 1408);
	assert_memory_equal(again.nonce, response.nonce, sizeof(again.nonce));
	assert_int_equal(again.session_id, 0);
	assert_int_equal(again.stripes, 1); /* what an old leader means, too */
}

static void progress_and_close_survive(void **state)
{
	struct progress_request progress = {7, STAGE_PAUSED, UINT64_MAX, 5};
	struct progress_request progress_again;
	struct close_request end = {7, 5, "disk\nfull"};
	struct close_request end_again;
	uint8_t *bytes;
	size_t len;

	(void)state;
	assert_int_equal(progress_request_encode(&progress, &bytes, &len), 0);
	assert_int_equal(progress_request_decode(&progress_again, bytes, len), 0);
	free(bytes);
	assert_int_equal(progress_again.stage, STAGE_PAUSED);
	assert_true(progress_again.bytes_done == UINT64_MAX);
	assert_true(progress_again.bytes_reused == 5);
	assert_int_equal(close_request_encode(&end, &bytes, &len), 0);
	assert_int_equal(close_request_decode(&end_again, bytes, len), 0);
	free(bytes);
	assert_true(end_again.transfer_id == 7);
	assert_int_equal(end_again.error_code, 5);
	/* fit for a log line */
	assert_string_equal(end_again.error_text, "disk full");
	end.error_code = INT32_MIN; /* its negative does not exist */
	assert_int_equal(close_request_encode(&end, &bytes, &len), 0);
	assert_int_equal(close_request_decode(&end_again, bytes, len), -EBADMSG);
	free(bytes);
}

/* Its numbers are added to ours, and shown. */
static void a_follower_has_no_more_than_there_is(void **state)
{
	struct progress_request progress = {
		.bytes_done = UINT64_MAX, .bytes_reused = UINT64_MAX - 1};

	(void)state;
	progress_request_clamp(&progress, 100);
	assert_int_equal(progress.bytes_done, 100);
	assert_int_equal(progress.bytes_reused, 100);
	/* while what was found is checked, less is done than reused */
	progress = (struct progress_request){.bytes_done = 5, .bytes_reused = 6};
	progress_request_clamp(&progress, 100);
	assert_int_equal(progress.bytes_done, 5);
	assert_int_equal(progress.bytes_reused, 6);
}

static void a_pause_is_told_and_an_old_peer_never_pauses(void **state)
{
	struct progress_response again;
	uint8_t *bytes;
	size_t len;

	(void)state;
	for (int paused = 0; paused <= 1; paused++) {
		const struct progress_response response = {.is_paused = paused != 0};

		assert_int_equal(progress_response_encode(&response, &bytes, &len), 0);
		/* not paused, it is the empty message of old */
		assert_int_equal(len, paused * 2);
		assert_int_equal(progress_response_decode(&again, bytes, len), 0);
		free(bytes);
		assert_int_equal(again.is_paused, paused);
	}
	assert_int_equal(
		progress_response_decode(&again, (const uint8_t *)"\x08", 1), -EBADMSG);
}

static int decode_endpoint(const char *bytes, size_t len, struct open_request *again)
{
	struct open_request request = make_open_request();
	uint8_t *encoded;
	uint8_t *longer;
	size_t encoded_len;
	int err;

	request.nendpoints = 0;
	assert_int_equal(open_request_encode(&request, &encoded, &encoded_len), 0);
	longer = realloc(encoded, encoded_len + 2 + len);
	assert_non_null(longer);
	longer[encoded_len] = 5 << 3 | 2; /* field 5, endpoints */
	longer[encoded_len + 1] = (uint8_t)len;
	memcpy(longer + encoded_len + 2, bytes, len);
	err = open_request_decode(again, longer, encoded_len + 2 + len);
	free(longer);
	return err;
}

static void endpoints_out_of_range_are_refused(void **state)
{
	struct open_request again;

	(void)state;
	assert_int_equal(
		decode_endpoint(
			"\x0a\x04\x01\x02\x03\x04\x10\x20\x18\x01\x20\x40", 12, &again),
		0);
	assert_int_equal(again.endpoints[0].prefix_len, 32);
	/* prefix 33, port 0, port 65536, an address of 5 bytes, of none */
	assert_int_equal(
		decode_endpoint(
			"\x0a\x04\x01\x02\x03\x04\x10\x21\x18\x01\x20\x40", 12, &again),
		-EBADMSG);
	assert_int_equal(
		decode_endpoint(
			"\x0a\x04\x01\x02\x03\x04\x10\x20\x18\x00\x20\x40", 12, &again),
		-EBADMSG);
	assert_int_equal(
		decode_endpoint(
			"\x0a\x04\x01\x02\x03\x04\x10\x20\x18\x80\x80\x04\x20\x40", 14,
			&again),
		-EBADMSG);
	assert_int_equal(
		decode_endpoint("\x0a\x05\x01\x02\x03\x04\x05\x10\x20\x18\x01\x20\x40",
			13, &again),
		-EBADMSG);
	assert_int_equal(
		decode_endpoint("\x0a\x00\x10\x20\x18\x01\x20\x40", 8, &again), -EBADMSG);
}

static void an_ipv6_endpoint_has_16_bytes_and_ipv4_has_4(void **state)
{
	struct open_request request = make_open_request();
	struct open_request again;
	struct ip ip;
	uint8_t *bytes;
	size_t len, len4;

	(void)state;
	memcpy(ip.bytes, "0123456789abcdef", IP_LEN);
	assert_int_equal(decode_endpoint("\x0a\x10"
					 "0123456789abcdef\x10\x80\x01\x18\x01\x20\x40",
				 25, &again),
		0);
	assert_int_equal(again.endpoints[0].prefix_len, 128);
	assert_true(ip_is_equal(&again.endpoints[0].ip, &ip));
	/* a prefix of 129 */
	assert_int_equal(decode_endpoint("\x0a\x10"
					 "0123456789abcdef\x10\x81\x01\x18\x01\x20\x40",
				 25, &again),
		-EBADMSG);
	assert_int_equal(open_request_encode(&request, &bytes, &len4), 0);
	free(bytes);
	request.endpoints[1].ip = ip;
	assert_int_equal(open_request_encode(&request, &bytes, &len), 0);
	assert_int_equal(len, len4 + 12);
	assert_int_equal(open_request_decode(&again, bytes, len), 0);
	free(bytes);
	assert_true(ip_is_equal(&again.endpoints[0].ip, &endpoint.ip));
	assert_true(ip_is_equal(&again.endpoints[1].ip, &ip));
}

/* An operator must not read what the follower would like him to. */
static void a_peer_id_is_one_word(void **state)
{
	static const char *const names[] = {
		"a b", "a\nerror", "\x1b[2J", "a\"", "\xc2\x9b", "\x7f"};
	struct open_request request = make_open_request();
	struct open_request again;
	uint8_t *bytes;
	size_t len;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(request.peer_id, sizeof(request.peer_id), "%s", names[i]);
		assert_int_equal(open_request_encode(&request, &bytes, &len), 0);
		assert_int_equal(open_request_decode(&again, bytes, len), -EBADMSG);
		free(bytes);
	}
}

static void too_many_endpoints_are_refused(void **state)
{
	struct open_request request = make_open_request();
	struct open_request again;
	uint8_t *bytes;
	uint8_t *twice;
	size_t len;

	(void)state;
	request.nendpoints = 5;
	for (uint32_t i = 0; i < 5; i++)
		request.endpoints[i] = endpoint;
	assert_int_equal(open_request_encode(&request, &bytes, &len), 0);
	/* protobuf joins what comes twice: ten endpoints, two more than there may be */
	twice = malloc(2 * len);
	assert_non_null(twice);
	memcpy(twice, bytes, len);
	memcpy(twice + len, bytes, len);
	assert_int_equal(open_request_decode(&again, twice, 2 * len), -EBADMSG);
	free(twice);
	free(bytes);
}

static void an_unknown_stage_is_refused(void **state)
{
	struct progress_request request;

	(void)state;
	assert_int_equal(progress_request_decode(&request,
				 (const uint8_t *)"\x08\x01\x10\x09\x18\x00\x20\x00", 8),
		-EBADMSG);
	assert_int_equal(progress_request_decode(&request,
				 (const uint8_t *)"\x08\x01\x10\xff\xff\xff\xff\xff\xff"
						  "\xff\xff\xff"
						  "\x01\x18\x00\x20\x00",
				 17),
		-EBADMSG);
}

/* Every decoder gets len bytes in a block of their own, so that a sanitizer sees a byte
 * too far. Returns how many of them took it. */
static int decode_as_all(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	struct open_request open_request;
	struct open_response open_response;
	struct progress_request progress;
	struct close_request end;
	struct start_request start;
	struct start_response started;
	struct list_request list;
	struct transfer_list transfers;
	struct progress_response told;
	struct order_request order;
	struct close_response closed;
	int taken = 0;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	taken += open_request_decode(&open_request, copy, len) == 0;
	taken += open_response_decode(&open_response, copy, len) == 0;
	taken += progress_request_decode(&progress, copy, len) == 0;
	taken += close_request_decode(&end, copy, len) == 0;
	taken += close_response_decode(&closed, copy, len) == 0;
	taken += start_request_decode(&start, copy, len) == 0;
	taken += start_response_decode(&started, copy, len) == 0;
	taken += list_request_decode(&list, copy, len) == 0;
	taken += progress_response_decode(&told, copy, len) == 0;
	taken += order_request_decode(&order, copy, len) == 0;
	if (transfer_list_decode(&transfers, copy, len) == 0) {
		taken++;
		transfer_list_fini(&transfers);
	}
	free(copy);
	return taken;
}

static void cut_at_any_byte_an_open_is_refused(void **state)
{
	struct open_request request = make_open_request();
	struct open_response response = make_open_response();
	struct open_request again;
	struct open_response answer_again;
	uint8_t *bytes;
	size_t len;

	(void)state;
	assert_int_equal(open_request_encode(&request, &bytes, &len), 0);
	for (size_t cut = 0; cut < len; cut++) {
		assert_int_equal(open_request_decode(&again, bytes, cut), -EBADMSG);
		(void)decode_as_all(bytes, cut);
	}
	free(bytes);
	assert_int_equal(open_response_encode(&response, &bytes, &len), 0);
	for (size_t cut = 0; cut < len; cut++) {
		assert_int_equal(
			open_response_decode(&answer_again, bytes, cut), -EBADMSG);
		(void)decode_as_all(bytes, cut);
	}
	free(bytes);
}

static void noise_never_breaks_the_decoders(void **state)
{
	struct open_request request = make_open_request();
	unsigned int seed = 99;
	uint8_t *bytes;
	size_t len;
	int taken = 0;

	(void)state;
	assert_int_equal(open_request_encode(&request, &bytes, &len), 0);
	for (int round = 0; round < 5000; round++) {
		uint8_t noisy[512];

		assert_true(len <= sizeof(noisy));
		memcpy(noisy, bytes, len);
		for (int i = rand_r(&seed) % 4; i >= 0; i--)
			noisy[(size_t)rand_r(&seed) % len] = (uint8_t)rand_r(&seed);
		taken += decode_as_all(noisy, len);
		for (size_t i = 0; i < 16; i++)
			noisy[i] = (uint8_t)rand_r(&seed);
		taken += decode_as_all(noisy, (size_t)rand_r(&seed) % 16);
	}
	/* some noise is a valid message, so the decoders were really entered */
	assert_true(taken > 0);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(open_request_survives),
		cmocka_unit_test(open_response_survives),
		cmocka_unit_test(progress_and_close_survive),
		cmocka_unit_test(a_follower_has_no_more_than_there_is),
		cmocka_unit_test(a_pause_is_told_and_an_old_peer_never_pauses),
		cmocka_unit_test(endpoints_out_of_range_are_refused),
		cmocka_unit_test(an_ipv6_endpoint_has_16_bytes_and_ipv4_has_4),
		cmocka_unit_test(a_peer_id_is_one_word),
		cmocka_unit_test(too_many_endpoints_are_refused),
		cmocka_unit_test(an_unknown_stage_is_refused),
		cmocka_unit_test(cut_at_any_byte_an_open_is_refused),
		cmocka_unit_test(noise_never_breaks_the_decoders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
