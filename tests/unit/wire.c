/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets byte for byte: what another implementation must agree on, and what a header
 * says when the network has cut it, changed it or sent it elsewhere. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <sodium/crypto_shorthash.h>

#include "dataplane/base/bytes.h"
#include "dataplane/wire.h"

static const uint8_t key[WIRE_KEY_LEN] = {
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static const struct wire_address destination = {
	.ip = IP_V4(10, 0, 0, 2),
	.port = 4791,
};
static const struct wire_header example = {
	.type = WIRE_DATA,
	.flags = WIRE_RETX | WIRE_ACK_NOW,
	.slice = 0x0102,
	.session_id = 0x03040506,
	.chunk = 0x0708090a,
	.tx_time = 0x0b0c0d0e,
	.payload_len = 3,
	.path = 0x11,
	.hint = 0x12,
	.payload_crc = 0x13141516,
	.sent_units = 0x1718191a,
};
#define EXAMPLE_PN 0x123456789abcull

/* Made with Python's struct and an independent SipHash. */
static const uint8_t golden[WIRE_HEADER_LEN] = {0x10, 0x03, 0x01, 0x02, 0x03, 0x04, 0x05,
	0x06, 0x56, 0x78, 0x9a, 0xbc, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e,
	0x00, 0x03, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0xa0,
	0xe3, 0x1e, 0x52, 0xf2, 0x4a, 0xe4, 0xf8};

/* The vector of the SipHash paper, appendix A: the library computes SipHash-2-4. */
static void the_mac_is_siphash_2_4(void **state)
{
	uint8_t message[15];
	uint8_t tag[8];

	(void)state;
	for (uint8_t i = 0; i < 15; i++)
		message[i] = i;
	(void)crypto_shorthash(tag, message, sizeof(message), key);
	for (int i = 0; i < 8; i++)
		assert_int_equal(tag[i], 0xa129ca6149be45e5ull >> (8 * i) & 0xff);
}

static void a_header_has_these_bytes(void **state)
{
	uint8_t out[WIRE_HEADER_LEN];

	(void)state;
	wire_put_header(out, &example, key, &destination, EXAMPLE_PN);
	assert_memory_equal(out, golden, sizeof(golden));
}

static void a_header_reads_as_it_was_written(void **state)
{
	uint8_t bytes[WIRE_HEADER_LEN + 3] = {0};
	struct wire_header header;

	(void)state;
	memcpy(bytes, golden, sizeof(golden));
	assert_int_equal(wire_get_header(bytes, sizeof(bytes), &header), ACCEPTED);
	assert_int_equal(header.type, example.type);
	assert_int_equal(header.flags, example.flags);
	assert_int_equal(header.slice, example.slice);
	assert_int_equal(header.session_id, example.session_id);
	assert_int_equal(header.pn, (uint32_t)EXAMPLE_PN);
	assert_int_equal(header.chunk, example.chunk);
	assert_int_equal(header.tx_time, example.tx_time);
	assert_int_equal(header.payload_len, 3);
	assert_int_equal(header.path, example.path);
	assert_int_equal(header.hint, example.hint);
	assert_int_equal(header.payload_crc, example.payload_crc);
	assert_int_equal(header.sent_units, example.sent_units);
	assert_true(wire_is_authentic(bytes, key, &destination, EXAMPLE_PN));
}

static void a_header_cut_anywhere_is_corrupt(void **state)
{
	struct wire_header header;

	(void)state;
	for (uint32_t len = 0; len < WIRE_HEADER_LEN + 10; len++) {
		/* in a block of its own, so that a sanitizer sees a byte too far */
		uint8_t *cut = calloc(1, len > 0 ? len : 1);

		memcpy(cut, golden, len < WIRE_HEADER_LEN ? len : WIRE_HEADER_LEN);
		assert_int_equal(wire_get_header(cut, len, &header),
			len == WIRE_HEADER_LEN + 3 ? ACCEPTED : CORRUPT);
		free(cut);
	}
}

/* A later version may mean anything by its bytes: not even the lengths are looked at. */
static void unknown_versions_and_types_are_stale(void **state)
{
	static const bool known[16] = {[WIRE_DATA] = true,
		[WIRE_PULL] = true,
		[WIRE_ACK] = true,
		[WIRE_PROBE] = true,
		[WIRE_PROBE_ACK] = true,
		[WIRE_CLOSE] = true};
	uint8_t bytes[WIRE_HEADER_LEN + 3] = {0};
	struct wire_header header;

	(void)state;
	memcpy(bytes, golden, sizeof(golden));
	for (unsigned int first = 0; first < 256; first++) {
		bool ours = first >> 4 == WIRE_VERSION && known[first & 15];

		bytes[0] = (uint8_t)first;
		assert_int_equal(wire_get_header(bytes, sizeof(bytes), &header),
			ours ? ACCEPTED : STALE);
	}
}

static void every_bit_of_the_header_is_sealed(void **state)
{
	uint8_t bytes[WIRE_HEADER_LEN];

	(void)state;
	for (uint32_t bit = 0; bit < 8 * WIRE_HEADER_LEN; bit++) {
		memcpy(bytes, golden, sizeof(bytes));
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(wire_is_authentic(bytes, key, &destination, EXAMPLE_PN));
	}
}

/* The low half of the number is in the header; the seal covers the high half too, so a
 * packet of 2^32 packets ago is no packet of now. */
static void the_seal_binds_key_destination_and_full_number(void **state)
{
	uint8_t other_key[WIRE_KEY_LEN];
	struct wire_address elsewhere = destination;

	(void)state;
	memcpy(other_key, key, sizeof(key));
	other_key[15] ^= 1;
	assert_false(wire_is_authentic(golden, other_key, &destination, EXAMPLE_PN));
	elsewhere.port++;
	assert_false(wire_is_authentic(golden, key, &elsewhere, EXAMPLE_PN));
	elsewhere = destination;
	elsewhere.ip.bytes[15]++;
	assert_false(wire_is_authentic(golden, key, &elsewhere, EXAMPLE_PN));
	assert_false(wire_is_authentic(
		golden, key, &destination, EXAMPLE_PN + ((uint64_t)1 << 32)));
}

static void slices_fill_the_mtu_in_units_of_64(void **state)
{
	static const struct {
		uint32_t mtu, ip_header, slice;
	} cases[] = {
		{1500, 20, 1408},
		{1500, 40, 1408},
		{1499, 20, 1408},
		{1476, 20, 1408},
		{1475, 20, 1344},
		{9000, 20, 8192},
		{65535, 20, 8192},
		{8260, 20, 8192},
		{8259, 20, 8128},
		{576, 20, 448},
		{132, 20, 64},
		{131, 20, 0},
		{0, 20, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(wire_slice_size(cases[i].mtu, cases[i].ip_header),
			cases[i].slice);
}

static struct wire_pull full_pull(uint32_t nruns)
{
	struct wire_pull pull = {.credit = 0x0102030405060708,
		.max_rate_mbps = 0x11121314,
		.first_request = 0xfffffffe,
		.nruns = nruns};

	for (uint32_t i = 0; i < nruns && i < WIRE_RUNS_MAX; i++)
		pull.runs[i] =
			(struct wire_run){i * 1000, (uint16_t)(i + 1), (uint8_t)(i % 2)};
	return pull;
}

static void a_pull_has_these_bytes(void **state)
{
	static const uint8_t expected[32] = {1, 2, 3, 4, 5, 6, 7, 8, 0x11, 0x12, 0x13,
		0x14, 0xff, 0xff, 0xff, 0xfe, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0,
		0};
	struct wire_pull pull = full_pull(1);
	uint8_t out[WIRE_BODY_MAX];

	(void)state;
	assert_int_equal(wire_put_pull(out, &pull), sizeof(expected));
	assert_memory_equal(out, expected, sizeof(expected));
}

static void pulls_of_any_length_round_trip(void **state)
{
	(void)state;
	for (uint32_t nruns = 0; nruns <= WIRE_RUNS_MAX; nruns++) {
		struct wire_pull pull = full_pull(nruns);
		struct wire_pull back = {0};
		uint8_t out[WIRE_BODY_MAX];
		uint32_t len = wire_put_pull(out, &pull);

		assert_in_range(len, 1, WIRE_BODY_MAX);
		assert_true(wire_get_pull(out, len, &back));
		assert_true(back.credit == pull.credit);
		assert_int_equal(back.max_rate_mbps, pull.max_rate_mbps);
		assert_int_equal(back.first_request, pull.first_request);
		assert_int_equal(back.nruns, nruns);
		for (uint32_t i = 0; i < nruns; i++) {
			assert_int_equal(back.runs[i].first, pull.runs[i].first);
			assert_int_equal(back.runs[i].count, pull.runs[i].count);
			assert_int_equal(back.runs[i].flags, pull.runs[i].flags);
		}
	}
}

static void acks_of_any_length_round_trip(void **state)
{
	(void)state;
	for (uint32_t nbits = 0; nbits <= WIRE_ACK_BITS; nbits++) {
		struct wire_ack ack = {.largest_pn = 7,
			.delay_us = 0xfffe,
			.away_us = 3,
			.echo_time = 0x89abcdef,
			.ce_count = 0xffffff,
			.credit = UINT64_MAX,
			.base_pn = 0xffffffc0,
			.nbits = (uint16_t)nbits};
		struct wire_ack back = {0};
		uint8_t out[WIRE_BODY_MAX];
		uint32_t len;

		for (uint32_t i = 0; i < WIRE_ACK_BITS / 64; i++)
			ack.bits[i] = 0x0123456789abcdef * (i + 1);
		len = wire_put_ack(out, &ack);
		assert_int_equal(len, 32 + (nbits + 63) / 64 * 8);
		assert_true(wire_get_ack(out, len, &back));
		assert_int_equal(back.largest_pn, 7);
		assert_int_equal(back.delay_us, 0xfffe);
		assert_int_equal(back.away_us, 3);
		assert_int_equal(back.echo_time, 0x89abcdef);
		assert_int_equal(back.ce_count, 0xffffff);
		assert_true(back.credit == UINT64_MAX);
		assert_int_equal(back.base_pn, 0xffffffc0);
		assert_int_equal(back.nbits, nbits);
		assert_memory_equal(back.bits, ack.bits, (nbits + 63) / 64 * 8);
	}
}

static void a_close_round_trips(void **state)
{
	const struct wire_close close = {.code = 28, .chunk = UINT32_MAX};
	static const uint8_t expected[8] = {0, 0, 0, 28, 0xff, 0xff, 0xff, 0xff};
	struct wire_close back;
	uint8_t out[WIRE_BODY_MAX];

	(void)state;
	assert_int_equal(wire_put_close(out, &close), sizeof(expected));
	assert_memory_equal(out, expected, sizeof(expected));
	assert_true(wire_get_close(out, 8, &back));
	assert_int_equal(back.code, 28);
	assert_int_equal(back.chunk, UINT32_MAX);
}

static void a_probe_round_trips_whatever_follows_it(void **state)
{
	const struct wire_probe probe = {
		.epoch = 0x01020304, .slice_size = 4032, .unanswered = 10};
	static const uint8_t expected[WIRE_PROBE_LEN] = {
		1, 2, 3, 4, 0, 0, 15, 192, 0, 0, 0, 10, 0, 0, 0, 0};
	struct wire_probe back;
	uint8_t out[WIRE_SLICE_MAX] = {0};

	(void)state;
	assert_int_equal(wire_put_probe(out, &probe), WIRE_PROBE_LEN);
	assert_memory_equal(out, expected, sizeof(expected));
	assert_true(wire_get_probe(out, WIRE_PROBE_LEN, &back));
	assert_memory_equal(&back, &probe, sizeof(back));
	assert_true(wire_get_probe(out, sizeof(out), &back));
	for (uint32_t len = 0; len < WIRE_PROBE_LEN; len++)
		assert_false(wire_get_probe(out, len, &back));
}

static void the_epoch_is_two_bits_of_the_flags(void **state)
{
	(void)state;
	for (uint32_t epoch = 0; epoch < 9; epoch++) {
		struct wire_header header = {
			.flags = WIRE_RETX | WIRE_ACK_NOW | wire_epoch_flags(epoch)};

		assert_int_equal(header.flags & 63, WIRE_RETX | WIRE_ACK_NOW);
		assert_true(wire_is_of_epoch(&header, epoch));
		assert_true(wire_is_of_epoch(&header, epoch + 4));
		assert_false(wire_is_of_epoch(&header, epoch + 1));
		assert_false(wire_is_of_epoch(&header, epoch - 1));
	}
}

static void a_close_with_a_number_that_is_no_errno_is_not_success(void **state)
{
	static const uint32_t strange[] = {
		4096, 0x10000, 0x80000000, UINT32_MAX - 4094, UINT32_MAX};

	(void)state;
	assert_int_equal(wire_close_error(&(struct wire_close){.code = 0}), 0);
	assert_int_equal(wire_close_error(&(struct wire_close){.code = EIO}), -EIO);
	for (size_t i = 0; i < ARRAY_LEN(strange); i++)
		assert_int_equal(
			wire_close_error(&(struct wire_close){.code = strange[i]}),
			-EPROTO);
}

/* Cuts or pads a body of `whole` bytes to every length. */
static void check_lengths(
	const uint8_t *body, uint32_t whole, bool (*get)(const uint8_t *, uint32_t))
{
	for (uint32_t len = 0; len <= whole + 9; len++) {
		uint8_t *cut = calloc(1, len > 0 ? len : 1);

		memcpy(cut, body, len < whole ? len : whole);
		assert_int_equal(get(cut, len), len == whole);
		free(cut);
	}
}

static bool get_pull(const uint8_t *bytes, uint32_t len)
{
	struct wire_pull pull;

	return wire_get_pull(bytes, len, &pull);
}

static bool get_ack(const uint8_t *bytes, uint32_t len)
{
	struct wire_ack ack;

	return wire_get_ack(bytes, len, &ack);
}

static bool get_close(const uint8_t *bytes, uint32_t len)
{
	struct wire_close close;

	return wire_get_close(bytes, len, &close);
}

static void bodies_of_another_length_are_malformed(void **state)
{
	struct wire_pull pull = full_pull(5);
	struct wire_ack ack = {.nbits = 130};
	struct wire_close close = {0};
	uint8_t out[WIRE_BODY_MAX] = {0};
	uint32_t len;

	(void)state;
	len = wire_put_pull(out, &pull);
	check_lengths(out, len, get_pull);
	len = wire_put_ack(out, &ack);
	check_lengths(out, len, get_ack);
	len = wire_put_close(out, &close);
	check_lengths(out, len, get_close);
}

static void counts_beyond_the_arrays_are_malformed(void **state)
{
	uint8_t body[32 + 2048] = {0};

	(void)state;
	for (uint32_t n = WIRE_RUNS_MAX + 1; n < 200; n++) {
		put_be16(body + 16, (uint16_t)n);
		assert_false(get_pull(body, 24 + n * 8));
	}
	memset(body, 0, sizeof(body));
	put_be16(body + 28, WIRE_ACK_BITS + 1);
	assert_false(get_ack(body, 32 + 17 * 8));
	put_be16(body + 28, UINT16_MAX);
	assert_false(get_ack(body, 32));
}

static void times_are_sixteenths_of_a_microsecond(void **state)
{
	(void)state;
	assert_int_equal(wire_time(0), 0);
	assert_int_equal(wire_time(1 * USEC), 16);
	assert_int_equal(wire_time(1 * SEC), 16000000);
	assert_true(wire_time_to_nsec(16) == 1 * USEC);
	/* the clock wraps after 268 s; differences do not care */
	for (nsec now = 1; now < 1000 * SEC; now = now * 7 + 13)
		assert_in_range(
			wire_time_to_nsec(wire_time(now + 12 * MSEC) - wire_time(now)),
			12 * MSEC - 63, 12 * MSEC + 63);
	assert_int_equal(wire_units(0), 0);
	assert_int_equal(wire_units(1), 1);
	assert_int_equal(wire_units(64), 1);
	assert_int_equal(wire_units(65), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_mac_is_siphash_2_4),
		cmocka_unit_test(a_header_has_these_bytes),
		cmocka_unit_test(a_header_reads_as_it_was_written),
		cmocka_unit_test(a_header_cut_anywhere_is_corrupt),
		cmocka_unit_test(unknown_versions_and_types_are_stale),
		cmocka_unit_test(every_bit_of_the_header_is_sealed),
		cmocka_unit_test(the_seal_binds_key_destination_and_full_number),
		cmocka_unit_test(slices_fill_the_mtu_in_units_of_64),
		cmocka_unit_test(a_pull_has_these_bytes),
		cmocka_unit_test(pulls_of_any_length_round_trip),
		cmocka_unit_test(acks_of_any_length_round_trip),
		cmocka_unit_test(a_probe_round_trips_whatever_follows_it),
		cmocka_unit_test(the_epoch_is_two_bits_of_the_flags),
		cmocka_unit_test(a_close_round_trips),
		cmocka_unit_test(a_close_with_a_number_that_is_no_errno_is_not_success),
		cmocka_unit_test(bodies_of_another_length_are_malformed),
		cmocka_unit_test(counts_beyond_the_arrays_are_malformed),
		cmocka_unit_test(times_are_sixteenths_of_a_microsecond),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
