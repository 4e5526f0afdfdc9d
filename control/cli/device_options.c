/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/device_options.h"

#include <errno.h>
#include <stdio.h>

#include "control/route.h"
#include "dataplane/base/parse.h"

enum {
	VLAN_MAX = 4094,
};

static int resolve_vlan(const char *text, uint16_t *vlan, struct fault *fault)
{
	uint64_t value;

	if (parse_u64(text, &value) != 0 || value > VLAN_MAX)
		return fault_set(fault, -EINVAL,
			"--vlan %.40s: a VLAN's ID is 1 to %d, or 0 for no tag", text,
			VLAN_MAX);
	*vlan = (uint16_t)value;
	return 0;
}

static int resolve_queues(const char *text, uint32_t *queues, struct fault *fault)
{
	uint64_t value;

	if (parse_u64(text, &value) != 0 || value < 1 || value > TRANSFER_QUEUES_MAX)
		return fault_set(fault, -EINVAL,
			"--queues %.40s: a device has 1 to %d queues", text,
			TRANSFER_QUEUES_MAX);
	*queues = (uint32_t)value;
	return 0;
}

/* One for all, or one a device. */
static const char *queues_of(const struct device_options *options, size_t at)
{
	if (options->queues.count == 0)
		return "1";
	return options->queues.items[options->queues.count == 1 ? 0 : at];
}

/* Takes the next "N" or "N-M" of a list off. */
static bool next_range(const char **text, unsigned int *first, unsigned int *last)
{
	int end = 0, longer = 0;

	if ((*text)[0] < '0' || (*text)[0] > '9' ||
		sscanf(*text, "%5u%n-%5u%n", first, &end, last, &longer) < 1)
		return false;
	if (longer == 0)
		*last = *first;
	*text += longer != 0 ? longer : end;
	if ((*text)[0] == ',' && (*text)[1] != '\0')
		(*text)++;
	else if ((*text)[0] != '\0')
		return false;
	return *last >= *first;
}

static int resolve_cores(struct device_options *options,
	struct transfer_options *transfer, struct fault *fault)
{
	const char *text = options->cores;
	uint32_t nworkers = 0;
	unsigned int first, last;

	for (uint32_t i = 0; i < transfer->ndevices; i++)
		nworkers += transfer->devices[i].queues;
	while (text[0] != '\0') {
		if (!next_range(&text, &first, &last) || last > UINT16_MAX)
			return fault_set(fault, -EINVAL,
				"--cores %.60s: a list of CPUs looks like 2,4-7",
				options->cores);
		for (; first <= last && transfer->ncores < nworkers; first++)
			options->core[transfer->ncores++] = (uint16_t)first;
	}
	transfer->cores = options->core;
	if (transfer->ncores == nworkers)
		return 0;
	return fault_set(fault, -EINVAL,
		"--cores %.60s: %u CPUs for %u workers; name one for every queue of "
		"every "
		"--dev",
		options->cores, transfer->ncores, nworkers);
}

static int resolve_device(struct device_options *options, size_t at, struct fault *fault)
{
	struct transfer_device *device = &options->devices[at];
	int err;

	*device = (struct transfer_device){
		.dev = options->devs.items[at], .mtu = (uint32_t)options->mtu};
	if (options->rate_bps != RATE_UNLIMITED)
		device->rate_bps = options->rate_bps;
	device->burst = options->burst;
	err = route_parse_ip(
		options->ips.items[at], &device->ip, &device->prefix_len, fault);
	if (err != 0) {
		fault_prefix(fault, "--ip");
		return err;
	}
	err = resolve_queues(queues_of(options, at), &device->queues, fault);
	if (err == 0 && options->vlans.count != 0)
		err = resolve_vlan(options->vlans.items[at], &device->vlan, fault);
	if (err != 0 || options->gateways.count == 0)
		return err;
	err = route_parse_gateway(options->gateways.items[at], device, fault);
	fault_prefix(fault, "--gateway");
	return err;
}

static bool is_on_a_link(const struct device_options *options, const struct ip *ip)
{
	for (size_t i = 0; i < options->devs.count; i++) {
		const struct transfer_device *device = &options->devices[i];

		if (ip_is_on_link(ip, &device->ip, device->prefix_len))
			return true;
	}
	return false;
}

static int resolve_neighbor(
	struct device_options *options, size_t at, struct fault *fault)
{
	const char *text = options->neighbors.items[at];
	int err = route_parse_neighbor(text, &options->neighbor[at], fault);

	if (err == 0 && !is_on_a_link(options, &options->neighbor[at].ip))
		err = fault_set(fault, -EINVAL,
			"%.80s: no --ip has it in its subnet; set the MAC of the "
			"--gateway instead",
			text);
	fault_prefix(fault, "--neighbor");
	return err;
}

static int check_counts(const struct device_options *options, struct fault *fault)
{
	size_t count = options->devs.count;

	if (count > TRANSFER_DEVICES_MAX)
		return fault_set(fault, -EINVAL, "--dev: at most %d devices",
			TRANSFER_DEVICES_MAX);
	if (options->ips.count != count ||
		(options->gateways.count != 0 && options->gateways.count != count))
		return fault_set(fault, -EINVAL,
			"%zu --dev, %zu --ip and %zu --gateway: give one --ip for every "
			"--dev, and as many --gateway or none",
			count, options->ips.count, options->gateways.count);
	if (options->vlans.count != 0 && options->vlans.count != count)
		return fault_set(fault, -EINVAL,
			"%zu --dev and %zu --vlan: give one --vlan for every --dev, 0 "
			"where there is none",
			count, options->vlans.count);
	if (options->queues.count > 1 && options->queues.count != count)
		return fault_set(fault, -EINVAL,
			"%zu --dev and %zu --queues: give one for all, or one for every "
			"--dev",
			count, options->queues.count);
	if (options->neighbors.count > TRANSFER_NEIGHBORS_MAX)
		return fault_set(
			fault, -EINVAL, "--neighbor: at most %d", TRANSFER_NEIGHBORS_MAX);
	return 0;
}

int device_options_resolve(struct device_options *options,
	struct transfer_options *transfer, struct fault *fault)
{
	size_t count = options->devs.count;
	enum cc_kind cc;
	int err;

	err = check_counts(options, fault);
	if (err != 0)
		return err;
	if (!cc_parse(options->cc, &cc))
		return fault_set(fault, -EINVAL,
			"--cc %s: congestion control is auto, swift, fixed or aimd",
			options->cc);
	for (size_t i = 0; i < count && err == 0; i++)
		err = resolve_device(options, i, fault);
	for (size_t i = 0; i < options->neighbors.count && err == 0; i++)
		err = resolve_neighbor(options, i, fault);
	if (err != 0)
		return err;
	*transfer = (struct transfer_options){
		.devices = options->devices,
		.ndevices = (uint32_t)count,
		.neighbors = options->neighbor,
		.nneighbors = (uint32_t)options->neighbors.count,
		.buffers = (uint32_t)options->buffers,
		.buffer_size = (uint32_t)options->buffer_size,
		.window = (uint32_t)options->window,
		.cc = cc,
		.disk_rate_bps = options->disk_rate_bps,
		.auto_ceiling = options->auto_latency,
		.stall_timeout = options->stall_timeout,
	};
	return options->cores == NULL ? 0 : resolve_cores(options, transfer, fault);
}
