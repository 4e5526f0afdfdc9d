/* SPDX-License-Identifier: BSD-3-Clause */
/* One device of the node: its port, and a worker thread for each of its queues.
 *
 *      queue 0 ── worker 0 ─┐ strays
 *      queue 1 ── worker 1 ─┴───────── */
#ifndef DEVICE_H
#define DEVICE_H

#include "dataplane/dpdk/eal.h"
#include "dataplane/dpdk/worker_thread.h"
#include "dataplane/lease.h"
#include "dataplane/strays.h"

struct device {
	struct nic_dpdk *port;
	struct nic nics[TRANSFER_QUEUES_MAX];
	uint32_t nqueues;
	uint32_t nstarted; /* threads that run */
	uint32_t nopen;
	struct worker_thread *workers; /* by queue */
	struct strays strays;
	struct lease_source rate; /* of the port; shared by the workers */
	uint32_t next_worker;     /* whose reports are looked at first */
};

/* What a device takes, bytes. */
struct device_memory {
	size_t eal;    /* packets and chunk buffers */
	size_t heap;   /* workers, bookkeeping, strays */
	size_t shared; /* rings shared with the kernel or the other side */
};

void device_memory(const struct transfer_options *options,
	const struct transfer_device *config, struct device_memory *memory);

/* index numbers the device. options must outlive it. Returns what transfer_open does. */
int device_open(struct device *device, struct eal *eal,
	const struct transfer_options *options, uint32_t index, struct fault *fault);
void device_close(struct device *device);

/* Workers of the devices before this one: the place of its first one in --cores. */
uint32_t device_first_worker(const struct transfer_options *options, uint32_t index);

/* device_rate.c, control thread: what transfer_set_rate and transfer_get_queue say of one
 * device. */
int device_set_rate(struct device *device, const struct transfer_rate *rate);
bool device_get_queue(
	const struct device *device, uint32_t queue, struct transfer_queue *stats);
/* The part of transfer_set_buffers that is the workers'. Returns 0 or -EAGAIN. */
int device_limit_buffers(struct device devices[], uint32_t count, uint32_t buffers);
/* Its part of what transfer_get_disk says. */
void device_add_disk(const struct device *device, struct transfer_disk *disk);

/* Sets what workers of these devices share, and they look at it now. */
void device_share_rate(struct device devices[], uint32_t count,
	struct lease_source *source, const struct transfer_rate *rate);

/* Control thread: adds what this device's threads have done so far. */
void device_add_work(const struct device *device, struct transfer_work *work);

/* Control thread: the next report of any worker. Returns false when there is none. */
bool device_next_report(struct device *device, struct transfer_report *report);

#endif
