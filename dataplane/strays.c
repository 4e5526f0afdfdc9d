/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/strays.h"

#include <errno.h>
#include <string.h>

static uint32_t slot_size(uint32_t room)
{
	return ((uint32_t)sizeof(struct stray) + room + 63) / 64 * 64;
}

size_t strays_memory(uint32_t nqueues, uint32_t room)
{
	return (size_t)nqueues * (nqueues - 1) * STRAYS_SLOTS * slot_size(room);
}

int strays_init(struct strays *strays, uint32_t nqueues, uint32_t room)
{
	memset(strays, 0, sizeof(*strays));
	strays->nqueues = nqueues;
	strays->room = room;
	for (uint32_t i = 0; i < nqueues * nqueues; i++) {
		struct ring *ring = &strays->rings[i / nqueues][i % nqueues];

		if (i / nqueues == i % nqueues)
			continue; /* nobody hands anything to himself */
		if (ring_init(ring, STRAYS_SLOTS, slot_size(room)) != 0) {
			strays_fini(strays);
			return -ENOMEM;
		}
	}
	return 0;
}

void strays_fini(struct strays *strays)
{
	for (uint32_t i = 0; i < STRAYS_QUEUES * STRAYS_QUEUES; i++)
		ring_fini(&strays->rings[i / STRAYS_QUEUES][i % STRAYS_QUEUES]);
}

bool strays_put(struct strays *strays, uint32_t from, uint32_t to, const uint8_t *bytes,
	uint32_t len)
{
	struct stray *stray;

	if (len > strays->room)
		return false;
	stray = ring_reserve(&strays->rings[from][to]);
	if (stray == NULL)
		return false;
	stray->len = len;
	memcpy(stray->bytes, bytes, len);
	ring_commit(&strays->rings[from][to]);
	return true;
}

const struct stray *strays_front(struct strays *strays, uint32_t from, uint32_t to)
{
	return ring_front(&strays->rings[from][to]);
}

void strays_drop(struct strays *strays, uint32_t from, uint32_t to)
{
	ring_drop(&strays->rings[from][to]);
}

bool strays_are_none(const struct strays *strays, uint32_t to)
{
	for (uint32_t from = 0; from < strays->nqueues; from++) {
		if (from != to && !ring_is_empty(&strays->rings[from][to]))
			return false;
	}
	return true;
}
