/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/storage/checksum.h"
#include "control/storage/filter_items.h"
#include "dataplane/base/bitmap.h"

struct checking {
	struct filter *filter;
	const struct manifest *manifest;
	struct checksum sum;
};

/* Whether the bytes in temp are the chunk's. A file that cannot be read has none. */
static bool is_right(struct checking *checking, uint32_t chunk)
{
	const struct manifest_leaf *want = &checking->manifest->leaves[chunk];
	struct manifest_leaf leaf;

	if (checking->filter->request->skip_check)
		return true;
	return checksum_chunk(&checking->sum, chunk, &leaf, NULL) == 0 &&
	       leaf.crc32c == want->crc32c && leaf.crc64 == want->crc64 &&
	       leaf.flags == want->flags;
}

/* Whether the chunk is here, or the journal says so. Bytes that it does not tell of need
 * not be read: they were never written. Zeros are: nobody writes, so nobody records them;
 * and bytes that are another snapshot's too, as the journal is not of that. */
static bool is_here(struct checking *checking, uint32_t chunk, bool is_shared)
{
	struct filter *filter = checking->filter;
	bool zero = (checking->manifest->leaves[chunk].flags & LEAF_ZERO) != 0;

	if (!filter->has_journal || is_shared || zero)
		return is_right(checking, chunk);
	if (bitmap_test(filter->journal.durable, chunk)) {
		bitmap_set(filter->believed, chunk);
		return true;
	}
	return bitmap_test(filter->journal.written, chunk) && is_right(checking, chunk);
}

static void forget(struct checking *checking, uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		bitmap_clear(checking->filter->have, first + i);
		bitmap_clear(checking->filter->believed, first + i);
	}
}

/* A file of at least a chunk may be reused in part, when it is ours alone. A chunk that
 * should be zero is never written: where it is not, the file has to go. */
static int check_large(struct checking *checking, uint32_t file, struct fault *fault)
{
	struct filter_item *item = &checking->filter->items[file];
	const struct manifest_file *info = &checking->manifest->files[file];
	uint32_t count = manifest_file_chunks(checking->manifest, info);
	uint32_t good = 0, compared = 0;
	bool spoiled = false;

	if (item->origin == FILTER_NONE)
		return 0;
	for (uint32_t i = 0; i < count && !spoiled; i++) {
		uint32_t chunk = info->first_chunk + i;
		bool zero = (checking->manifest->leaves[chunk].flags & LEAF_ZERO) != 0;

		if (item->origin == FILTER_REFERENCE ||
			is_here(checking, chunk, item->is_shared)) {
			bitmap_set(checking->filter->have, chunk);
			good++;
			compared += !bitmap_test(checking->filter->believed, chunk);
		} else {
			spoiled = item->is_shared || zero;
		}
	}
	item->is_complete = compared == count;
	if (!spoiled && good > 0)
		return 0;
	forget(checking, info->first_chunk, count);
	return filter_drop(checking->filter, item, fault);
}

/* A chunk that is pulled writes all of its files: they are reused together or not at
 * all. */
static int check_packed(struct checking *checking, uint32_t chunk, struct fault *fault)
{
	struct manifest_cursor cursor;
	struct manifest_extent extent;
	uint32_t files = 0, missing = 0, references = 0, shared = 0;
	int error = 0;
	bool right;

	manifest_extents(checking->manifest, chunk, &cursor);
	while (manifest_next_extent(checking->manifest, &cursor, &extent)) {
		const struct filter_item *item = &checking->filter->items[extent.file];

		files++;
		missing += item->origin == FILTER_NONE;
		shared += item->is_shared;
		references += item->origin == FILTER_REFERENCE;
	}
	if (references > 0)
		right = references == files;
	else
		right = missing == 0 && is_here(checking, chunk, shared > 0);
	if (right)
		bitmap_set(checking->filter->have, chunk);
	manifest_extents(checking->manifest, chunk, &cursor);
	while (error == 0 && manifest_next_extent(checking->manifest, &cursor, &extent)) {
		struct filter_item *item = &checking->filter->items[extent.file];

		item->is_complete =
			right && !bitmap_test(checking->filter->believed, chunk);
		if (!right)
			error = filter_drop(checking->filter, item, fault);
	}
	return error;
}

int filter_check_chunks(struct filter *filter, struct fault *fault)
{
	const struct manifest *manifest = filter->request->manifest;
	struct checking checking = {.filter = filter, .manifest = manifest};
	uint32_t chunk = 0;
	int error;

	error = checksum_open(&checking.sum, filter->tempfd, manifest, fault);
	if (error != 0)
		return error;
	while (chunk < manifest->nchunks && error == 0) {
		struct manifest_cursor cursor;
		struct manifest_extent extent = {0};
		const struct manifest_file *file;

		manifest_extents(manifest, chunk, &cursor);
		(void)manifest_next_extent(manifest, &cursor, &extent);
		file = &manifest->files[extent.file];
		if (file->size >= manifest->chunk_size) {
			error = check_large(&checking, extent.file, fault);
			chunk += manifest_file_chunks(manifest, file);
		} else {
			error = check_packed(&checking, chunk, fault);
			chunk++;
		}
	}
	checksum_close(&checking.sum);
	return error;
}
