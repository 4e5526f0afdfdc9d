/* SPDX-License-Identifier: BSD-3-Clause */
/* Which rules a NIC is given so that each UDP port comes to its queue. No device here
 * takes rules: rte_flow's functions are replaced by a driver of paper. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_flow.h>

#include "dataplane/dpdk/nic_flow.h"

enum { PORT = 3, FIRST = 49217, MAX = 16 };

static struct {
	uint32_t room; /* rules it takes */
	uint32_t count;
	uint32_t flushes;
	struct {
		enum rte_flow_item_type ip;
		uint16_t udp_port;
		uint16_t queue;
	} rules[MAX];
} driver;

int rte_flow_validate(uint16_t port_id, const struct rte_flow_attr *attr,
	const struct rte_flow_item pattern[], const struct rte_flow_action actions[],
	struct rte_flow_error *error)
{
	const struct rte_flow_item_udp *mask = pattern[2].mask;

	(void)error;
	assert_int_equal(port_id, PORT);
	assert_true(attr->ingress);
	assert_int_equal(pattern[0].type, RTE_FLOW_ITEM_TYPE_ETH);
	assert_int_equal(pattern[2].type, RTE_FLOW_ITEM_TYPE_UDP);
	assert_int_equal(pattern[3].type, RTE_FLOW_ITEM_TYPE_END);
	assert_int_equal(mask->hdr.dst_port, UINT16_MAX);
	assert_int_equal(mask->hdr.src_port, 0); /* from anywhere */
	assert_int_equal(actions[0].type, RTE_FLOW_ACTION_TYPE_QUEUE);
	assert_int_equal(actions[1].type, RTE_FLOW_ACTION_TYPE_END);
	return driver.count < driver.room ? 0 : -ENOTSUP;
}

struct rte_flow *rte_flow_create(uint16_t port_id, const struct rte_flow_attr *attr,
	const struct rte_flow_item pattern[], const struct rte_flow_action actions[],
	struct rte_flow_error *error)
{
	const struct rte_flow_item_udp *udp = pattern[2].spec;
	const struct rte_flow_action_queue *queue = actions[0].conf;

	assert_int_equal(rte_flow_validate(port_id, attr, pattern, actions, error), 0);
	driver.rules[driver.count].ip = pattern[1].type;
	driver.rules[driver.count].udp_port = rte_be_to_cpu_16(udp->hdr.dst_port);
	driver.rules[driver.count].queue = queue->index;
	driver.count++;
	return (struct rte_flow *)&driver;
}

int rte_flow_flush(uint16_t port_id, struct rte_flow_error *error)
{
	(void)error;
	assert_int_equal(port_id, PORT);
	driver.count = 0;
	driver.flushes++;
	return 0;
}

static void every_port_gets_its_queue_in_both_families(void **state)
{
	(void)state;
	memset(&driver, 0, sizeof(driver));
	driver.room = MAX;
	assert_int_equal(nic_flow_steer(PORT, FIRST, 4), 0);
	assert_int_equal(driver.count, 8);
	for (uint32_t i = 0; i < driver.count; i++) {
		assert_int_equal(driver.rules[i].ip,
			i % 2 == 0 ? RTE_FLOW_ITEM_TYPE_IPV4 : RTE_FLOW_ITEM_TYPE_IPV6);
		assert_int_equal(driver.rules[i].udp_port, FIRST + i / 2);
		assert_int_equal(driver.rules[i].queue, i / 2);
	}
	assert_int_equal(driver.flushes, 0);
}

static void half_the_rules_are_none(void **state)
{
	(void)state;
	memset(&driver, 0, sizeof(driver));
	driver.room = 3;
	assert_int_equal(nic_flow_steer(PORT, FIRST, 4), -ENOTSUP);
	assert_int_equal(driver.count, 0);
	assert_int_equal(driver.flushes, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_port_gets_its_queue_in_both_families),
		cmocka_unit_test(half_the_rules_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
