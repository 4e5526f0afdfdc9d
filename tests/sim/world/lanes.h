/* SPDX-License-Identifier: BSD-3-Clause */
/* Two ends with several workers each, on a virtual clock: a lane is a worker with its
 * queue, and the network chooses the lane a frame lands on.
 *
 *   sides[0]: lanes 0..n-1 ══ loss, delay, landing ══ sides[1]: lanes 0..n-1
 *              strays between them                     strays between them
 *
 * One snapshot of equal chunks; disks answer at once, or after write_time. */
#ifndef LANES_H
#define LANES_H

#include "dataplane/stripes.h"
#include "dataplane/worker.h"
#include "hugepages/arena.h"
#include "hugepages/pool.h"

enum {
	LANES_MAX = 4,
	LANES_CHUNK = MANIFEST_CHUNK_MIN,
	LANES_SLICE = 4032,
	LANES_FRAME_MAX = 4300,
	LANES_FRAMES = 4096, /* in flight to a lane */
	LANES_REQUESTS = 64,
	LANES_WINDOW = 256, /* packets in flight a stripe */
};

/* Where a frame lands: on the queue with the number of the sender's, on the first, or
 * where a hash of its ports points to. */
enum landing { LAND_SAME, LAND_FIRST, LAND_HASH };

struct lanes_options {
	uint64_t seed;
	uint32_t nqueues;
	uint32_t nchunks;
	enum landing landing;
	uint32_t loss_ppm;
	nsec delay;      /* one way */
	nsec write_time; /* of a chunk */
	nsec stall_timeout;
	nsec no_close_until; /* since the start: until then CLOSEs are lost */
	uint32_t broken;     /* the queue from which nothing goes out; 0: none */
};

struct lanes_frame {
	nsec at;
	uint32_t len;
	uint8_t bytes[LANES_FRAME_MAX];
};

struct lane {
	struct lanes_side *side;
	uint32_t queue;
	struct worker worker;
	struct nic nic;
	struct store store;
	struct arena arena;
	struct pool pool;
	void *memory;
	struct session *session;
	struct lanes_frame *inbox[LANES_FRAMES]; /* a ring */
	uint32_t head, tail;
	struct store_request requests[LANES_REQUESTS];
	nsec done_at[LANES_REQUESTS];
	uint32_t nrequests;
};

struct lanes_side {
	struct lanes *lanes_of;
	int number;
	struct lane lanes[LANES_MAX];
	struct strays strays;
	struct stripes stripes;
	uint32_t nreports; /* that the control plane would hear */
	bool has_ended;
	int code;
	uint32_t failed_stripe;
	uint64_t nframes; /* sent */
};

struct lanes {
	struct lanes_options options;
	uint64_t random;
	nsec began;
	nsec now;
	struct manifest manifest;
	struct lanes_side sides[2]; /* sender, receiver */
	uint32_t *writes;           /* how often each chunk was written */
	bool is_wrong;              /* a chunk was written with other bytes */
};

struct lanes *lanes_create(const struct lanes_options *options);
void lanes_destroy(struct lanes *lanes);

/* One turn of all workers, then the clock moves on. */
void lanes_step(struct lanes *lanes);
/* Until both ends have ended. Returns whether they have by then. */
bool lanes_run(struct lanes *lanes, nsec deadline);

/* Whether every chunk was written once, with the right bytes. */
bool lanes_are_identical(const struct lanes *lanes);

#endif
