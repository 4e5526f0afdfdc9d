/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/dpdk/nic_flow.h"

#include <errno.h>
#include <stddef.h>

#include <rte_byteorder.h>
#include <rte_errno.h>
#include <rte_flow.h>

/* eth / ip / udp dst is UDP_PORT / end ─► queue / end */
static int add_rule(
	uint16_t port, enum rte_flow_item_type ip, uint16_t udp_port, uint32_t queue)
{
	const struct rte_flow_attr attr = {.ingress = 1};
	const struct rte_flow_item_udp udp = {.hdr.dst_port = rte_cpu_to_be_16(udp_port)};
	const struct rte_flow_item_udp mask = {.hdr.dst_port = UINT16_MAX};
	const struct rte_flow_item pattern[] = {
		{.type = RTE_FLOW_ITEM_TYPE_ETH},
		{.type = ip},
		{.type = RTE_FLOW_ITEM_TYPE_UDP, .spec = &udp, .mask = &mask},
		{.type = RTE_FLOW_ITEM_TYPE_END},
	};
	const struct rte_flow_action_queue target = {.index = (uint16_t)queue};
	const struct rte_flow_action actions[] = {
		{.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &target},
		{.type = RTE_FLOW_ACTION_TYPE_END},
	};
	struct rte_flow_error error = {0};
	int rc = rte_flow_validate(port, &attr, pattern, actions, &error);

	if (rc != 0)
		return rc;
	if (rte_flow_create(port, &attr, pattern, actions, &error) == NULL)
		return rte_errno != 0 ? -rte_errno : -EIO;
	return 0;
}

int nic_flow_steer(uint16_t port, uint16_t first_port, uint32_t nqueues)
{
	static const enum rte_flow_item_type families[] = {
		RTE_FLOW_ITEM_TYPE_IPV4, RTE_FLOW_ITEM_TYPE_IPV6};
	int rc = 0;

	for (uint32_t i = 0; i < 2 * nqueues && rc == 0; i++)
		rc = add_rule(
			port, families[i % 2], (uint16_t)(first_port + i / 2), i / 2);
	if (rc != 0)
		(void)rte_flow_flush(port, NULL);
	return rc;
}
