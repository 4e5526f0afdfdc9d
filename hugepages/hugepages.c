/* SPDX-License-Identifier: BSD-3-Clause */
#include "hugepages/hugepages.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

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
	base = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (base == MAP_FAILED)
		return false;
	(void)munmap(base, size);
	return true;
}
