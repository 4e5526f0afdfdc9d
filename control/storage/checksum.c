/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/storage/checksum.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/storage/file_io.h"
#include "control/storage/tree.h"
#include "dataplane/crc.h"

int checksum_open(struct checksum *sum, int dirfd, const struct manifest *manifest,
	struct fault *fault)
{
	*sum = (struct checksum){.dirfd = dirfd, .manifest = manifest, .fd = -1};
	sum->files = calloc((size_t)manifest->nfiles + 1, sizeof(*sum->files));
	sum->buf = calloc(1, manifest->chunk_size);
	if (sum->files == NULL || sum->buf == NULL) {
		checksum_close(sum);
		return fault_set(fault, -ENOMEM, "no memory for a chunk buffer");
	}
	sum->zero = manifest_leaf_of(sum->buf, manifest->chunk_size);
	return 0;
}

static void close_file(struct checksum *sum)
{
	if (sum->fd >= 0)
		close(sum->fd);
	sum->fd = -1;
}

void checksum_close(struct checksum *sum)
{
	close_file(sum);
	free(sum->files);
	free(sum->buf);
}

static int open_file(struct checksum *sum, uint32_t file, struct fault *fault)
{
	const struct manifest_file *info = &sum->manifest->files[file];
	char quoted[NAME_QUOTED];
	struct stat st;
	int error;

	close_file(sum);
	error = tree_open(
		sum->dirfd, info->name, O_RDONLY | O_NONBLOCK, 0, &sum->fd, fault);
	if (error != 0)
		return error;
	sum->file = file;
	if (fstat(sum->fd, &st) != 0)
		return file_fault(fault, -errno, "look at", info->name);
	name_quote(quoted, sizeof(quoted), info->name);
	if (!S_ISREG(st.st_mode))
		return fault_set(fault, -EBADMSG, "%s is not a regular file", quoted);
	if ((uint64_t)st.st_size != info->size)
		return fault_set(fault, -EBADMSG,
			"%s has %llu bytes, the manifest says %llu", quoted,
			(unsigned long long)st.st_size, (unsigned long long)info->size);
	sum->sparse = (uint64_t)st.st_blocks * 512 < info->size;
	return 0;
}

/* Whether the file system knows that no byte of the extent was ever written. */
static bool is_hole(const struct checksum *sum, const struct manifest_extent *extent)
{
	off_t data;

	if (!sum->sparse)
		return false;
	data = lseek(sum->fd, (off_t)extent->file_offset, SEEK_DATA);
	if (data < 0)
		return errno == ENXIO;
	return (uint64_t)data >= extent->file_offset + extent->len;
}

/* Reads an extent to its place in the chunk. */
static int read_extent(struct checksum *sum, const struct manifest_extent *extent,
	bool *hole, struct fault *fault)
{
	const char *name = sum->manifest->files[extent->file].name;
	uint8_t *to = sum->buf + extent->chunk_offset;
	int error = 0;

	if (sum->fd < 0 || sum->file != extent->file)
		error = open_file(sum, extent->file, fault);
	if (error != 0)
		return error;
	*hole = is_hole(sum, extent);
	if (*hole)
		return 0;
	error = file_read(sum->fd, to, extent->len, extent->file_offset);
	if (error == -ENODATA)
		return fault_set(
			fault, -EBADMSG, "%s became shorter while it was read", name);
	return error != 0 ? file_fault(fault, error, "read", name) : 0;
}

/* A chunk of one file: its CRC is the leaf's, and a hole of full size costs nothing. */
static int sum_large(struct checksum *sum, const struct manifest_extent *extent,
	struct manifest_leaf *leaf, struct fault *fault)
{
	struct checksum_file *file = &sum->files[extent->file];
	bool hole = false;

	if (file->error != 0)
		return file->error;
	file->error = read_extent(sum, extent, &hole, fault);
	if (file->error != 0)
		return file->error;
	if (hole && extent->len == sum->manifest->chunk_size) {
		*leaf = sum->zero;
	} else {
		if (hole)
			memset(sum->buf, 0, extent->len);
		*leaf = manifest_leaf_of(sum->buf, extent->len);
	}
	file->crc32c = crc32c_concat(file->crc32c, leaf->crc32c, extent->len);
	return 0;
}

/* Several files, each of them whole. */
static int sum_shared(struct checksum *sum, uint32_t chunk, struct manifest_leaf *leaf,
	struct fault *fault)
{
	struct manifest_cursor cursor;
	struct manifest_extent extent;
	uint32_t len = 0;
	int first = 0;

	manifest_extents(sum->manifest, chunk, &cursor);
	while (manifest_next_extent(sum->manifest, &cursor, &extent)) {
		struct checksum_file *file = &sum->files[extent.file];
		uint8_t *bytes = sum->buf + extent.chunk_offset;
		bool hole = false;

		file->error = read_extent(sum, &extent, &hole, fault);
		if (file->error != 0 || hole)
			memset(bytes, 0, extent.len);
		if (first == 0)
			first = file->error;
		file->crc32c = crc32c(bytes, extent.len);
		len = extent.chunk_offset + extent.len;
	}
	if (first == 0)
		*leaf = manifest_leaf_of(sum->buf, len);
	return first;
}

int checksum_chunk(struct checksum *sum, uint32_t chunk, struct manifest_leaf *leaf,
	struct fault *fault)
{
	struct manifest_cursor cursor;
	struct manifest_extent extent;

	manifest_extents(sum->manifest, chunk, &cursor);
	if (!manifest_next_extent(sum->manifest, &cursor, &extent))
		return fault_set(fault, -EINVAL, "there is no chunk %u", chunk);
	if (sum->manifest->files[extent.file].size >= sum->manifest->chunk_size)
		return sum_large(sum, &extent, leaf, fault);
	return sum_shared(sum, chunk, leaf, fault);
}

char *checksum_text(char text[static CHECKSUM_TEXT], uint32_t crc)
{
	(void)snprintf(text, CHECKSUM_TEXT, "crc32c:%08x", crc);
	return text;
}

int checksum_directory(const struct checksum_request *request, struct fault *fault)
{
	struct manifest *manifest = request->manifest;
	struct checksum sum;
	uint64_t done = 0;
	int error;

	error = checksum_open(&sum, request->dirfd, manifest, fault);
	if (error != 0)
		return error;
	for (uint32_t i = 0; i < manifest->nchunks && error == 0; i++) {
		error = checksum_chunk(&sum, i, &manifest->leaves[i], fault);
		done += manifest_chunk_len(manifest, i);
		if (request->progress != NULL)
			request->progress(request->ctx, done, manifest->bytes);
	}
	for (uint32_t i = 0; i < manifest->nfiles && request->file_crc != NULL; i++)
		request->file_crc[i] = sum.files[i].crc32c;
	checksum_close(&sum);
	return error;
}
