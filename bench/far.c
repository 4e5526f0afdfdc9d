/* SPDX-License-Identifier: BSD-3-Clause */
/* What distance and loss cost in real time: two net_ring ports, both ends on one thread,
 * and behind each port the shim of tests/dpdk, which delays and loses what arrives. A
 * link of 10 Gb/s as in the simulator (network.c), to be compared with it.
 *
 *   far rtt MS MIB [RUNS]         goodput at so many milliseconds of round trip
 *   far loss PERCENT MIB [RUNS]   bytes on the wire for one byte of the snapshot
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "bench/end.h"
#include "bench/ports.h"
#include "bench/sample.h"
#include "dataplane/inflight.h"
#include "tests/dpdk/world/shim.h"

#define RATE_BPS ((uint64_t)10000000000)
#define LIMIT (8 * SEC) /* a run; what has come by then counts */

enum { SLICE = 8192 };

static const char *const devices[] = {"net_ring0", "net_ring1"};

struct way {
	const char *what;
	uint32_t number; /* milliseconds or percent */
	bool is_rtt;
	struct end_plan plan;
	struct ports ports;
	struct shim *shims[2];
};

static void set_out(struct way *way, uint32_t seed)
{
	for (uint32_t i = 0; i < 2; i++) {
		const struct shim_faults faults = {
			.seed = (uint64_t)seed * 2 + i,
			.delay = way->is_rtt ? way->number * MSEC / 2 : 20 * USEC,
			.loss_ppm = way->is_rtt ? 0 : way->number * 10000,
			.rate_bps = RATE_BPS,
			.queue = 4 * MIB,
			.hold = SHIM_HOLD_MAX,
		};

		shim_order(way->shims[i], &faults);
	}
	way->plan.generation = seed; /* what is still under way is nobody's then */
}

static void tell(const struct way *way, uint64_t bytes, uint64_t wire_bytes, nsec elapsed)
{
	char name[32];

	(void)snprintf(name, sizeof(name), way->is_rtt ? "RTT %u ms" : "loss %u %%",
		way->number);
	if (!way->is_rtt)
		sample(name, "real time", "wire bytes/byte",
			(double)wire_bytes / (double)bytes);
	sample(name, way->is_rtt ? "real time" : "real time goodput", "Gb/s",
		(double)bytes * 8 / (double)elapsed);
}

static int run(struct way *way, uint32_t seed)
{
	struct cross crosses[2];
	struct end *ends[2];
	nsec start, now;
	int code;

	set_out(way, seed);
	for (int i = 0; i < 2; i++) {
		ends[i] = end_open(&way->plan, i, SLICE);
		ends[i]->nic = ports_cross(&way->ports, &crosses[i], i);
	}
	start = now = sample_clock();
	for (int i = 0; i < 2; i++)
		end_start(ends[i]);
	for (; !ends[1]->has_ended && now - start < LIMIT; now = sample_clock()) {
		(void)end_turn(ends[0]);
		(void)end_turn(ends[1]);
	}
	code = ends[1]->code;
	if (code == 0)
		tell(way, end_bytes_done(ends[1]), crosses[0].bytes, now - start);
	else
		(void)fprintf(stderr, "far: %s %u, seed %u: %s\n", way->what, way->number,
			seed, strerror(-code));
	for (int i = 0; i < 2; i++)
		end_close(ends[i]);
	return code == 0 ? EX_OK : EX_SOFTWARE;
}

int main(int argc, char *argv[])
{
	uint32_t runs = sample_number(argc, argv, 4, 3);
	struct way way = {0};
	int status = EX_OK;

	if (argc < 3 || (strcmp(argv[1], "rtt") != 0 && strcmp(argv[1], "loss") != 0)) {
		(void)fputs("usage: far rtt|loss N [MIB [RUNS]]\n", stderr);
		return EX_USAGE;
	}
	way.what = argv[1];
	way.number = sample_count(argc, argv, 2);
	way.is_rtt = strcmp(way.what, "rtt") == 0;
	end_plan_init(&way.plan, sample_number(argc, argv, 3, 256));
	way.plan.cc = CC_SWIFT;
	way.plan.window = INFLIGHT_WINDOW_MAX;
	ports_open(&way.ports, devices, 2);
	for (int i = 0; i < 2; i++)
		if (shim_open(&way.shims[i], devices[i]) != 0)
			return EX_OSERR;
	for (uint32_t seed = 1; seed <= runs && status == EX_OK; seed++)
		status = run(&way, seed);
	ports_close(&way.ports);
	for (int i = 0; i < 2; i++)
		shim_close(way.shims[i]);
	end_plan_fini(&way.plan);
	return status;
}
