/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames as other stacks send and expect them, and all that is not for us. */
#include "dataplane/base/bytes.h"
#include "tests/unit/ether_world.h"

/* 02:..:01 at 10.0.0.1 talks to 02:..:02 at 10.0.0.2. Made with Python's struct and a
 * checksum of its own. */
static const uint8_t udp_frame[] = {0x02, 0x00, 0x00, 0x00, 0x00, 0x02, 0x02, 0x00, 0x00,
	0x00, 0x00, 0x01, 0x08, 0x00, 0x45, 0x22, 0x00, 0x21, 0x00, 0x00, 0x40, 0x00,
	0x40, 0x11, 0x26, 0xa8, 0x0a, 0x00, 0x00, 0x01, 0x0a, 0x00, 0x00, 0x02, 0x13,
	0x88, 0x12, 0xb7, 0x00, 0x0d, 0x00, 0x00, 0x68, 0x65, 0x6c, 0x6c, 0x6f};
static const uint8_t options_frame[] = {0x02, 0x00, 0x00, 0x00, 0x00, 0x02, 0x02, 0x00,
	0x00, 0x00, 0x00, 0x01, 0x08, 0x00, 0x46, 0x00, 0x00, 0x25, 0x00, 0x00, 0x40,
	0x00, 0x40, 0x11, 0x23, 0xc4, 0x0a, 0x00, 0x00, 0x01, 0x0a, 0x00, 0x00, 0x02,
	0x01, 0x01, 0x01, 0x01, 0x13, 0x88, 0x12, 0xb7, 0x00, 0x0d, 0x00, 0x00, 0x68,
	0x65, 0x6c, 0x6c, 0x6f};
static const uint8_t ping_frame[] = {0x02, 0x00, 0x00, 0x00, 0x00, 0x02, 0x02, 0x00, 0x00,
	0x00, 0x00, 0x01, 0x08, 0x00, 0x45, 0x00, 0x00, 0x23, 0x1c, 0x46, 0x40, 0x00,
	0x40, 0x01, 0x0a, 0x92, 0x0a, 0x00, 0x00, 0x01, 0x0a, 0x00, 0x00, 0x02, 0x08,
	0x00, 0x54, 0x9d, 0x12, 0x34, 0x00, 0x01, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66,
	0x67};
static const uint8_t pong_frame[] = {0x02, 0x00, 0x00, 0x00, 0x00, 0x01, 0x02, 0x00, 0x00,
	0x00, 0x00, 0x02, 0x08, 0x00, 0x45, 0x02, 0x00, 0x23, 0x00, 0x00, 0x40, 0x00,
	0x40, 0x01, 0x26, 0xd6, 0x0a, 0x00, 0x00, 0x02, 0x0a, 0x00, 0x00, 0x01, 0x00,
	0x00, 0x5c, 0x9d, 0x12, 0x34, 0x00, 0x01, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66,
	0x67};
static const uint8_t who_has_frame[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0x00,
	0x00, 0x00, 0x00, 0x01, 0x08, 0x06, 0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00,
	0x01, 0x02, 0x00, 0x00, 0x00, 0x00, 0x01, 0x0a, 0x00, 0x00, 0x01, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x0a, 0x00, 0x00, 0x02};
static const uint8_t is_at_frame[] = {0x02, 0x00, 0x00, 0x00, 0x00, 0x01, 0x02, 0x00,
	0x00, 0x00, 0x00, 0x02, 0x08, 0x06, 0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00,
	0x02, 0x02, 0x00, 0x00, 0x00, 0x00, 0x02, 0x0a, 0x00, 0x00, 0x02, 0x02, 0x00,
	0x00, 0x00, 0x00, 0x01, 0x0a, 0x00, 0x00, 0x01};

static const struct ip ip1 = IP_V4(10, 0, 0, 1);
static const struct ip ip2 = IP_V4(10, 0, 0, 2);

static struct ether_path from_1_to_2(void)
{
	return (struct ether_path){.src_mac = {2, 0, 0, 0, 0, 1},
		.dst_mac = {2, 0, 0, 0, 0, 2},
		.src_ip = IP_V4(10, 0, 0, 1),
		.dst_ip = IP_V4(10, 0, 0, 2),
		.src_port = 5000,
		.dst_port = 4791,
		.dscp = 8};
}

static struct ether_path from_2_to_1(void)
{
	return (struct ether_path){.src_mac = {2, 0, 0, 0, 0, 2},
		.dst_mac = {2, 0, 0, 0, 0, 1},
		.src_ip = IP_V4(10, 0, 0, 2),
		.dst_ip = IP_V4(10, 0, 0, 1)};
}

/* Makes the IP checksum right, as far as the header is there. */
static void mend(uint8_t *frame, size_t len)
{
	uint32_t sum = 0;

	put_be16(frame + 24, 0);
	for (uint32_t i = 14; i < 14 + (frame[14] & 15u) * 4 && i + 1 < len; i += 2)
		sum += get_be16(frame + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	put_be16(frame + 24, (uint16_t)~sum);
}

static enum ether_kind changed(
	const uint8_t *frame, size_t len, size_t at, uint8_t value, bool is_mended)
{
	return kind_after(frame, len, at, value, is_mended ? mend : NULL);
}

static void writes_the_known_udp_header(void **state)
{
	struct ether_path path = from_1_to_2();
	uint8_t out[ETHER_UDP_HEADERS];

	(void)state;
	memset(out, 0xaa, sizeof(out));
	ether_put_udp(out, &path, 5);
	assert_memory_equal(out, udp_frame, sizeof(out));
}

static void reads_the_known_udp_frame(void **state)
{
	(void)state;
	check_datagram(udp_frame, sizeof(udp_frame), &ip1, &ip2);
}

static void options_are_stepped_over(void **state)
{
	struct ether_frame frame;

	(void)state;
	ether_parse(options_frame, sizeof(options_frame), &frame);
	assert_int_equal(frame.kind, ETHER_UDP);
	assert_int_equal(frame.payload_len, 5);
	assert_memory_equal(frame.payload, "hello", 5);
	/* 60 bytes of header in a frame that has 33 */
	assert_int_equal(
		changed(udp_frame, sizeof(udp_frame), 14, 0x4f, true), ETHER_OTHER);
	/* 16 bytes are no header */
	assert_int_equal(
		changed(udp_frame, sizeof(udp_frame), 14, 0x44, true), ETHER_OTHER);
}

/* Ethernet pads to 60 bytes: the padding is not payload. */
static void padding_is_not_payload(void **state)
{
	uint8_t padded[60] = {0};
	struct ether_frame frame;

	(void)state;
	memcpy(padded, udp_frame, sizeof(udp_frame));
	ether_parse(padded, sizeof(padded), &frame);
	assert_int_equal(frame.kind, ETHER_UDP);
	assert_int_equal(frame.payload_len, 5);
	memset(padded, 0, sizeof(padded));
	memcpy(padded, is_at_frame, sizeof(is_at_frame));
	ether_parse(padded, sizeof(padded), &frame);
	assert_int_equal(frame.kind, ETHER_ANSWER);
}

static void a_congestion_mark_is_seen(void **state)
{
	uint8_t marked[sizeof(udp_frame)];
	struct ether_frame frame;

	(void)state;
	memcpy(marked, udp_frame, sizeof(marked));
	marked[15] |= 3;
	marked[25]--; /* the checksum, for one more */
	ether_parse(marked, sizeof(marked), &frame);
	assert_int_equal(frame.kind, ETHER_UDP);
	assert_true(frame.is_ce);
}

static void what_is_not_for_us_is_other(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		bool fix_checksum;
	} cases[] = {
		{12, 0x86, false}, /* another ethertype */
		{12, 0x81, false}, /* a VLAN tag */
		{14, 0x65, true},  /* IP version 6 in an IPv4 frame */
		{16, 0xff, true},  /* longer than the frame */
		{17, 0x13, true},  /* shorter than its header */
		{17, 0x1b, true},  /* cuts the UDP header */
		{20, 0x60, true},  /* more fragments */
		{20, 0x20, true},  /* the same without DF */
		{21, 0x01, true},  /* a later fragment */
		{20, 0x1f, true},  /* another */
		{23, 6, true},     /* TCP */
		{38, 0xff, false}, /* UDP longer than IP */
		{39, 7, false},    /* UDP shorter than its header */
	};

	(void)state;
	assert_int_equal(changed(udp_frame, sizeof(udp_frame), 0, 2, true), ETHER_UDP);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(changed(udp_frame, sizeof(udp_frame), cases[i].at,
					 cases[i].value, cases[i].fix_checksum),
			ETHER_OTHER);
}

static void every_wrong_bit_of_the_ip_header_is_found(void **state)
{
	(void)state;
	for (size_t at = 14; at < 34; at++)
		for (int bit = 0; bit < 8; bit++)
			assert_int_equal(
				changed(udp_frame, sizeof(udp_frame), at,
					udp_frame[at] ^ (uint8_t)(1 << bit), false),
				ETHER_OTHER);
}

static void frames_cut_anywhere_are_other(void **state)
{
	(void)state;
	check_cuts(udp_frame, sizeof(udp_frame), ETHER_UDP);
	check_cuts(options_frame, sizeof(options_frame), ETHER_UDP);
	check_cuts(ping_frame, sizeof(ping_frame), ETHER_ECHO);
	check_cuts(who_has_frame, sizeof(who_has_frame), ETHER_QUESTION);
	check_cuts(is_at_frame, sizeof(is_at_frame), ETHER_ANSWER);
}

static void asks_and_answers_arp_as_everybody(void **state)
{
	struct ether_path ask = from_1_to_2();
	struct ether_path answer = from_2_to_1();
	uint8_t out[ETHER_QUESTION_MAX];
	struct ether_frame frame;

	(void)state;
	assert_int_equal(ether_put_question(out, &ask), sizeof(who_has_frame));
	assert_memory_equal(out, who_has_frame, sizeof(who_has_frame));
	assert_int_equal(ether_put_answer(out, &answer), sizeof(is_at_frame));
	assert_memory_equal(out, is_at_frame, sizeof(is_at_frame));
	ether_parse(is_at_frame, sizeof(is_at_frame), &frame);
	assert_int_equal(frame.kind, ETHER_ANSWER);
	assert_memory_equal(frame.src_mac, mac2, 6);
	assert_true(ip_is_equal(&frame.src_ip, &ip2));
	assert_true(ip_is_equal(&frame.dst_ip, &ip1));
}

/* The MAC inside the message counts, whatever the Ethernet header says. */
static void the_arp_message_names_its_sender(void **state)
{
	uint8_t relayed[sizeof(is_at_frame)];
	struct ether_frame frame;

	(void)state;
	memcpy(relayed, is_at_frame, sizeof(relayed));
	relayed[11] = 9;
	ether_parse(relayed, sizeof(relayed), &frame);
	assert_memory_equal(frame.src_mac, mac2, 6);
}

static void arp_of_other_kinds_is_other(void **state)
{
	(void)state;
	for (size_t at = 14; at < 20; at++) /* hardware, protocol, lengths */
		assert_int_equal(
			changed(who_has_frame, sizeof(who_has_frame), at, 0x77, false),
			ETHER_OTHER);
	assert_int_equal(
		changed(who_has_frame, sizeof(who_has_frame), 21, 3, false), ETHER_OTHER);
	assert_int_equal(
		changed(who_has_frame, sizeof(who_has_frame), 21, 0, false), ETHER_OTHER);
}

static void a_ping_is_answered_with_the_known_pong(void **state)
{
	struct ether_path path = from_2_to_1();

	(void)state;
	assert_int_equal(sizeof(ping_frame), sizeof(pong_frame));
	check_pong(&path, ping_frame, pong_frame, sizeof(pong_frame));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_the_known_udp_header),
		cmocka_unit_test(reads_the_known_udp_frame),
		cmocka_unit_test(options_are_stepped_over),
		cmocka_unit_test(padding_is_not_payload),
		cmocka_unit_test(a_congestion_mark_is_seen),
		cmocka_unit_test(what_is_not_for_us_is_other),
		cmocka_unit_test(every_wrong_bit_of_the_ip_header_is_found),
		cmocka_unit_test(frames_cut_anywhere_are_other),
		cmocka_unit_test(asks_and_answers_arp_as_everybody),
		cmocka_unit_test(the_arp_message_names_its_sender),
		cmocka_unit_test(arp_of_other_kinds_is_other),
		cmocka_unit_test(a_ping_is_answered_with_the_known_pong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
