/* SPDX-License-Identifier: BSD-3-Clause */
/* Two net_ring devices joined back to back: what one sends the other receives. The driver
 * alone makes only loops: given rings, it takes them by an address in its arguments. */
#ifndef RING_PAIR_H
#define RING_PAIR_H

enum { RING_PAIR_DEV_MAX = 64 };

struct ring_pair {
	struct rte_ring *rings[2];
	void *links[2];
	char dev[2][RING_PAIR_DEV_MAX]; /* --dev arguments: net_ring0, net_ring1 */
};

/* Before the EAL is started; entries is a power of two. Returns 0 or -ENOMEM. */
int ring_pair_open(struct ring_pair *pair, unsigned int entries);
/* After the devices were closed. */
void ring_pair_close(struct ring_pair *pair);

#endif
