/* SPDX-License-Identifier: BSD-3-Clause */
/* What nic_dpdk.c (cold) and nic_burst.c (hot) share: the state of one device. */
#ifndef NIC_PORT_H
#define NIC_PORT_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "dataplane/dpdk/memif_guard.h"
#include "dataplane/dpdk/nic_dpdk.h"

enum port_state {
	PORT_UP,         /* bursts allowed */
	PORT_DOWN,       /* not started: no bursts */
	PORT_RESTARTING, /* the interrupt thread stops and starts it: no bursts */
};

struct nic_dpdk {
	/* the guard comes first: it is alone on its cache line */
	struct memif_guard guard;

	/* constant after open */
	alignas(64) struct rte_mempool *rx_pool;
	struct rte_mempool *tx_pool;
	uint32_t frame_max; /* bytes */
	uint16_t port;
	bool memif;
	bool memif_client;

	/* written by the worker, but RESTARTING is left by the interrupt thread */
	alignas(64) _Atomic int state;

	/* written by the worker */
	nsec down_since; /* NEVER: the link is up */
	bool has_taken;  /* the device took a frame since the last look */
	uint32_t stuck;  /* looks in a row at which it had not, and frames waited */
	uint64_t dropped;
	uint64_t lost;
	uint64_t restarts;
	_Atomic uint64_t rx_ticks; /* of the TSC: bursts that received something */
	_Atomic uint64_t tx_ticks; /* and bursts that were sent, filling included */
	uint32_t npending;
	struct rte_mbuf *pending[NIC_BURST]; /* copied, not yet taken by the device */
};

extern const struct nic_ops nic_burst_ops;

#endif
