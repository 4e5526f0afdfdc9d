/* SPDX-License-Identifier: BSD-3-Clause */
/* Two workers on a simulated link with a virtual clock: one seed, one story.
 *
 *   end 0 (sender)  ──►[loss, duplication, corruption, delay, jitter]──►  end 1
 * (receiver) ▲                                                                     │
 *        └──────────────────────── the same the other way ◄────────────────────┘
 *
 * Disks are simulated too: reads take their time and come back in any order, and the
 * bytes of a chunk are a function of the seed, so that a gigabyte needs no gigabyte. */
#ifndef WORLD_H
#define WORLD_H

#include "dataplane/worker.h"
#include "hugepages/arena.h"
#include "hugepages/pool.h"

enum { WORLD_FRAMES = 8192, WORLD_REQUESTS = 64, WORLD_FRAME_MAX = 9216 };

struct world_link {
	uint32_t loss_ppm;
	uint32_t duplicate_ppm;
	uint32_t corrupt_ppm; /* one to eight bits of the frame flip */
	uint32_t reorder_ppm; /* the frame is held back by up to 20 delays */
	nsec delay;           /* one way */
	nsec jitter;          /* uniform, on top */
};

struct world_options {
	uint64_t seed;
	struct world_link link; /* both directions */
	uint32_t slice_size;    /* bytes */
	uint32_t chunk_size;    /* bytes */
	uint32_t buffers;       /* chunk buffers at each end */
	const uint64_t *sizes;  /* of the snapshot's files */
	size_t nfiles;
	nsec stall_timeout;
	nsec disk_delay; /* up to this for each read or write */
};

struct world_disk_request {
	bool used;
	nsec done_at;
	struct store_request request;
};

struct world;

struct world_end {
	struct world *world;
	int number;
	struct worker worker;
	struct nic nic;
	struct store store;
	struct arena arena;
	struct pool pool;
	void *memory;
	struct session *session;
	struct world_disk_request disk[WORLD_REQUESTS];
	int disk_error;        /* every request fails with it */
	uint32_t rotten_chunk; /* this chunk reads with a flipped bit; UINT32_MAX: none */
	bool rot_heals;        /* only the first read is wrong */
	bool is_cut;           /* its frames go nowhere */
	struct transfer_report last;
	uint32_t nreports[3]; /* by event */
	uint64_t frames_sent;
	uint64_t bytes_sent; /* on the wire, overhead included */
};

struct world_frame {
	nsec at; /* arrival */
	int to;
	uint32_t len;
	uint8_t bytes[WORLD_FRAME_MAX];
};

struct world {
	struct world_options options;
	uint64_t random;
	nsec now;
	struct world_end ends[2];
	struct manifest manifest;
	uint8_t *
		image; /* what the receiver's disk holds: the chunks, one after another */
	uint32_t *writes; /* how often each chunk was written */
	uint32_t nframes;
	struct world_frame *frames[WORLD_FRAMES]; /* in flight, in no order */
	uint32_t nspare;
	struct world_frame *spare[WORLD_FRAMES];
	struct world_frame *received[2][NIC_BURST]; /* lent to a worker */
};

struct world *world_create(const struct world_options *options);
void world_destroy(struct world *world);

uint32_t world_random(struct world *world, uint32_t below);

/* One turn of both workers, then the clock moves on: a little when something happened,
 * else to the next event. */
void world_step(struct world *world);

/* Steps until the receiver has ended and the sender knows, or the virtual deadline
 * passed. Returns whether both ended. */
bool world_run_until_end(struct world *world, nsec deadline);

/* Whether every chunk on the receiver's disk is what the manifest says, written once. */
bool world_is_identical(const struct world *world);

/* Puts a frame of our own making on the link. */
void world_inject(struct world *world, int to, const uint8_t *bytes, uint32_t len);

#endif
