/* SPDX-License-Identifier: BSD-3-Clause */
/* braft's calls byte for byte as stock nodes send them, and what is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/braft_codec.h"

static const char stock_install[] = "\x0a\x01g"
				    "\x12\x11"
				    "127.0.0.1:18802:0"
				    "\x1a\x11"
				    "127.0.0.1:18801:0"
				    "\x20\x05"
				    "\x2a\x2e\x08\x64\x10\x04"
				    "\x1a\x13"
				    "127.0.0.1:18801:0:0"
				    "\x1a\x13"
				    "127.0.0.1:18802:0:0"
				    "\x32\x1bremote://127.0.0.1:18802/77";
enum { INSTALL_LEN = sizeof(stock_install) - 1 };

static const char stock_get_table[] =
	"\x08\x4d\x12\x14__raft_snapshot_meta\x18\xff\xff\xff\xff\x0f\x20\x00\x28\x01";
static const char stock_get_data[] = "\x08\x4d\x12\x04"
				     "data\x18\x80\x80\x08\x20\x00\x28\x01";

static void check_bytes(
	int err, uint8_t *bytes, size_t len, const char *stock, size_t stock_len)
{
	assert_int_equal(err, 0);
	assert_int_equal(len, stock_len);
	assert_memory_equal(bytes, stock, len);
	free(bytes);
}

static void install_request_is_stock(void **state)
{
	struct install_snapshot_request request;
	uint8_t *bytes;
	size_t len;
	int err;

	(void)state;
	assert_int_equal(install_snapshot_request_decode(
				 &request, (const uint8_t *)stock_install, INSTALL_LEN),
		0);
	assert_string_equal(request.group_id, "g");
	assert_string_equal(request.server_id, "127.0.0.1:18802:0");
	assert_string_equal(request.peer_id, "127.0.0.1:18801:0");
	assert_int_equal(request.term, 5);
	assert_int_equal(request.meta.index, 100);
	assert_int_equal(request.meta.term, 4);
	assert_int_equal(request.meta.npeers, 2);
	assert_string_equal(request.meta.peers[1], "127.0.0.1:18802:0:0");
	assert_string_equal(request.uri, "remote://127.0.0.1:18802/77");
	err = install_snapshot_request_encode(&request, &bytes, &len);
	check_bytes(err, bytes, len, stock_install, INSTALL_LEN);
	install_snapshot_request_fini(&request);
}

static void install_response_is_stock(void **state)
{
	struct install_snapshot_response response = {.term = 5, .success = true};
	uint8_t *bytes;
	size_t len;
	int err = install_snapshot_response_encode(&response, &bytes, &len);

	(void)state;
	check_bytes(err, bytes, len, "\x08\x05\x10\x01", 4);
	/* both fields are required, so false is on the wire too */
	response.success = false;
	err = install_snapshot_response_encode(&response, &bytes, &len);
	check_bytes(err, bytes, len, "\x08\x05\x10\x00", 4);
	assert_int_equal(install_snapshot_response_decode(
				 &response, (const uint8_t *)"\x08\x05\x10\x01", 4),
		0);
	assert_true(response.success);
	assert_int_equal(install_snapshot_response_decode(
				 &response, (const uint8_t *)"\x08\x05", 2),
		-EBADMSG);
}

static void get_file_requests_are_stock(void **state)
{
	struct get_file_request request;
	uint8_t *bytes;
	size_t len;
	int err;

	(void)state;
	assert_int_equal(
		get_file_request_decode(&request, (const uint8_t *)stock_get_table,
			sizeof(stock_get_table) - 1),
		0);
	assert_true(request.reader_id == 77);
	assert_string_equal(request.filename, "__raft_snapshot_meta");
	assert_true(request.count == UINT32_MAX);
	assert_true(request.offset == 0);
	assert_true(request.has_read_partly && request.read_partly);
	err = get_file_request_encode(&request, &bytes, &len);
	check_bytes(err, bytes, len, stock_get_table, sizeof(stock_get_table) - 1);
	memcpy(request.filename, "data", sizeof("data"));
	request.count = 131072;
	err = get_file_request_encode(&request, &bytes, &len);
	check_bytes(err, bytes, len, stock_get_data, sizeof(stock_get_data) - 1);
}

static void negative_reader_ids_take_ten_bytes(void **state)
{
	struct get_file_request request = {
		.reader_id = -34172750639672,
		.filename = "f",
		.count = INT64_MIN,
		.offset = -1,
	};
	struct get_file_request again;
	uint8_t *bytes;
	size_t len;

	(void)state;
	assert_int_equal(get_file_request_encode(&request, &bytes, &len), 0);
	assert_int_equal(len, 11 + 3 + 11 + 11);
	assert_int_equal(get_file_request_decode(&again, bytes, len), 0);
	assert_true(again.reader_id == request.reader_id);
	assert_true(again.count == INT64_MIN);
	assert_true(again.offset == -1);
	assert_false(again.has_read_partly);
	free(bytes);
}

static void get_file_response_is_stock(void **state)
{
	struct get_file_response response;
	uint8_t *bytes;
	size_t len;
	int err;

	(void)state;
	assert_int_equal(get_file_response_decode(
				 &response, (const uint8_t *)"\x08\x01\x10\x3e", 4),
		0);
	assert_true(response.eof);
	assert_true(response.has_read_size);
	assert_int_equal(response.read_size, 62);
	err = get_file_response_encode(&response, &bytes, &len);
	check_bytes(err, bytes, len, "\x08\x01\x10\x3e", 4);
	assert_int_equal(
		get_file_response_decode(&response, (const uint8_t *)"\x10\x3e", 2),
		-EBADMSG);
	assert_int_equal(get_file_response_decode(&response, NULL, 0), -EBADMSG);
}

static void a_string_that_does_not_fit_is_refused(void **state)
{
	struct get_file_request request;
	uint8_t bytes[16 + BRAFT_NAME_MAX] = {0x08, 0x01, 0x12};
	size_t len = 3;

	(void)state;
	/* filename of 4096 = 0x1000 bytes: one more than fits with its NUL */
	bytes[len++] = 0x80;
	bytes[len++] = 0x20;
	memset(bytes + len, 'n', BRAFT_NAME_MAX);
	len += BRAFT_NAME_MAX;
	memcpy(bytes + len, "\x18\x01\x20\x00", 4);
	assert_int_equal(get_file_request_decode(&request, bytes, len + 4), -EBADMSG);
	/* 4095 bytes fit */
	bytes[3] = 0xff;
	bytes[4] = 0x1f;
	memcpy(bytes + len - 1, "\x18\x01\x20\x00", 4);
	assert_int_equal(get_file_request_decode(&request, bytes, len + 3), 0);
	assert_int_equal(strlen(request.filename), 4095);
}

static void cut_at_any_byte_an_install_is_refused(void **state)
{
	(void)state;
	for (size_t len = 0; len < INSTALL_LEN; len++) {
		struct install_snapshot_request request;
		/* in a block of its own, so that a sanitizer sees a byte too far */
		uint8_t *cut = malloc(len > 0 ? len : 1);

		assert_non_null(cut);
		memcpy(cut, stock_install, len);
		assert_int_equal(
			install_snapshot_request_decode(&request, cut, len), -EBADMSG);
		free(cut);
	}
}

static void noise_never_breaks_the_decoders(void **state)
{
	unsigned int seed = 4;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct install_snapshot_request install;
		struct install_snapshot_response installed;
		struct get_file_request get;
		struct get_file_response got;
		uint8_t noisy[INSTALL_LEN];
		size_t len = (size_t)rand_r(&seed) % INSTALL_LEN;
		int err;

		memcpy(noisy, stock_install, INSTALL_LEN);
		for (int i = rand_r(&seed) % 4; i >= 0; i--)
			noisy[rand_r(&seed) % INSTALL_LEN] = (uint8_t)rand_r(&seed);
		err = install_snapshot_request_decode(&install, noisy, INSTALL_LEN);
		if (err != 0 && err != -EBADMSG)
			fail_msg("seed 4 round %d: %d", round, err);
		if (err == 0)
			install_snapshot_request_fini(&install);
		for (size_t i = 0; i < len; i++)
			noisy[i] = (uint8_t)rand_r(&seed);
		(void)install_snapshot_response_decode(&installed, noisy, len);
		(void)get_file_request_decode(&get, noisy, len);
		(void)get_file_response_decode(&got, noisy, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(install_request_is_stock),
		cmocka_unit_test(install_response_is_stock),
		cmocka_unit_test(get_file_requests_are_stock),
		cmocka_unit_test(negative_reader_ids_take_ten_bytes),
		cmocka_unit_test(get_file_response_is_stock),
		cmocka_unit_test(a_string_that_does_not_fit_is_refused),
		cmocka_unit_test(cut_at_any_byte_an_install_is_refused),
		cmocka_unit_test(noise_never_breaks_the_decoders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
