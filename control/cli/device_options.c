/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/device_options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/route.h"

enum { WINDOW = 2048 }; /* packets in flight a session */

static int resolve_device(struct device_options *options, size_t at, struct fault *fault)
{
	struct transfer_device *device = &options->devices[at];
	int err;

	*device = (struct transfer_device){
		.dev = options->devs.items[at], .mtu = (uint32_t)options->mtu};
	err = route_parse_ip(
		options->ips.items[at], &device->ip, &device->prefix_len, fault);
	if (err != 0) {
		fault_prefix(fault, "--ip");
		return err;
	}
	if (options->gateways.count == 0)
		return 0;
	err = route_parse_gateway(options->gateways.items[at], device, fault);
	fault_prefix(fault, "--gateway");
	return err;
}

int device_options_resolve(struct device_options *options,
	struct transfer_options *transfer, struct fault *fault)
{
	size_t count = options->devs.count;
	enum cc_kind cc;

	if (count > TRANSFER_DEVICES_MAX)
		return fault_set(fault, -EINVAL, "--dev: at most %d devices",
			TRANSFER_DEVICES_MAX);
	if (options->ips.count != count ||
		(options->gateways.count != 0 && options->gateways.count != count))
		return fault_set(fault, -EINVAL,
			"%zu --dev, %zu --ip and %zu --gateway: give one --ip for every "
			"--dev, and as many --gateway or none",
			count, options->ips.count, options->gateways.count);
	if (!cc_parse(options->cc, &cc))
		return fault_set(fault, -EINVAL,
			"--cc %s: congestion control is auto, swift, fixed or aimd",
			options->cc);
	for (size_t i = 0; i < count; i++) {
		int err = resolve_device(options, i, fault);

		if (err != 0)
			return err;
	}
	*transfer = (struct transfer_options){
		.devices = options->devices,
		.ndevices = (uint32_t)count,
		.buffers = (uint32_t)options->buffers,
		.buffer_size = (uint32_t)options->buffer_size,
		.window = WINDOW,
		.cc = cc,
		.stall_timeout = options->stall_timeout,
	};
	return 0;
}
