/* SPDX-License-Identifier: BSD-3-Clause */
/* Two net_ring devices joined back to back: what one sends the other receives. The driver
 * alone makes only loops: given rings, it takes them by an address in its arguments. */
#ifndef RING_PAIR_H
#define RING_PAIR_H

enum { RING_PAIR_DEV_MAX = 64, RING_PAIR_QUEUES = 4 };

struct ring_pair_plan {
	unsigned int entries; /* a power of two */
	unsigned int queues;  /* 0: one */
	unsigned int first;   /* number of the first of the two devices: net_ringN */
	unsigned int twist;   /* what is sent on queue q arrives on queue q + twist */
};

struct ring_pair {
	struct rte_ring *rx[2][RING_PAIR_QUEUES];
	struct rte_ring *tx[2][RING_PAIR_QUEUES]; /* the other's rx */
	void *links[2];
	char dev[2][RING_PAIR_DEV_MAX]; /* --dev arguments: net_ring0, net_ring1 */
};

/* Before the EAL is started. Returns 0 or -ENOMEM. */
int ring_pair_open(struct ring_pair *pair, const struct ring_pair_plan *plan);
/* After the devices were closed. */
void ring_pair_close(struct ring_pair *pair);

#endif
