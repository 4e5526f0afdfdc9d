/* SPDX-License-Identifier: BSD-3-Clause */
/* Where loss says nothing about load, it costs the time of what it takes, and no more:
 * with a fixed window everything is sent 1 / (1 - p) times, without a pause, and with
 * swift, once it has found out that a smaller window loses as much. SEED=n replays one
 * seed, SEEDS=n runs 3 n / 250 a row (make soak). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/sim/world/world.h"

enum { MILLION = 1000000, SEEDS_DEFAULT = 3, BURST = 8 };

#define RATE (10000 * (uint64_t)MILLION) /* bits a second */
#define SIZE (64 * MIB)

static const uint64_t sizes[] = {SIZE};
static const uint32_t losses[] = {0, 1000, 10000, 50000, 100000, 200000}; /* ppm */

/* Of one row, over all seeds. */
struct bill {
	uint64_t packets;
	uint64_t probes;
	nsec time;
	nsec ideal;
};

static struct world_options options_of(
	uint64_t seed, enum cc_kind cc, uint32_t ppm, uint32_t burst)
{
	return (struct world_options){
		.seed = seed,
		.link = {.delay = 20 * USEC,
			.jitter = 2 * USEC,
			.rate_bps = RATE,
			.loss_ppm = ppm,
			.loss_burst = burst},
		.slice_size = WIRE_SLICE_MAX,
		.chunk_size = MANIFEST_CHUNK_DEFAULT,
		.buffers = 64,
		.sizes = sizes,
		.nfiles = 1,
		.stall_timeout = 5 * SEC,
		.disk_delay = 100 * USEC,
		.cc = cc,
		.window = 256,
		.discards = true,
	};
}

/* What a link needs for every packet once, and again for those that are lost behind it.
 * This one loses them before it: at 20 % the bar is a quarter wider than it looks. */
static nsec ideal_of(uint64_t bytes, uint32_t ppm)
{
	uint64_t wire = bytes + bytes / WIRE_SLICE_MAX *
					(ETHER_UDP_HEADERS + WIRE_HEADER_LEN +
						ETHER_WIRE_OVERHEAD);

	return (nsec)((double)wire * 8 * (double)SEC / (double)RATE * MILLION /
		      (MILLION - ppm));
}

/* From the first slice to the last chunk: 64 MiB stand for a snapshot that takes minutes,
 * beside which a PULL or a CLOSE that is lost, 5 and 20 ms, is nothing. */
static void tell(const struct world_options *options, struct bill *bill)
{
	struct world *world = world_create(options);
	const struct receiver *receiver = &world->ends[1].session->machine.receiver;
	const struct inflight *inflight =
		&world->ends[0].session->machine.sender.inflight;
	nsec start;

	while (receiver->seen_units == 0 && world->now < 60 * SEC)
		world_step(world);
	start = world->now;
	while (receiver->nleft > 0 && world->now < 60 * SEC)
		world_step(world);
	bill->time += world->now - start;
	if (!world_run_until_end(world, start + 60 * SEC) || world->ends[1].last.code)
		fail_msg("SEED=%llu: does not end", (unsigned long long)options->seed);
	bill->ideal += ideal_of(receiver->bytes_written, options->link.loss_ppm);
	bill->packets += inflight->next_pn;
	bill->probes += inflight->nprobes;
	world_destroy(world);
}

static struct bill run(const char *name, enum cc_kind cc, uint32_t ppm, uint32_t burst)
{
	const char *only = getenv("SEED"), *many = getenv("SEEDS");
	uint64_t first = only != NULL ? strtoull(only, NULL, 10) : 1;
	uint64_t last = only != NULL ? first : SEEDS_DEFAULT;
	struct bill bill = {0};

	if (only == NULL && many != NULL)
		last = strtoull(many, NULL, 10) * SEEDS_DEFAULT / 250 + 1;
	for (uint64_t seed = first; seed <= last; seed++) {
		struct world_options options = options_of(seed, cc, ppm, burst);

		tell(&options, &bill);
	}
	print_message("table: %-6s %6.1f %% loss, bursts of %u  %2llu seeds  time/ideal "
		      "%5.2f  probes/packet %.5f\n",
		name, ppm / 1e4, burst, (unsigned long long)(last - first + 1),
		(double)bill.time / (double)bill.ideal,
		(double)bill.probes / (double)bill.packets);
	return bill;
}

static void check(const struct bill *bill, const char *name, uint32_t ppm)
{
	if (bill->time * 100 > bill->ideal * 115)
		fail_msg("%s at %u ppm: %.2f of the ideal time", name, ppm,
			(double)bill->time / (double)bill->ideal);
	if (bill->probes * 1000 > bill->packets)
		fail_msg("%s at %u ppm: %llu probes of %llu packets", name, ppm,
			(unsigned long long)bill->probes,
			(unsigned long long)bill->packets);
}

/* Packet by packet, and in bursts. */
static void each_loss(const char *name, enum cc_kind cc)
{
	for (size_t i = 0; i < ARRAY_LEN(losses); i++) {
		uint32_t longest = losses[i] == 0 ? 1 : BURST;

		for (uint32_t burst = 1; burst <= longest; burst += BURST - 1) {
			struct bill bill = run(name, cc, losses[i], burst);

			check(&bill, name, losses[i]);
		}
	}
}

static void random_loss_costs_the_time_of_what_it_takes(void **state)
{
	(void)state;
	each_loss("fixed", CC_FIXED);
}

static void swift_keeps_up_with_losses_that_are_not_its_own(void **state)
{
	(void)state;
	each_loss("swift", CC_SWIFT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_loss_costs_the_time_of_what_it_takes),
		cmocka_unit_test(swift_keeps_up_with_losses_that_are_not_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
