/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory for an arena straight from the kernel: hugepages, or plain pages when there are
 * none. */
#ifndef ARENA_MMAP_H
#define ARENA_MMAP_H

#include <stdbool.h>
#include <stddef.h>

#include "dataplane/base/fault.h"
#include "hugepages/arena.h"

struct arena_map {
	void *base;
	size_t size; /* bytes mapped, at least what was asked for */
	bool hugepages;
};

/* Maps at least size bytes and makes them an arena. Falls back to plain pages with one
 * info line that names the remedy. Returns 0, -EINVAL for size 0, or -ENOMEM. */
int arena_map_open(
	struct arena_map *map, struct arena *arena, size_t size, struct fault *fault);
void arena_map_close(struct arena_map *map);

/* Whether so many bytes of hugepages could be mapped just now. */
bool hugepages_available(size_t bytes);

/* How many hugepages of the default size hold so many bytes: the N of
 * hugepages.sh reserve N. */
size_t hugepages_count(size_t bytes);

#endif
