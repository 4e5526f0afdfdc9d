/* SPDX-License-Identifier: BSD-3-Clause */
/* One attempt to copy a snapshot with a journal, step by step as the copier does it; the
 * leader's files are the wire. Whatever has come can be interrupted or killed. */
#ifndef COPY_WORLD_H
#define COPY_WORLD_H

#include "control/storage/filter.h"
#include "control/storage/resume.h"
#include "control/storage/writer.h"
#include "dataplane/file/journal_file.h"
#include "dataplane/file/store_file.h"
#include "tests/os/store_world.h"

struct copy {
	const struct storage_reader *from;
	struct storage_writer *writer;
	struct store_object *source;
	struct store_object *object;
	struct journal_file *journal;
	struct resume_check *check;
	uint64_t *have; /* what need not be sent, and what has come */
	uint32_t reused;
	uint32_t unchecked; /* of these */
	uint32_t sent;
};

/* Returns 0, or what a sync has met. */
static inline int copy_close(struct copy *copy, bool sync)
{
	int error = 0;

	if (copy->check != NULL)
		resume_check_close(copy->check);
	if (copy->journal != NULL)
		error = journal_file_close(copy->journal, sync, NULL);
	if (copy->object != NULL)
		store_object_close(copy->object);
	if (copy->source != NULL)
		store_object_close(copy->source);
	free(copy->have);
	return error;
}

/* As Ctrl-C does. */
static inline void copy_interrupt(struct copy *copy)
{
	if (copy_close(copy, true) != 0)
		copy->writer->keep = false;
	storage_abort(copy->writer);
}

/* As kill -9 does, in less than a second: nothing is synced or said. */
static inline void copy_kill(struct copy *copy)
{
	assert_int_equal(copy_close(copy, false), 0);
	writer_free(copy->writer);
}

static inline int copy_filter(struct copy *copy, bool filters)
{
	const struct filter_request request = {.table = &copy->from->table,
		.manifest = &copy->from->manifest,
		.resume_only = !filters};
	struct filter_result result;
	int error = storage_filter(copy->writer, &request, &result, NULL);
	uint32_t nchunks = copy->from->manifest.nchunks;

	if (error != 0)
		return error;
	filter_result_fini(&result);
	copy->reused = result.have_chunks;
	copy->unchecked = bitmap_count(copy->writer->believed, nchunks);
	copy->have = calloc(BITMAP_WORDS(nchunks), sizeof(*copy->have));
	memcpy(copy->have, copy->writer->have,
		BITMAP_WORDS(nchunks) * sizeof(*copy->have));
	return storage_prepare(copy->writer, &copy->from->manifest, NULL);
}

static inline int copy_open(struct copy *copy)
{
	const struct manifest *manifest = &copy->from->manifest;
	struct resume_journal journal = {.manifest = manifest, .group = "g", .index = 2};
	int error = store_object_open(&copy->source, copy->from->path, manifest, NULL);

	if (error == 0)
		error = store_object_open(
			&copy->object, copy->writer->path, manifest, NULL);
	journal.object = copy->object;
	if (error == 0)
		error = resume_open_journal(&copy->journal, copy->writer, &journal, NULL);
	if (error == 0)
		error = resume_check_start(&copy->check, copy->writer, manifest, NULL);
	return error;
}

/* Returns 0 or an errno; nothing is to be ended then. */
static inline int copy_begin(struct copy *copy, struct storage *storage,
	const struct storage_reader *from, bool filters)
{
	int error;

	*copy = (struct copy){.from = from};
	error = storage_create_copy(storage, &copy->writer, NULL);
	if (error != 0)
		return error;
	error = copy_filter(copy, filters);
	if (error == 0)
		error = copy_open(copy);
	if (error != 0)
		copy_interrupt(copy);
	return error;
}

static inline int copy_chunk(struct copy *copy, uint32_t chunk)
{
	uint8_t *bytes = malloc(copy->from->manifest.chunk_size);
	struct store_request request = {
		.object = copy->source, .op = STORE_READ, .chunk = chunk, .buf = bytes};
	int error;

	assert_int_equal(store_object_run(&request), 0);
	request.object = copy->object;
	request.op = STORE_WRITE;
	error = store_object_run(&request);
	free(bytes);
	bitmap_set(copy->have, chunk);
	copy->sent++;
	return error;
}

/* Pulls up to max chunks of those that are missing. Returns 0 or an errno. */
static inline int copy_pull(struct copy *copy, uint32_t max)
{
	const struct manifest *manifest = &copy->from->manifest;
	int error = 0;

	for (uint32_t i = 0; i < manifest->nchunks && max > 0 && error == 0; i++) {
		if (bitmap_test(copy->have, i) ||
			(manifest->leaves[i].flags & LEAF_ZERO) != 0)
			continue;
		error = copy_chunk(copy, i);
		max--;
	}
	return error;
}

/* Pulls all that is missing or turns out wrong, and commits. Returns the chunks that were
 * sent, in all of the attempt, or an errno. */
static inline int copy_finish(struct copy *copy)
{
	int error = copy_pull(copy, UINT32_MAX);

	while (copy->check != NULL && !resume_check_is_done(copy->check))
		(void)usleep(100);
	if (copy->check != NULL)
		(void)resume_take_wrong(copy->check, copy->have);
	if (error == 0)
		error = copy_pull(copy, UINT32_MAX);
	if (error != 0) {
		copy_interrupt(copy);
		return error;
	}
	error = copy_close(copy, false);
	if (error != 0) {
		copy->writer->keep = false;
		storage_abort(copy->writer);
		return error;
	}
	error = world_commit(copy->writer, copy->from, NULL);
	return error != 0 ? error : (int)copy->sent;
}

#endif
