/* SPDX-License-Identifier: BSD-3-Clause */
/* The rates of a device's queues, as the control thread sets and reads them. */
#include <errno.h>
#include <time.h>

#include "dataplane/dpdk/device.h"

/* The clock of the workers. */
static nsec clock_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * SEC + now.tv_nsec;
}

/* The workers find the new rate in their next turn; a full ring means that one is coming
 * anyway. */
static void set_port_rate(struct device *device, const struct transfer_rate *rate)
{
	const struct worker_order look = {.what = ORDER_LOOK};

	lease_source_set(&device->rate, rate->rate_bps, rate->burst, clock_now());
	for (uint32_t i = 0; i < device->nqueues; i++)
		(void)worker_thread_order(&device->workers[i], &look);
}

/* Drivers count in Mbit/s, and 0 is no limit there: a pause is for the software alone. */
static bool mirror(struct device *device, const struct transfer_rate *rate)
{
	uint64_t rate_bps = rate->rate_bps == RATE_UNLIMITED ? 0 : rate->rate_bps;

	return nic_dpdk_set_rate(device->port, rate->queue, rate_bps) == 0 &&
	       rate_bps != 0;
}

int device_set_rate(struct device *device, const struct transfer_rate *rate)
{
	const struct worker_order order = {
		.what = ORDER_RATE, .rate_bps = rate->rate_bps, .burst = rate->burst};
	struct worker_thread *worker;
	int rc;

	if (rate->queue == TRANSFER_ALL_QUEUES) {
		set_port_rate(device, rate);
		return 0;
	}
	if (rate->queue >= device->nqueues)
		return -EINVAL;
	worker = &device->workers[rate->queue];
	rc = worker_thread_order(worker, &order);
	if (rc != 0)
		return rc;
	worker->limit = *rate;
	worker->is_hardware = mirror(device, rate);
	return 0;
}

static uint64_t load(const _Atomic uint64_t *counter)
{
	/* relaxed: a plain count, it orders nothing */
	return atomic_load_explicit(counter, memory_order_relaxed);
}

bool device_get_queue(
	const struct device *device, uint32_t queue, struct transfer_queue *stats)
{
	const struct worker_thread *self;
	const struct shaper_counters *sent;

	if (queue >= device->nqueues)
		return false;
	self = &device->workers[queue];
	sent = &self->worker.shaper.counters;
	*stats = (struct transfer_queue){
		.limit = self->limit,
		.port_rate_bps = lease_source_rate(&device->rate),
		.is_hardware = self->is_hardware,
		.rate_now_bps = load(&sent->rate_bps),
		.bytes = load(&sent->bytes),
		.packets = load(&sent->packets),
		.backlog = load(&self->worker.counters.backlog),
		.throttled_ns = load(&sent->throttled_ns),
		.drops = load(&self->worker.counters.drops),
		.read_at = (uint64_t)clock_now(),
	};
	if (stats->limit.burst == 0)
		stats->limit.burst = self->limit.rate_bps == RATE_UNLIMITED
					     ? lease_source_burst(&device->rate)
					     : bucket_default_burst(self->limit.rate_bps);
	return true;
}
