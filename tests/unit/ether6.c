/* SPDX-License-Identifier: BSD-3-Clause */
/* IPv6, neighbour discovery and 802.1Q as other stacks send and expect them. */
#include "dataplane/base/bytes.h"
#include "dataplane/sum16.h"
#include "tests/unit/ether_world.h"

/* 02:..:01 at fd00::1 talks to 02:..:02 at fd00::2. Made with Python's struct and a
 * checksum of its own. */
static const uint8_t udp6_frame[] = {0x02, 0x00, 0x00, 0x00, 0x00, 0x02, 0x02, 0x00, 0x00,
	0x00, 0x00, 0x01, 0x86, 0xdd, 0x62, 0x2c, 0x93, 0xe6, 0x00, 0x0d, 0x11, 0x40,
	0xfd, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x01, 0xfd, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x13, 0x88, 0x12, 0xb7, 0x00, 0x0d, 0x9b,
	0xbe, 0x68, 0x65, 0x6c, 0x6c, 0x6f};
static const uint8_t vlan_frame[] = {0x02, 0x00, 0x00, 0x00, 0x00, 0x02, 0x02, 0x00, 0x00,
	0x00, 0x00, 0x01, 0x81, 0x00, 0x00, 0x64, 0x86, 0xdd, 0x62, 0x2c, 0x93, 0xe6,
	0x00, 0x0d, 0x11, 0x40, 0xfd, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0xfd, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x13, 0x88, 0x12,
	0xb7, 0x00, 0x0d, 0x9b, 0xbe, 0x68, 0x65, 0x6c, 0x6c, 0x6f};
static const uint8_t solicit_frame[] = {0x33, 0x33, 0xff, 0x00, 0x00, 0x02, 0x02, 0x00,
	0x00, 0x00, 0x00, 0x01, 0x86, 0xdd, 0x60, 0x20, 0x00, 0x00, 0x00, 0x20, 0x3a,
	0xff, 0xfd, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x01, 0xff, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x01, 0xff, 0x00, 0x00, 0x02, 0x87, 0x00, 0x7d, 0x97, 0x00, 0x00,
	0x00, 0x00, 0xfd, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x02, 0x01, 0x01, 0x02, 0x00, 0x00, 0x00, 0x00, 0x01};
static const uint8_t advert_frame[] = {0x02, 0x00, 0x00, 0x00, 0x00, 0x01, 0x02, 0x00,
	0x00, 0x00, 0x00, 0x02, 0x86, 0xdd, 0x60, 0x20, 0x00, 0x00, 0x00, 0x20, 0x3a,
	0xff, 0xfd, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x02, 0xfd, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x88, 0x00, 0x1c, 0x9a, 0x60, 0x00,
	0x00, 0x00, 0xfd, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x02, 0x02, 0x01, 0x02, 0x00, 0x00, 0x00, 0x00, 0x02};
static const uint8_t ping6_frame[] = {0x02, 0x00, 0x00, 0x00, 0x00, 0x02, 0x02, 0x00,
	0x00, 0x00, 0x00, 0x01, 0x86, 0xdd, 0x60, 0x00, 0x00, 0x00, 0x00, 0x0f, 0x3a,
	0x40, 0xfd, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x01, 0xfd, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x80, 0x00, 0xe2, 0x4e, 0x12, 0x34,
	0x00, 0x01, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67};
static const uint8_t pong6_frame[] = {0x02, 0x00, 0x00, 0x00, 0x00, 0x01, 0x02, 0x00,
	0x00, 0x00, 0x00, 0x02, 0x86, 0xdd, 0x60, 0x20, 0x00, 0x00, 0x00, 0x0f, 0x3a,
	0x40, 0xfd, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x02, 0xfd, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x81, 0x00, 0xe1, 0x4e, 0x12, 0x34,
	0x00, 0x01, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67};
static const uint8_t defend_frame[] = {0x33, 0x33, 0x00, 0x00, 0x00, 0x01, 0x02, 0x00,
	0x00, 0x00, 0x00, 0x02, 0x86, 0xdd, 0x60, 0x20, 0x00, 0x00, 0x00, 0x20, 0x3a,
	0xff, 0xfd, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x02, 0xff, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x88, 0x00, 0x5a, 0x98, 0x20, 0x00,
	0x00, 0x00, 0xfd, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x02, 0x02, 0x01, 0x02, 0x00, 0x00, 0x00, 0x00, 0x02};
static const uint8_t probe_frame[] = {0x33, 0x33, 0xff, 0x00, 0x00, 0x02, 0x02, 0x00,
	0x00, 0x00, 0x00, 0x01, 0x86, 0xdd, 0x60, 0x20, 0x00, 0x00, 0x00, 0x18, 0x3a,
	0xff, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0xff, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x01, 0xff, 0x00, 0x00, 0x02, 0x87, 0x00, 0x7d, 0xa3, 0x00, 0x00,
	0x00, 0x00, 0xfd, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x02};

enum { IP = 14, NEXT = 20, HOPS = 21, PAYLOAD = 54 };

static const struct ip ip1 = {{0xfd, [15] = 1}};
static const struct ip ip2 = {{0xfd, [15] = 2}};

static struct ether_path from_1_to_2(void)
{
	return (struct ether_path){.src_mac = {2, 0, 0, 0, 0, 1},
		.dst_mac = {2, 0, 0, 0, 0, 2},
		.src_ip = ip1,
		.dst_ip = ip2,
		.src_port = 5000,
		.dst_port = 4791,
		.dscp = 8,
		.sum = ETHER_SUM_SOFT};
}

static struct ether_path from_2_to_1(void)
{
	return (struct ether_path){.src_mac = {2, 0, 0, 0, 0, 2},
		.dst_mac = {2, 0, 0, 0, 0, 1},
		.src_ip = ip2,
		.dst_ip = ip1};
}

/* Makes the ICMPv6 checksum right. */
static void mend(uint8_t *frame, size_t len)
{
	size_t icmp_len = len - PAYLOAD;
	uint32_t sum = (uint32_t)icmp_len + 58 + sum16(frame + IP + 8, 32);

	put_be16(frame + PAYLOAD + 2, 0);
	sum += sum16(frame + PAYLOAD, icmp_len);
	put_be16(frame + PAYLOAD + 2, (uint16_t)~sum16_fold(sum));
}

static enum ether_kind changed(
	const uint8_t *frame, size_t len, size_t at, uint8_t value, bool is_mended)
{
	return kind_after(frame, len, at, value, is_mended ? mend : NULL);
}

static void writes_the_known_udp_frame(void **state)
{
	struct ether_path path = from_1_to_2();
	uint8_t out[sizeof(udp6_frame)];
	uint32_t headers = ether_udp_headers(&path);

	(void)state;
	memset(out, 0xaa, sizeof(out));
	ether_put_udp(out, &path, 5);
	memcpy(out + headers, "hello", 5);
	ether_seal_udp(out, &path, sizeof(out), 0);
	assert_memory_equal(out, udp6_frame, sizeof(out));
	/* the same when the payload lies elsewhere and was summed before */
	ether_put_udp(out, &path, 5);
	ether_seal_udp(out, &path, headers, sum16((const uint8_t *)"hello", 5));
	assert_memory_equal(out, udp6_frame, sizeof(out));
}

/* A NIC starts from the pseudo header's sum, and comes to the same end. */
static void a_nic_finishes_the_checksum(void **state)
{
	struct ether_path path = from_1_to_2();
	uint8_t out[sizeof(udp6_frame)];

	(void)state;
	path.sum = ETHER_SUM_NIC;
	ether_put_udp(out, &path, 5);
	memcpy(out + PAYLOAD + 8, "hello", 5);
	ether_seal_udp(out, &path, sizeof(out), 0);
	put_be16(out + PAYLOAD + 6, (uint16_t)~sum16(out + PAYLOAD, 13));
	assert_memory_equal(out, udp6_frame, sizeof(out));
}

static void reads_the_known_udp_frame(void **state)
{
	struct ether_frame frame;

	(void)state;
	check_datagram(udp6_frame, sizeof(udp6_frame), &ip1, &ip2);
	ether_parse(udp6_frame, sizeof(udp6_frame), &frame);
	assert_int_equal(frame.vlan, 0);
	assert_true(ether_is_intact(&frame, false));
}

static void every_wrong_bit_of_a_datagram_is_found(void **state)
{
	uint8_t copy[sizeof(udp6_frame)];
	struct ether_frame frame;

	(void)state;
	for (size_t at = IP + 8; at < sizeof(copy); at++) {
		for (int bit = 0; bit < 8; bit++) {
			memcpy(copy, udp6_frame, sizeof(copy));
			copy[at] ^= (uint8_t)(1 << bit);
			ether_parse(copy, sizeof(copy), &frame);
			assert_false(frame.kind == ETHER_UDP &&
				     ether_is_intact(&frame, false));
		}
	}
}

static void only_ipv4_goes_without_a_checksum(void **state)
{
	struct ether_path path = from_1_to_2();
	uint8_t out[128];
	struct ether_frame frame;

	(void)state;
	path.sum = ETHER_SUM_ZERO;
	ether_put_udp(out, &path, 5);
	ether_parse(out, sizeof(out), &frame);
	assert_int_equal(frame.kind, ETHER_UDP);
	assert_false(ether_is_intact(&frame, false));
	assert_false(ether_is_intact(&frame, true)); /* whatever the NIC says */
	path.src_ip = (struct ip)IP_V4(10, 0, 0, 1);
	path.dst_ip = (struct ip)IP_V4(10, 0, 0, 2);
	ether_put_udp(out, &path, 5);
	ether_parse(out, sizeof(out), &frame);
	assert_true(ether_is_intact(&frame, false));
}

/* A sum of 0 is written as 0xffff, its equal, for 0 means that there is none. */
static void a_checksum_is_never_zero(void **state)
{
	struct ether_path path = from_1_to_2();
	struct ether_frame frame;
	uint8_t out[64];
	uint32_t zeros = 0;

	(void)state;
	for (uint32_t i = 0; i <= UINT16_MAX; i++) {
		ether_put_udp(out, &path, 2);
		put_be16(out + PAYLOAD + 8, (uint16_t)i);
		ether_seal_udp(out, &path, PAYLOAD + 10, 0);
		zeros += get_be16(out + PAYLOAD + 6) == 0xffff;
		ether_parse(out, PAYLOAD + 10, &frame);
		assert_true(ether_is_intact(&frame, false));
	}
	assert_true(zeros > 0);
}

static void a_tag_is_written_and_read(void **state)
{
	struct ether_path path = from_1_to_2();
	uint8_t out[sizeof(vlan_frame)];
	struct ether_frame frame;

	(void)state;
	path.vlan = 100;
	assert_int_equal(ether_udp_headers(&path), ETHER_UDP_HEADERS_MAX);
	ether_put_udp(out, &path, 5);
	memcpy(out + ETHER_UDP_HEADERS_MAX, "hello", 5);
	ether_seal_udp(out, &path, sizeof(out), 0);
	assert_memory_equal(out, vlan_frame, sizeof(out));
	ether_parse(out, sizeof(out), &frame);
	assert_int_equal(frame.kind, ETHER_UDP);
	assert_int_equal(frame.vlan, 100);
	assert_true(ether_is_intact(&frame, false));
	/* priority alone is no VLAN */
	out[14] = 0xe0;
	out[15] = 0;
	ether_parse(out, sizeof(out), &frame);
	assert_int_equal(frame.kind, ETHER_UDP);
	assert_int_equal(frame.vlan, 0);
	/* a tag in a tag is nothing of ours */
	put_be16(out + 16, 0x8100);
	ether_parse(out, sizeof(out), &frame);
	assert_int_equal(frame.kind, ETHER_OTHER);
}

static void frames_cut_anywhere_are_other(void **state)
{
	(void)state;
	check_cuts(udp6_frame, sizeof(udp6_frame), ETHER_UDP);
	check_cuts(vlan_frame, sizeof(vlan_frame), ETHER_UDP);
	check_cuts(ping6_frame, sizeof(ping6_frame), ETHER_ECHO);
	check_cuts(solicit_frame, sizeof(solicit_frame), ETHER_QUESTION);
	check_cuts(advert_frame, sizeof(advert_frame), ETHER_ANSWER);
}

static void asks_and_answers_as_every_ipv6_host(void **state)
{
	struct ether_path ask = from_1_to_2();
	struct ether_path answer = from_2_to_1();
	uint8_t out[ETHER_QUESTION_MAX];
	struct ether_frame frame;

	(void)state;
	ask.src_port = ask.dst_port = 0;
	ask.dscp = 0;
	assert_int_equal(ether_put_question(out, &ask), sizeof(solicit_frame));
	assert_memory_equal(out, solicit_frame, sizeof(solicit_frame));
	ether_parse(out, sizeof(solicit_frame), &frame);
	assert_int_equal(frame.kind, ETHER_QUESTION);
	assert_true(ip_is_equal(&frame.src_ip, &ip1));
	assert_true(ip_is_equal(&frame.dst_ip, &ip2)); /* who is meant, not the group */
	assert_int_equal(ether_put_answer(out, &answer), sizeof(advert_frame));
	assert_memory_equal(out, advert_frame, sizeof(advert_frame));
	ether_parse(out, sizeof(advert_frame), &frame);
	assert_int_equal(frame.kind, ETHER_ANSWER);
	assert_memory_equal(frame.src_mac, mac2, 6);
	assert_true(ip_is_equal(&frame.src_ip, &ip2));
	assert_true(ip_is_equal(&frame.dst_ip, &ip1));
}

/* A host that is about to take our address asks from none: all are told. */
static void an_address_is_defended(void **state)
{
	struct ether_path answer = from_2_to_1();
	uint8_t out[ETHER_QUESTION_MAX];
	struct ether_frame frame;

	(void)state;
	ether_parse(probe_frame, sizeof(probe_frame), &frame);
	assert_int_equal(frame.kind, ETHER_QUESTION);
	assert_true(ip_is_none(&frame.src_ip));
	answer.dst_ip = frame.src_ip;
	assert_int_equal(ether_put_answer(out, &answer), sizeof(defend_frame));
	assert_memory_equal(out, defend_frame, sizeof(defend_frame));
}

static void discovery_that_breaks_the_rules_is_other(void **state)
{
	enum { OPTION = PAYLOAD + 24 };
	static const struct {
		size_t at;
		uint8_t value;
	} both[] = {
		{HOPS, 254},         /* it came over a router */
		{PAYLOAD + 1, 1},    /* a code */
		{PAYLOAD + 8, 0xff}, /* about a group */
		{IP + 8, 0xff},      /* from a group */
		{OPTION + 1, 0},     /* an option without length */
		{OPTION + 1, 2},     /* one that is too long */
		{IP + 4, 1},         /* longer than the frame */
		{PAYLOAD, 134},      /* a router's advertisement */
		{PAYLOAD, 129},      /* a pong */
		{NEXT, 0},           /* an extension header */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		assert_int_equal(changed(solicit_frame, sizeof(solicit_frame), both[i].at,
					 both[i].value, true),
			ETHER_OTHER);
		assert_int_equal(changed(advert_frame, sizeof(advert_frame), both[i].at,
					 both[i].value, true),
			ETHER_OTHER);
	}
	/* the checksum is looked at */
	assert_int_equal(
		changed(advert_frame, sizeof(advert_frame), OPTION + 7, 9, false),
		ETHER_OTHER);
	/* an answer for a group that says it was asked for */
	assert_int_equal(changed(advert_frame, sizeof(advert_frame), IP + 24, 0xff, true),
		ETHER_OTHER);
	/* a probe for a single host */
	assert_int_equal(changed(probe_frame, sizeof(probe_frame), IP + 24, 0xfd, true),
		ETHER_OTHER);
}

/* Without the option it is the frame that says the MAC. */
static void an_option_may_be_missing_or_unknown(void **state)
{
	uint8_t copy[sizeof(advert_frame)];
	struct ether_frame frame;

	(void)state;
	memcpy(copy, advert_frame, sizeof(copy));
	copy[PAYLOAD + 24] = 14; /* a nonce */
	copy[PAYLOAD + 31] = 9;
	mend(copy, sizeof(copy));
	ether_parse(copy, sizeof(copy), &frame);
	assert_int_equal(frame.kind, ETHER_ANSWER);
	assert_memory_equal(frame.src_mac, mac2, 6);
}

static void an_ipv4_address_is_no_ipv6_address(void **state)
{
	uint8_t copy[sizeof(solicit_frame)];
	const struct ip v4 = IP_V4(10, 0, 0, 1);
	struct ether_frame frame;

	(void)state;
	memcpy(copy, udp6_frame, sizeof(udp6_frame));
	memcpy(copy + IP + 8, v4.bytes, IP_LEN);
	ether_parse(copy, sizeof(udp6_frame), &frame);
	assert_int_equal(frame.kind, ETHER_OTHER);
	/* nor does anybody ask for one like this */
	memcpy(copy, solicit_frame, sizeof(copy));
	memcpy(copy + PAYLOAD + 8, v4.bytes, IP_LEN);
	mend(copy, sizeof(copy));
	ether_parse(copy, sizeof(copy), &frame);
	assert_int_equal(frame.kind, ETHER_OTHER);
}

static void a_ping_is_answered_with_the_known_pong(void **state)
{
	struct ether_path path = from_2_to_1();

	(void)state;
	assert_int_equal(sizeof(ping6_frame), sizeof(pong6_frame));
	check_pong(&path, ping6_frame, pong6_frame, sizeof(pong6_frame));
}

/* Against the definition, for every length and alignment. */
static void sums_are_those_of_rfc_1071(void **state)
{
	uint8_t bytes[300];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * i * 7 + 255);
	for (size_t len = 0; len < 200; len++) {
		const uint8_t *from = bytes + len % 16;
		uint64_t sum = 0;

		for (size_t i = 0; i < len; i++)
			sum += (uint64_t)from[i] << (i % 2 == 0 ? 8 : 0);
		while (sum >> 16)
			sum = (sum & 0xffff) + (sum >> 16);
		assert_int_equal(sum16(from, len), sum);
	}
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(sum16(bytes, sizeof(bytes)), 0xffff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_the_known_udp_frame),
		cmocka_unit_test(a_nic_finishes_the_checksum),
		cmocka_unit_test(reads_the_known_udp_frame),
		cmocka_unit_test(every_wrong_bit_of_a_datagram_is_found),
		cmocka_unit_test(only_ipv4_goes_without_a_checksum),
		cmocka_unit_test(a_checksum_is_never_zero),
		cmocka_unit_test(a_tag_is_written_and_read),
		cmocka_unit_test(frames_cut_anywhere_are_other),
		cmocka_unit_test(asks_and_answers_as_every_ipv6_host),
		cmocka_unit_test(an_address_is_defended),
		cmocka_unit_test(discovery_that_breaks_the_rules_is_other),
		cmocka_unit_test(an_option_may_be_missing_or_unknown),
		cmocka_unit_test(an_ipv4_address_is_no_ipv6_address),
		cmocka_unit_test(a_ping_is_answered_with_the_known_pong),
		cmocka_unit_test(sums_are_those_of_rfc_1071),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
