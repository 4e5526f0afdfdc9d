/* SPDX-License-Identifier: BSD-3-Clause */
/* Saving and pulling snapshots, as the tests of stores do it. */
#ifndef STORE_WORLD_H
#define STORE_WORLD_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/storage/storage.h"
#include "control/storage/verify.h"
#include "dataplane/base/bitmap.h"
#include "dataplane/file/store_file.h"
#include "tests/lib/scratch.h"

/* A file to be saved: len bytes of noise by seed; seed 0: all zero. */
struct world_file {
	const char *name;
	size_t len;
	uint64_t seed;
};

static inline void world_put(const struct storage_writer *writer, const char *name,
	const void *bytes, size_t len)
{
	struct scratch temp = {.fd = open(writer->path, O_RDONLY | O_DIRECTORY)};

	assert_true(temp.fd >= 0);
	scratch_write(&temp, name, bytes, len);
	close(temp.fd);
}

static inline uint8_t *world_bytes(const struct world_file *file)
{
	uint8_t *bytes = scratch_noise(file->len, file->seed);

	if (file->seed == 0)
		memset(bytes, 0, file->len);
	return bytes;
}

static inline void world_set_meta(struct storage_writer *writer, int64_t index)
{
	char peer[] = "127.0.0.1:8000:0:0";
	char *peers[] = {peer};
	const struct snapshot_meta meta = {
		.index = index, .term = 1, .peers = peers, .npeers = 1};

	assert_int_equal(storage_writer_save_meta(writer, &meta), 0);
}

/* Saves a snapshot as a user's state machine does. Returns what the commit does. */
static inline int world_save(struct storage *storage, int64_t index,
	const struct world_file *files, size_t nfiles, struct fault *fault)
{
	struct storage_writer *writer;
	int error;

	error = storage_create(storage, &writer, fault);
	if (error != 0)
		return error;
	world_set_meta(writer, index);
	for (size_t i = 0; i < nfiles; i++) {
		uint8_t *bytes = world_bytes(&files[i]);

		world_put(writer, files[i].name, bytes, files[i].len);
		free(bytes);
		assert_int_equal(
			storage_writer_add_file(writer, files[i].name, NULL, NULL), 0);
	}
	return storage_writer_commit(writer, fault);
}

/* Moves one chunk as the data plane does. Returns 0 or an errno. */
static inline int world_pull_chunk(
	const struct storage_reader *from, const char *to, uint32_t chunk)
{
	struct store_object *source, *target;
	uint8_t *buf = malloc(from->manifest.chunk_size);
	struct store_request request = {.op = STORE_READ, .chunk = chunk, .buf = buf};
	int error;

	assert_int_equal(
		store_object_open(&source, from->path, &from->manifest, NULL), 0);
	assert_int_equal(store_object_open(&target, to, &from->manifest, NULL), 0);
	request.object = source;
	assert_int_equal(store_object_run(&request), 0);
	request.object = target;
	request.op = STORE_WRITE;
	error = store_object_run(&request);
	store_object_close(target);
	store_object_close(source);
	free(buf);
	return error;
}

/* Moves every chunk that is neither zero nor in have (which may be NULL). */
static inline int world_pull(
	const struct storage_reader *from, const char *to, const uint64_t *have)
{
	int error = 0;

	for (uint32_t i = 0; i < from->manifest.nchunks && error == 0; i++)
		if ((have == NULL || !bitmap_test(have, i)) &&
			(from->manifest.leaves[i].flags & LEAF_ZERO) == 0)
			error = world_pull_chunk(from, to, i);
	return error;
}

/* Commits what was pulled. */
static inline int world_commit(struct storage_writer *writer,
	const struct storage_reader *from, struct fault *fault)
{
	struct scratch dir = {.fd = open(from->path, O_RDONLY | O_DIRECTORY)};
	uint8_t *bytes;
	size_t len;
	int error;

	assert_true(dir.fd >= 0);
	bytes = scratch_read(&dir, MANIFEST_NAME, &len);
	close(dir.fd);
	error = storage_commit(writer, &from->table, bytes, len, fault);
	free(bytes);
	return error;
}

static inline void world_tell(
	void *ctx, const char *file, int64_t chunk, const char *what)
{
	(void)ctx;
	print_message("%s (%lld): %s\n", file, (long long)chunk, what);
}

static inline void world_expect_sound(const char *path, int64_t index)
{
	const struct verify_options options = {
		.path = path, .index = index, .problem = world_tell};
	struct verify_result result;
	struct fault fault = {0};

	if (verify_snapshot(&options, &result, &fault) != 0)
		fail_msg("%s", fault.text);
}

#endif
