/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses of both families as text, and which subnet holds them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataplane/base/ip.h"
#include "dataplane/base/units.h"

static struct ip ip_of(const char *text)
{
	struct ip ip;

	assert_int_equal(ip_parse(&ip, text), 0);
	return ip;
}

static void what_is_read_is_written_the_shortest_way(void **state)
{
	static const struct {
		const char *text, *written;
	} cases[] = {
		{"10.0.0.1", "10.0.0.1"},
		{"255.255.255.255", "255.255.255.255"},
		{"fd00::1", "fd00::1"},
		{"FE80:0:0:0:0:0:0:1", "fe80::1"},
		{"::", "::"},
		{"2001:db8:1234:5678:9abc:def0:1234:5678",
			"2001:db8:1234:5678:9abc:def0:1234:5678"},
	};
	char text[IP_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ip ip = ip_of(cases[i].text);

		assert_string_equal(ip_format(text, &ip), cases[i].written);
	}
}

static void an_ipv4_address_lies_in_ipv6(void **state)
{
	static const struct ip expected = {
		{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1}};
	static const struct ip same = IP_V4(10, 0, 0, 1);
	struct ip ip = ip_of("10.0.0.1");

	(void)state;
	assert_true(ip_is_equal(&ip, &expected) && ip_is_equal(&ip, &same));
	assert_true(ip_is_v4(&ip));
	assert_int_equal(ip_bits(&ip), 32);
	ip = ip_of("fd00::1");
	assert_false(ip_is_v4(&ip));
	assert_int_equal(ip_bits(&ip), 128);
}

static void what_is_no_address_is_refused(void **state)
{
	static const char *const texts[] = {"", " 10.0.0.1", "10.0.0.1 ", "10.0.0",
		"10.0.0.256", "+1.0.0.1", "10.0.0.1.2", "fe80::1%eth0", "1:2",
		":::", "::ffff:10.0.0.1", "fd00::g", "10.0.0.1/24", "ten"};
	struct ip ip;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_int_equal(ip_parse(&ip, texts[i]), -EINVAL);
}

static void a_subnet_has_a_length_of_its_family(void **state)
{
	static const char *const wrong[] = {"10.0.0.1", "10.0.0.1/", "10.0.0.1/33",
		"10.0.0.1/-1", "10.0.0.1/+1", "10.0.0.1/24x", "10.0.0.1/24 ",
		"fd00::1/129", "/24", "fd00::1/64/64",
		"2001:db8:1234:5678:9abc:def0:1234:5678:1234:5678/64"};
	uint8_t prefix_len;
	struct ip ip;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(ip_parse_subnet(&ip, &prefix_len, wrong[i]), -EINVAL);
	assert_int_equal(ip_parse_subnet(&ip, &prefix_len, "10.0.0.1/0"), 0);
	assert_int_equal(prefix_len, 0);
	assert_int_equal(ip_parse_subnet(&ip, &prefix_len, "fd00::1/128"), 0);
	assert_int_equal(prefix_len, 128);
}

static void a_subnet_holds_its_family_alone(void **state)
{
	static const struct {
		const char *ip, *subnet;
		uint32_t prefix_len;
		bool holds;
	} cases[] = {
		{"10.0.0.2", "10.0.0.1", 24, true},
		{"10.0.1.2", "10.0.0.1", 24, false},
		{"10.0.1.2", "10.0.0.1", 23, true},
		{"10.0.0.2", "10.0.0.1", 32, false},
		{"10.0.0.1", "10.0.0.1", 32, true},
		{"200.0.0.1", "10.0.0.1", 0, true},
		{"10.0.0.1", "10.0.0.1", 33, false},
		{"fd00::2", "fd00::1", 64, true},
		{"fd00:0:0:1::2", "fd00::1", 64, false},
		{"fd00:0:0:1::2", "fd00::1", 63, true},
		{"fd00::1", "fd00::1", 128, true},
		{"fd00::1", "fd00::1", 129, false},
		{"10.0.0.1", "fd00::1", 0, false},
		{"fd00::1", "10.0.0.1", 0, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ip ip = ip_of(cases[i].ip);
		struct ip subnet = ip_of(cases[i].subnet);

		assert_true(
			ip_is_in(&ip, &subnet, cases[i].prefix_len) == cases[i].holds);
	}
}

static void groups_loopback_and_none_are_nobody(void **state)
{
	static const char *const hosts[] = {"10.0.0.1", "223.255.255.255", "fe80::1",
		"fd00::1", "2001:db8::1", "::2"};
	static const char *const nobody[] = {"0.0.0.0", "127.0.0.1", "224.0.0.1",
		"255.255.255.255", "::", "::1", "ff02::1"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		struct ip ip = ip_of(hosts[i]);

		assert_true(ip_is_unicast(&ip));
		assert_true(ip_is_link_local(&ip) == (hosts[i][1] == 'e'));
	}
	for (size_t i = 0; i < ARRAY_LEN(nobody); i++) {
		struct ip ip = ip_of(nobody[i]);

		assert_false(ip_is_unicast(&ip));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_read_is_written_the_shortest_way),
		cmocka_unit_test(an_ipv4_address_lies_in_ipv6),
		cmocka_unit_test(what_is_no_address_is_refused),
		cmocka_unit_test(a_subnet_has_a_length_of_its_family),
		cmocka_unit_test(a_subnet_holds_its_family_alone),
		cmocka_unit_test(groups_loopback_and_none_are_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
