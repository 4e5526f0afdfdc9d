/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/base/ring.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int ring_init(struct ring *ring, uint32_t nslots, uint32_t size)
{
	assert(nslots != 0 && (nslots & (nslots - 1)) == 0);
	ring->slots = calloc(nslots, size);
	if (ring->slots == NULL)
		return -ENOMEM;
	ring->mask = nslots - 1;
	ring->size = size;
	atomic_init(&ring->head, 0);
	atomic_init(&ring->tail, 0);
	return 0;
}

void ring_fini(struct ring *ring)
{
	free(ring->slots);
	ring->slots = NULL;
}

static uint8_t *slot(const struct ring *ring, uint32_t number)
{
	return ring->slots + (size_t)(number & ring->mask) * ring->size;
}

uint32_t ring_room(const struct ring *ring)
{
	uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	/* acquire: the reader is through with the slot before we overwrite it */
	uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);

	return ring->mask + 1 - (head - tail);
}

void *ring_reserve(struct ring *ring)
{
	if (ring_room(ring) == 0)
		return NULL;
	return slot(ring, atomic_load_explicit(&ring->head, memory_order_relaxed));
}

void ring_commit(struct ring *ring)
{
	uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);

	/* release: the element is visible before the new head is */
	atomic_store_explicit(&ring->head, head + 1, memory_order_release);
}

const void *ring_front(struct ring *ring)
{
	uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	/* acquire: pairs with the writer's release, the element is complete */
	uint32_t head = atomic_load_explicit(&ring->head, memory_order_acquire);

	return head == tail ? NULL : slot(ring, tail);
}

void ring_drop(struct ring *ring)
{
	uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

	/* release: we are through with the slot before the writer may reuse it */
	atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
}

bool ring_put(struct ring *ring, const void *element)
{
	void *to = ring_reserve(ring);

	if (to == NULL)
		return false;
	memcpy(to, element, ring->size);
	ring_commit(ring);
	return true;
}

bool ring_take(struct ring *ring, void *element)
{
	const void *from = ring_front(ring);

	if (from == NULL)
		return false;
	memcpy(element, from, ring->size);
	ring_drop(ring);
	return true;
}

bool ring_is_empty(const struct ring *ring)
{
	return atomic_load_explicit(&ring->head, memory_order_acquire) ==
	       atomic_load_explicit(&ring->tail, memory_order_acquire);
}
