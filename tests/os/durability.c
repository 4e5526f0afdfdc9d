/* SPDX-License-Identifier: BSD-3-Clause */
/* What a commit makes durable, in which order, and that every step that can fail counts.
 * fsync, fdatasync, syncfs and renameat are the test's own: they write down the order,
 * and fail on demand.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/storage/storage.h"
#include "tests/lib/scratch.h"

static struct {
	char steps[64][128]; /* "fsync NAME" or "rename FROM TO" */
	int count;
	int fail_at; /* the step that fails; -1: none */
	int error;   /* with which errno; 0: EIO */
	bool on;
} trace;

/* Whether this step shall fail. */
static bool note(const char *verb, const char *what)
{
	if (!trace.on)
		return false;
	assert_true(trace.count < 64);
	(void)snprintf(
		trace.steps[trace.count], sizeof(trace.steps[0]), "%s %s", verb, what);
	return trace.count++ == trace.fail_at;
}

/* The last two parts of the path behind a descriptor. */
static const char *tail(int fd, char path[static PATH_MAX])
{
	char self[64];
	ssize_t len;
	char *slash;

	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	len = readlink(self, path, PATH_MAX - 1);
	assert_true(len > 0);
	path[len] = '\0';
	slash = strstr(path, "/store");
	return slash != NULL ? slash + 1 : path;
}

int fsync(int fd)
{
	char path[PATH_MAX];

	if (note("fsync", tail(fd, path))) {
		errno = trace.error != 0 ? trace.error : EIO;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	char path[PATH_MAX];

	if (note("fdatasync", tail(fd, path))) {
		errno = trace.error != 0 ? trace.error : EIO;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

int syncfs(int fd)
{
	char path[PATH_MAX];

	if (note("syncfs", tail(fd, path))) {
		errno = trace.error != 0 ? trace.error : EIO;
		return -1;
	}
	return (int)syscall(SYS_syncfs, fd);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	char what[100];

	(void)snprintf(what, sizeof(what), "%s %s", from, to);
	if (note("rename", what)) {
		errno = trace.error != 0 ? trace.error : EIO;
		return -1;
	}
	return (int)syscall(SYS_renameat, from_dir, from, to_dir, to);
}

struct place {
	struct scratch scratch;
	struct storage *storage;
};

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	scratch_open(&place->scratch);
	assert_int_equal(storage_open(&place->storage,
				 scratch_path(&place->scratch, "store"), true, NULL),
		0);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	trace.on = false;
	storage_close(place->storage);
	scratch_close(&place->scratch);
	free(place);
	return 0;
}

static int commit_many(struct place *place, int64_t index)
{
	struct storage_writer *writer;
	struct table table;
	char name[40];
	int error;

	assert_int_equal(storage_create(place->storage, &writer, NULL), 0);
	table_init(&table);
	table.has_meta = true;
	table.meta.index = index;
	table.meta.term = 1;
	for (int i = 0; i < 300; i++) {
		(void)snprintf(name, sizeof(name), "store/temp/%d", i);
		scratch_write(&place->scratch, name, name, 10);
		assert_int_equal(
			table_add_file(&table, name + strlen("store/temp/"), NULL), 0);
	}
	error = storage_commit(writer, &table, NULL, 0, NULL);
	table_fini(&table);
	return error;
}

static int commit(struct place *place, int64_t index, struct fault *fault)
{
	struct storage_writer *writer;
	struct table table;
	int error;

	assert_int_equal(storage_create(place->storage, &writer, NULL), 0);
	scratch_write(&place->scratch, "store/temp/a", "1", 1);
	scratch_write(&place->scratch, "store/temp/d/b", "2", 1);
	table_init(&table);
	table.has_meta = true;
	table.meta.index = index;
	table.meta.term = 1;
	assert_int_equal(table_add_file(&table, "a", NULL), 0);
	assert_int_equal(table_add_file(&table, "d/b", NULL), 0);
	error = storage_commit(writer, &table, NULL, 0, fault);
	table_fini(&table);
	return error;
}

static void files_then_table_then_directories_then_the_rename(void **state)
{
	static const char *const expected[] = {
		"fsync store/temp/a",
		"fsync store/temp/d/b",
		"fsync store/temp/__raft_snapshot_meta.tmp",
		"rename __raft_snapshot_meta.tmp __raft_snapshot_meta",
		"fsync store/temp/d",
		"fsync store/temp",
		"rename temp snapshot_00000000000000000007",
		"fsync store",
	};
	struct place *place = *state;

	trace.fail_at = -1;
	trace.count = 0;
	trace.on = true;
	assert_int_equal(commit(place, 7, NULL), 0);
	trace.on = false;
	assert_int_equal(trace.count, sizeof(expected) / sizeof(expected[0]));
	for (int i = 0; i < trace.count; i++)
		assert_string_equal(trace.steps[i], expected[i]);
}

/* Stock braft swallowed these errors, and truncated the log for a snapshot that was not
 * there. */
static void every_failing_step_fails_the_commit(void **state)
{
	struct place *place = *state;

	assert_int_equal(commit(place, 7, NULL), 0);
	for (int step = 0; step < 8; step++) {
		struct fault fault = {0};

		trace.fail_at = step;
		trace.count = 0;
		trace.on = true;
		assert_int_equal(commit(place, 8, &fault), -EIO);
		trace.on = false;
		assert_non_null(strstr(fault.text, "check the disk"));
		assert_int_equal(storage_newest_index(place->storage), 7);
		assert_true(scratch_exists(
			&place->scratch, "store/snapshot_00000000000000000007/d/b"));
		assert_false(scratch_exists(
			&place->scratch, "store/snapshot_00000000000000000008"));
		assert_false(scratch_exists(&place->scratch, "store/temp"));
	}
	assert_int_equal(commit(place, 8, NULL), 0);
	assert_int_equal(storage_newest_index(place->storage), 8);
}

static void many_files_share_one_sync(void **state)
{
	struct place *place = *state;

	trace.fail_at = 0;
	trace.count = 0;
	trace.on = true;
	assert_int_equal(commit_many(place, 7), -EIO);
	assert_string_equal(trace.steps[0], "syncfs store");
	assert_int_equal(storage_newest_index(place->storage), 0);
	trace.fail_at = -1;
	trace.count = 0;
	assert_int_equal(commit_many(place, 7), 0);
	assert_int_equal(trace.count, 6);
	assert_string_equal(trace.steps[0], "syncfs store");
	assert_string_equal(trace.steps[5], "fsync store");
}

/* braft reports success for all but EIO, deletes the snapshot, and truncates the log. */
static void the_close_error_is_not_swallowed(void **state)
{
	static const int errors[] = {ENOSPC, EDQUOT, EROFS, ENOENT, EACCES};
	struct place *place = *state;

	assert_int_equal(commit(place, 7, NULL), 0);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct fault fault = {0};

		trace.fail_at = 2; /* the table */
		trace.error = errors[i];
		trace.count = 0;
		trace.on = true;
		assert_int_equal(commit(place, 8, &fault), -errors[i]);
		trace.on = false;
		assert_non_null(strstr(fault.text, "__raft_snapshot_meta"));
		assert_int_equal(storage_newest_index(place->storage), 7);
	}
	trace.error = 0;
}

static int count_steps(const char *start)
{
	int count = 0;

	for (int i = 0; i < trace.count; i++)
		count += strncmp(trace.steps[i], start, strlen(start)) == 0;
	return count;
}

static void save_twenty(struct place *place, int64_t index)
{
	struct storage_writer *writer;
	char path[40];

	assert_int_equal(storage_create(place->storage, &writer, NULL), 0);
	writer->table.has_meta = true;
	writer->table.meta.index = index;
	writer->table.meta.term = 1;
	for (int i = 0; i < 20; i++) {
		(void)snprintf(path, sizeof(path), "store/temp/d%d/%d", i % 4, i);
		scratch_write(&place->scratch, path, path, 10);
		assert_int_equal(storage_writer_add_file(writer,
					 path + strlen("store/temp/"), NULL, NULL),
			0);
	}
	trace.fail_at = -1;
	trace.count = 0;
	trace.on = true;
	assert_int_equal(storage_writer_commit(writer, NULL), 0);
	trace.on = false;
}

/* braft rewrites and fsyncs the whole table after each file. */
static void the_table_is_written_once(void **state)
{
	save_twenty(*state, 7);
	assert_int_equal(count_steps("fsync store/temp/__raft_snapshot_meta.tmp"), 1);
	assert_int_equal(count_steps("rename __raft_snapshot_meta.tmp"), 1);
}

/* braft fsyncs no directory at all. */
static void directories_are_fsynced(void **state)
{
	save_twenty(*state, 7);
	for (int i = 0; i < 4; i++) {
		char step[40];

		(void)snprintf(step, sizeof(step), "fsync store/temp/d%d", i);
		assert_true(count_steps(step) >= 1 + 5); /* and its files */
	}
	assert_string_equal(trace.steps[trace.count - 3], "fsync store/temp");
	assert_string_equal(trace.steps[trace.count - 1], "fsync store");
}

/* raft_sync, raft_sync_meta and raft_use_fsync_rather_than_fdatasync. */
static void what_is_synced_can_be_chosen(void **state)
{
	struct place *place = *state;
	struct storage_options options;

	storage_options_init(&options);
	options.sync = false;
	storage_set_sync(place->storage, &options);
	save_twenty(place, 7);
	assert_int_equal(count_steps("fsync"), 0);
	assert_int_equal(count_steps("fdatasync"), 0);
	options.sync_meta = true;
	storage_set_sync(place->storage, &options);
	save_twenty(place, 8);
	assert_int_equal(count_steps("fsync"), 1 + 5 + 1);
	options.sync = true;
	options.use_fsync_rather_than_fdatasync = false;
	storage_set_sync(place->storage, &options);
	save_twenty(place, 9);
	assert_int_equal(count_steps("fdatasync"), 20 + 2); /* the manifest is two */
	assert_int_equal(count_steps("fsync"), 1 + 5 + 1);
}

struct reading {
	struct place *place;
	_Atomic bool stop;
	int opened;
	int errors;
};

static void *keep_reading(void *ctx)
{
	struct reading *reading = ctx;
	struct storage *storage = reading->place->storage;

	while (!atomic_load(&reading->stop)) {
		struct storage_reader *reader;

		if (storage_open_newest(storage, &reader, NULL) != 0) {
			reading->errors++;
			continue;
		}
		if (access(reader->path, F_OK) != 0)
			reading->errors++;
		reading->opened++;
		storage_reader_close(storage, reader);
	}
	return NULL;
}

/* braft's test thread_safety: whatever a writer does, opening the newest never fails. */
static void readers_never_meet_a_snapshot_that_is_gone(void **state)
{
	struct place *place = *state;
	struct reading reading[2] = {{.place = place}, {.place = place}};
	pthread_t threads[2];
	char name[60];
	int kept = 0;

	assert_int_equal(commit(place, 1, NULL), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, keep_reading, &reading[i]), 0);
	for (int64_t index = 2; index < 40; index++)
		assert_int_equal(commit(place, index, NULL), 0);
	for (int i = 0; i < 2; i++) {
		atomic_store(&reading[i].stop, true);
		pthread_join(threads[i], NULL);
		assert_int_equal(reading[i].errors, 0);
		assert_true(reading[i].opened > 0);
	}
	for (int index = 1; index < 40; index++) {
		(void)snprintf(name, sizeof(name), "store/snapshot_%020d", index);
		kept += scratch_exists(&place->scratch, name);
		(void)snprintf(name, sizeof(name), "store/manifest_%020d", index);
		assert_true(index == 39 || !scratch_exists(&place->scratch, name));
	}
	assert_int_equal(kept, 1);
}

#define STORY(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(files_then_table_then_directories_then_the_rename),
		STORY(every_failing_step_fails_the_commit),
		STORY(the_close_error_is_not_swallowed),
		STORY(the_table_is_written_once),
		STORY(directories_are_fsynced),
		STORY(what_is_synced_can_be_chosen),
		STORY(many_files_share_one_sync),
		STORY(readers_never_meet_a_snapshot_that_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
