/* SPDX-License-Identifier: BSD-3-Clause */
/* A bounded queue of equal elements between exactly one writing and one reading thread.
 *
 *      writer: ring_put ──► [ slots, a power of two ] ──► ring_take :reader
 *
 * The owner calls ring_init before the threads start and ring_fini after they ended. */
#ifndef RING_H
#define RING_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring {
	alignas(64) _Atomic uint32_t head; /* next slot to fill; written by the writer */
	alignas(64) _Atomic uint32_t tail; /* next slot to read; written by the reader */
	alignas(64) uint8_t *slots;        /* constant after init, as is all below */
	uint32_t mask;
	uint32_t size; /* bytes an element */
};

/* nslots is a power of two. Returns 0 or -ENOMEM. */
int ring_init(struct ring *ring, uint32_t nslots, uint32_t size);
void ring_fini(struct ring *ring);

/* Copies *element in. Returns false when the ring is full. Writing thread only. */
bool ring_put(struct ring *ring, const void *element);

/* Copies the oldest element out. Returns false when the ring is empty. Reading thread
 * only. */
bool ring_take(struct ring *ring, void *element);

/* The same without a copy: ring_reserve is the slot that ring_commit then hands over, or
 * NULL when the ring is full; ring_front is the oldest element, the reader's until
 * ring_drop, or NULL when the ring is empty. */
void *ring_reserve(struct ring *ring);
void ring_commit(struct ring *ring);
const void *ring_front(struct ring *ring);
void ring_drop(struct ring *ring);

/* Slots that are free; more may be by the time it returns. Writing thread only. */
uint32_t ring_room(const struct ring *ring);

/* May be stale by the time it returns; exact for the reading thread when false. */
bool ring_is_empty(const struct ring *ring);

#endif
