/* SPDX-License-Identifier: BSD-3-Clause */
/* The simulated network between the ends: one pipe to each.
 *
 *   tx ─► hole? ─► loss, burst ─► queue, mark, rate ─► delay, jitter ─► rx of the other
 * end
 *
 * Everything a pipe does is drawn from the world's seed. */
#ifndef LINK_H
#define LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/units.h"
#include "dataplane/nic.h"

enum { LINK_FRAMES = 8192, LINK_FRAME_MAX = 9216, LINK_DELAY_SLOTS = 1 << 15 };

/* What a pipe swallows. */
enum link_hole { HOLE_NONE, HOLE_ALL, HOLE_DATA, HOLE_ACKS, HOLE_LARGE, HOLE_WAY };

/* May be changed in mid-story, through the world's options. */
struct world_link {
	uint32_t loss_ppm;
	uint32_t loss_burst; /* packets lost in a row, on average; 0, 1: independent */
	uint32_t duplicate_ppm;
	uint32_t corrupt_ppm;  /* bits of the frame flip */
	uint32_t corrupt_bits; /* so many different ones at most; 0: eight */
	uint32_t reorder_ppm;  /* the frame is held back */
	nsec reorder_span;     /* by up to this; 0: up to 20 delays */
	nsec delay;            /* one way */
	nsec jitter;           /* uniform, on top */
	uint64_t rate_bps;     /* bits a second; 0: no limit, and no queue */
	uint32_t burst;        /* bytes that pass at once, after a pause */
	uint32_t queue;        /* bytes; what does not fit is dropped; 0: no bound */
	uint32_t mark;         /* bytes in the queue from which CE is set; 0: never */
	enum link_hole hole;   /* both ways, unless: */
	uint32_t hole_to;      /* 1 + the end it is on the way to; 0: both */
	uint32_t hole_above;   /* HOLE_LARGE: frames longer than this, bytes */
	uint32_t ways;         /* HOLE_WAY: a router picks one by the source port, */
	uint32_t dead_way;     /* and this one is dead */
};

struct link_frame {
	nsec at; /* arrival */
	uint64_t order;
	bool is_corrupt; /* and yet a session will look at it */
	uint32_t len;
	uint8_t bytes[LINK_FRAME_MAX];
};

/* What goes to one end. */
struct link_pipe {
	nsec free_at;   /* when the last queued frame has left */
	nsec last_at;   /* of the newest frame */
	bool is_losing; /* in the middle of a loss burst */
	uint32_t nframes;
	struct link_frame
		*frames[LINK_FRAMES]; /* in flight: a heap, first arrival on top */
	uint64_t accepted;            /* bytes that went through the bottleneck */
	uint64_t dropped;             /* frames: queue full */
	uint64_t marked;
	uint64_t corrupted;                /* frames */
	uint64_t corrupt_arrived;          /* of these, that their session got to see */
	uint32_t delays[LINK_DELAY_SLOTS]; /* frames by microseconds in the queue */
	uint32_t ndelays;
};

struct world;

extern const struct nic_ops link_ops;

/* Puts a frame of our own making on the link. */
void link_inject(struct world *world, int to, const uint8_t *bytes, uint32_t len);
/* When the next frame arrives at that end. */
nsec link_deadline(const struct world *world, uint32_t end);
void link_fini(struct world *world);

/* The time in the queue, microseconds, that so many of a hundred frames stayed below
 * since the last link_forget_delays. */
uint32_t link_delay_percentile(const struct link_pipe *pipe, uint32_t percent);
void link_forget_delays(struct link_pipe *pipe);

#endif
