/* SPDX-License-Identifier: BSD-3-Clause */
/* A bad network on a real DPDK port: faults on what the port receives.
 *
 *   device ─► hole? ─► loss ─► copies ─► damage ─► set aside? ─► queue, rate, delay ─► us
 *
 * An RX callback, so any driver will do. Not a TX callback: who sends offers again what
 * the driver did not take, and would offer frames that the callback has freed. Every
 * choice is drawn from one seed. Frames are changed in copies only: the sender's memory
 * may be behind them.
 *
 *   transfer_open ─► shim_open ─► shim_set, shim_get ─► transfer_close ─► shim_close */
#ifndef SHIM_H
#define SHIM_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/units.h"
enum {
	SHIM_HOLD = 256,      /* frames that wait at once, unless told otherwise */
	SHIM_HOLD_MAX = 8192, /* the device's frame buffers must suffice for them */
};

/* What it swallows. */
enum shim_hole {
	SHIM_HOLE_NONE,
	SHIM_HOLE_ALL,
	SHIM_HOLE_TYPE,  /* our packets of hole_type */
	SHIM_HOLE_PORT,  /* UDP to hole_port */
	SHIM_HOLE_LARGE, /* frames longer than hole_above */
};

enum shim_part {
	SHIM_ANYWHERE,
	SHIM_HEADERS, /* Ethernet to Snapline */
	SHIM_PAYLOAD, /* of DATA */
};

/* All zero: a clean network. Shares are of a million frames; damage is done to Snapline's
 * packets only, and a frame is damaged in one way. */
struct shim_faults {
	uint64_t seed;
	uint32_t loss_ppm;
	uint32_t loss_burst; /* frames lost in a row, on average; 0, 1: independent */
	uint32_t duplicate_ppm;
	uint32_t reorder_ppm;
	uint32_t reorder_span; /* frames that overtake, at most */
	uint32_t flip_ppm;
	uint32_t flip_bits; /* at most; 0: 8 */
	enum shim_part flip_part;
	uint32_t truncate_ppm;
	nsec delay;
	uint64_t rate_bps; /* bits a second; 0: no limit, and no queue */
	uint32_t queue;    /* bytes; what does not fit is dropped; 0: no bound */
	uint32_t hold;     /* frames that wait at once; 0: SHIM_HOLD */
	enum shim_hole hole;
	uint32_t hole_type;  /* enum wire_type */
	uint16_t hole_port;  /* host byte order */
	uint32_t hole_above; /* bytes */
};

/* Frames, since shim_open. */
struct shim_counts {
	uint64_t arrived;
	uint64_t swallowed; /* by the hole */
	uint64_t lost;
	uint64_t lost_data; /* of these, DATA */
	uint64_t duplicated;
	uint64_t flipped;
	uint64_t truncated;
	uint64_t reordered;
	uint64_t overflowed; /* queue full, or too many wait */
	uint64_t delivered;
	uint64_t waiting; /* now */
};

struct shim;

/* device is a name of an open DPDK port: net_memif0. Returns 0, -ENODEV or -ENOMEM. */
int shim_open(struct shim **shim, const char *device);
/* The port is closed. */
void shim_close(struct shim *shim);

/* Control thread. Returns when the new faults hold, and for all frames: what waits leaves
 * by the old ones. */
void shim_set(struct shim *shim, const struct shim_faults *faults);
/* The same from the worker thread: they hold from its next burst on. */
void shim_order(struct shim *shim, const struct shim_faults *faults);
/* Each number is exact; together they may be a burst apart. */
void shim_get(const struct shim *shim, struct shim_counts *counts);

#endif
