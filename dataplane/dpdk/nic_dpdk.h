/* SPDX-License-Identifier: BSD-3-Clause */
/* The nic port on a DPDK device: one RX and one TX queue, used by one worker thread.
 *
 *   nic_dpdk_open ─► rx/release/tx + nic_dpdk_maintain (worker thread) ─► nic_dpdk_close
 */
#ifndef NIC_DPDK_H
#define NIC_DPDK_H

#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/fault.h"
#include "dataplane/base/units.h"
#include "dataplane/dpdk/eal.h"
#include "dataplane/nic.h"

struct nic_dpdk;

struct nic_dpdk_options {
	const char *dev; /* PCI address or vdev arguments: "net_memif0,role=server" */
	uint32_t mtu;    /* bytes; 0: what the device says. Ignored on memif, where the
			    bsize argument rules */
};

struct nic_dpdk_stats {
	uint64_t dropped;  /* frames in more segments than one buffer can hold */
	uint64_t lost;     /* frames sent while the link was down, or the device took none
			      for two looks of nic_dpdk_maintain */
	uint64_t restarts; /* memif client: times it dialled again */
};

/* Starts the device and fills *nic. A memif client whose server is not there yet is not
 * an error: nic_dpdk_maintain keeps dialling. Returns 0, -ENODEV (no such device or it
 * won't start), -ENOMEM or -EINVAL (also: same device name twice). */
int nic_dpdk_open(struct nic_dpdk **self, struct nic *nic, struct eal *eal,
	const struct nic_dpdk_options *options, struct fault *fault);
/* No burst may be under way; all received frames have been released. */
void nic_dpdk_close(struct nic_dpdk *self);

/* Looks at the link, and brings a memif client back to a server that was restarted. The
 * worker calls it once a second or so, outside a burst; it does not block. */
void nic_dpdk_maintain(struct nic_dpdk *self, nsec now);

/* Worker thread. */
void nic_dpdk_get_stats(const struct nic_dpdk *self, struct nic_dpdk_stats *stats);

/* TSC ticks spent so far in bursts that received or sent something. Any thread. */
void nic_dpdk_get_ticks(const struct nic_dpdk *self, uint64_t *rx, uint64_t *tx);

/* Bytes of DPDK memory one device's packets take, for eal_options.memory. */
size_t nic_dpdk_memory(const struct nic_dpdk_options *options);

#endif
