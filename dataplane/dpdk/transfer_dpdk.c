/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/transfer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/log.h"
#include "dataplane/dpdk/device.h"
#include "dataplane/dpdk/memif_guard.h"
#include "dataplane/dpdk/transfer_port.h"
#include "dataplane/stripes.h"
#include "dataplane/wire.h"

enum slot_state { SLOT_FREE, SLOT_RESERVED, SLOT_RUNNING, SLOT_STOPPING };

/* The control thread's view of a session. */
struct slot {
	enum slot_state state;
	uint32_t id; /* of the last session, generation included */
	uint32_t device;
	struct session *sessions[TRANSFER_QUEUES_MAX]; /* RUNNING, STOPPING: by stripe */
	struct stripes stripes;
	struct transfer_stats last; /* what remains of an ended session */
};

struct transfer {
	struct eal *eal;
	struct transfer_options options;
	struct lease_source disk_rate;
	struct transfer_device configs[TRANSFER_DEVICES_MAX];
	uint32_t ndevices;
	uint32_t window;      /* of sessions to come */
	uint32_t next_device; /* whose reports are looked at first */
	struct slot slots[WORKER_SESSIONS];
	alignas(64) struct device devices[TRANSFER_DEVICES_MAX];
};

static int check_options(const struct transfer_options *options, struct fault *fault)
{
	if (options->ndevices == 0 || options->ndevices > TRANSFER_DEVICES_MAX)
		return fault_set(fault, -EINVAL, "%u devices given; 1 to %d are possible",
			options->ndevices, TRANSFER_DEVICES_MAX);
	if (options->buffer_size < MANIFEST_CHUNK_MIN ||
		options->buffer_size > MANIFEST_CHUNK_MAX)
		return fault_set(fault, -EINVAL,
			"chunk buffers of %u KiB: 256 to 4096 KiB are possible",
			options->buffer_size / 1024);
	if (options->buffers < 2 || options->buffers > UINT16_MAX)
		return fault_set(fault, -EINVAL,
			"%u chunk buffers: 2 to 65535 are possible", options->buffers);
	for (uint32_t i = 0; i < options->ndevices; i++) {
		const struct transfer_device *device = &options->devices[i];

		if (device->vlan > ETHER_VLAN_MAX)
			return fault_set(fault, -EINVAL,
				"device '%s': VLAN %u is above %d", device->dev,
				device->vlan, ETHER_VLAN_MAX);
		if (device->prefix_len > ip_bits(&device->ip))
			return fault_set(fault, -EINVAL,
				"device '%s': prefix length %u is above %u", device->dev,
				device->prefix_len, ip_bits(&device->ip));
	}
	return 0;
}

static int start_eal(struct transfer *self, struct fault *fault)
{
	const char *devices[TRANSFER_DEVICES_MAX];
	struct eal_options options = {.devices = devices, .ndevices = self->ndevices};
	struct device_memory memory;
	size_t others = 0;
	int rc;

	for (uint32_t i = 0; i < self->options.ndevices; i++) {
		devices[i] = self->configs[i].dev;
		device_memory(&self->options, &self->configs[i], &memory);
		options.memory += memory.eal;
		others += memory.heap + memory.shared;
	}
	options.ndevices = self->options.ndevices;
	rc = eal_start(&self->eal, &options, fault);
	if (rc != 0)
		return rc;
	log_line(LOG_INFO, "transfer",
		"event=memory total_mib=%zu dpdk_mib=%zu chunk_buffers=%u "
		"chunk_buffer_kib=%u devices=%u workers=%u hugepages=%s",
		(options.memory + others) / (size_t)MIB, options.memory / (size_t)MIB,
		self->options.buffers, self->options.buffer_size / 1024,
		self->options.ndevices,
		device_first_worker(&self->options, self->options.ndevices),
		eal_has_hugepages(self->eal) ? "yes" : "no");
	rc = memif_guard_start(fault);
	if (rc != 0)
		eal_stop(self->eal);
	return rc;
}

/* The largest that the device takes. */
static uint32_t slice_size(const struct transfer *transfer, uint32_t device)
{
	return wire_slice_size(transfer->devices[device].nics[0].mtu,
		ether_ip_len(&transfer->configs[device].ip));
}

static int open_device(struct transfer *self, uint32_t index, struct fault *fault)
{
	struct device *device = &self->devices[index];
	int rc;

	rc = device_open(device, self->eal, &self->options, index, fault);
	if (rc != 0)
		return rc;
	if (slice_size(self, index) >= CACHE_SLICE_MIN)
		return 0;
	rc = fault_set(fault, -EINVAL,
		"device '%s': MTU %u is too small for a slice of %d bytes; raise it to "
		"1500",
		self->configs[index].dev, device->nics[0].mtu, CACHE_SLICE_MIN);
	device_close(device);
	return rc;
}

static void close_devices(struct transfer *self)
{
	while (self->ndevices > 0)
		device_close(&self->devices[--self->ndevices]);
}

int transfer_open(struct transfer **transfer, const struct transfer_options *options,
	struct fault *fault)
{
	struct transfer *self;
	int rc;

	rc = check_options(options, fault);
	if (rc != 0)
		return rc;
	self = aligned_alloc(64, (sizeof(*self) + 63) / 64 * 64);
	if (self == NULL)
		return fault_set(fault, -ENOMEM, "no memory for the data plane");
	memset(self, 0, sizeof(*self));
	memcpy(self->configs, options->devices,
		options->ndevices * sizeof(self->configs[0]));
	self->options = *options;
	self->options.devices = self->configs;
	self->window = options->window;
	self->options.disk_rate = &self->disk_rate;
	lease_source_init(&self->disk_rate,
		options->disk_rate_bps != 0 ? options->disk_rate_bps : RATE_UNLIMITED,
		options->buffer_size);
	rc = start_eal(self, fault);
	if (rc != 0)
		goto free_self;
	for (; self->ndevices < options->ndevices; self->ndevices++) {
		rc = open_device(self, self->ndevices, fault);
		if (rc != 0)
			goto close_devices;
	}
	*transfer = self;
	return 0;
close_devices:
	close_devices(self);
	eal_stop(self->eal);
free_self:
	free(self);
	return rc;
}

static void destroy_sessions(struct slot *slot)
{
	for (uint32_t i = 0; i < TRANSFER_QUEUES_MAX; i++) {
		session_destroy(slot->sessions[i]);
		slot->sessions[i] = NULL;
	}
}

void transfer_close(struct transfer *transfer)
{
	close_devices(transfer);
	for (size_t i = 0; i < WORKER_SESSIONS; i++)
		destroy_sessions(&transfer->slots[i]);
	eal_stop(transfer->eal);
	free(transfer);
}

uint32_t transfer_count_devices(const struct transfer *transfer)
{
	return transfer->ndevices;
}

void transfer_get_endpoint(const struct transfer *transfer, uint32_t device,
	struct transfer_endpoint *endpoint)
{
	const struct transfer_device *config = &transfer->configs[device];

	endpoint->ip = config->ip;
	endpoint->prefix_len = config->prefix_len;
	endpoint->has_gateway = !ip_is_none(&config->gateway);
	endpoint->port = TRANSFER_PORT;
	endpoint->queues = transfer->devices[device].nqueues;
	endpoint->slice_size = slice_size(transfer, device);
}

/* The slot of a session, or NULL when the id is not its current one. */
static struct slot *find_slot(struct transfer *transfer, uint32_t session_id)
{
	uint32_t at = session_slot(session_id);

	if (at >= WORKER_SESSIONS || transfer->slots[at].id != session_id)
		return NULL;
	return &transfer->slots[at];
}

int transfer_reserve(struct transfer *transfer, uint32_t *session_id)
{
	for (uint32_t i = 0; i < WORKER_SESSIONS; i++) {
		struct slot *slot = &transfer->slots[i];

		if (slot->state != SLOT_FREE)
			continue;
		slot->state = SLOT_RESERVED;
		slot->id = session_make_id(i, slot->id + 1);
		memset(&slot->last, 0, sizeof(slot->last));
		*session_id = slot->id;
		return 0;
	}
	return -EBUSY;
}

void transfer_release(struct transfer *transfer, uint32_t session_id)
{
	struct slot *slot = find_slot(transfer, session_id);

	if (slot != NULL && slot->state == SLOT_RESERVED)
		slot->state = SLOT_FREE;
}

static bool is_valid(
	const struct transfer *transfer, const struct transfer_session *session)
{
	return session->device < transfer->ndevices &&
	       session->stripes <= transfer->devices[session->device].nqueues &&
	       session->slice_size != 0 && session->slice_size % WIRE_UNIT == 0 &&
	       session->slice_size >= CACHE_SLICE_MIN &&
	       session->slice_size <= slice_size(transfer, session->device) &&
	       session->manifest->chunk_size <= transfer->options.buffer_size;
}

static struct worker_thread *worker_of(
	struct transfer *transfer, const struct slot *slot, uint32_t stripe)
{
	return &transfer->devices[slot->device].workers[stripe];
}

/* Only we fill the rings: what has room now has room until we use it. */
static bool all_have_room(const struct device *device, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if (!worker_thread_has_room(&device->workers[i]))
			return false;
	}
	return true;
}

static int create_sessions(const struct transfer *transfer, struct slot *slot,
	const struct transfer_session *session, uint32_t count)
{
	struct transfer_session stripe = *session;
	int rc = 0;

	stripe.stripes = count;
	for (uint32_t i = 0; i < count && rc == 0; i++) {
		stripe.stripe = i;
		rc = session_create(&slot->sessions[i], &stripe, transfer->window,
			transfer->options.stall_timeout);
	}
	if (rc != 0)
		destroy_sessions(slot);
	return rc;
}

int transfer_start(struct transfer *transfer, const struct transfer_session *session)
{
	struct slot *slot = find_slot(transfer, session->session_id);
	struct worker_order order = {
		.what = ORDER_START, .session_id = session->session_id};
	uint32_t count = u32_max(session->stripes, 1);
	int rc;

	if (slot == NULL || slot->state != SLOT_RESERVED || !is_valid(transfer, session))
		return -EINVAL;
	if (!all_have_room(&transfer->devices[session->device], count))
		return -EAGAIN;
	rc = create_sessions(transfer, slot, session, count);
	if (rc != 0)
		return rc;
	slot->state = SLOT_RUNNING;
	slot->device = session->device;
	stripes_init(&slot->stripes, count);
	for (uint32_t i = 0; i < count; i++) {
		order.session = slot->sessions[i];
		(void)worker_thread_order(worker_of(transfer, slot, i), &order);
	}
	return 0;
}

int transfer_stop(struct transfer *transfer, uint32_t session_id)
{
	const struct worker_order order = {.what = ORDER_STOP, .session_id = session_id};
	struct slot *slot = find_slot(transfer, session_id);

	if (slot == NULL || slot->state != SLOT_RUNNING)
		return slot != NULL && slot->state == SLOT_STOPPING ? 0 : -EINVAL;
	for (uint32_t i = 0; i < slot->stripes.count; i++)
		(void)worker_thread_order(worker_of(transfer, slot, i), &order);
	slot->state = SLOT_STOPPING;
	return 0;
}

/* Gives every stripe the same order, which may be repeated without harm. */
static int tell_all(struct transfer *transfer, const struct worker_order *order)
{
	const struct slot *slot = find_slot(transfer, order->session_id);
	int rc = 0;

	if (slot == NULL || slot->state != SLOT_RUNNING)
		return -EINVAL;
	for (uint32_t i = 0; i < slot->stripes.count; i++) {
		if (worker_thread_order(worker_of(transfer, slot, i), order) != 0)
			rc = -EAGAIN;
	}
	return rc;
}

void transfer_touch(struct transfer *transfer, uint32_t session_id)
{
	const struct worker_order order = {.what = ORDER_TOUCH, .session_id = session_id};

	(void)tell_all(transfer, &order);
}

int transfer_pause(struct transfer *transfer, uint32_t session_id, bool is_paused)
{
	const struct worker_order order = {
		.what = is_paused ? ORDER_PAUSE : ORDER_RESUME, .session_id = session_id};

	return tell_all(transfer, &order);
}

static bool is_rate(uint64_t rate_bps)
{
	return rate_bps == 0 || rate_bps >= RATE_AUTO ||
	       (rate_bps >= RATE_MIN && rate_bps <= RATE_MAX);
}

int transfer_set_rate(struct transfer *transfer, const struct transfer_rate *rate)
{
	if (rate->port >= transfer->ndevices || !is_rate(rate->rate_bps))
		return -EINVAL;
	return device_set_rate(&transfer->devices[rate->port], rate);
}

int transfer_set_session_rate(
	struct transfer *transfer, uint32_t session_id, uint64_t rate_bps)
{
	const struct worker_order order = {.what = ORDER_SESSION_RATE,
		.session_id = session_id,
		.rate_bps = rate_bps};

	return is_rate(rate_bps) ? tell_all(transfer, &order) : -EINVAL;
}

int transfer_set_session_rank(
	struct transfer *transfer, uint32_t session_id, const struct rank *rank)
{
	const struct worker_order order = {
		.what = ORDER_SESSION_RANK, .session_id = session_id, .rank = *rank};

	return rank->class < SHAPER_CLASSES ? tell_all(transfer, &order) : -EINVAL;
}

int transfer_set_window(struct transfer *transfer, uint32_t window)
{
	if (window < TRANSFER_WINDOW_MIN || window > TRANSFER_WINDOW_MAX)
		return -EINVAL;
	transfer->window = window;
	return 0;
}

int transfer_set_buffers(struct transfer *transfer, uint32_t buffers)
{
	return buffers < TRANSFER_BUFFERS_MIN ? -EINVAL
					      : device_limit_buffers(transfer->devices,
							transfer->ndevices, buffers);
}

int transfer_set_disk_rate(struct transfer *transfer, uint64_t rate_bps)
{
	const struct transfer_rate rate = {.rate_bps = rate_bps};

	if (!is_rate(rate_bps) || rate_bps == RATE_AUTO)
		return -EINVAL;
	device_share_rate(
		transfer->devices, transfer->ndevices, &transfer->disk_rate, &rate);
	return 0;
}

void transfer_get_disk(const struct transfer *transfer, struct transfer_disk *disk)
{
	*disk = (struct transfer_disk){
		.limit_bps = lease_source_rate(&transfer->disk_rate),
		.burst = lease_source_burst(&transfer->disk_rate),
	};
	for (uint32_t i = 0; i < transfer->ndevices; i++)
		device_add_disk(&transfer->devices[i], disk);
}

bool transfer_get_queue(const struct transfer *transfer, uint32_t port, uint32_t queue,
	struct transfer_queue *stats)
{
	return port < transfer->ndevices &&
	       device_get_queue(&transfer->devices[port], queue, stats);
}

static void read_stats(const struct transfer *transfer, const struct slot *slot,
	struct transfer_stats *stats)
{
	stats->stripes = slot->stripes.count;
	stats->steered_by = nic_dpdk_steered_by(transfer->devices[slot->device].port);
	for (uint32_t i = 0; i < slot->stripes.count; i++)
		session_add_stats(slot->sessions[i], stats);
}

/* No worker knows the session any more. */
static void retire(struct transfer *transfer, struct slot *slot)
{
	read_stats(transfer, slot, &slot->last);
	destroy_sessions(slot);
	slot->state = SLOT_FREE;
}

/* Whether the control plane shall hear it. */
static bool on_report(struct transfer *transfer, const struct transfer_report *report)
{
	struct slot *slot = find_slot(transfer, report->session_id);
	bool tells;

	if (slot == NULL || slot->sessions[0] == NULL)
		return false;
	tells = stripes_on_report(&slot->stripes, report);
	if (stripes_have_stopped(&slot->stripes))
		retire(transfer, slot);
	return tells;
}

bool transfer_next_report(struct transfer *transfer, struct transfer_report *report)
{
	for (uint32_t i = 0; i < transfer->ndevices; i++) {
		uint32_t at = (transfer->next_device + i) % transfer->ndevices;

		while (device_next_report(&transfer->devices[at], report)) {
			if (!on_report(transfer, report))
				continue;
			transfer->next_device = (at + 1) % transfer->ndevices;
			return true;
		}
	}
	return false;
}

void transfer_get_stats(const struct transfer *transfer, uint32_t session_id,
	struct transfer_stats *stats)
{
	uint32_t at = session_slot(session_id);

	memset(stats, 0, sizeof(*stats));
	if (at >= WORKER_SESSIONS || transfer->slots[at].id != session_id)
		return;
	if (transfer->slots[at].sessions[0] != NULL)
		read_stats(transfer, &transfer->slots[at], stats);
	else
		*stats = transfer->slots[at].last;
}

void transfer_get_work(const struct transfer *transfer, struct transfer_work *work)
{
	memset(work, 0, sizeof(*work));
	for (uint32_t i = 0; i < transfer->ndevices; i++)
		device_add_work(&transfer->devices[i], work);
}
