/* SPDX-License-Identifier: BSD-3-Clause */
/* What a --dev argument means for buffers and MTU, before the device exists. */
#ifndef NIC_PLAN_H
#define NIC_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/fault.h"

enum {
	NIC_PLAN_ARGS_MAX = 512,
	NIC_PLAN_NAME_MAX = 64,
	NIC_PLAN_SOCKET_MAX = 108, /* what the kernel takes, NUL included */
	NIC_PLAN_MTU_MIN = 576,
	NIC_PLAN_MTU_MAX = 16000,
	NIC_PLAN_L2_MAX = 18, /* Ethernet header and one VLAN tag, bytes */
};

enum nic_kind {
	NIC_HARDWARE, /* the driver's word on MTU counts */
	NIC_SOFT,     /* ring, null, tap, ...: reports 1518 whatever it carries */
	NIC_IFACE,    /* af_packet, af_xdp: the kernel interface's MTU counts */
	NIC_MEMIF,
};

struct nic_plan {
	char args[NIC_PLAN_ARGS_MAX]; /* for the driver, our defaults appended */
	char name[NIC_PLAN_NAME_MAX]; /* of the device, up to the first comma */
	enum nic_kind kind;
	bool client;                      /* memif: dials */
	char socket[NIC_PLAN_SOCKET_MAX]; /* memif server: its file; "": none */
	uint32_t mtu;                     /* bytes; 0: ask the device */
	uint32_t rx_room; /* bytes of a received frame's buffer; 0: as the MTU wants */
	uint32_t tx_room;
	uint32_t rx_buffers; /* a queue */
	uint32_t tx_buffers;
	uint32_t queues;
	bool keeps_queue; /* what is sent on queue i arrives on queue i */
	size_t shared;    /* bytes of rings outside DPDK's memory, all queues */
};

/* Returns 0 or -EINVAL: argument too long, MTU out of range, or larger than the kernel
 * interface's, or than a frame of the given bsize or framesz; queues (0: one) out of
 * range. */
int nic_plan_make(struct nic_plan *plan, const char *dev, uint32_t mtu, uint32_t queues,
	struct fault *fault);

/* Fills in the rooms that were left to the MTU. */
void nic_plan_settle(struct nic_plan *plan, uint32_t mtu);

#endif
