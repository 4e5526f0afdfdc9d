/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/dpdk/device.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "dataplane/base/log.h"
#include "dataplane/dpdk/nic_plan.h"
#include "dataplane/dpdk/transfer_port.h"

static uint32_t count_queues(const struct transfer_device *config)
{
	return u32_max(config->queues, 1);
}

static struct nic_dpdk_options nic_options(const struct transfer_device *config)
{
	return (struct nic_dpdk_options){.dev = config->dev,
		.mtu = config->mtu,
		.queues = config->queues,
		.first_port = TRANSFER_PORT,
		.is_ipv6 = !ip_is_v4(&config->ip)};
}

void device_memory(const struct transfer_options *options,
	const struct transfer_device *config, struct device_memory *memory)
{
	const struct nic_dpdk_options nic = nic_options(config);
	uint32_t nqueues = count_queues(config);

	memory->eal = nic_dpdk_memory(&nic) + nqueues * worker_thread_memory(options);
	memory->heap = nqueues * worker_thread_heap(options) +
		       strays_memory(nqueues, nic_dpdk_frame_max(&nic));
	memory->shared = nic_dpdk_shared_memory(&nic);
}

uint32_t device_first_worker(const struct transfer_options *options, uint32_t index)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < index; i++)
		count += count_queues(&options->devices[i]);
	return count;
}

/* More workers than cores had better give way than spin. */
static bool is_crowded(const struct transfer_options *options)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 &&
	       device_first_worker(options, options->ndevices) >
		       (uint32_t)CPU_COUNT(&set);
}

/* Rings and memif push back when they are full: there is no queue to be kept short. */
static enum cc_kind choose_cc(const struct transfer_options *options, const char *dev)
{
	static const char *const rings[] = {"net_memif", "net_ring", "net_null"};

	if (options->cc != CC_AUTO)
		return options->cc;
	for (size_t i = 0; i < ARRAY_LEN(rings); i++) {
		if (strncmp(dev, rings[i], strlen(rings[i])) == 0)
			return CC_FIXED;
	}
	return CC_SWIFT;
}

/* The kernel takes 5 to 10 us for a frame and a burst waits for its last one: what is a
 * queue on a NIC is one call here. With less the window holds a few frames, and each goes
 * with a call and an ACK of its own. */
static nsec choose_cc_queue(const char *dev)
{
	static const char *const slow[] = {"net_af_", "eth_af_"};

	for (size_t i = 0; i < ARRAY_LEN(slow); i++) {
		if (strncmp(dev, slow[i], strlen(slow[i])) == 0)
			return 200 * USEC;
	}
	return CC_QUEUE;
}

static void on_strays(void *context, uint32_t queue)
{
	struct device *device = context;

	worker_thread_wake(&device->workers[queue]);
}

/* Those an operator has set on this device's link. */
static void set_neighbors(struct worker *worker, const struct transfer_options *options)
{
	const struct worker_config *config = &worker->config;

	for (uint32_t i = 0; i < options->nneighbors; i++) {
		const struct transfer_neighbor *neighbor = &options->neighbors[i];

		if (ip_is_on_link(&neighbor->ip, &config->ip, config->prefix_len))
			(void)worker_set_neighbor(worker, &neighbor->ip, neighbor->mac);
	}
}

static int open_worker(struct device *device, const struct transfer_options *options,
	uint32_t index, struct fault *fault)
{
	const struct transfer_device *config = &options->devices[index];
	const struct worker_config worker = {
		.ip = config->ip,
		.prefix_len = config->prefix_len,
		.gateway = config->gateway,
		.vlan = config->vlan,
		.port = TRANSFER_PORT,
		.dscp = TRANSFER_DSCP,
		.cc = choose_cc(options, config->dev),
		.cc_queue = choose_cc_queue(config->dev),
		.port_rate = &device->rate,
		.auto_ceiling = options->auto_ceiling,
		.disk_rate = options->disk_rate,
		.wake = on_strays,
		.wake_ctx = device,
	};
	struct worker_thread *self = &device->workers[device->nopen];
	int rc;

	self->options = options;
	self->port = device->port;
	self->nic = device->nics[device->nopen];
	self->device = index;
	self->queue = device->nopen;
	self->limit = (struct transfer_rate){
		.port = index,
		.queue = device->nopen,
		.rate_bps = config->rate_bps == RATE_AUTO ? RATE_AUTO : RATE_UNLIMITED,
		.ceiling = options->auto_ceiling != 0 ? options->auto_ceiling
						      : AUTO_CEILING_DEFAULT,
	};
	self->is_crowded = is_crowded(options);
	self->strays = device->nqueues > 1 ? &device->strays : NULL;
	rc = worker_thread_open(self, &worker, fault);
	if (rc != 0)
		return rc;
	set_neighbors(&self->worker, options);
	worker_set_rate(&self->worker, self->limit.rate_bps, 0, 0);
	return rc;
}

/* Says which queue it was, where there are several. */
static void name_queue(
	const struct device *device, const char *dev, uint32_t queue, struct fault *fault)
{
	if (device->nqueues > 1)
		fault_prefix(fault, "device '%.60s', queue %u", dev, queue);
}

static int open_workers(struct device *device, const struct transfer_options *options,
	uint32_t index, struct fault *fault)
{
	const struct transfer_device *config = &options->devices[index];
	uint32_t first = device_first_worker(options, index);
	int rc;

	for (; device->nopen < device->nqueues; device->nopen++) {
		rc = open_worker(device, options, index, fault);
		if (rc != 0) {
			name_queue(device, config->dev, device->nopen, fault);
			return rc;
		}
	}
	for (; device->nstarted < device->nqueues; device->nstarted++) {
		uint32_t at = device->nstarted;
		int core = first + at < options->ncores ? options->cores[first + at] : -1;

		rc = worker_thread_start(&device->workers[at], core, fault);
		if (rc != 0) {
			name_queue(device, config->dev, at, fault);
			return rc;
		}
	}
	return 0;
}

/* All of them before any is closed: one may hand strays to another. */
static void stop_workers(struct device *device)
{
	while (device->nstarted > 0)
		worker_thread_stop(&device->workers[--device->nstarted]);
}

static void close_workers(struct device *device)
{
	while (device->nopen > 0)
		worker_thread_close(&device->workers[--device->nopen]);
}

static int make_strays(struct device *device, const char *dev, struct fault *fault)
{
	uint32_t room = device->nics[0].mtu + NIC_PLAN_L2_MAX;

	if (strays_init(&device->strays, device->nqueues, room) == 0)
		return 0;
	return fault_set(fault, -ENOMEM, "device '%.60s': no memory for %u queues", dev,
		device->nqueues);
}

static void log_open(const struct device *device, const struct transfer_device *config)
{
	if (device->nqueues > 1)
		log_line(LOG_INFO, "device",
			"event=open dev=%s queues=%u steered_by=\"%s\"", config->dev,
			device->nqueues,
			steering_name(nic_dpdk_steered_by(device->port)));
}

int device_open(struct device *device, struct eal *eal,
	const struct transfer_options *options, uint32_t index, struct fault *fault)
{
	const struct transfer_device *config = &options->devices[index];
	const struct nic_dpdk_options nic = nic_options(config);
	int rc;

	memset(device, 0, sizeof(*device));
	device->nqueues = count_queues(config);
	lease_source_init(&device->rate,
		config->rate_bps != 0 && config->rate_bps != RATE_AUTO ? config->rate_bps
								       : RATE_UNLIMITED,
		BUCKET_BURST_MIN);
	if (config->burst != 0)
		lease_source_set(&device->rate, lease_source_rate(&device->rate),
			config->burst, 0);
	rc = nic_dpdk_open(&device->port, device->nics, eal, &nic, fault);
	if (rc != 0)
		return rc;
	rc = make_strays(device, config->dev, fault);
	if (rc != 0)
		goto close_nic;
	device->workers = aligned_alloc(64, device->nqueues * sizeof(*device->workers));
	if (device->workers == NULL) {
		rc = fault_set(fault, -ENOMEM, "no memory for the workers");
		goto free_strays;
	}
	memset(device->workers, 0, device->nqueues * sizeof(*device->workers));
	rc = open_workers(device, options, index, fault);
	if (rc != 0)
		goto close_workers;
	log_open(device, config);
	return 0;
close_workers:
	stop_workers(device);
	close_workers(device);
	free(device->workers);
free_strays:
	strays_fini(&device->strays);
close_nic:
	nic_dpdk_close(device->port);
	return rc;
}

void device_close(struct device *device)
{
	stop_workers(device);
	nic_dpdk_close(device->port); /* it may be reading chunk buffers */
	close_workers(device);
	free(device->workers);
	strays_fini(&device->strays);
}

void device_add_work(const struct device *device, struct transfer_work *work)
{
	double tsc_hz = (double)rte_get_tsc_hz();
	uint64_t rx, tx;

	for (uint32_t i = 0; i < device->nqueues; i++)
		worker_thread_add_work(&device->workers[i], work);
	nic_dpdk_get_ticks(device->port, &rx, &tx);
	work->rx += (uint64_t)((double)rx * (double)SEC / tsc_hz);
	work->tx += (uint64_t)((double)tx * (double)SEC / tsc_hz);
}

bool device_next_report(struct device *device, struct transfer_report *report)
{
	for (uint32_t i = 0; i < device->nqueues; i++) {
		uint32_t at = (device->next_worker + i) % device->nqueues;

		if (!ring_take(&device->workers[at].reports, report))
			continue;
		device->next_worker = (at + 1) % device->nqueues;
		return true;
	}
	return false;
}
