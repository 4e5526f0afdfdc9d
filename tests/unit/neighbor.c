/* SPDX-License-Identifier: BSD-3-Clause */
/* Who has which MAC: asked for with patience, and learnt only from who was asked. */
#include <errno.h>
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
	struct ether_frame frame = {.kind = ETHER_ANSWER};

	frame.src_ip = *ip;
	memcpy(frame.src_mac, mac, 6);
	neighbors_on_frame(&table, &frame, now);
}

static bool knows(const struct ip *ip, const uint8_t *mac, nsec now)
{
	uint8_t found[6];

	return neighbors_resolve(&table, ip, 0, found, now) && memcmp(found, mac, 6) == 0;
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
	assert_false(neighbors_resolve(&table, &ip2, 0, mac, 1000));
	assert_true(neighbors_deadline(&table) == 1000);
	assert_true(neighbors_poll(&table, &ip, 1000));
	assert_true(ip_is_equal(&ip, &ip2));
	assert_false(neighbors_poll(&table, &ip, 1000));
	hear(&ip2, mac_a, 2000);
	assert_true(neighbors_resolve(&table, &ip2, 0, mac, 3000));
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
	(void)neighbors_resolve(&table, &ip2, 0, mac, now);
	assert_true(neighbors_poll(&table, &ip, now));
	for (size_t i = 0; i < ARRAY_LEN(gaps); i++) {
		(void)neighbors_resolve(&table, &ip2, 0, mac, now);
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
	(void)neighbors_resolve(&table, &ip2, 0, mac, 0);
	assert_true(neighbors_poll(&table, &ip, 0));
	assert_true(neighbors_deadline(&table) == NEVER);
	assert_false(neighbors_poll(&table, &ip, 100 * SEC));
}

/* Whoever doubts an old answer gets a new one, which may differ. */
static void an_answer_too_old_is_asked_for_again(void **state)
{
	uint8_t mac[6];
	struct ip ip;

	(void)state;
	(void)neighbors_resolve(&table, &ip2, 0, mac, 0);
	assert_true(neighbors_poll(&table, &ip, 0));
	hear(&ip2, mac_a, 1 * SEC);
	assert_true(neighbors_resolve(&table, &ip2, 1 * SEC, mac, 40 * SEC));
	assert_false(neighbors_poll(&table, &ip, 40 * SEC));
	assert_false(neighbors_resolve(&table, &ip2, 1 * SEC + 1, mac, 40 * SEC));
	assert_true(neighbors_poll(&table, &ip, 40 * SEC));
	/* known meanwhile to those who take the old one */
	assert_true(knows(&ip2, mac_a, 40 * SEC));
	hear(&ip2, mac_b, 41 * SEC);
	assert_true(neighbors_resolve(&table, &ip2, 40 * SEC, mac, 42 * SEC));
	assert_memory_equal(mac, mac_b, 6);
}

/* What the operator has set is never asked for, never changed, never forgotten. */
static void a_set_address_stays(void **state)
{
	struct ip ip = IP_V4(10, 0, 1, 0);
	uint8_t mac[6];

	(void)state;
	assert_int_equal(neighbors_set(&table, &ip2, mac_a), 0);
	assert_true(neighbors_is_set(&table, &ip2));
	assert_true(neighbors_resolve(&table, &ip2, 99 * SEC, mac, 100 * SEC));
	assert_memory_equal(mac, mac_a, 6);
	assert_true(neighbors_deadline(&table) == NEVER);
	hear(&ip2, mac_b, 100 * SEC);
	for (uint8_t i = 0; i < 2 * NEIGHBORS_MAX; i++) {
		ip.bytes[15] = i;
		(void)neighbors_resolve(&table, &ip, 0, mac, 101 * SEC);
	}
	assert_true(knows(&ip2, mac_a, 102 * SEC));
	for (uint8_t i = 1; i < NEIGHBORS_MAX / 2; i++) {
		ip.bytes[15] = i;
		assert_int_equal(neighbors_set(&table, &ip, mac_b), 0);
	}
	ip.bytes[14] = 2;
	assert_int_equal(neighbors_set(&table, &ip, mac_b), -ENOSPC);
	assert_int_equal(neighbors_set(&table, &ip2, mac_b), 0); /* but may be set anew */
	assert_true(knows(&ip2, mac_b, 103 * SEC));
}

/* ARP spoofing for beginners: a reply nobody asked for. */
static void an_unsolicited_reply_overwrites_nothing(void **state)
{
	uint8_t mac[6];
	struct ip ip;

	(void)state;
	(void)neighbors_resolve(&table, &ip2, 0, mac, 0);
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
	(void)neighbors_resolve(&table, &ip2, 0, mac, 0);
	assert_true(neighbors_poll(&table, &ip, 0));
	hear(&ip2, broadcast, 1);
	assert_false(neighbors_resolve(&table, &ip2, 0, mac, 2));
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
		(void)neighbors_resolve(&table, &ip, 0, mac, now);
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
		cmocka_unit_test_setup(an_answer_too_old_is_asked_for_again, start),
		cmocka_unit_test_setup(a_set_address_stays, start),
		cmocka_unit_test_setup(an_unsolicited_reply_overwrites_nothing, start),
		cmocka_unit_test_setup(a_stranger_creates_no_entry, start),
		cmocka_unit_test_setup(a_group_address_is_nobodys_mac, start),
		cmocka_unit_test_setup(a_full_table_forgets_the_oldest, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
