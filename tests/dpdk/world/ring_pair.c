/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/dpdk/world/ring_pair.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ring.h>

#include "dataplane/base/units.h"

/* What rte_eth_from_rings passes to its own driver, DPDK 22.11. */
struct ring_internal_args {
	struct rte_ring *const *rx_queues;
	unsigned int nb_rx_queues;
	struct rte_ring *const *tx_queues;
	unsigned int nb_tx_queues;
	unsigned int numa_node;
	void *addr; /* its own */
};

static int make_ring(struct rte_ring **ring, unsigned int entries)
{
	ssize_t size = rte_ring_get_memsize(entries);

	*ring = aligned_alloc(RTE_CACHE_LINE_SIZE, (size_t)size);
	if (*ring == NULL)
		return -ENOMEM;
	return rte_ring_init(*ring, "pair", entries, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

static int make_link(
	struct ring_pair *pair, unsigned int i, const struct ring_pair_plan *plan)
{
	struct ring_internal_args *link = malloc(sizeof(*link));

	pair->links[i] = link;
	if (link == NULL)
		return -ENOMEM;
	*link = (struct ring_internal_args){.rx_queues = pair->rx[i],
		.nb_rx_queues = u32_max(plan->queues, 1),
		.tx_queues = pair->tx[i],
		.nb_tx_queues = u32_max(plan->queues, 1),
		.addr = link};
	(void)snprintf(pair->dev[i], sizeof(pair->dev[i]), "net_ring%u,internal=%p",
		plan->first + i, (void *)link);
	return 0;
}

int ring_pair_open(struct ring_pair *pair, const struct ring_pair_plan *plan)
{
	unsigned int queues = u32_max(plan->queues, 1);
	int rc = 0;

	memset(pair, 0, sizeof(*pair));
	for (unsigned int i = 0; i < 2 * queues && rc == 0; i++)
		rc = make_ring(&pair->rx[i % 2][i / 2], plan->entries);
	for (unsigned int i = 0; i < 2 * queues; i++)
		pair->tx[i % 2][i / 2] =
			pair->rx[1 - i % 2][(i / 2 + plan->twist) % queues];
	for (unsigned int i = 0; i < 2 && rc == 0; i++)
		rc = make_link(pair, i, plan);
	if (rc != 0)
		ring_pair_close(pair);
	return rc;
}

void ring_pair_close(struct ring_pair *pair)
{
	for (int i = 0; i < 2; i++) {
		free(pair->links[i]);
		for (int k = 0; k < RING_PAIR_QUEUES; k++)
			free(pair->rx[i][k]);
	}
}
