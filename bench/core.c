/* SPDX-License-Identifier: BSD-3-Clause */
/* core SLICE [RUNS [CHUNKS]]: cycles a packet of the pure core: two workers, a link in
 * memory, no NIC, no disk.
 *
 *   sender's worker ─► [frames in memory] ─► receiver's worker
 *
 * What the link costs is measured and taken off, so that what remains is ours: the
 * sender's protocol, framing and MAC; the receiver's parsing, MAC, CRC and copy. Idle
 * turns are not counted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <x86intrin.h>

#include "bench/end.h"
#include "bench/sample.h"

enum { LINK_FRAMES = 512, FRAME_MAX = 9216 };

struct frame {
	uint32_t len;
	uint8_t bytes[FRAME_MAX];
};

struct link {
	uint32_t head;
	uint32_t tail;
	struct frame frames[LINK_FRAMES];
};

/* One end's nic. */
struct port {
	struct end *end;
	struct link *out;
	struct link *in;
	uint64_t packets; /* of data, sent */
};

static int link_tx(void *self, const struct nic_tx frames[], int count)
{
	uint64_t start = __rdtsc();
	struct port *port = self;
	struct link *link = port->out;
	int taken = 0;

	for (; taken < count && link->head - link->tail < LINK_FRAMES; taken++) {
		struct frame *frame = &link->frames[link->head++ % LINK_FRAMES];
		const struct nic_tx *tx = &frames[taken];

		frame->len = tx->head_len + tx->payload_len;
		memcpy(frame->bytes, tx->head, tx->head_len);
		if (tx->payload_len != 0)
			memcpy(frame->bytes + tx->head_len, tx->payload, tx->payload_len);
		port->packets += tx->payload_len != 0;
	}
	port->end->foreign += __rdtsc() - start;
	return taken;
}

static int link_rx(void *self, struct nic_rx frames[], int max)
{
	const struct port *port = self;
	struct link *link = port->in;
	int count = 0;

	for (; count < max && link->tail + (uint32_t)count != link->head; count++) {
		struct frame *frame =
			&link->frames[(link->tail + (uint32_t)count) % LINK_FRAMES];

		frames[count] = (struct nic_rx){frame->bytes, frame->len, frame, false};
	}
	return count;
}

static void link_release(void *self, struct nic_rx frames[], int count)
{
	const struct port *port = self;

	(void)frames;
	port->in->tail += (uint32_t)count;
}

static const struct nic_ops link_ops = {link_rx, link_release, link_tx};

static void run(const struct end_plan *plan, uint32_t slice_size, bool is_warm_up)
{
	struct link *links = calloc(2, sizeof(*links));
	struct port ports[2] = {0};

	if (links == NULL)
		exit(EX_OSERR);
	for (int i = 0; i < 2; i++) {
		ports[i].end = end_open(plan, i, slice_size);
		ports[i].out = &links[i];
		ports[i].in = &links[1 - i];
		ports[i].end->nic = (struct nic){
			&link_ops, &ports[i], {2, 0, 0, 0, 0, (uint8_t)i}, 9000, false};
		end_start(ports[i].end);
	}
	while (!ports[1].end->has_ended) {
		(void)end_turn(ports[0].end);
		(void)end_turn(ports[1].end);
	}
	for (int i = 0; i < 2 && !is_warm_up; i++)
		sample_cycles(slice_size, i == 0 ? "sender" : "receiver",
			end_ticks(ports[i].end) / (double)ports[0].packets);
	for (int i = 0; i < 2; i++)
		end_close(ports[i].end);
	free(links);
}

int main(int argc, char *argv[])
{
	uint32_t slice_size = sample_number(argc, argv, 1, 8192);
	uint32_t runs = sample_number(argc, argv, 2, 5);
	struct end_plan plan;

	end_plan_init(&plan, sample_number(argc, argv, 3, 512));
	run(&plan, slice_size, true);
	for (uint32_t i = 0; i < runs; i++)
		run(&plan, slice_size, false);
	end_plan_fini(&plan);
	return EX_OK;
}
