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

bool ring_put(struct ring *ring, const void *element)
{
	uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	/* acquire: the reader has finished copying the slot out before we overwrite it */
	uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);

	if (head - tail > ring->mask)
		return false;
	memcpy(ring->slots + (size_t)(head & ring->mask) * ring->size, element,
		ring->size);
	/* release: the element is visible before the new head is */
	atomic_store_explicit(&ring->head, head + 1, memory_order_release);
	return true;
}

bool ring_take(struct ring *ring, void *element)
{
	uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	/* acquire: pairs with the writer's release, the element is complete */
	uint32_t head = atomic_load_explicit(&ring->head, memory_order_acquire);

	if (head == tail)
		return false;
	memcpy(element, ring->slots + (size_t)(tail & ring->mask) * ring->size,
		ring->size);
	/* release: our copy is done before the writer may reuse the slot */
	atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
	return true;
}

bool ring_is_empty(const struct ring *ring)
{
	return atomic_load_explicit(&ring->head, memory_order_acquire) ==
	       atomic_load_explicit(&ring->tail, memory_order_acquire);
}
