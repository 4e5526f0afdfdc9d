/* SPDX-License-Identifier: BSD-3-Clause */
/* Two workers on a simulated link with a virtual clock: one seed, one story.
 *
 *   end 0 (sender) ──► pipe[1] ──► end 1 (receiver)
 *          ▲                          │
 *          └───────── pipe[0] ◄───────┘
 *
 * Disks are simulated too: reads take their time and come back in any order, and the
 * bytes of a chunk are a function of the seed, so that a gigabyte needs no gigabyte. */
#ifndef WORLD_H
#define WORLD_H

#include "dataplane/worker.h"
#include "hugepages/arena.h"
#include "hugepages/pool.h"
#include "tests/sim/world/link.h"

enum { WORLD_REQUESTS = 128, WORLD_SESSIONS = 4 };

struct world_options {
	uint64_t seed;
	struct world_link link; /* both directions */
	uint32_t slice_size;    /* bytes */
	uint32_t chunk_size;    /* bytes */
	uint32_t buffers;       /* chunk buffers at each end */
	const uint64_t *sizes;  /* of the snapshot's files */
	size_t nfiles;
	nsec stall_timeout;
	nsec disk_delay;    /* up to this for each read or write */
	uint32_t nsessions; /* each moves the whole snapshot; 0: one */
	enum cc_kind cc;
	uint32_t window;                  /* packets; 0: 1024 */
	uint32_t weights[WORLD_SESSIONS]; /* 0: the default */
	nsec start;                       /* the clock's first value; 0: one second */
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
	struct lease_source port_rate; /* unlimited at first */
	struct lease_source disk_rate;
	struct worker worker;
	struct nic nic;
	struct store store;
	struct arena arena;
	struct pool pool;
	void *memory;
	struct session *session; /* the first of them */
	struct session *sessions[WORLD_SESSIONS];
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

/* What the receiver's disk holds of one session. */
struct world_copy {
	uint8_t *image;   /* the chunks, one after another */
	uint32_t *writes; /* how often each chunk was written */
	uint8_t *sends;   /* how often each slice was sent, chunk after chunk */
};

struct world {
	struct world_options options;
	uint64_t random;
	nsec now;
	struct world_end ends[2];
	struct manifest manifest;
	struct world_copy copies[WORLD_SESSIONS];
	struct link_pipe pipes[2]; /* by the end they lead to */
	uint64_t launched;         /* frames */
	uint32_t nspare;
	struct link_frame *spare[2 * LINK_FRAMES + 2 * NIC_BURST];
};

struct world *world_create(const struct world_options *options);
void world_destroy(struct world *world);

/* Slices of a whole chunk. */
uint32_t world_slices(const struct world *world);

uint32_t world_random(struct world *world, uint32_t below);

/* One turn of both workers, then the clock moves on: a little when something happened,
 * else to the next event. */
void world_step(struct world *world);

/* Steps until the receiver has ended and the sender knows, or the virtual deadline
 * passed. Returns whether both ended. */
bool world_run_until_end(struct world *world, nsec deadline);

/* Whether every chunk on the receiver's disk is what the manifest says, written once, by
 * every session. */
bool world_is_identical(const struct world *world);

#endif
