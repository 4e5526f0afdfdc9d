/* SPDX-License-Identifier: BSD-3-Clause */
/* Makes durable what was written. */
#include <errno.h>
#include <unistd.h>

#include "dataplane/base/bitmap.h"
#include "dataplane/file/object_state.h"

enum { SYNC_FILES = 32 }; /* more are synced all at once */

static int sync_file(struct store_object *object, uint32_t file)
{
	const struct manifest_extent extent = {.file = file};
	struct slot *slot;
	int rc = object_acquire(object, file, SLOT_WRITE, &slot);

	if (rc == 0 && fdatasync(slot->fd) != 0)
		rc = -errno;
	if (rc != 0)
		return object_file_fault(object, &extent, rc, "sync");
	object_release(object, slot);
	return 0;
}

/* The files of the chunks by rising position. More than SYNC_FILES: not all of them, or
 * some are packed, and so were made since: their names have to be made durable, too. */
static uint32_t list_files(const struct store_object *object, const uint64_t *chunks,
	uint32_t files[static SYNC_FILES + 1])
{
	const struct manifest *manifest = object->manifest;
	struct manifest_cursor cursor;
	struct manifest_extent extent;
	uint32_t count = 0;

	for (uint32_t i = 0; i < manifest->nchunks && count <= SYNC_FILES; i++) {
		if (chunks[i / 64] == 0)
			i |= 63;
		if (i >= manifest->nchunks || !bitmap_test(chunks, i))
			continue;
		manifest_extents(manifest, i, &cursor);
		(void)manifest_next_extent(manifest, &cursor, &extent);
		if (object_is_packed(object, extent.file))
			return SYNC_FILES + 1;
		if (count == 0 || files[count - 1] != extent.file)
			files[count++] = extent.file;
	}
	return count;
}

int object_sync(struct store_object *object, const uint64_t *chunks)
{
	uint32_t files[SYNC_FILES + 1];
	uint32_t count = list_files(object, chunks, files);
	int rc = 0;

	if (count > SYNC_FILES)
		return object_sync_all(object);
	for (uint32_t i = 0; i < count && rc == 0; i++)
		rc = sync_file(object, files[i]);
	return rc;
}

int object_sync_all(struct store_object *object)
{
	if (syncfs(object->folder) == 0)
		return 0;
	return object_disk_fault(object, -errno);
}
