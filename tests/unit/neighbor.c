/* SPDX-License-Identifier: BSD-3-Clause */
/* Who has which MAC: asked for with patience, and learnt only from who was asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/neighbor.h"

static const struct ip ip2 = IP_V4(10, 0, 0, 2);
static const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 0xa};
static const uint8_t mac_b[6] = {2, 0, 0, 0, 0, 0xb};

static struct neighbors table;

static void hear(const struct ip *ip, const uint8_t *mac, nsec now)
{
	struct ether_frame frame = {.kind = ETHER_ARP_REPLY};

	frame.src_ip = *ip;
	memcpy(frame.src_mac, mac, 6);
	neighbors_on_arp(&table, &frame, now);
}

static bool knows(const struct ip *ip, const uint8_t *mac, nsec now)
{
	uint8_t found[6];

	return neighbors_resolve(&table, ip, found, now) && memcmp(found, mac, 6) == 0;
}

static int start(void **state)
{
	(void)state;
	neighbors_init(&table);
	return 0;
}

static void an_address_is_asked_for_then_known(void **state)
{
	uint8_t mac[6];
	struct ip ip;

	(void)state;
	assert_true(neighbors_deadline(&table) == NEVER);
	assert_false(neighbors_poll(&table, &ip, 0));
	assert_false(neighbors_resolve(&table, &ip2, mac, 1000));
	assert_true(neighbors_deadline(&table) == 1000);
	assert_true(neighbors_poll(&table, &ip, 1000));
	assert_true(ip_is_equal(&ip, &ip2));
	assert_false(neighbors_poll(&table, &ip, 1000));
	hear(&ip2, mac_a, 2000);
	assert_true(neighbors_resolve(&table, &ip2, mac, 3000));
	assert_memory_equal(mac, mac_a, 6);
}

/* 20 ms, then twice as long each time, up to a second. */
static void a_silent_address_is_asked_ever_more_slowly(void **state)
{
	static const nsec gaps[] = {20, 40, 80, 160, 320, 640, 1000, 1000, 1000};
	uint8_t mac[6];
	struct ip ip;
	nsec now = 5 * SEC;

	(void)state;
	(void)neighbors_resolve(&table, &ip2, mac, now);
	assert_true(neighbors_poll(&table, &ip, now));
	for (size_t i = 0; i < ARRAY_LEN(gaps); i++) {
		(void)neighbors_resolve(&table, &ip2, mac, now);
		assert_true(neighbors_deadline(&table) == now + gaps[i] * MSEC);
		now += gaps[i] * MSEC;
		assert_false(neighbors_poll(&table, &ip, now - 1));
		assert_true(neighbors_poll(&table, &ip, now));
	}
}

static void nobody_asks_for_what_nobody_wants(void **state)
{
	uint8_t mac[6];
	struct ip ip;

	(void)state;
	(void)neighbors_resolve(&table, &ip2, mac, 0);
	assert_true(neighbors_poll(&table, &ip, 0));
	assert_true(neighbors_deadline(&table) == NEVER);
	assert_false(neighbors_poll(&table, &ip, 100 * SEC));
}

static void a_known_address_is_asked_again_after_30_s(void **state)
{
	uint8_t mac[6];
	struct ip ip;

	(void)state;
	(void)neighbors_resolve(&table, &ip2, mac, 0);
	assert_true(neighbors_poll(&table, &ip, 0));
	hear(&ip2, mac_a, 1 * SEC);
	assert_true(knows(&ip2, mac_a, 2 * SEC));
	assert_false(neighbors_poll(&table, &ip, 31 * SEC - 1));
	assert_true(neighbors_poll(&table, &ip, 31 * SEC));
	/* known meanwhile, and the answer may differ */
	assert_true(knows(&ip2, mac_a, 31 * SEC));
	hear(&ip2, mac_b, 31 * SEC + 1);
	assert_true(knows(&ip2, mac_b, 32 * SEC));
}

static void refreshing_asks_at_once(void **state)
{
	uint8_t mac[6];
	struct ip ip;

	(void)state;
	neighbors_refresh(&table, &ip2, 0); /* nobody wanted it yet */
	assert_true(neighbors_deadline(&table) == NEVER);
	(void)neighbors_resolve(&table, &ip2, mac, 0);
	assert_true(neighbors_poll(&table, &ip, 0));
	hear(&ip2, mac_a, 1 * SEC);
	neighbors_refresh(&table, &ip2, 2 * SEC);
	assert_true(neighbors_poll(&table, &ip, 2 * SEC));
	hear(&ip2, mac_b, 2 * SEC + 1);
	assert_true(knows(&ip2, mac_b, 3 * SEC));
}

/* ARP spoofing for beginners: a reply nobody asked for. */
static void an_unsolicited_reply_overwrites_nothing(void **state)
{
	uint8_t mac[6];
	struct ip ip;

	(void)state;
	(void)neighbors_resolve(&table, &ip2, mac, 0);
	assert_true(neighbors_poll(&table, &ip, 0));
	hear(&ip2, mac_a, 1 * SEC);
	hear(&ip2, mac_b, 2 * SEC);
	assert_true(knows(&ip2, mac_a, 3 * SEC));
}

static void a_stranger_creates_no_entry(void **state)
{
	(void)state;
	hear(&ip2, mac_a, 0);
	for (size_t i = 0; i < NEIGHBORS_MAX; i++)
		assert_false(table.table[i].used);
}

static void a_group_address_is_nobodys_mac(void **state)
{
	static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	uint8_t mac[6];
	struct ip ip;

	(void)state;
	(void)neighbors_resolve(&table, &ip2, mac, 0);
	assert_true(neighbors_poll(&table, &ip, 0));
	hear(&ip2, broadcast, 1);
	assert_false(neighbors_resolve(&table, &ip2, mac, 2));
}

/* With more peers than entries, the one learnt longest ago makes room. */
static void a_full_table_forgets_the_oldest(void **state)
{
	struct ip ip = IP_V4(10, 0, 0, 0);
	uint8_t mac[6];
	struct ip asked;

	(void)state;
	for (uint8_t i = 0; i <= NEIGHBORS_MAX; i++) {
		nsec now = (i + 1) * SEC;

		ip.bytes[15] = i;
		(void)neighbors_resolve(&table, &ip, mac, now);
		while (neighbors_poll(&table, &asked, now))
			;
		hear(&ip, mac_a, now);
	}
	for (size_t i = 0; i < NEIGHBORS_MAX; i++)
		assert_int_not_equal(table.table[i].ip.bytes[15], 0);
	ip.bytes[15] = NEIGHBORS_MAX;
	assert_true(knows(&ip, mac_a, 100 * SEC));
	ip.bytes[15] = 1;
	assert_true(knows(&ip, mac_a, 100 * SEC));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(an_address_is_asked_for_then_known, start),
		cmocka_unit_test_setup(a_silent_address_is_asked_ever_more_slowly, start),
		cmocka_unit_test_setup(nobody_asks_for_what_nobody_wants, start),
		cmocka_unit_test_setup(a_known_address_is_asked_again_after_30_s, start),
		cmocka_unit_test_setup(refreshing_asks_at_once, start),
		cmocka_unit_test_setup(an_unsolicited_reply_overwrites_nothing, start),
		cmocka_unit_test_setup(a_stranger_creates_no_entry, start),
		cmocka_unit_test_setup(a_group_address_is_nobodys_mac, start),
		cmocka_unit_test_setup(a_full_table_forgets_the_oldest, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
