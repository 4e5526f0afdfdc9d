/* SPDX-License-Identifier: BSD-3-Clause */
/* Cycles a packet through real DPDK ports, the driver and our filling of packets
 * included.
 *
 *   port null SLICE [RUNS]           the nic alone, on net_null: what no protocol can
 * beat port ring SLICE [RUNS [CHUNKS]]  both ends on one thread, over two net_ring ports:
 *
 *      sender ──tx──► net_ring0 ──rx──► receiver        (a ring loops back, so what one
 *      sender ◄──rx── net_ring1 ◄──tx── receiver         end sends is the other's to
 * take)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <x86intrin.h>

#include "bench/end.h"
#include "bench/sample.h"
#include "dataplane/dpdk/eal.h"
#include "dataplane/dpdk/memif_guard.h"
#include "dataplane/dpdk/nic_dpdk.h"

enum { MTU = 9000, BURSTS = 20000, MEMORY = 64 << 20 };

struct ports {
	struct eal *eal;
	struct nic_dpdk *dpdk[2];
	struct nic nics[2];
};

/* An end's nic: sends into one port, receives from the other. */
struct cross {
	struct nic *out;
	struct nic *in;
	uint64_t packets; /* of data, sent */
};

static void give_up(const struct fault *fault)
{
	(void)fprintf(stderr, "port: %s\n", fault->text);
	exit(EX_UNAVAILABLE);
}

static void open_ports(struct ports *ports, const char *const devices[], uint32_t count)
{
	struct eal_options options = {.devices = devices, .ndevices = count};
	struct fault fault = {0};

	options.memory = MEMORY;
	for (uint32_t i = 0; i < count; i++) {
		struct nic_dpdk_options nic = {.dev = devices[i], .mtu = MTU};

		options.memory += nic_dpdk_memory(&nic);
	}
	if (eal_start(&ports->eal, &options, &fault) != 0 ||
		memif_guard_start(&fault) != 0)
		give_up(&fault);
	for (uint32_t i = 0; i < count; i++) {
		struct nic_dpdk_options nic = {.dev = devices[i], .mtu = MTU};

		if (nic_dpdk_open(&ports->dpdk[i], &ports->nics[i], ports->eal, &nic,
			    &fault) != 0)
			give_up(&fault);
	}
}

static void close_ports(struct ports *ports, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		nic_dpdk_close(ports->dpdk[i]);
	eal_stop(ports->eal);
}

static int cross_rx(void *self, struct nic_rx frames[], int max)
{
	struct cross *cross = self;

	return cross->in->ops->rx(cross->in->self, frames, max);
}

static void cross_release(void *self, struct nic_rx frames[], int count)
{
	struct cross *cross = self;

	cross->in->ops->release(cross->in->self, frames, count);
}

static int cross_tx(void *self, const struct nic_tx frames[], int count)
{
	struct cross *cross = self;
	int taken = cross->out->ops->tx(cross->out->self, frames, count);

	for (int i = 0; i < taken; i++)
		cross->packets += frames[i].payload_len != 0;
	return taken;
}

static const struct nic_ops cross_ops = {cross_rx, cross_release, cross_tx};

static void run_ring(
	struct ports *ports, const struct end_plan *plan, uint32_t slice, bool is_warm_up)
{
	struct cross crosses[2] = {0};
	struct end *ends[2];

	for (int i = 0; i < 2; i++) {
		ends[i] = end_open(plan, i, slice);
		crosses[i] = (struct cross){&ports->nics[i], &ports->nics[1 - i], 0};
		ends[i]->nic = ports->nics[i];
		ends[i]->nic.ops = &cross_ops;
		ends[i]->nic.self = &crosses[i];
		end_start(ends[i]);
	}
	while (!ends[1]->has_ended) {
		(void)end_turn(ends[0]);
		(void)end_turn(ends[1]);
	}
	/* the last acknowledgements are not the next run's */
	for (int i = 0; i < 1000; i++)
		(void)end_turn(ends[0]);
	for (int i = 0; i < 2 && !is_warm_up; i++)
		sample_cycles(slice, i == 0 ? "sender" : "receiver",
			(double)ends[i]->busy / (double)crosses[0].packets);
	for (int i = 0; i < 2; i++)
		end_close(ends[i]);
}

static void ring(uint32_t slice, uint32_t runs, uint32_t chunks)
{
	static const char *const devices[] = {"net_ring0", "net_ring1"};
	struct ports ports = {0};
	struct end_plan plan;

	end_plan_init(&plan, chunks);
	open_ports(&ports, devices, 2);
	run_ring(&ports, &plan, slice, true);
	for (uint32_t i = 0; i < runs; i++)
		run_ring(&ports, &plan, slice, false);
	close_ports(&ports, 2);
	end_plan_fini(&plan);
}

static double send_bursts(const struct nic *nic, const uint8_t *payload, uint32_t slice)
{
	static struct nic_tx frames[NIC_BURST];
	uint64_t start, sent = 0;

	for (uint32_t i = 0; i < NIC_BURST; i++)
		frames[i] =
			(struct nic_tx){.head_len = ETHER_UDP_HEADERS + WIRE_HEADER_LEN,
				.payload = payload + (size_t)i * slice,
				.payload_len = slice};
	start = __rdtsc();
	for (uint32_t i = 0; i < BURSTS; i++)
		sent += (uint64_t)nic->ops->tx(nic->self, frames, NIC_BURST);
	return (double)(__rdtsc() - start) / (double)sent;
}

static double receive_bursts(const struct nic *nic)
{
	struct nic_rx frames[NIC_BURST];
	uint64_t start = __rdtsc(), received = 0;

	for (uint32_t i = 0; i < BURSTS; i++) {
		int count = nic->ops->rx(nic->self, frames, NIC_BURST);

		nic->ops->release(nic->self, frames, count);
		received += (uint64_t)count;
	}
	return (double)(__rdtsc() - start) / (double)received;
}

static void null(uint32_t slice, uint32_t runs)
{
	static const char *const devices[] = {"net_null0"};
	uint8_t *payload = calloc(NIC_BURST, slice);
	struct ports ports = {0};

	if (payload == NULL)
		exit(EX_OSERR);
	open_ports(&ports, devices, 1);
	for (uint32_t i = 0; i < runs + 1; i++) {
		double tx = send_bursts(&ports.nics[0], payload, slice);
		double rx = receive_bursts(&ports.nics[0]);

		if (i == 0)
			continue; /* warm-up */
		sample_cycles(slice, "nic sends", tx);
		sample_cycles(slice, "nic receives", rx);
	}
	close_ports(&ports, 1);
	free(payload);
}

int main(int argc, char *argv[])
{
	const char *what = argc > 1 ? argv[1] : "";
	uint32_t slice = sample_number(argc, argv, 2, 8192);
	uint32_t runs = sample_number(argc, argv, 3, 5);

	if (strcmp(what, "null") == 0) {
		null(slice, runs);
	} else if (strcmp(what, "ring") == 0) {
		ring(slice, runs, sample_number(argc, argv, 4, 512));
	} else {
		(void)fputs("usage: port null|ring SLICE [RUNS [CHUNKS]]\n", stderr);
		return EX_USAGE;
	}
	return EX_OK;
}
