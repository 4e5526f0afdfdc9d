/* SPDX-License-Identifier: BSD-3-Clause */
/* A manifest from a stranger: whatever is taken covers every byte of every file once,
 * stays inside its chunks, and has one encoding.
 *
 *   how u8 | bytes     how 0: a manifest; 1: one without its root; 2: leaves u8, header,
 * leaves, with all lengths put right */
#include <errno.h>

#include "tests/fuzz/targets/manifest_input.h"

/* Returns the bytes the chunk holds. */
static uint64_t check_chunk(const struct manifest *manifest, uint32_t chunk)
{
	uint32_t len = manifest_chunk_len(manifest, chunk);
	struct manifest_cursor cursor;
	struct manifest_extent extent;
	uint32_t at = 0;

	MUST(len > 0 && len <= manifest->chunk_size);
	manifest_extents(manifest, chunk, &cursor);
	while (manifest_next_extent(manifest, &cursor, &extent)) {
		const struct manifest_file *file = &manifest->files[extent.file];

		MUST(extent.file < manifest->nfiles);
		MUST(extent.chunk_offset == at && extent.len > 0);
		MUST(extent.len <= len - at);
		MUST(extent.file_offset < file->size);
		MUST(extent.len <= file->size - extent.file_offset);
		at += extent.len;
	}
	MUST(at == len);
	return len;
}

static void check_files(const struct manifest *manifest)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < manifest->nfiles; i++) {
		const struct manifest_file *file = &manifest->files[i];

		MUST(name_check(file->name, NULL) == 0);
		MUST(file->mode <= 07777);
		MUST(i == 0 || strcmp(manifest->files[i - 1].name, file->name) < 0);
		MUST(manifest_find(manifest, file->name) == file);
		MUST(manifest_file_chunks(manifest, file) <=
			manifest->nchunks - (file->size > 0 ? file->first_chunk : 0));
		bytes += file->size;
	}
	MUST(bytes == manifest->bytes);
}

static void check(struct manifest *manifest, const uint8_t *bytes, size_t len)
{
	uint64_t sum = 0;
	uint8_t *again;
	size_t again_len;

	for (uint32_t i = 0; i < manifest->nchunks; i++)
		sum += check_chunk(manifest, i);
	MUST(sum == manifest->bytes);
	check_files(manifest);
	MUST(manifest_encode(manifest, &again, &again_len) == 0);
	MUST(again_len == len && memcmp(again, bytes, len) == 0);
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	struct fault fault = {0};
	struct manifest manifest;
	uint8_t *bytes;
	size_t len;
	int err;

	switch (input_take(&input, 1)) {
	case 0:
		len = input.left;
		bytes = input_copy(input.at, len, 0);
		break;
	case 1:
		len = input.left;
		bytes = manifest_seal(input.at, &len);
		break;
	default:
		bytes = manifest_frame(&input, &len);
		break;
	}
	err = manifest_decode(&manifest, bytes, len, &fault);
	MUST(err == fault.code && (err == 0) == (fault.text[0] == '\0'));
	MUST(err == 0 || err == -EBADMSG);
	if (err == 0) {
		check(&manifest, bytes, len);
		manifest_fini(&manifest);
	}
	free(bytes);
	return 0;
}
