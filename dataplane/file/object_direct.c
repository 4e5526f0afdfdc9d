/* SPDX-License-Identifier: BSD-3-Clause */
/* When to read past the page cache. */
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "dataplane/file/object_state.h"

enum {
	BLOCK = 4096, /* no disk asks for more; where one does, the read is refused */
	PAGES_MAX = MANIFEST_CHUNK_MAX / BLOCK,
};

static bool is_aligned(const struct manifest_extent *extent, const uint8_t *bytes)
{
	return (extent->len | extent->file_offset | (uintptr_t)bytes) % BLOCK == 0;
}

/* Whether most of the extent is in memory, where a copy of it is the faster way. Where
 * nobody may know, the kernel says that all of it is. */
static bool is_cached(const struct manifest_extent *extent, int fd)
{
	uint32_t pages = extent->len / (uint32_t)sysconf(_SC_PAGESIZE);
	unsigned char here[PAGES_MAX];
	uint32_t count = 0;
	void *map = mmap(
		NULL, extent->len, PROT_READ, MAP_SHARED, fd, (off_t)extent->file_offset);

	if (map == MAP_FAILED)
		return true;
	if (mincore(map, extent->len, here) == 0)
		for (uint32_t i = 0; i < pages; i++)
			count += here[i] & 1;
	else
		count = pages;
	(void)munmap(map, extent->len);
	return count > pages / 2;
}

static void give_up(struct store_object *object)
{
	/* relaxed: a hint, whoever misses it is refused once more */
	atomic_store_explicit(&object->has_no_direct, true, memory_order_relaxed);
}

void object_look_for_direct(struct store_object *object)
{
	struct statfs fs;

	if (fstatfs(object->folder, &fs) == 0 && fs.f_type == TMPFS_MAGIC)
		give_up(object);
}

static bool is_faster(struct store_object *object, const struct manifest_extent *extent)
{
	struct slot *slot;
	bool is_cold;

	if (object_acquire(object, extent->file, SLOT_READ, &slot) != 0)
		return false;
	is_cold = !is_cached(extent, slot->fd) &&
		  object_check_size(object, extent, slot->fd) == 0;
	object_release(object, slot);
	return is_cold;
}

bool object_begin_direct(struct store_object *object,
	const struct manifest_extent *extent, const uint8_t *bytes, struct slot **slot)
{
	if (atomic_load_explicit(&object->has_no_direct, memory_order_relaxed) ||
		object_is_packed(object, extent->file) || !is_aligned(extent, bytes) ||
		!is_faster(object, extent))
		return false;
	if (object_acquire(object, extent->file, SLOT_DIRECT, slot) == 0)
		return true;
	give_up(object);
	return false;
}

int object_slot_fd(const struct slot *slot)
{
	return slot->fd;
}

void object_end_direct(struct store_object *object, struct slot *slot, bool worked)
{
	object_release(object, slot);
	if (!worked)
		give_up(object);
}
