/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/manifest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <isa-l/mem_routines.h>

#include "dataplane/base/units.h"
#include "dataplane/crc.h"

#define CHUNKS_MAX ((uint64_t)1 << 31)

int manifest_init(struct manifest *manifest, uint32_t chunk_size, struct fault *fault)
{
	if (chunk_size < MANIFEST_CHUNK_MIN || chunk_size > MANIFEST_CHUNK_MAX ||
		(chunk_size & (chunk_size - 1)) != 0)
		return fault_set(fault, -EINVAL,
			"chunk size %u is not a power of two from %d to %d bytes",
			chunk_size, MANIFEST_CHUNK_MIN, MANIFEST_CHUNK_MAX);
	memset(manifest, 0, sizeof(*manifest));
	manifest->chunk_size = chunk_size;
	return 0;
}

void manifest_fini(struct manifest *manifest)
{
	for (uint32_t i = 0; i < manifest->nfiles; i++)
		free(manifest->files[i].name);
	free(manifest->files);
	free(manifest->order);
	free(manifest->leaves);
	memset(manifest, 0, sizeof(*manifest));
}

/* Makes room for one more file: the array doubles whenever its length is a power of two.
 */
static int grow(struct manifest *manifest, struct fault *fault)
{
	size_t count = manifest->nfiles;
	struct manifest_file *files;

	if ((count & (count - 1)) != 0)
		return 0;
	if (count > UINT32_MAX / 4)
		return fault_set(fault, -EFBIG, "more than %zu files", count);
	count = count == 0 ? 1 : 2 * count;
	files = realloc(manifest->files, count * sizeof(*files));
	if (files == NULL)
		return fault_set(fault, -ENOMEM, "no memory for %zu files", count);
	manifest->files = files;
	return 0;
}

int manifest_add(struct manifest *manifest, const char *name, uint64_t size,
	uint32_t mode, struct fault *fault)
{
	char quoted[NAME_QUOTED];
	char *copy;
	int error;

	error = name_check(name, fault);
	if (error != 0)
		return error;
	if (size > (uint64_t)INT64_MAX - manifest->bytes)
		return fault_set(fault, -EFBIG,
			"file \"%s\" of %llu bytes makes the snapshot too large",
			name_quote(quoted, sizeof(quoted), name),
			(unsigned long long)size);
	error = grow(manifest, fault);
	if (error != 0)
		return error;
	copy = strdup(name);
	if (copy == NULL)
		return fault_set(fault, -ENOMEM, "no memory for a file name");
	manifest->files[manifest->nfiles++] = (struct manifest_file){
		.name = copy,
		.size = size,
		.mode = mode & 07777,
	};
	manifest->bytes += size;
	return 0;
}

static int compare_files(const void *a, const void *b)
{
	const struct manifest_file *left = a;
	const struct manifest_file *right = b;

	return strcmp(left->name, right->name);
}

const struct manifest_file *manifest_find(
	const struct manifest *manifest, const char *name)
{
	struct manifest_file key = {.name = (char *)(uintptr_t)name};

	if (manifest->nfiles == 0)
		return NULL;
	return bsearch(
		&key, manifest->files, manifest->nfiles, sizeof(key), compare_files);
}

/* "a" and "a/b" cannot both be files. */
static bool has_file_as_directory(
	const struct manifest *manifest, const struct manifest_file *file)
{
	char parent[4096];

	for (const char *slash = strchr(file->name, '/'); slash != NULL;
		slash = strchr(slash + 1, '/')) {
		size_t len = (size_t)(slash - file->name);

		memcpy(parent, file->name, len);
		parent[len] = '\0';
		if (manifest_find(manifest, parent) != NULL)
			return true;
	}
	return false;
}

static int check_names(const struct manifest *manifest, struct fault *fault)
{
	const struct manifest_file *files = manifest->files;
	char quoted[NAME_QUOTED];

	for (uint32_t i = 0; i < manifest->nfiles; i++) {
		if (i > 0 && strcmp(files[i - 1].name, files[i].name) == 0)
			return fault_set(fault, -EINVAL, "file \"%s\" is listed twice",
				name_quote(quoted, sizeof(quoted), files[i].name));
		if (has_file_as_directory(manifest, &files[i]))
			return fault_set(fault, -EINVAL,
				"file \"%s\" lies in a directory that is a file, too",
				name_quote(quoted, sizeof(quoted), files[i].name));
	}
	return 0;
}

/* Small files, one after the other, each whole inside a chunk. Returns the chunks used.
 */
static uint64_t place_small(struct manifest *manifest)
{
	uint64_t chunks = 0;
	uint32_t used =
		manifest->chunk_size; /* of the last chunk; full before the first */

	for (uint32_t i = 0; i < manifest->nfiles; i++) {
		struct manifest_file *file = &manifest->files[i];

		if (file->size == 0 || file->size >= manifest->chunk_size)
			continue;
		if (file->size > manifest->chunk_size - used) {
			chunks++;
			used = 0;
		}
		file->first_chunk = (uint32_t)(chunks - 1);
		file->offset = used;
		used += (uint32_t)file->size;
		manifest->order[manifest->norder++] = i;
	}
	return chunks;
}

/* Files of a chunk or more, each from a chunk boundary. Returns the chunks used, more
 * than CHUNKS_MAX when there are too many. */
static uint64_t place_large(struct manifest *manifest, uint64_t chunks)
{
	for (uint32_t i = 0; i < manifest->nfiles; i++) {
		struct manifest_file *file = &manifest->files[i];

		if (file->size < manifest->chunk_size)
			continue;
		file->first_chunk = (uint32_t)chunks;
		chunks += (file->size - 1) / manifest->chunk_size + 1;
		if (chunks > CHUNKS_MAX)
			break;
		manifest->order[manifest->norder++] = i;
	}
	return chunks;
}

int manifest_layout(struct manifest *manifest, struct fault *fault)
{
	uint64_t chunks;
	int error;

	if (manifest->nfiles > 0)
		qsort(manifest->files, manifest->nfiles, sizeof(*manifest->files),
			compare_files);
	error = check_names(manifest, fault);
	if (error != 0)
		return error;
	/* One more than needed, so that an empty snapshot has arrays, too. */
	manifest->order = calloc((size_t)manifest->nfiles + 1, sizeof(*manifest->order));
	if (manifest->order == NULL)
		return fault_set(
			fault, -ENOMEM, "no memory for %u files", manifest->nfiles);
	chunks = place_large(manifest, place_small(manifest));
	if (chunks > CHUNKS_MAX)
		return fault_set(fault, -EFBIG,
			"%llu bytes are more than 2^31 chunks; choose a larger chunk "
			"size",
			(unsigned long long)manifest->bytes);
	manifest->leaves = calloc((size_t)chunks + 1, sizeof(*manifest->leaves));
	if (manifest->leaves == NULL)
		return fault_set(fault, -ENOMEM,
			"no memory for the checksums of %llu chunks",
			(unsigned long long)chunks);
	manifest->nchunks = (uint32_t)chunks;
	return 0;
}

uint32_t manifest_file_chunks(
	const struct manifest *manifest, const struct manifest_file *file)
{
	/* A power of two: the shift is a division without the cost. */
	int shift = __builtin_ctz(manifest->chunk_size);

	return file->size == 0 ? 0 : (uint32_t)((file->size - 1) >> shift) + 1;
}

/* The position in order of the first file that ends in or behind the chunk. */
static uint32_t find_chunk(const struct manifest *manifest, uint32_t chunk)
{
	uint32_t low = 0;
	uint32_t high = manifest->norder;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct manifest_file *file =
			&manifest->files[manifest->order[middle]];

		if (file->first_chunk + (manifest_file_chunks(manifest, file) - 1) <
			chunk)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint32_t manifest_chunk_len(const struct manifest *manifest, uint32_t chunk)
{
	struct manifest_cursor cursor;
	struct manifest_extent extent;
	uint32_t next;
	const struct manifest_file *file;

	/* The last file of the chunk is before the first one of the next chunk, or is
	 * that one itself when it spans both. */
	next = find_chunk(manifest, chunk + 1);
	if (next < manifest->norder) {
		file = &manifest->files[manifest->order[next]];
		if (file->first_chunk <= chunk)
			return manifest->chunk_size;
	}
	cursor = (struct manifest_cursor){.chunk = chunk, .next = next - 1};
	if (!manifest_next_extent(manifest, &cursor, &extent))
		return 0;
	return extent.chunk_offset + extent.len;
}

void manifest_extents(
	const struct manifest *manifest, uint32_t chunk, struct manifest_cursor *cursor)
{
	cursor->chunk = chunk;
	cursor->next = find_chunk(manifest, chunk);
}

bool manifest_next_extent(const struct manifest *manifest, struct manifest_cursor *cursor,
	struct manifest_extent *extent)
{
	const struct manifest_file *file;
	uint32_t index;
	uint64_t from;

	if (cursor->next >= manifest->norder)
		return false;
	index = manifest->order[cursor->next];
	file = &manifest->files[index];
	if (file->first_chunk > cursor->chunk)
		return false;
	from = (uint64_t)(cursor->chunk - file->first_chunk) * manifest->chunk_size;
	if (from >= file->size)
		return false;
	*extent = (struct manifest_extent){
		.file = index,
		.chunk_offset = file->offset,
		.len = (uint32_t)u64_min(file->size - from, manifest->chunk_size),
		.file_offset = from,
	};
	cursor->next++;
	return true;
}

struct manifest_leaf manifest_leaf_of(const uint8_t *bytes, uint32_t len)
{
	bool zero = isal_zero_detect((void *)(uintptr_t)bytes, len) == 0;

	return (struct manifest_leaf){
		.crc32c = crc32c(bytes, len),
		.flags = zero ? LEAF_ZERO : 0,
		.crc64 = crc64(bytes, len),
	};
}
