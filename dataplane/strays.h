/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames that the network laid on one worker's queue although they are for another's,
 * on their way there: a bounded ring with a copy for every pair of workers of a device.
 *
 *      queue 0 ─► worker 0 ──[ring 0 → 1]──► worker 1
 *
 * A frame that finds no room is lost, as it would be in the device's own queue. */
#ifndef STRAYS_H
#define STRAYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/ring.h"
#include "dataplane/steering.h"

enum {
	STRAYS_QUEUES = STEERING_QUEUES_MAX, /* of a device, at most */
	STRAYS_SLOTS = 64,                   /* frames a ring */
};

struct stray {
	uint32_t len; /* bytes */
	uint8_t bytes[];
};

struct strays {
	uint32_t nqueues;
	uint32_t room;                                   /* bytes of the longest frame */
	struct ring rings[STRAYS_QUEUES][STRAYS_QUEUES]; /* [from][to] */
};

/* Bytes that strays_init allocates. */
size_t strays_memory(uint32_t nqueues, uint32_t room);

/* Before the workers start. Returns 0 or -ENOMEM. */
int strays_init(struct strays *strays, uint32_t nqueues, uint32_t room);
/* After they ended. */
void strays_fini(struct strays *strays);

/* Worker `from`. Returns false when the ring is full or the frame too long. */
bool strays_put(struct strays *strays, uint32_t from, uint32_t to, const uint8_t *bytes,
	uint32_t len);

/* Worker `to`: the oldest frame from that queue, or NULL; it stays until strays_drop. */
const struct stray *strays_front(struct strays *strays, uint32_t from, uint32_t to);
void strays_drop(struct strays *strays, uint32_t from, uint32_t to);

/* Worker `to`: whether there is none from anywhere. */
bool strays_are_none(const struct strays *strays, uint32_t to);

#endif
