/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/ports.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "bench/end.h"
#include "dataplane/dpdk/memif_guard.h"

enum { MEMORY = 64 << 20 };

static void give_up(const struct fault *fault)
{
	(void)fprintf(stderr, "bench: %s\n", fault->text);
	exit(EX_UNAVAILABLE);
}

void ports_open(struct ports *ports, const char *const devices[], uint32_t count)
{
	struct eal_options options = {
		.devices = devices, .ndevices = count, .memory = MEMORY};
	struct nic_dpdk_options nics[PORTS_MAX];
	struct fault fault = {0};

	ports->count = count;
	for (uint32_t i = 0; i < count; i++) {
		nics[i] = (struct nic_dpdk_options){.dev = devices[i], .mtu = PORTS_MTU};
		options.memory += nic_dpdk_memory(&nics[i]);
	}
	if (eal_start(&ports->eal, &options, &fault) != 0 ||
		memif_guard_start(&fault) != 0)
		give_up(&fault);
	for (uint32_t i = 0; i < count; i++)
		if (nic_dpdk_open(&ports->dpdk[i], &ports->nics[i], ports->eal, &nics[i],
			    &fault) != 0)
			give_up(&fault);
}

void ports_share(const struct ports *ports, const struct end *end)
{
	const struct nic_dpdk_memory memory = {.base = end->pool.buffers,
		.iova = (uintptr_t)end->pool.buffers, /* no device is behind it */
		.count = end->pool.count,
		.step = end->pool.step};
	struct fault fault = {0};

	if (nic_dpdk_share(ports->dpdk[0], 0, &memory, &fault) != 0)
		give_up(&fault);
}

void ports_close(struct ports *ports)
{
	for (uint32_t i = 0; i < ports->count; i++)
		nic_dpdk_close(ports->dpdk[i]);
	eal_stop(ports->eal);
}

static int cross_rx(void *self, struct nic_rx frames[], int max)
{
	const struct cross *cross = self;

	return cross->in->ops->rx(cross->in->self, frames, max);
}

static void cross_release(void *self, struct nic_rx frames[], int count)
{
	const struct cross *cross = self;

	cross->in->ops->release(cross->in->self, frames, count);
}

static int cross_tx(void *self, const struct nic_tx frames[], int count)
{
	struct cross *cross = self;
	int taken = cross->out->ops->tx(cross->out->self, frames, count);

	cross->packets += end_data(frames, taken);
	for (int i = 0; i < taken; i++)
		cross->bytes +=
			frames[i].head_len + frames[i].payload_len + ETHER_WIRE_OVERHEAD;
	return taken;
}

struct nic ports_cross(struct ports *ports, struct cross *cross, int number)
{
	static const struct nic_ops ops = {cross_rx, cross_release, cross_tx};
	struct nic nic = ports->nics[number];

	*cross = (struct cross){
		.out = &ports->nics[number], .in = &ports->nics[1 - number]};
	nic.ops = &ops;
	nic.self = cross;
	return nic;
}
