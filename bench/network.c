/* SPDX-License-Identifier: BSD-3-Clause */
/* What distance, loss and the number of followers cost, in the simulated network: virtual
 * time, so this machine's speed has no part in it. A link of 10 Gb/s; the seed is the
 * run.
 *
 *   network rtt MS MIB [RUNS]         goodput at so many milliseconds of round trip
 *   network loss PERCENT MIB [RUNS]   bytes on the wire for one byte of the snapshot
 *   network followers N MIB [RUNS]    bytes the leader reads for one of the snapshot
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "bench/sample.h"
#include "tests/sim/world/world.h"

#define RATE_BPS ((uint64_t)10000000000)

struct story {
	const char *what;
	uint32_t number; /* milliseconds, percent or followers */
	uint64_t size;   /* bytes */
	uint64_t seed;
};

/* A disk that counts: the world's own does the work. */
struct counter {
	const struct store_ops *ops;
	const struct manifest *manifest;
	void *self;
	uint64_t bytes; /* read */
};

static bool count_submit(void *self, const struct store_request *request)
{
	struct counter *counter = self;

	if (!counter->ops->submit(counter->self, request))
		return false;
	if (request->op == STORE_READ)
		counter->bytes += manifest_chunk_len(counter->manifest, request->chunk);
	return true;
}

static int count_poll(void *self, struct store_completion completions[], int max)
{
	struct counter *counter = self;

	return counter->ops->poll(counter->self, completions, max);
}

static const struct store_ops count_ops = {count_submit, count_poll};

static struct world_options options_of(const struct story *story)
{
	bool is_rtt = strcmp(story->what, "rtt") == 0;
	bool is_loss = strcmp(story->what, "loss") == 0;
	uint32_t nfollowers = is_rtt || is_loss ? 1 : story->number;

	return (struct world_options){
		.seed = story->seed,
		.link = {.delay = is_rtt ? story->number * MSEC / 2 : 20 * USEC,
			.rate_bps = RATE_BPS,
			.queue = 4 * MIB,
			.loss_ppm = is_loss ? story->number * 10000 : 0},
		.slice_size = 8192,
		.chunk_size = MANIFEST_CHUNK_DEFAULT,
		.buffers = 64,
		.sizes = &story->size,
		.nfiles = 1,
		.stall_timeout = 30 * SEC,
		.disk_delay = 20 * USEC,
		.nsessions = nfollowers,
		.nreceivers = nfollowers,
		.uplink = true,
		.cc = CC_SWIFT,
		.window = INFLIGHT_WINDOW_MAX,
	};
}

static void tell(
	const struct story *story, const struct world *world, uint64_t read, nsec start)
{
	const struct world_end *sender = &world->ends[0];
	/* chunks of zeros are never sent */
	uint64_t sent =
		story->size - atomic_load(&world->ends[1].session->counters.bytes_reused);
	char name[32];

	if (strcmp(story->what, "rtt") == 0) {
		(void)snprintf(name, sizeof(name), "RTT %u ms", story->number);
		sample(name, "snapline", "Gb/s",
			(double)sent * 8 / (double)(world->now - start));
	} else if (strcmp(story->what, "loss") == 0) {
		(void)snprintf(name, sizeof(name), "loss %u %%", story->number);
		sample(name, "snapline", "wire bytes/byte",
			(double)sender->bytes_sent / (double)sent);
		sample(name, "goodput", "Gb/s",
			(double)sent * 8 / (double)(world->now - start));
	} else {
		(void)snprintf(name, sizeof(name), "%u followers", story->number);
		sample(name, "snapline", "bytes read/byte", (double)read / (double)sent);
	}
}

/* Until every follower has all of it. */
static bool run_all(struct world *world, uint32_t nsessions, nsec deadline)
{
	uint32_t ended = 0;

	while (ended < nsessions && world->now < deadline) {
		world_step(world);
		while (ended < nsessions &&
			world_receiver(world, ended)->sessions[ended]->is_reported)
			ended++;
	}
	return ended == nsessions && world_is_identical(world);
}

static int run(const struct story *story)
{
	struct world_options options = options_of(story);
	struct world *world = world_create(&options);
	struct store *store = &world->ends[0].store;
	struct counter counter = {store->ops, &world->manifest, store->self, 0};
	nsec start = world->now;
	int status = EX_OK;

	*store = (struct store){&count_ops, &counter};
	if (run_all(world, options.nsessions, start + 600 * SEC)) {
		tell(story, world, counter.bytes, start);
	} else {
		(void)fprintf(stderr, "network: %s %u does not end, seed %llu\n",
			story->what, story->number, (unsigned long long)story->seed);
		status = EX_SOFTWARE;
	}
	world_destroy(world);
	return status;
}

int main(int argc, char *argv[])
{
	uint32_t runs = sample_number(argc, argv, 4, 3);
	struct story story;
	int status = EX_OK;

	if (argc < 3 || (strcmp(argv[1], "rtt") != 0 && strcmp(argv[1], "loss") != 0 &&
				strcmp(argv[1], "followers") != 0)) {
		(void)fputs("usage: network rtt|loss|followers N [MIB [RUNS]]\n", stderr);
		return EX_USAGE;
	}
	story = (struct story){.what = argv[1],
		.number = sample_count(argc, argv, 2),
		.size = (uint64_t)sample_number(argc, argv, 3, 256) * MIB};
	if (strcmp(story.what, "followers") == 0 &&
		(story.number == 0 || story.number > WORLD_SESSIONS)) {
		(void)fprintf(stderr, "network: 1 to %d followers\n", WORLD_SESSIONS);
		return EX_USAGE;
	}
	for (story.seed = 1; story.seed <= runs && status == EX_OK; story.seed++)
		status = run(&story);
	return status;
}
