/* SPDX-License-Identifier: BSD-3-Clause */
/* The simulated disks: a store port whose requests complete late and in any order. */
#ifndef DISK_H
#define DISK_H

#include "tests/sim/world/world.h"

extern const struct store_ops world_disk_ops;

/* The bytes of a chunk of the snapshot. Every tenth chunk is all zero. */
void world_disk_fill(
	const struct world *world, uint32_t chunk, uint8_t *bytes, uint32_t len);

/* When the next request completes. */
nsec world_disk_deadline(const struct world_end *end);

#endif
