/* SPDX-License-Identifier: BSD-3-Clause */
/* The port through which a worker sends and receives Ethernet frames.
 *
 *      worker ── tx(burst) ──► nic (DPDK, or a simulated link) ── rx(burst) ──► worker
 *
 * One worker uses one nic, from one thread. Calls are made once a burst, never a packet.
 */
#ifndef NIC_H
#define NIC_H

#include <stdbool.h>
#include <stdint.h>

enum {
	NIC_BURST = 32,
	NIC_HEAD_MAX = 448, /* bytes of headers and control body a frame carries inline */
};

struct nic_rx {
	const uint8_t *data; /* one contiguous Ethernet frame */
	uint32_t len;        /* bytes, without FCS */
	void *handle;        /* the adapter's own */
	bool is_sum_good;    /* the NIC has found the UDP checksum right */
};

/* A frame is head followed by payload; payload may be NULL with payload_len 0. */
struct nic_tx {
	uint8_t head[NIC_HEAD_MAX];
	uint32_t head_len;
	uint32_t payload_len;
	const uint8_t *payload; /* read during the call; later, too, in buffers that the
				   nic was told of, see pool.h's holds */
	/* The NIC shall finish the UDP checksum, which holds the pseudo header's sum;
	 * never set unless the nic sums. */
	bool wants_sum;
	bool is_ipv6;     /* with wants_sum */
	uint8_t link_len; /* with wants_sum: bytes of Ethernet header and tag */
};

struct nic_ops {
	/* Takes up to max (<= NIC_BURST) frames. They stay valid until release. */
	int (*rx)(void *self, struct nic_rx frames[], int max);
	void (*release)(void *self, struct nic_rx frames[], int count);
	/* Returns how many of the first frames were taken; the rest is offered again
	 * later. */
	int (*tx)(void *self, const struct nic_tx frames[], int count);
};

struct nic {
	const struct nic_ops *ops;
	void *self;
	uint8_t mac[6];
	uint32_t mtu; /* bytes of IP packet the link carries */
	bool sums;    /* can finish UDP checksums of frames with wants_sum */
};

#endif
