/* SPDX-License-Identifier: BSD-3-Clause */
/* The rates and buffers of a device's queues, as the control thread sets and reads them.
 */
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
void device_share_rate(struct device devices[], uint32_t count,
	struct lease_source *source, const struct transfer_rate *rate)
{
	const struct worker_order look = {.what = ORDER_LOOK};

	lease_source_set(source, rate->rate_bps, rate->burst, clock_now());
	for (uint32_t i = 0; i < count; i++) {
		for (uint32_t k = 0; k < devices[i].nqueues; k++)
			(void)worker_thread_order(&devices[i].workers[k], &look);
	}
}

/* Drivers count in Mbit/s, and 0 is no limit there: a pause is for the software alone. */
static bool mirror(struct device *device, const struct transfer_rate *rate)
{
	uint64_t rate_bps = rate->rate_bps >= RATE_AUTO ? 0 : rate->rate_bps;

	return nic_dpdk_set_rate(device->port, rate->queue, rate_bps) == 0 &&
	       rate_bps != 0;
}

static int set_queue_rate(struct device *device, const struct transfer_rate *rate)
{
	const struct worker_order order = {.what = ORDER_RATE,
		.rate_bps = rate->rate_bps,
		.burst = rate->burst,
		.ceiling = rate->ceiling};
	struct worker_thread *worker = &device->workers[rate->queue];
	int rc = worker_thread_order(worker, &order);
	nsec ceiling;

	if (rc != 0)
		return rc;
	ceiling = rate->ceiling != 0 ? rate->ceiling : worker->limit.ceiling;
	worker->limit = *rate;
	worker->limit.ceiling = ceiling;
	worker->is_hardware = mirror(device, rate);
	return 0;
}

/* Each queue for itself finds out what others leave; a limit for all ends that. */
static int set_all_rates(struct device *device, const struct transfer_rate *rate)
{
	bool is_auto = rate->rate_bps == RATE_AUTO;
	const struct transfer_rate unlimited = {.rate_bps = RATE_UNLIMITED};
	struct transfer_rate each = *rate;
	int rc = 0;

	each.rate_bps = is_auto ? RATE_AUTO : RATE_UNLIMITED;
	each.burst = 0;
	for (each.queue = 0; each.queue < device->nqueues && rc == 0; each.queue++) {
		if (is_auto || device->workers[each.queue].limit.rate_bps == RATE_AUTO)
			rc = set_queue_rate(device, &each);
	}
	if (rc == 0)
		device_share_rate(device, 1, &device->rate, is_auto ? &unlimited : rate);
	return rc;
}

int device_set_rate(struct device *device, const struct transfer_rate *rate)
{
	if (rate->queue == TRANSFER_ALL_QUEUES)
		return set_all_rates(device, rate);
	return rate->queue < device->nqueues ? set_queue_rate(device, rate) : -EINVAL;
}

int device_limit_buffers(struct device devices[], uint32_t count, uint32_t buffers)
{
	const struct worker_order order = {.what = ORDER_BUFFERS, .buffers = buffers};
	int rc = 0;

	for (uint32_t i = 0; i < count; i++) {
		for (uint32_t k = 0; k < devices[i].nqueues; k++) {
			if (worker_thread_order(&devices[i].workers[k], &order) != 0)
				rc = -EAGAIN;
		}
	}
	return rc;
}

/* What passes at once if nobody said. */
static uint64_t default_burst(
	const struct device *device, const struct worker_thread *self, uint64_t auto_bps)
{
	const struct auto_rate rate = {
		.rate_bps = auto_bps, .ceiling = self->limit.ceiling};

	if (auto_bps != 0)
		return auto_rate_burst(&rate);
	return self->limit.rate_bps == RATE_UNLIMITED
		       ? lease_source_burst(&device->rate)
		       : bucket_default_burst(self->limit.rate_bps);
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
	const struct meter_counters *sent;

	if (queue >= device->nqueues)
		return false;
	self = &device->workers[queue];
	sent = &self->worker.shaper.meter.counters;
	*stats = (struct transfer_queue){
		.limit = self->limit,
		.port_rate_bps = lease_source_rate(&device->rate),
		.auto_bps = load(&self->worker.counters.auto_bps),
		.added = (nsec)load(&self->worker.counters.added_ns),
		.is_hardware = self->is_hardware,
		.rate_now_bps = load(&sent->rate_bps),
		.bytes = load(&sent->bytes),
		.packets = load(&self->worker.shaper.npackets),
		.backlog = load(&self->worker.counters.backlog),
		.throttled_ns = load(&sent->throttled_ns),
		.drops = load(&self->worker.counters.drops),
		.read_at = (uint64_t)clock_now(),
	};
	if (stats->limit.burst == 0)
		stats->limit.burst = default_burst(device, self, stats->auto_bps);
	return true;
}

void device_add_disk(const struct device *device, struct transfer_disk *disk)
{
	disk->read_at = (uint64_t)clock_now();
	for (uint32_t i = 0; i < device->nqueues; i++) {
		const struct meter_counters *moved =
			&device->workers[i].worker.disk.meter.counters;
		uint64_t throttled_ns = load(&moved->throttled_ns);

		disk->rate_now_bps += load(&moved->rate_bps);
		disk->bytes += load(&moved->bytes);
		if (throttled_ns > disk->throttled_ns)
			disk->throttled_ns = throttled_ns;
	}
}
