/* SPDX-License-Identifier: BSD-3-Clause */
/* braft's own tests of its snapshot storage, under their names, and one test for each
 * defect of it that is not copied. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "dataplane/base/units.h"
#include "tests/os/store_world.h"

#define SNAP_1 "store/snapshot_00000000000000000001"

struct place {
	struct scratch scratch;
	struct storage *storage;
};

static void open_store(struct place *place, bool filter)
{
	struct storage_options options;

	storage_options_init(&options);
	options.filter_before_copy_remote = filter;
	assert_int_equal(storage_open_options(&place->storage,
				 scratch_path(&place->scratch, "store"), &options, NULL),
		0);
}

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	scratch_open(&place->scratch);
	open_store(place, false);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	if (place->storage != NULL)
		storage_close(place->storage);
	scratch_close(&place->scratch);
	free(place);
	return 0;
}

static void reopen(struct place *place, bool filter)
{
	storage_close(place->storage);
	open_store(place, filter);
}

static bool exists(const struct place *place, const char *name)
{
	return scratch_exists(&place->scratch, name);
}

static void writer_and_reader(void **state)
{
	static const char *const old_peer = "1.2.3.4:1000:0:0";
	struct place *place = *state;
	struct storage_writer *writer;
	struct storage_reader *reader;

	for (int64_t index = 1; index <= 2; index++) {
		assert_int_equal(storage_create(place->storage, &writer, NULL), 0);
		assert_string_equal(
			writer->path, scratch_path(&place->scratch, "store/temp"));
		world_set_meta(writer, index);
		assert_int_equal(storage_writer_commit(writer, NULL), 0);
		assert_int_equal(storage_open_newest(place->storage, &reader, NULL), 0);
		assert_int_equal(reader->index, index);
		storage_reader_close(place->storage, reader);
	}
	reopen(place, false);
	assert_int_equal(storage_open_newest(place->storage, &reader, NULL), 0);
	assert_int_equal(reader->index, 2);
	storage_reader_close(place->storage, reader);

	/* a joint configuration comes back as it was given */
	assert_int_equal(storage_create(place->storage, &writer, NULL), 0);
	world_set_meta(writer, 3);
	writer->table.meta.old_peers = malloc(sizeof(char *));
	writer->table.meta.old_peers[0] = strdup(old_peer);
	writer->table.meta.nold_peers = 1;
	assert_int_equal(storage_writer_commit(writer, NULL), 0);
	reopen(place, false);
	assert_int_equal(storage_open_newest(place->storage, &reader, NULL), 0);
	assert_int_equal(reader->table.meta.npeers, 1);
	assert_string_equal(reader->table.meta.peers[0], "127.0.0.1:8000:0:0");
	assert_int_equal(reader->table.meta.nold_peers, 1);
	assert_string_equal(reader->table.meta.old_peers[0], old_peer);
	storage_reader_close(place->storage, reader);
}

/* The list of a save: what is on it is in the snapshot, with its meta, and nothing else.
 */
static void a_writer_lists_its_files(void **state)
{
	const struct storage_file_meta meta = {
		.user_meta = (const uint8_t *)"shard 7", .user_meta_len = 7};
	const struct storage_file_meta own = {.checksum = "md5:beef"};
	struct place *place = *state;
	struct storage_writer *writer;
	struct storage_reader *reader;
	const struct table_file *file;
	struct fault fault = {0};

	assert_int_equal(storage_create(place->storage, &writer, NULL), 0);
	world_set_meta(writer, 1);
	world_put(writer, "a", "1", 1);
	world_put(writer, "d/b", "22", 2);
	world_put(writer, "scrap", "333", 3);
	world_put(writer, "e/scrap", "333", 3);
	assert_int_equal(storage_writer_add_file(writer, "d/b", &own, NULL), 0);
	assert_int_equal(storage_writer_add_file(writer, "a", &meta, NULL), 0);
	assert_int_equal(storage_writer_add_file(writer, "scrap", NULL, NULL), 0);
	assert_int_equal(storage_writer_add_file(writer, "a", NULL, &fault), -EEXIST);
	assert_int_equal(storage_writer_remove_file(writer, "scrap"), 0);
	assert_int_equal(storage_writer_remove_file(writer, "scrap"), -ENOENT);
	assert_int_equal(storage_writer_table(writer)->nfiles, 2);
	assert_string_equal(storage_writer_table(writer)->files[0].name, "a");
	assert_int_equal(storage_writer_commit(writer, NULL), 0);
	assert_false(exists(place, SNAP_1 "/scrap"));
	assert_false(exists(place, SNAP_1 "/e"));
	assert_int_equal(storage_open_newest(place->storage, &reader, NULL), 0);
	assert_int_equal(reader->table.nfiles, 3); /* and the manifest */
	file = table_find(&reader->table, "a");
	assert_memory_equal(file->user_meta, "shard 7", 7);
	assert_string_equal(file->checksum, "crc32c:90f599e3"); /* of "1" */
	file = table_find(&reader->table, "d/b");
	assert_false(file->has_user_meta);
	assert_string_equal(file->checksum, "md5:beef");
	storage_reader_close(place->storage, reader);
	world_expect_sound(storage_path(place->storage), 1);
}

static void a_listed_file_that_nobody_wrote_fails_the_save(void **state)
{
	struct place *place = *state;
	struct storage_writer *writer;
	struct fault fault = {0};

	assert_int_equal(storage_create(place->storage, &writer, NULL), 0);
	world_set_meta(writer, 1);
	assert_int_equal(storage_writer_add_file(writer, "ghost", NULL, NULL), 0);
	assert_int_equal(storage_writer_commit(writer, &fault), -ENOENT);
	assert_non_null(strstr(fault.text, "ghost"));
	assert_non_null(strstr(fault.text, "take it off the list"));
	assert_false(exists(place, "store/temp"));
	assert_int_equal(storage_newest_index(place->storage), 0);
}

/* copy_file=false, as a witness copies: the meta, and no file. */
static void copy(void **state)
{
	struct place *place = *state;
	struct storage_writer *writer;
	struct storage_reader *reader;
	uint8_t *bytes;
	size_t len;

	assert_int_equal(storage_create_copy(place->storage, &writer, NULL), 0);
	world_set_meta(writer, 1);
	assert_int_equal(storage_writer_commit(writer, NULL), 0);
	assert_int_equal(storage_open_newest(place->storage, &reader, NULL), 0);
	assert_int_equal(reader->table.nfiles, 0);
	assert_int_equal(reader->manifest.nchunks, 0);
	assert_int_equal(reader->table.meta.npeers, 1);
	storage_reader_close(place->storage, reader);
	world_expect_sound(storage_path(place->storage), 1);
	bytes = scratch_read(&place->scratch, SNAP_1 "/__raft_snapshot_meta", &len);
	assert_int_equal(len, 4 + 26);
	free(bytes);
}

/* braft copies it to where it says, outside of the snapshot. */
static void file_escapes_directory(void **state)
{
	static const char *const names[] = {"../../dir1/file", "a/../../b", "..",
		"/etc/x", "a/./b", "__raft_snapshot_meta", "__snapline_manifest", ""};
	struct place *place = *state;
	struct storage_writer *writer;

	assert_int_equal(storage_create(place->storage, &writer, NULL), 0);
	world_set_meta(writer, 1);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct fault fault = {0};

		assert_int_equal(
			storage_writer_add_file(writer, names[i], NULL, &fault), -EINVAL);
		assert_non_null(strstr(fault.text, names[i]));
	}
	assert_int_equal(storage_writer_table(writer)->nfiles, 0);
	storage_abort(writer);
}

struct turmoil {
	struct storage *storage;
	_Atomic bool stop;
	int opened;
	int saved;
	int errors;
};

static void *save_again_and_again(void *ctx)
{
	struct turmoil *turmoil = ctx;

	while (!atomic_load(&turmoil->stop)) {
		struct storage_writer *writer;
		int error;

		if (storage_create(turmoil->storage, &writer, NULL) != 0) {
			turmoil->errors++;
			continue;
		}
		world_set_meta(writer, 1);
		error = storage_writer_commit(writer, NULL);
		turmoil->errors += error != 0 && error != -EEXIST;
		turmoil->saved++;
	}
	return NULL;
}

static void thread_safety(void **state)
{
	const struct timespec wait = {.tv_nsec = 300000000};
	struct place *place = *state;
	struct turmoil turmoil = {.storage = place->storage};
	struct storage_writer *writer;
	pthread_t thread;
	struct timespec began, now;

	assert_int_equal(storage_create(place->storage, &writer, NULL), 0);
	world_set_meta(writer, 1);
	assert_int_equal(storage_writer_commit(writer, NULL), 0);
	assert_int_equal(
		pthread_create(&thread, NULL, save_again_and_again, &turmoil), 0);
	(void)clock_gettime(CLOCK_MONOTONIC, &began);
	do {
		struct storage_reader *reader;

		assert_int_equal(storage_open_newest(place->storage, &reader, NULL), 0);
		assert_int_equal(reader->table.meta.index, 1);
		storage_reader_close(place->storage, reader);
		turmoil.opened++;
		(void)clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - began.tv_sec) * 1000000000L + now.tv_nsec - began.tv_nsec <
		 wait.tv_nsec);
	atomic_store(&turmoil.stop, true);
	(void)pthread_join(thread, NULL);
	assert_int_equal(turmoil.errors, 0);
	assert_true(turmoil.saved > 0 && turmoil.opened > 0);
}

/* In braft the flag is whatever was in memory, and temp stayed or not. */
static void the_filter_flag_is_initialised(void **state)
{
	struct place *place = *state;
	struct storage_options options;
	struct storage_writer *writer;

	memset(&options, 0xff, sizeof(options));
	storage_options_init(&options);
	assert_false(options.filter_before_copy_remote);
	assert_false(options.sync_meta);
	assert_true(options.sync && options.use_fsync_rather_than_fdatasync &&
		    options.create && options.create_parent_directories);
	assert_int_equal(options.chunk_size, MANIFEST_CHUNK_DEFAULT);
	assert_int_equal(storage_create_copy(place->storage, &writer, NULL), 0);
	world_set_meta(writer, 1);
	storage_abort(writer);
	assert_false(exists(place, "store/temp"));
	scratch_write(&place->scratch, "store/temp/half", "x", 1);
	reopen(place, false);
	assert_false(exists(place, "store/temp"));
}

/* braft's copy of a file ends with its last byte that is not zero. */
static void a_trailing_hole_is_not_cut_off(void **state)
{
	const struct world_file files[] = {{"all zero", 3 << 20, 0}, {"small", 700, 0}};
	struct place *place = *state;
	struct storage *leader = place->storage;
	struct storage_reader *reader;
	struct storage_writer *writer;
	struct stat st;

	assert_int_equal(world_save(leader, 1, files, 2, NULL), 0);
	assert_int_equal(storage_open_newest(leader, &reader, NULL), 0);
	assert_int_equal(storage_open(&place->storage,
				 scratch_path(&place->scratch, "other"), true, NULL),
		0);
	assert_int_equal(storage_create_copy(place->storage, &writer, NULL), 0);
	assert_int_equal(storage_prepare(writer, &reader->manifest, NULL), 0);
	assert_int_equal(world_pull(reader, writer->path, NULL), 0);
	assert_int_equal(world_commit(writer, reader, NULL), 0);
	world_expect_sound(storage_path(place->storage), 1);
	assert_int_equal(stat(scratch_path(&place->scratch,
				      "other/snapshot_00000000000000000001/all zero"),
				 &st),
		0);
	assert_int_equal(st.st_size, 3 << 20);
	assert_int_equal(st.st_blocks, 0);
	storage_reader_close(leader, reader);
	storage_close(leader);
}

#define STORY(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(writer_and_reader),
		STORY(a_writer_lists_its_files),
		STORY(a_listed_file_that_nobody_wrote_fails_the_save),
		STORY(copy),
		STORY(file_escapes_directory),
		STORY(thread_safety),
		STORY(the_filter_flag_is_initialised),
		STORY(a_trailing_hole_is_not_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
