/* SPDX-License-Identifier: BSD-3-Clause */
/* PRPC frames: bytes a stock brpc peer was seen to send, frames cut at every byte,
 * limits, and noise. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/frame.h"
#include "dataplane/base/bytes.h"

/* The stock copier asks for the table: correlation id 0x2010100400 as a 6-byte varint. */
static const char stock_request[] =
	"PRPC\x00\x00\x00\x4a\x00\x00\x00\x28"
	"\x0a\x1d\x0a\x11"
	"braft.FileService\x12\x08get_file\x18\x00\x20\x82\x80\x80\x80\x90\x20"
	"\x08\x4d\x12\x14__raft_snapshot_meta\x18\xff\xff\xff\xff\x0f\x20\x00\x28\x01";
enum { STOCK_MESSAGE_LEN = 34 };

/* A stock server's answer: 4 bytes of message, 74 of attachment. */
static const char stock_response[] = "PRPC\x00\x00\x00\x58\x00\x00\x00\x0a"
				     "\x12\x02\x08\x00\x18\x00\x20\x65\x28\x4a"
				     "\x08\x01\x10\x3e";

static const uint8_t *bytes_of(const char *text)
{
	return (const uint8_t *)text;
}

static void reads_the_stock_request(void **state)
{
	struct frame frame;
	size_t size;

	(void)state;
	assert_int_equal(frame_parse(&frame, bytes_of(stock_request),
				 sizeof(stock_request) - 1, &size),
		0);
	assert_int_equal(size, sizeof(stock_request) - 1);
	assert_int_equal(frame.kind, FRAME_REQUEST);
	assert_string_equal(frame.service, "braft.FileService");
	assert_string_equal(frame.method, "get_file");
	assert_true(frame.correlation_id ==
		    (2LL | 0x10LL << 28 | 0x20LL << 35)); /* 82 80 80 80 90 20 */
	assert_int_equal(frame.message_len, STOCK_MESSAGE_LEN);
	assert_null(frame.refused);
	assert_null(frame.attachment);
}

static void writes_the_stock_request(void **state)
{
	struct frame frame = {
		.kind = FRAME_REQUEST,
		.service = "braft.FileService",
		.method = "get_file",
		.correlation_id = 2LL | 0x10LL << 28 | 0x20LL << 35,
		.message = bytes_of(stock_request) + sizeof(stock_request) - 1 -
			   STOCK_MESSAGE_LEN,
		.message_len = STOCK_MESSAGE_LEN,
	};
	uint8_t *bytes;
	size_t size;

	(void)state;
	assert_int_equal(frame_encode(&frame, &bytes, &size), 0);
	assert_int_equal(size, sizeof(stock_request) - 1);
	assert_memory_equal(bytes, stock_request, size);
	free(bytes);
}

static void reads_and_writes_the_stock_response(void **state)
{
	uint8_t stock[sizeof(stock_response) - 1 + 74];
	struct frame frame;
	uint8_t *bytes;
	size_t size;

	(void)state;
	memcpy(stock, stock_response, sizeof(stock_response) - 1);
	memset(stock + sizeof(stock_response) - 1, 0xa5, 74);
	assert_int_equal(frame_parse(&frame, stock, sizeof(stock), &size), 0);
	assert_int_equal(size, sizeof(stock));
	assert_int_equal(frame.kind, FRAME_RESPONSE);
	assert_int_equal(frame.error_code, 0);
	assert_true(frame.correlation_id == 0x65);
	assert_int_equal(frame.message_len, 4);
	assert_memory_equal(frame.message, "\x08\x01\x10\x3e", 4);
	assert_int_equal(frame.attachment_len, 74);
	assert_int_equal(frame.attachment[73], 0xa5);
	assert_int_equal(frame_encode(&frame, &bytes, &size), 0);
	assert_int_equal(size, sizeof(stock));
	assert_memory_equal(bytes, stock, size);
	free(bytes);
}

static void a_failure_has_code_and_text_and_no_payload(void **state)
{
	struct frame frame = {
		.kind = FRAME_RESPONSE,
		.correlation_id = INT64_MIN,
		.error_code = 125,
		.error_text = "cancelled\n\x1b[31mby a newer one",
		.message = bytes_of("never sent"),
		.message_len = 10,
	};
	struct frame parsed;
	uint8_t *bytes;
	size_t size;

	(void)state;
	assert_int_equal(frame_encode(&frame, &bytes, &size), 0);
	assert_int_equal(frame_parse(&parsed, bytes, size, &size), 0);
	assert_int_equal(parsed.error_code, 125);
	/* harmless on a terminal */
	assert_string_equal(parsed.error_text, "cancelled  [31mby a newer one");
	assert_true(parsed.correlation_id == INT64_MIN);
	assert_int_equal(parsed.message_len, 0);
	free(bytes);
}

static void waits_for_the_rest_at_every_byte(void **state)
{
	struct frame frame;
	size_t whole = sizeof(stock_request) - 1;

	(void)state;
	for (size_t len = 0; len < whole; len++) {
		/* in a block of its own, so that a sanitizer sees a byte too far */
		uint8_t *cut = malloc(len > 0 ? len : 1);
		size_t size = 0;

		assert_non_null(cut);
		memcpy(cut, stock_request, len);
		assert_int_equal(frame_parse(&frame, cut, len, &size), -EAGAIN);
		assert_int_equal(size, len < FRAME_HEADER_LEN ? FRAME_HEADER_LEN : whole);
		free(cut);
	}
}

static void refuses_a_stranger_at_the_first_byte(void **state)
{
	static const char *const strangers[] = {
		"GET / HTTP/1.1", "X", "PX", "PRX", "PRPX", "\x16\x03\x01"};
	struct frame frame;
	size_t size;

	(void)state;
	for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++)
		assert_int_equal(frame_parse(&frame, bytes_of(strangers[i]),
					 strlen(strangers[i]), &size),
			-EBADMSG);
}

static int parse_header(uint32_t body_size, uint32_t meta_size)
{
	uint8_t header[FRAME_HEADER_LEN] = {'P', 'R', 'P', 'C'};
	struct frame frame;
	size_t size;

	put_be32(header + 4, body_size);
	put_be32(header + 8, meta_size);
	return frame_parse(&frame, header, sizeof(header), &size);
}

static void refuses_impossible_sizes_from_the_header(void **state)
{
	(void)state;
	assert_int_equal(parse_header(FRAME_BODY_MAX, 10), -EAGAIN);
	assert_int_equal(parse_header(FRAME_BODY_MAX + 1u, 10), -EBADMSG);
	assert_int_equal(parse_header(UINT32_MAX, 10), -EBADMSG);
	assert_int_equal(parse_header(10, 11), -EBADMSG);
	assert_int_equal(parse_header(UINT32_MAX, UINT32_MAX), -EBADMSG);
	assert_int_equal(parse_header(1 << 20, 1 << 20), -EBADMSG);
	/* no meta at all is an empty meta: an answer without anything */
	assert_int_equal(parse_header(0, 0), 0);
}

static const char *refusal_of(const char *meta, size_t meta_len, size_t payload_len)
{
	uint8_t bytes[200] = {'P', 'R', 'P', 'C'};
	static struct frame frame;
	size_t size;

	put_be32(bytes + 4, (uint32_t)(meta_len + payload_len));
	put_be32(bytes + 8, (uint32_t)meta_len);
	memcpy(bytes + FRAME_HEADER_LEN, meta, meta_len);
	assert_int_equal(frame_parse(&frame, bytes,
				 FRAME_HEADER_LEN + meta_len + payload_len, &size),
		0);
	assert_true(frame.correlation_id == 9);
	assert_string_equal(frame.method, "m");
	if (frame.refused != NULL)
		assert_int_equal(frame.message_len + frame.attachment_len, 0);
	return frame.refused;
}

static void refuses_what_it_can_still_answer(void **state)
{
	/* request{service "s", method "m"}, correlation_id 9, then … */
	static const char fits[] = "\x0a\x06\x0a\x01s\x12\x01m\x20\x09\x28\x05";
	static const char negative[] = "\x0a\x06\x0a\x01s\x12\x01m\x20\x09"
				       "\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
	static const char gzip[] = "\x0a\x06\x0a\x01s\x12\x01m\x20\x09\x18\x02";
	static const char newer[] = "\x0a\x06\x0a\x01s\x12\x01m\x20\x09\x50\x00\x58\x01";

	(void)state;
	assert_null(refusal_of(fits, sizeof(fits) - 1, 5));
	assert_non_null(refusal_of(fits, sizeof(fits) - 1, 4));
	assert_non_null(refusal_of(negative, sizeof(negative) - 1, 5));
	assert_non_null(refusal_of(gzip, sizeof(gzip) - 1, 5));
	/* fields of later brpc versions are no reason to refuse */
	assert_null(refusal_of(newer, sizeof(newer) - 1, 5));
}

static void an_oversized_frame_is_not_encoded(void **state)
{
	struct frame frame = {
		.kind = FRAME_REQUEST,
		.message = bytes_of(""),
		.message_len = SIZE_MAX,
		.attachment = bytes_of(""),
		.attachment_len = SIZE_MAX,
	};
	uint8_t *bytes;
	size_t size;

	(void)state;
	assert_int_equal(frame_encode(&frame, &bytes, &size), -EMSGSIZE);
	frame.message_len = 0;
	assert_int_equal(frame_encode(&frame, &bytes, &size), -EMSGSIZE);
}

static void noise_never_breaks_the_parser(void **state)
{
	unsigned int seed = 20260824;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t len = sizeof(stock_request) - 1;
		uint8_t *noisy = malloc(len);
		struct frame frame;
		size_t size;
		int err;

		assert_non_null(noisy);
		memcpy(noisy, stock_request, len);
		for (int i = rand_r(&seed) % 4; i >= 0; i--)
			noisy[12 + (size_t)rand_r(&seed) % (len - 12)] =
				(uint8_t)rand_r(&seed);
		err = frame_parse(&frame, noisy, len, &size);
		if (err != 0 && err != -EBADMSG)
			fail_msg("seed 20260824 round %d: %d", round, err);
		if (err == 0)
			assert_true(frame.message_len + frame.attachment_len < len);
		free(noisy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_stock_request),
		cmocka_unit_test(writes_the_stock_request),
		cmocka_unit_test(reads_and_writes_the_stock_response),
		cmocka_unit_test(a_failure_has_code_and_text_and_no_payload),
		cmocka_unit_test(waits_for_the_rest_at_every_byte),
		cmocka_unit_test(refuses_a_stranger_at_the_first_byte),
		cmocka_unit_test(refuses_impossible_sizes_from_the_header),
		cmocka_unit_test(refuses_what_it_can_still_answer),
		cmocka_unit_test(an_oversized_frame_is_not_encoded),
		cmocka_unit_test(noise_never_breaks_the_parser),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
