/* SPDX-License-Identifier: BSD-3-Clause */
/* What the cold files of the port (nic_dpdk.c, nic_link.c) and the hot one (nic_burst.c)
 * share: the state of one device and of its queues. */
#ifndef NIC_PORT_H
#define NIC_PORT_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "dataplane/dpdk/memif_guard.h"
#include "dataplane/dpdk/nic_dpdk.h"
#include "dataplane/dpdk/nic_gather.h"

enum port_state {
	PORT_UP,         /* bursts allowed */
	PORT_DOWN,       /* not started: no bursts */
	PORT_RESTARTING, /* the interrupt thread stops and starts it: no bursts */
};

/* Of a queue that may not be there at the other side. */
enum queue_use {
	QUEUE_RESTS,
	QUEUE_WAITS, /* agreed on; the link is not up yet */
	QUEUE_RUNS,
};

/* One RX and one TX queue, a worker's own. */
struct nic_queue {
	/* the guard comes first: it is alone on its cache line */
	struct memif_guard guard;

	/* constant after open */
	alignas(64) struct nic_dpdk *nic;
	struct rte_mempool *rx_pool;
	struct rte_mempool *tx_pool;
	struct nic_gather gather;
	uint16_t port;
	uint16_t id;
	bool is_optional; /* memif beyond the first: there only if the peer has it, too */

	/* written by the worker */
	alignas(64) enum queue_use use; /* of an optional one */
	bool has_taken;                 /* the device took a frame since the last look */
	uint32_t stuck; /* looks in a row at which it had not, and frames waited */
	uint64_t dropped;
	uint64_t lost;
	_Atomic uint64_t rx_ticks; /* of the TSC: bursts that received something */
	_Atomic uint64_t tx_ticks; /* and bursts that were sent, filling included */
	uint32_t npending;
	struct rte_mbuf *pending[NIC_BURST]; /* filled, not yet taken by the device */
};

struct nic_dpdk {
	/* constant after open */
	uint32_t frame_max; /* bytes */
	uint32_t nqueues;
	uint16_t port;
	bool memif;
	bool memif_client;
	bool can_gather; /* sends frames in several segments as they are */
	bool is_ipv6;
	bool sums; /* finishes UDP checksums of what is sent */
	enum steered_by steered_by;

	/* RESTARTING is written by queue 0's worker and left by the interrupt thread */
	alignas(64) _Atomic int state;
	_Atomic bool is_down; /* the link, as queue 0's worker last saw it */

	/* written by queue 0's worker */
	nsec down_since; /* NEVER: the link is up */
	uint64_t restarts;

	alignas(64) struct nic_queue queues[STEERING_QUEUES_MAX];
};

extern const struct nic_ops nic_burst_ops;

/* Whether the peer's end of an optional queue is there; called inside the guard. */
bool nic_link_may_use(struct nic_queue *queue);

/* Stops and closes the port. No burst may be under way. */
void nic_link_halt(struct nic_dpdk *self);

#endif
