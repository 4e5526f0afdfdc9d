/* SPDX-License-Identifier: BSD-3-Clause */
/* Which device talks to which, and how an address is written. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "control/route.h"

static struct transfer_endpoint endpoint(
	uint8_t net, uint8_t host, uint8_t prefix_len, uint32_t slice_size)
{
	return (struct transfer_endpoint){.ip = IP_V4(10, 0, net, host),
		.prefix_len = prefix_len,
		.port = 4791,
		.slice_size = slice_size};
}

static void a_shared_subnet_is_the_way(void **state)
{
	const struct transfer_endpoint ours[] = {
		endpoint(1, 1, 24, 1408), endpoint(2, 1, 24, 8192)};
	const struct transfer_endpoint theirs[] = {
		endpoint(9, 2, 24, 8192), endpoint(2, 2, 24, 4096)};
	struct route route;

	(void)state;
	assert_int_equal(route_find(&route, ours, 2, theirs, 2, NULL), 0);
	assert_int_equal(route.local, 1);
	assert_int_equal(route.peer, 1);
	assert_int_equal(route.slice_size, 4096);
}

static void the_fewer_queues_of_both_are_the_stripes(void **state)
{
	static const struct {
		uint32_t ours, theirs, stripes;
	} cases[] = {{1, 1, 1}, {4, 2, 2}, {2, 8, 2}, {0, 3, 1}, {8, UINT32_MAX, 8}};
	struct route route;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct transfer_endpoint ours = endpoint(1, 1, 24, 8192);
		struct transfer_endpoint theirs = endpoint(1, 2, 24, 8192);

		ours.queues = cases[i].ours;
		theirs.queues = cases[i].theirs;
		assert_int_equal(route_find(&route, &ours, 1, &theirs, 1, NULL), 0);
		assert_int_equal(route.stripes, cases[i].stripes);
	}
}

static void of_several_ways_the_first_is_taken(void **state)
{
	const struct transfer_endpoint ours[] = {
		endpoint(1, 1, 24, 1408), endpoint(2, 1, 24, 8192)};
	const struct transfer_endpoint theirs[] = {
		endpoint(2, 2, 24, 8192), endpoint(1, 2, 24, 8192)};
	struct route route;

	(void)state;
	assert_int_equal(route_find(&route, ours, 2, theirs, 2, NULL), 0);
	assert_int_equal(route.local, 0);
	assert_int_equal(route.peer, 1);
	assert_int_equal(route.slice_size, 1408);
}

static void one_wide_subnet_suffices(void **state)
{
	static const struct {
		uint8_t our_prefix, their_prefix;
		int expected;
	} cases[] = {
		{16, 32, 0}, /* ours holds theirs */
		{32, 16, 0}, /* theirs holds ours */
		{0, 32, 0},  /* everything is on the link */
		{22, 32, 0}, {23, 32, -EHOSTUNREACH}, {32, 32, -EHOSTUNREACH},
		{33, 255, -EHOSTUNREACH}, /* no prefix at all */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct transfer_endpoint ours =
			endpoint(1, 1, cases[i].our_prefix, 1408);
		const struct transfer_endpoint theirs =
			endpoint(2, 2, cases[i].their_prefix, 1408);
		struct route route;

		assert_int_equal(route_find(&route, &ours, 1, &theirs, 1, NULL),
			cases[i].expected);
	}
}

static void between_subnets_both_ways_need_a_gateway(void **state)
{
	static const struct {
		uint8_t our_prefix, their_prefix;
		bool our_gateway, their_gateway;
		int expected;
	} cases[] = {
		{24, 24, true, true, 0},
		{24, 24, true, false, -EHOSTUNREACH}, /* nothing would come back */
		{24, 24, false, true, -EHOSTUNREACH},
		{24, 24, false, false, -EHOSTUNREACH},
		{16, 24, false, true, 0}, /* we think they are on our link */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct transfer_endpoint ours = endpoint(1, 1, cases[i].our_prefix, 1408);
		struct transfer_endpoint theirs =
			endpoint(2, 2, cases[i].their_prefix, 1408);
		struct route route;

		ours.has_gateway = cases[i].our_gateway;
		theirs.has_gateway = cases[i].their_gateway;
		assert_int_equal(route_find(&route, &ours, 1, &theirs, 1, NULL),
			cases[i].expected);
	}
}

static void a_shared_subnet_comes_before_any_router(void **state)
{
	struct transfer_endpoint ours[] = {
		endpoint(1, 1, 24, 8192), endpoint(2, 1, 24, 1408)};
	struct transfer_endpoint theirs[] = {
		endpoint(3, 2, 24, 8192), endpoint(2, 2, 24, 1408)};
	struct route route;

	(void)state;
	ours[0].has_gateway = true;
	theirs[0].has_gateway = true;
	assert_int_equal(route_find(&route, ours, 2, theirs, 2, NULL), 0);
	assert_int_equal(route.local, 1);
	assert_int_equal(route.peer, 1);
	assert_int_equal(route_find(&route, ours, 1, theirs, 2, NULL), 0);
	assert_int_equal(route.local, 0);
	assert_int_equal(route.peer, 0);
}

static void an_endpoint_we_cannot_use_is_skipped(void **state)
{
	const struct transfer_endpoint ours = endpoint(1, 1, 24, 1408);
	const struct transfer_endpoint theirs[] = {
		endpoint(1, 2, 24, 0), endpoint(1, 3, 24, 1408)};
	struct route route;

	(void)state;
	assert_int_equal(route_find(&route, &ours, 1, theirs, 2, NULL), 0);
	assert_int_equal(route.peer, 1);
}

static void no_way_is_told_with_both_addresses(void **state)
{
	const struct transfer_endpoint ours = endpoint(1, 1, 24, 1408);
	const struct transfer_endpoint theirs[] = {
		endpoint(2, 2, 24, 1408), endpoint(3, 2, 24, 1408)};
	struct fault fault = {0};
	struct route route;

	(void)state;
	assert_int_equal(route_find(&route, &ours, 1, theirs, 2, &fault), -EHOSTUNREACH);
	assert_string_equal(fault.text,
		"no data plane path: this node has 10.0.1.1, the peer has 10.0.2.2 and "
		"more; give both a --dev with an --ip in one subnet, "
		"or a --gateway");
	fault = (struct fault){0};
	assert_int_equal(route_find(&route, NULL, 0, NULL, 0, &fault), -EHOSTUNREACH);
	assert_non_null(strstr(fault.text, "this node has no device"));
}

static void a_slice_is_what_both_take_in_whole_units(void **state)
{
	static const struct {
		uint32_t ours, theirs, agreed;
	} cases[] = {
		{8192, 1408, 1408},
		{1450, 8192, 1408},
		{1024, 1024, 1024},
		{1023, 8192, 0},
		{8192, 64, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct transfer_endpoint ours = endpoint(1, 1, 24, cases[i].ours);
		const struct transfer_endpoint theirs =
			endpoint(1, 2, 24, cases[i].theirs);
		struct fault fault = {0};
		struct route route = {0};
		int err = route_find(&route, &ours, 1, &theirs, 1, &fault);

		assert_int_equal(err, cases[i].agreed == 0 ? -EINVAL : 0);
		assert_int_equal(route.slice_size, cases[i].agreed);
		if (err != 0)
			assert_non_null(strstr(fault.text, "raise the MTU"));
	}
}

static void a_device_has_an_address_and_a_subnet(void **state)
{
	static const struct ip expected = IP_V4(10, 0, 0, 1);
	struct ip ip;
	uint8_t prefix_len;

	(void)state;
	assert_int_equal(route_parse_ip("10.0.0.1/24", &ip, &prefix_len, NULL), 0);
	assert_true(ip_is_equal(&ip, &expected));
	assert_int_equal(prefix_len, 24);
	assert_int_equal(route_parse_ip("fe80::1/64", &ip, &prefix_len, NULL), 0);
	assert_int_equal(prefix_len, 64);
}

static void anything_else_is_refused_with_an_example(void **state)
{
	static const char *const texts[] = {"", "10.0.0.1", "10.0.0/24", "10.0.0.1/33",
		"fd00::1", "fd00::1/129", "0.0.0.0/0", "ff02::1/64", "::/0", "::1/128",
		"127.0.0.1/8", "224.0.0.1/24", "ten"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct fault fault = {0};
		struct ip ip;
		uint8_t prefix_len;

		assert_int_equal(
			route_parse_ip(texts[i], &ip, &prefix_len, &fault), -EINVAL);
		assert_non_null(strstr(fault.text, "such as 10.0.0.1/24 or fd00::1/64"));
	}
}

static void a_router_is_on_the_devices_link(void **state)
{
	static const struct {
		const char *ip, *gateway, *wrong; /* NULL: nothing */
	} cases[] = {
		{"10.0.0.1/24", "10.0.0.254", NULL},
		{"fd00::1/64", "fd00::fe", NULL},
		{"fd00::1/64", "fe80::1", NULL}, /* every IPv6 device has that link */
		{"10.0.0.1/24", "10.0.1.254", "not in the subnet of 10.0.0.1/24"},
		{"fd00::1/64", "fd00:0:0:1::1", "not in the subnet of fd00::1/64"},
		{"10.0.0.1/24", "fe80::1", "not of the family of 10.0.0.1"},
		{"fd00::1/64", "10.0.0.254", "not of the family of fd00::1"},
		{"10.0.0.1/24", "10.0.0.1", "is the device itself"},
		{"10.0.0.1/24", "0.0.0.0", "not the address of a router"},
		{"10.0.0.1/24", "10.0.0.254/24", "not the address of a router"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct transfer_device device = {.dev = "x"};
		struct fault fault = {0};
		int err;

		assert_int_equal(
			route_parse_ip(cases[i].ip, &device.ip, &device.prefix_len, NULL),
			0);
		err = route_parse_gateway(cases[i].gateway, &device, &fault);
		assert_int_equal(err, cases[i].wrong == NULL ? 0 : -EINVAL);
		assert_true(ip_is_none(&device.gateway) == (err != 0));
		if (err != 0)
			assert_non_null(strstr(fault.text, cases[i].wrong));
	}
}

static void a_neighbor_is_an_address_and_a_mac(void **state)
{
	static const char *const wrong[] = {"", "10.0.0.2",
		"10.0.0.2=", "=02:00:00:00:00:02", "10.0.0.2=02:00:00:00:00",
		"10.0.0.2=02:00:00:00:00:02:03", "10.0.0.2=02-00-00-00-00-02",
		"10.0.0.2=01:00:5e:00:00:01", "10.0.0.2=ff:ff:ff:ff:ff:ff",
		"10.0.0.2= 2:0:0:0:0:2", "10.0.0.2/24=02:00:00:00:00:02",
		"ff02::1=02:00:00:00:00:02", "10.0.0.2=02:00:00:00:00:0g",
		"10.0.0.2=2:::::"};
	static const uint8_t mac[6] = {2, 0, 0, 0xab, 0xcd, 0xef};
	struct transfer_neighbor neighbor;

	(void)state;
	assert_int_equal(
		route_parse_neighbor("fd00::2=02:0:00:aB:CD:ef", &neighbor, NULL), 0);
	assert_memory_equal(neighbor.mac, mac, 6);
	assert_false(ip_is_v4(&neighbor.ip));
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct fault fault = {0};

		assert_int_equal(
			route_parse_neighbor(wrong[i], &neighbor, &fault), -EINVAL);
		assert_non_null(strstr(fault.text, "10.0.0.2=02:00:00:00:00:02"));
	}
}

static void families_do_not_reach_each_other(void **state)
{
	struct transfer_endpoint ours = endpoint(1, 1, 0, 1408);
	struct transfer_endpoint theirs = {
		.ip = {{0xfd, [15] = 1}}, .prefix_len = 0, .port = 1, .slice_size = 1408};
	struct route route;

	(void)state;
	assert_int_equal(route_find(&route, &ours, 1, &theirs, 1, NULL), -EHOSTUNREACH);
	ours.ip = theirs.ip;
	ours.ip.bytes[15] = 2;
	assert_int_equal(route_find(&route, &ours, 1, &theirs, 1, NULL), 0);
	ours.ip = (struct ip)IP_V4(10, 0, 0, 1);
	ours.has_gateway = true;
	theirs.has_gateway = true;
	assert_int_equal(route_find(&route, &ours, 1, &theirs, 1, NULL), -EHOSTUNREACH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_shared_subnet_is_the_way),
		cmocka_unit_test(the_fewer_queues_of_both_are_the_stripes),
		cmocka_unit_test(of_several_ways_the_first_is_taken),
		cmocka_unit_test(one_wide_subnet_suffices),
		cmocka_unit_test(between_subnets_both_ways_need_a_gateway),
		cmocka_unit_test(a_shared_subnet_comes_before_any_router),
		cmocka_unit_test(an_endpoint_we_cannot_use_is_skipped),
		cmocka_unit_test(no_way_is_told_with_both_addresses),
		cmocka_unit_test(a_slice_is_what_both_take_in_whole_units),
		cmocka_unit_test(a_device_has_an_address_and_a_subnet),
		cmocka_unit_test(anything_else_is_refused_with_an_example),
		cmocka_unit_test(a_router_is_on_the_devices_link),
		cmocka_unit_test(a_neighbor_is_an_address_and_a_mac),
		cmocka_unit_test(families_do_not_reach_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
