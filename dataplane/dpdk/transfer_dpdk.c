/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/transfer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/log.h"
#include "dataplane/dpdk/device.h"
#include "dataplane/dpdk/memif_guard.h"
#include "dataplane/dpdk/transfer_port.h"
#include "dataplane/wire.h"

enum slot_state { SLOT_FREE, SLOT_RESERVED, SLOT_RUNNING, SLOT_STOPPING };

/* The control thread's view of a session. */
struct slot {
	enum slot_state state;
	uint32_t id; /* of the last session, generation included */
	uint32_t device;
	struct session *session;    /* RUNNING, STOPPING */
	struct transfer_stats last; /* what remains of an ended session */
};

struct transfer {
	struct eal *eal;
	struct transfer_options options;
	struct transfer_device configs[TRANSFER_DEVICES_MAX];
	uint32_t ndevices;
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

		if (!ip_is_v4(&device->ip))
			return fault_set(fault, -EINVAL,
				"device '%s': its address has to be an IPv4 address",
				device->dev);
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
	int rc;

	for (uint32_t i = 0; i < self->options.ndevices; i++) {
		devices[i] = self->configs[i].dev;
		options.memory += device_memory(&self->options, &self->configs[i]);
	}
	options.ndevices = self->options.ndevices;
	rc = eal_start(&self->eal, &options, fault);
	if (rc != 0)
		return rc;
	log_line(LOG_INFO, "transfer",
		"event=memory total_mib=%zu chunk_buffers=%u chunk_buffer_kib=%u "
		"devices=%u "
		"hugepages=%s",
		options.memory / (size_t)MIB, self->options.buffers,
		self->options.buffer_size / 1024, self->options.ndevices,
		eal_has_hugepages(self->eal) ? "yes" : "no");
	rc = memif_guard_start(fault);
	if (rc != 0)
		eal_stop(self->eal);
	return rc;
}

static int open_device(struct transfer *self, uint32_t index, struct fault *fault)
{
	struct device *device = &self->devices[index];
	int rc;

	rc = device_open(device, self->eal, &self->options, index, fault);
	if (rc != 0)
		return rc;
	if (wire_slice_size(device->nic.mtu, ETHER_IPV4_LEN) >= CACHE_SLICE_MIN)
		return 0;
	rc = fault_set(fault, -EINVAL,
		"device '%s': MTU %u is too small for a slice of %d bytes; raise it to "
		"1500",
		self->configs[index].dev, device->nic.mtu, CACHE_SLICE_MIN);
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

void transfer_close(struct transfer *transfer)
{
	close_devices(transfer);
	for (size_t i = 0; i < WORKER_SESSIONS; i++) {
		if (transfer->slots[i].session != NULL)
			session_destroy(transfer->slots[i].session);
	}
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
	endpoint->slice_size =
		wire_slice_size(transfer->devices[device].nic.mtu, ETHER_IPV4_LEN);
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
	return session->device < transfer->ndevices && session->slice_size != 0 &&
	       session->slice_size % WIRE_UNIT == 0 &&
	       session->slice_size >= CACHE_SLICE_MIN &&
	       session->slice_size <=
		       wire_slice_size(transfer->devices[session->device].nic.mtu,
			       ETHER_IPV4_LEN) &&
	       session->manifest->chunk_size <= transfer->options.buffer_size;
}

int transfer_start(struct transfer *transfer, const struct transfer_session *session)
{
	struct slot *slot = find_slot(transfer, session->session_id);
	struct device_order order = {
		.what = ORDER_START, .session_id = session->session_id};
	int rc;

	if (slot == NULL || slot->state != SLOT_RESERVED || !is_valid(transfer, session))
		return -EINVAL;
	rc = session_create(&order.session, session, transfer->options.window,
		transfer->options.stall_timeout);
	if (rc != 0)
		return rc;
	rc = device_order(&transfer->devices[session->device], &order);
	if (rc != 0) {
		session_destroy(order.session);
		return rc;
	}
	slot->state = SLOT_RUNNING;
	slot->device = session->device;
	slot->session = order.session;
	return 0;
}

int transfer_stop(struct transfer *transfer, uint32_t session_id)
{
	const struct device_order order = {.what = ORDER_STOP, .session_id = session_id};
	struct slot *slot = find_slot(transfer, session_id);
	int rc;

	if (slot == NULL || slot->state != SLOT_RUNNING)
		return slot != NULL && slot->state == SLOT_STOPPING ? 0 : -EINVAL;
	rc = device_order(&transfer->devices[slot->device], &order);
	if (rc == 0)
		slot->state = SLOT_STOPPING;
	return rc;
}

void transfer_touch(struct transfer *transfer, uint32_t session_id)
{
	const struct device_order order = {.what = ORDER_TOUCH, .session_id = session_id};
	struct slot *slot = find_slot(transfer, session_id);

	if (slot != NULL && slot->state == SLOT_RUNNING)
		(void)device_order(&transfer->devices[slot->device], &order);
}

int transfer_pause(struct transfer *transfer, uint32_t session_id, bool is_paused)
{
	const struct device_order order = {
		.what = is_paused ? ORDER_PAUSE : ORDER_RESUME, .session_id = session_id};
	struct slot *slot = find_slot(transfer, session_id);

	if (slot == NULL || slot->state != SLOT_RUNNING)
		return -EINVAL;
	return device_order(&transfer->devices[slot->device], &order);
}

static uint64_t load(const _Atomic uint64_t *counter)
{
	/* relaxed: a plain count, it orders nothing */
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void read_counters(const struct session *session, struct transfer_stats *stats)
{
	const struct session_counters *counters = &session->counters;

	stats->bytes_done = load(&counters->bytes_done);
	stats->bytes_resent = load(&counters->bytes_resent);
	stats->bytes_reused = load(&counters->bytes_reused);
	stats->wire_bytes = load(&counters->wire_bytes);
	stats->packets_lost = load(&counters->packets_lost);
	stats->packets_bad = load(&counters->packets_bad);
}

/* The worker is through with the session. */
static void retire(struct transfer *transfer, uint32_t session_id)
{
	struct slot *slot = find_slot(transfer, session_id);

	if (slot == NULL || slot->session == NULL)
		return;
	read_counters(slot->session, &slot->last);
	session_destroy(slot->session);
	slot->session = NULL;
	slot->state = SLOT_FREE;
}

bool transfer_next_report(struct transfer *transfer, struct transfer_report *report)
{
	for (uint32_t i = 0; i < transfer->ndevices; i++) {
		uint32_t at = (transfer->next_device + i) % transfer->ndevices;

		if (!ring_take(&transfer->devices[at].reports, report))
			continue;
		transfer->next_device = (at + 1) % transfer->ndevices;
		if (report->event == REPORT_STOPPED)
			retire(transfer, report->session_id);
		return true;
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
	if (transfer->slots[at].session != NULL)
		read_counters(transfer->slots[at].session, stats);
	else
		*stats = transfer->slots[at].last;
}

void transfer_get_work(const struct transfer *transfer, struct transfer_work *work)
{
	memset(work, 0, sizeof(*work));
	for (uint32_t i = 0; i < transfer->ndevices; i++)
		device_add_work(&transfer->devices[i], work);
}
