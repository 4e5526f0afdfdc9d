/* SPDX-License-Identifier: BSD-3-Clause */
#include "hugepages/arena_mmap.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "dataplane/base/log.h"
#include "dataplane/base/units.h"

enum { PAGE_DEFAULT = 2 << 20 };

/* Bytes of a hugepage of the default size, the one MAP_HUGETLB takes. */
static size_t page_size(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	size_t size = PAGE_DEFAULT;
	unsigned long kib;
	char line[128];

	if (file == NULL)
		return size;
	while (fgets(line, sizeof(line), file) != NULL) {
		if (sscanf(line, "Hugepagesize: %lu kB", &kib) == 1 && kib != 0)
			size = kib * (size_t)KIB;
	}
	(void)fclose(file);
	return size;
}

size_t hugepages_count(size_t bytes)
{
	size_t page = page_size();

	return bytes / page + (bytes % page != 0);
}

static void *map(size_t size, int flags)
{
	void *base = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	return base == MAP_FAILED ? NULL : base;
}

/* Bytes rounded up to whole hugepages, or 0 on overflow. */
static size_t round_up(size_t bytes)
{
	size_t page = page_size();

	if (bytes > SIZE_MAX - page)
		return 0;
	return hugepages_count(bytes) * page;
}

/* The kernel promises the pages at mmap, so touching them is not needed to know. */
bool hugepages_available(size_t bytes)
{
	size_t size = round_up(bytes);
	void *base;

	if (size == 0)
		return false;
	base = map(size, MAP_HUGETLB);
	if (base == NULL)
		return false;
	(void)munmap(base, size);
	return true;
}

int arena_map_open(
	struct arena_map *self, struct arena *arena, size_t size, struct fault *fault)
{
	size_t rounded = round_up(size);

	if (rounded == 0)
		return fault_set(fault, -EINVAL, "cannot map %zu bytes of memory", size);
	self->size = rounded;
	self->base = map(rounded, MAP_HUGETLB);
	self->hugepages = self->base != NULL;
	if (!self->hugepages) {
		log_line(LOG_INFO, "arena",
			"event=no-hugepages memory_mib=%zu using=plain-memory "
			"remedy=\"run hugepages/hugepages.sh reserve %zu\"",
			rounded / (size_t)MIB, hugepages_count(rounded));
		self->base = map(rounded, 0);
	}
	if (self->base == NULL)
		return fault_set(fault, -ENOMEM,
			"no memory: %zu MiB wanted (%s); ask for fewer or smaller "
			"buffers",
			rounded / (size_t)MIB, strerror(errno));
	arena_init(arena, self->base, rounded);
	return 0;
}

void arena_map_close(struct arena_map *self)
{
	(void)munmap(self->base, self->size);
	self->base = NULL;
}
