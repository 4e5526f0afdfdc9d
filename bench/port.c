/* SPDX-License-Identifier: BSD-3-Clause */
/* Cycles a packet through real DPDK ports, the driver and our filling of packets
 * included.
 *
 *   port null SLICE [RUNS]             the nic alone, on net_null: what no protocol can
 *                                      beat
 *   port ring SLICE [RUNS [CHUNKS]]    both ends on one thread, over two net_ring ports
 *   port gather SLICE [RUNS [CHUNKS]]  the same, and the sender's frames refer to their
 *                                      payload in the chunk buffer, as a NIC takes them;
 *                                      the receiver's port copies them, as a NIC would
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <x86intrin.h>

#include "bench/end.h"
#include "bench/ports.h"
#include "bench/sample.h"

enum { BURSTS = 20000 };

static void run_ends(struct end *const ends[2])
{
	for (int i = 0; i < 2; i++)
		end_start(ends[i]);
	while (!ends[1]->has_ended) {
		(void)end_turn(ends[0]);
		(void)end_turn(ends[1]);
	}
	/* the last acknowledgements are not the next run's */
	for (int i = 0; i < 1000; i++)
		(void)end_turn(ends[0]);
}

struct rings {
	struct ports ports;
	struct end_plan plan;
	uint32_t slice;
	bool gathers;
};

static void run_once(struct rings *rings, bool is_warm_up)
{
	struct cross crosses[2];
	struct end *ends[2];

	for (int i = 0; i < 2; i++) {
		ends[i] = end_open(&rings->plan, i, rings->slice);
		ends[i]->nic = ports_cross(&rings->ports, &crosses[i], i);
	}
	if (rings->gathers && is_warm_up) /* the buffers stay the same */
		ports_share(&rings->ports, ends[0]);
	run_ends(ends);
	for (int i = 0; i < 2 && !is_warm_up; i++) {
		double cycles = end_ticks(ends[i]) / (double)crosses[0].packets;

		if (!rings->gathers)
			sample_cycles(
				rings->slice, i == 0 ? "sender" : "receiver", cycles);
		else if (i == 0)
			sample_cycles(rings->slice, "sender, gathering", cycles);
	}
	for (int i = 0; i < 2; i++)
		end_close(ends[i]);
}

/* By its other name a net_ring is believed to gather. */
static void run_rings(bool gathers, uint32_t slice, uint32_t runs, uint32_t chunks)
{
	static const char *const names[2][2] = {
		{"net_ring0", "net_ring1"}, {"eth_ring0", "eth_ring1"}};
	struct rings rings = {.slice = slice, .gathers = gathers};

	end_plan_init(&rings.plan, chunks);
	ports_open(&rings.ports, names[gathers], 2);
	for (uint32_t i = 0; i <= runs; i++)
		run_once(&rings, i == 0);
	ports_close(&rings.ports);
	end_plan_fini(&rings.plan);
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
	ports_open(&ports, devices, 1);
	for (uint32_t i = 0; i < runs + 1; i++) {
		double tx = send_bursts(&ports.nics[0], payload, slice);
		double rx = receive_bursts(&ports.nics[0]);

		if (i == 0)
			continue; /* warm-up */
		sample_cycles(slice, "nic sends", tx);
		sample_cycles(slice, "nic receives", rx);
	}
	ports_close(&ports);
	free(payload);
}

int main(int argc, char *argv[])
{
	const char *what = argc > 1 ? argv[1] : "";
	uint32_t slice = sample_number(argc, argv, 2, 8192);
	uint32_t runs = sample_number(argc, argv, 3, 5);

	if (strcmp(what, "null") == 0) {
		null(slice, runs);
	} else if (strcmp(what, "ring") == 0 || strcmp(what, "gather") == 0) {
		run_rings(strcmp(what, "gather") == 0, slice, runs,
			sample_number(argc, argv, 4, 512));
	} else {
		(void)fputs(
			"usage: port null|ring|gather SLICE [RUNS [CHUNKS]]\n", stderr);
		return EX_USAGE;
	}
	return EX_OK;
}
