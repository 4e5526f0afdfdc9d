/* SPDX-License-Identifier: BSD-3-Clause */
/* The nic port on a DPDK device: some pairs of an RX and a TX queue, each of them used by
 * one worker thread.
 *
 *   nic_dpdk_open ─► rx/release/tx + nic_dpdk_maintain (worker thread) ─► nic_dpdk_close
 */
#ifndef NIC_DPDK_H
#define NIC_DPDK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/fault.h"
#include "dataplane/base/units.h"
#include "dataplane/dpdk/eal.h"
#include "dataplane/nic.h"
#include "dataplane/steering.h"

struct nic_dpdk;

struct nic_dpdk_options {
	const char *dev;     /* PCI address or vdev arguments: "net_memif0,role=server" */
	uint32_t mtu;        /* bytes; 0: what the device says. Ignored on memif, where
				the bsize argument rules */
	uint32_t queues;     /* 0: one; at most STEERING_QUEUES_MAX */
	uint16_t first_port; /* UDP: this one is steered to queue 0, the next one to queue
				1, ...; 0: no matter */
	bool is_ipv6; /* its frames have UDP checksums, and neighbours ask groups */
};

/* Buffers of equal size that the device may read from: they stay until nic_dpdk_close. */
struct nic_dpdk_memory {
	const uint8_t *base;
	uint64_t iova;  /* of base, where all of it is contiguous for the device */
	uint32_t count; /* buffers */
	uint32_t step;  /* bytes from one to the next */
};

struct nic_dpdk_stats {
	uint64_t dropped;  /* frames in more segments than one buffer can hold */
	uint64_t lost;     /* frames sent while the link was down, or the device took none
			      for two looks of nic_dpdk_maintain */
	uint64_t restarts; /* memif client: times it dialled again */
};

/* Starts the device and fills nics[0] to nics[queues - 1]. A memif client whose server is
 * not there yet is not an error: nic_dpdk_maintain keeps dialling. Returns 0, -ENODEV (no
 * such device or it won't start), -ENOMEM or -EINVAL (also: same device name twice, or
 * fewer queues than asked for). */
int nic_dpdk_open(struct nic_dpdk **self, struct nic nics[], struct eal *eal,
	const struct nic_dpdk_options *options, struct fault *fault);
/* No burst may be under way; all received frames have been released. */
void nic_dpdk_close(struct nic_dpdk *self);

/* From now on frames of this queue refer to payloads in these buffers instead of copying
 * them, if the device can gather; otherwise nothing changes. Before the queue's worker
 * starts. Returns 0 or -ENOMEM. */
int nic_dpdk_share(struct nic_dpdk *self, uint32_t queue,
	const struct nic_dpdk_memory *memory, struct fault *fault);
/* Whether a frame under way still refers to a buffer. The queue's worker. */
bool nic_dpdk_holds(const struct nic_dpdk *self, uint32_t queue, const uint8_t *buffer);

/* How the device brings the frames of a UDP port to its queue. */
enum steered_by nic_dpdk_steered_by(const struct nic_dpdk *self);

/* Looks at a queue, and queue 0's worker at the link, too: it brings a memif client back
 * to a server that was restarted. Every worker calls it once a second or so for its own
 * queue, outside a burst; it does not block. */
void nic_dpdk_maintain(struct nic_dpdk *self, uint32_t queue, nsec now);

/* From now on this queue is used, or not. The driver of memif does not say how many
 * queues the other side has, and mistakes one that it has not for queue 0: so all but
 * the first rest until both sides have agreed on them, and when the link went down.
 * The queue's worker. */
void nic_dpdk_use(struct nic_dpdk *self, uint32_t queue, bool is_used);

/* Lets the device keep a queue's rate, too, a little above it: a net below the
 * software's. 0 takes it away. Returns 0, or -ENOTSUP: this device cannot. Control
 * thread. */
int nic_dpdk_set_rate(struct nic_dpdk *self, uint32_t queue, uint64_t rate_bps);

/* Sums over all queues. While no worker runs, or for one queue from its worker. */
void nic_dpdk_get_stats(const struct nic_dpdk *self, struct nic_dpdk_stats *stats);

/* TSC ticks spent so far in bursts that received or sent something. Any thread. */
void nic_dpdk_get_ticks(const struct nic_dpdk *self, uint64_t *rx, uint64_t *tx);

/* Bytes of DPDK memory one device's packets take, for eal_options.memory. */
size_t nic_dpdk_memory(const struct nic_dpdk_options *options);
/* The longest frame it will carry, bytes, as far as known before it is opened. */
uint32_t nic_dpdk_frame_max(const struct nic_dpdk_options *options);
/* Bytes its driver shares with the kernel or the other side, beyond those. */
size_t nic_dpdk_shared_memory(const struct nic_dpdk_options *options);

#endif
