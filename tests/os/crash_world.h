/* SPDX-License-Identifier: BSD-3-Clause */
/* What is done to a store between two crashes, and what must be true after each. */
#ifndef CRASH_WORLD_H
#define CRASH_WORLD_H

#include "control/storage/entry.h"
#include "control/storage/filter.h"
#include "control/storage/tree.h"
#include "dataplane/base/units.h"
#include "tests/os/disk_trace.h"
#include "tests/os/store_world.h"
#include "tests/os/copy_world.h"

enum { CHUNK = MANIFEST_CHUNK_MIN };

/* Snapshot 1 is here, 2 is being saved or pulled. */
static const struct world_file old_files[] = {
	{"big", CHUNK + 100, 1},
	{"gone", 50, 2},
	{"large", CHUNK, 4},
	{"one", 100, 5},
	{"sub/two", 200, 6},
};

static const struct world_file new_files[] = {
	{"big", CHUNK + 100, 1},
	{"hole", CHUNK, 0},
	{"large", CHUNK, 14},
	{"new/three", 300, 7},
	{"one", 100, 15},
	{"sub/two", 200, 6},
};

struct world {
	struct scratch scratch;
	struct storage *leader;
	struct storage_reader *reader;       /* of the leader's snapshot 2 */
	uint8_t roots[3][MANIFEST_ROOT_LEN]; /* by index */
};

struct scenario {
	const char *name;
	int (*run)(const struct world *world, struct storage *storage);
	bool filter;  /* what a failed copy leaves is kept */
	bool begun;   /* and a failed one has been there before */
	bool resumes; /* so is one that has a journal */
	bool no_sync;
	bool recovers; /* snapshot 2 is committed, but the end of it was never cleaned up
			*/
};

static inline struct storage *world_open(
	const struct world *world, const struct scenario *scenario, const char *name)
{
	struct storage_options options;
	struct storage *storage;

	storage_options_init(&options);
	options.chunk_size = CHUNK;
	options.filter_before_copy_remote = scenario->filter;
	options.sync = !scenario->no_sync;
	if (storage_open_options(
		    &storage, scratch_path(&world->scratch, name), &options, NULL) != 0)
		return NULL;
	return storage;
}

/* Returns 0 or an errno, as a user's own code would find it. */
static inline int put_file(int dirfd, const struct world_file *file)
{
	const char *slash = strchr(file->name, '/');
	uint8_t *bytes = world_bytes(file);
	char parent[NAME_MAX + 1];
	int error = 0;
	int fd;

	(void)snprintf(parent, sizeof(parent), "%.*s",
		slash != NULL ? (int)(slash - file->name) : 0, file->name);
	if (slash != NULL)
		(void)mkdirat(dirfd, parent, 0755);
	fd = openat(dirfd, file->name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, bytes, file->len) != (ssize_t)file->len)
		error = -ENOSPC;
	if (fd >= 0)
		(void)close(fd);
	free(bytes);
	return error;
}

/* The user's writes are recorded, and may meet a full disk; other failures of theirs are
 * not ours to test. */
static inline int put_files(struct storage_writer *writer)
{
	int dirfd = open(writer->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool injecting = trace.injecting;
	int error = 0;

	assert_true(dirfd >= 0);
	trace.injecting = false;
	world_set_meta(writer, 2);
	for (size_t i = 0; i < ARRAY_LEN(new_files) && error == 0; i++) {
		error = put_file(dirfd, &new_files[i]);
		assert_int_equal(
			storage_writer_add_file(writer, new_files[i].name, NULL, NULL),
			0);
	}
	(void)close(dirfd);
	trace.injecting = injecting;
	return error;
}

static inline int run_save(const struct world *world, struct storage *storage)
{
	struct storage_writer *writer;
	int error = storage_create(storage, &writer, NULL);

	(void)world;
	if (error != 0)
		return error;
	error = put_files(writer);
	if (error == 0)
		return storage_writer_commit(writer, NULL);
	storage_abort(writer);
	return error;
}

static inline int pull_and_commit(
	const struct world *world, struct storage_writer *writer)
{
	int error = storage_prepare(writer, &world->reader->manifest, NULL);

	if (error == 0)
		error = world_pull(world->reader, writer->path, writer->have);
	if (error == 0)
		return world_commit(writer, world->reader, NULL);
	storage_abort(writer);
	return error;
}

static inline int run_install(const struct world *world, struct storage *storage)
{
	struct storage_writer *writer;
	int error = storage_create_copy(storage, &writer, NULL);

	return error != 0 ? error : pull_and_commit(world, writer);
}

/* A snapshot that braft made has no place for a manifest: it is kept beside. */
static inline int run_beside(const struct world *world, struct storage *storage)
{
	const struct table *listed = &world->reader->table;
	struct storage_reader from = *world->reader;
	struct storage_writer *writer;
	int error = storage_create_copy(storage, &writer, NULL);

	if (error != 0)
		return error;
	table_init(&from.table);
	from.table.has_meta = true;
	from.table.meta.index = 2;
	from.table.meta.term = 1;
	for (size_t i = 0; i < listed->nfiles; i++)
		if (strcmp(listed->files[i].name, MANIFEST_NAME) != 0)
			assert_int_equal(entry_put(&from.table, &listed->files[i]), 0);
	error = storage_prepare(writer, &from.manifest, NULL);
	if (error == 0)
		error = world_pull(&from, writer->path, NULL);
	if (error == 0)
		error = world_commit(writer, &from, NULL);
	else
		storage_abort(writer);
	table_fini(&from.table);
	return error;
}

static inline int begin_filter(const struct world *world, struct storage *storage,
	struct storage_writer **writer)
{
	const struct filter_request request = {
		.table = &world->reader->table, .manifest = &world->reader->manifest};
	struct filter_result result;
	int error = storage_create_copy(storage, writer, NULL);

	if (error != 0)
		return error;
	error = storage_filter(*writer, &request, &result, NULL);
	if (error == 0)
		filter_result_fini(&result);
	else
		storage_abort(*writer);
	return error;
}

static inline int run_filter(const struct world *world, struct storage *storage)
{
	struct storage_writer *writer;
	int error = begin_filter(world, storage, &writer);

	return error != 0 ? error : pull_and_commit(world, writer);
}

/* One attempt is interrupted, the next goes on by the journal of the first. */
static inline int run_resume(const struct world *world, struct storage *storage)
{
	struct copy copy;
	int error = copy_begin(&copy, storage, world->reader, false);

	if (error != 0)
		return error;
	error = copy_pull(&copy, 2);
	copy_interrupt(&copy);
	if (error == 0)
		error = copy_begin(&copy, storage, world->reader, false);
	if (error == 0)
		error = copy_finish(&copy);
	return error < 0 ? error : 0;
}

/* The start alone is the story: it removes what was left. */
static inline int run_nothing(const struct world *world, struct storage *storage)
{
	(void)world;
	(void)storage;
	return 0;
}

/* As after a crash between the new name and the end of the old one. */
static inline void leave_both(const struct world *world, struct storage *storage)
{
	struct storage_reader *reader;

	assert_int_equal(storage_open_newest(storage, &reader, NULL), 0);
	assert_int_equal(run_save(world, storage), 0);
	storage_reader_free(reader); /* and never closed: the old one stays */
}

/* The store before the story: snapshot 1, and perhaps a copy that was stopped after its
 * first chunk. */
static inline void make_store(
	struct world *world, const struct scenario *scenario, const char *name)
{
	struct storage *storage = world_open(world, scenario, name);
	struct storage_writer *writer;

	assert_non_null(storage);
	assert_int_equal(
		world_save(storage, 1, old_files, ARRAY_LEN(old_files), NULL), 0);
	if (scenario->begun) {
		assert_int_equal(begin_filter(world, storage, &writer), 0);
		assert_int_equal(
			storage_prepare(writer, &world->reader->manifest, NULL), 0);
		assert_int_equal(world_pull_chunk(world->reader, writer->path, 0), 0);
		storage_abort(writer);
	}
	if (scenario->recovers)
		leave_both(world, storage);
	storage_close(storage);
	if (scenario->recovers) {
		struct scratch below = {.fd = openat(world->scratch.fd, name, O_RDONLY)};

		scratch_write(&below, "temp/deep/er/half", "half", 4);
		scratch_write(&below, "manifest_00000000000000000001", "x", 1);
		close(below.fd);
	}
}

static inline void keep_root(struct world *world, struct storage *storage, int index)
{
	struct storage_reader *reader;

	assert_int_equal(storage_open_newest(storage, &reader, NULL), 0);
	memcpy(world->roots[index], reader->manifest.root, MANIFEST_ROOT_LEN);
	storage_reader_close(storage, reader);
}

static inline void world_begin(struct world *world)
{
	static const struct scenario plain = {.name = "plain"};
	struct storage *storage;

	trace.fake_sync = true;
	scratch_open(&world->scratch);
	world->leader = world_open(world, &plain, "leader");
	assert_int_equal(run_save(world, world->leader), 0);
	keep_root(world, world->leader, 2);
	assert_int_equal(storage_open_newest(world->leader, &world->reader, NULL), 0);
	make_store(world, &plain, "first");
	storage = world_open(world, &plain, "first");
	keep_root(world, storage, 1);
	storage_close(storage);
}

static inline void world_end(struct world *world)
{
	storage_reader_close(world->leader, world->reader);
	storage_close(world->leader);
	scratch_close(&world->scratch);
}

static inline void ignore(void *ctx, const char *file, int64_t chunk, const char *what)
{
	(void)ctx;
	(void)file;
	(void)chunk;
	(void)what;
}

static inline bool is_sound(struct storage *storage)
{
	const struct verify_options options = {
		.path = storage_path(storage), .problem = ignore};
	struct verify_result result;

	return verify_snapshot(&options, &result, NULL) == 0;
}

static inline bool has_journal(struct storage *storage, int64_t index)
{
	char path[300];

	(void)snprintf(path, sizeof(path), "%s/snapshot_%020lld/" JOURNAL_NAME,
		storage_path(storage), (long long)index);
	return access(path, F_OK) == 0;
}

/* Whether the newest snapshot is the whole of the old or the new one, and nothing but it
 * is in the store. Returns NULL or what is wrong. */
static inline const char *wrong_with(const struct world *world,
	const struct scenario *scenario, struct storage *storage)
{
	int64_t index = storage_newest_index(storage);
	struct storage_reader *reader;
	bool same;
	char temp[200];

	if (index != 1 && index != 2)
		return "neither the old nor the new snapshot";
	if (storage_open_newest(storage, &reader, NULL) != 0)
		return "the snapshot cannot be read";
	same = memcmp(reader->manifest.root, world->roots[index], MANIFEST_ROOT_LEN) == 0;
	storage_reader_close(storage, reader);
	if (!same)
		return "the snapshot is another one";
	if (!is_sound(storage))
		return "the snapshot is damaged";
	if (has_journal(storage, index))
		return "the snapshot has a journal in it";
	(void)snprintf(temp, sizeof(temp), "%s/temp", storage_path(storage));
	if (!scenario->filter && !scenario->resumes && access(temp, F_OK) == 0)
		return "temp is still there";
	return NULL;
}

#endif
