/* SPDX-License-Identifier: BSD-3-Clause */
#include "hugepages/hugepages.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dataplane/base/units.h"

enum {
	PAGE_DEFAULT = 2 << 20,
	TRANSPARENT = 2 << 20, /* on x86-64, whatever the default of the others is */
};

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

/* Pages that were swapped out count as data; mincore would not tell them from holes. */
static bool has_data(int file, size_t offset)
{
	off_t at = lseek(file, (off_t)offset, SEEK_DATA);

	if (at < 0)
		return errno != ENXIO;
	return (size_t)at < offset + TRANSPARENT;
}

static bool make_private(void *page)
{
	return mmap(page, TRANSPARENT, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
}

size_t hugepages_advise(void *base, size_t size, int file, size_t offset)
{
	uint8_t *end = (uint8_t *)base + size;
	uint8_t *page = (uint8_t *)base + (-(uintptr_t)base & (TRANSPARENT - 1));
	size_t advised = 0;

	for (; page < end && (size_t)(end - page) >= TRANSPARENT; page += TRANSPARENT) {
		size_t at = offset + (size_t)(page - (uint8_t *)base);

		if (file >= 0 && (has_data(file, at) || !make_private(page)))
			continue;
		if (madvise(page, TRANSPARENT, MADV_HUGEPAGE) == 0)
			advised += TRANSPARENT;
	}
	return advised;
}
