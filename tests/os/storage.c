/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "dataplane/base/units.h"
#include "dataplane/file/store_file.h"
#include "dataplane/manifest_codec.h"
#include "tests/os/storage_world.h"

static long file_system; /* what is said of it; 0: what is true */

int fstatfs(int fd, struct statfs *fs)
{
	long rc = syscall(SYS_fstatfs, fd, fs);

	if (file_system != 0)
		fs->f_type = file_system;
	return (int)rc;
}

/* The 41 bytes that a stock node wrote at index 37. */
static void a_commit_leaves_what_braft_would(void **state)
{
	static const uint8_t stock[] = "\x00\x00\x00\x25\x0a\x19\x08\x25\x10\x03\x1a\x13"
				       "127.0.0.1:18801:0:0\x12\x08\x0a\x04"
				       "data\x12";
	struct place *place = *state;
	uint8_t *bytes;
	size_t len;

	assert_int_equal(commit(place, 37, NULL), 0);
	assert_false(exists(place, "store/temp"));
	assert_false(exists(place, SNAP_37 "/__raft_snapshot_meta.tmp"));
	bytes = scratch_read(&place->scratch, SNAP_37 "/__raft_snapshot_meta", &len);
	assert_int_equal(len, 41);
	assert_memory_equal(bytes, stock, 41);
	free(bytes);
	bytes = scratch_read(&place->scratch, SNAP_37 "/data", &len);
	assert_int_equal(len, 5);
	free(bytes);
	assert_int_equal(storage_newest_index(place->storage), 37);
}

static void a_store_of_braft_opens_and_gets_a_manifest_beside_it(void **state)
{
	struct place *place = *state;
	struct storage_reader *reader;
	uint8_t *first, *again;
	size_t len, again_len;

	assert_int_equal(commit(place, 37, NULL), 0);
	assert_int_equal(storage_open_newest(place->storage, &reader, NULL), 0);
	assert_int_equal(reader->index, 37);
	assert_int_equal(reader->term, 3);
	assert_int_equal(reader->manifest.nfiles, 1);
	assert_int_equal(reader->manifest.nchunks, 1);
	assert_int_equal(reader->manifest.leaves[0].crc32c, 0x9a71bb4c); /* of "hello" */
	storage_reader_close(place->storage, reader);
	assert_false(exists(place, SNAP_37 "/__snapline_manifest"));
	first = scratch_read(
		&place->scratch, "store/manifest_00000000000000000037", &len);

	/* a damaged one is made again */
	first[len / 2] ^= 1;
	scratch_write(&place->scratch, "store/manifest_00000000000000000037", first, len);
	first[len / 2] ^= 1;
	close_store(place);
	assert_int_equal(reopen(place, NULL), 0);
	assert_int_equal(storage_open_newest(place->storage, &reader, NULL), 0);
	storage_reader_close(place->storage, reader);
	again = scratch_read(
		&place->scratch, "store/manifest_00000000000000000037", &again_len);
	assert_int_equal(again_len, len);
	assert_memory_equal(again, first, len);
	free(again);
	free(first);

	/* and it goes with its snapshot */
	assert_int_equal(commit(place, 38, NULL), 0);
	assert_false(exists(place, "store/manifest_00000000000000000037"));
	assert_false(exists(place, SNAP_37));
}

static void an_old_index_is_refused_and_the_newest_stays(void **state)
{
	struct place *place = *state;
	struct fault fault = {0};

	assert_int_equal(commit(place, 37, NULL), 0);
	assert_int_equal(commit(place, 37, NULL), -EEXIST);
	assert_int_equal(commit(place, 36, &fault), -ESTALE);
	assert_non_null(strstr(fault.text, "newer snapshot, of index 37"));
	assert_int_equal(commit(place, 0, NULL), -EINVAL);
	assert_false(exists(place, "store/temp"));
	assert_true(exists(place, SNAP_37 "/data"));
	assert_int_equal(storage_newest_index(place->storage), 37);
}

static void a_failed_commit_leaves_the_old_snapshot(void **state)
{
	struct place *place = *state;
	struct storage_writer *writer;
	struct fault fault = {0};
	struct table table;

	assert_int_equal(commit(place, 37, NULL), 0);
	assert_int_equal(storage_create(place->storage, &writer, NULL), 0);
	make_table(&table, 38);
	assert_int_equal(storage_commit(writer, &table, NULL, 0, &fault), -ENOENT);
	assert_non_null(strstr(fault.text, "data"));
	table_fini(&table);
	assert_false(exists(place, "store/temp"));
	assert_false(exists(place, SNAP_38));
	assert_int_equal(storage_newest_index(place->storage), 37);
	assert_int_equal(commit(place, 38, NULL), 0); /* and the next one works */
}

/* A name in the table is not followed out of temp. */
static void a_symlink_in_temp_is_not_followed(void **state)
{
	struct place *place = *state;
	struct storage_writer *writer;
	struct table table;

	scratch_mkdir(&place->scratch, "outside");
	scratch_write(&place->scratch, "outside/data", "secret", 6);
	assert_int_equal(storage_create(place->storage, &writer, NULL), 0);
	assert_int_equal(
		symlinkat("../../outside", place->scratch.fd, "store/temp/dir"), 0);
	make_table(&table, 38);
	assert_int_equal(table_add_file(&table, "dir/data", NULL), 0);
	scratch_write(&place->scratch, "store/temp/data", "hello", 5);
	assert_int_not_equal(storage_commit(writer, &table, NULL, 0, NULL), 0);
	table_fini(&table);
	assert_true(exists(place, "outside/data")); /* abort did not follow it either */
}

static void only_one_writer_at_a_time(void **state)
{
	struct place *place = *state;
	struct storage_writer *writer, *second;

	assert_int_equal(storage_create(place->storage, &writer, NULL), 0);
	assert_int_equal(storage_create(place->storage, &second, NULL), -EBUSY);
	storage_abort(writer);
	assert_false(exists(place, "store/temp"));
	assert_int_equal(storage_create(place->storage, &writer, NULL), 0);
	storage_abort(writer);
}

static void a_reader_keeps_a_superseded_snapshot(void **state)
{
	struct place *place = *state;
	struct storage_reader *first, *second;

	assert_int_equal(commit(place, 37, NULL), 0);
	assert_int_equal(storage_open_newest(place->storage, &first, NULL), 0);
	assert_int_equal(storage_open_newest(place->storage, &second, NULL), 0);
	assert_int_equal(commit(place, 38, NULL), 0);
	assert_true(exists(place, SNAP_37 "/data"));
	storage_reader_close(place->storage, first);
	assert_true(exists(place, SNAP_37 "/data"));
	assert_int_equal(access(second->path, F_OK), 0);
	storage_reader_close(place->storage, second);
	assert_false(exists(place, SNAP_37));
	assert_true(exists(place, SNAP_38));
}

static void an_empty_store_has_nothing_to_read(void **state)
{
	struct place *place = *state;
	struct storage_reader *reader;
	bool has;

	assert_int_equal(storage_newest_index(place->storage), 0);
	assert_int_equal(storage_open_newest(place->storage, &reader, NULL), -ENOENT);
	assert_int_equal(
		storage_read(storage_path(place->storage), 0, &reader, &has, NULL),
		-ENOENT);
}

static void make_manifest(struct manifest *manifest)
{
	assert_int_equal(manifest_init(manifest, MANIFEST_CHUNK_MIN, NULL), 0);
	assert_int_equal(
		manifest_add(manifest, "a/b/big", 4 * MANIFEST_CHUNK_MIN + 1, 0640, NULL),
		0);
	assert_int_equal(manifest_add(manifest, "a/small", 10, 0444, NULL), 0);
	assert_int_equal(manifest_add(manifest, "empty file", 0, 04755, NULL), 0);
	assert_int_equal(manifest_layout(manifest, NULL), 0);
}

/* As the data plane does, with zeros. */
static void write_chunk(const struct storage_writer *writer,
	const struct manifest *manifest, uint32_t chunk)
{
	struct store_request request = {.op = STORE_WRITE, .chunk = chunk};

	assert_int_equal(
		store_object_open(&request.object, writer->path, manifest, NULL), 0);
	request.buf = calloc(1, manifest->chunk_size);
	assert_int_equal(store_object_run(&request), 0);
	free(request.buf);
	store_object_close(request.object);
}

static void prepare_makes_large_files_writes_the_small_and_commit_their_modes(
	void **state)
{
	struct place *place = *state;
	struct storage_writer *writer;
	struct storage_reader *reader;
	struct manifest manifest;
	struct table table;
	struct stat st;
	uint8_t *bytes;
	size_t len;
	int fd = place->scratch.fd;

	make_manifest(&manifest);
	for (uint32_t i = 2; i < 5; i++) /* three of big's chunks are zero */
		manifest.leaves[i].flags = LEAF_ZERO;
	assert_int_equal(storage_create(place->storage, &writer, NULL), 0);
	assert_int_equal(storage_prepare(writer, &manifest, NULL), 0);
	assert_int_equal(fstatat(fd, "store/temp/a/b/big", &st, 0), 0);
	assert_int_equal(st.st_size, 4 * MANIFEST_CHUNK_MIN + 1);
	assert_true(st.st_blocks * 512 < 2 * MANIFEST_CHUNK_MIN);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_false(exists(place, "store/temp/a/small"));   /* its chunk brings it */
	assert_true(exists(place, "store/temp/empty file")); /* nothing else will */
	write_chunk(writer, &manifest, 0);
	assert_int_equal(fstatat(fd, "store/temp/a/small", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0644); /* writable until then, too */

	for (uint32_t i = 0; i < manifest.nchunks; i++)
		manifest.leaves[i].flags = 0;
	assert_int_equal(manifest_encode(&manifest, &bytes, &len), 0);
	table_init(&table);
	table.has_meta = true;
	table.meta.index = 38;
	table.meta.term = 1;
	assert_int_equal(table_add_file(&table, "a/b/big", NULL), 0);
	assert_int_equal(table_add_file(&table, "a/small", NULL), 0);
	assert_int_equal(table_add_file(&table, "empty file", NULL), 0);
	assert_int_equal(table_add_file(&table, MANIFEST_NAME, NULL), 0);
	assert_int_equal(storage_commit(writer, &table, bytes, len, NULL), 0);
	table_fini(&table);
	assert_int_equal(fstatat(fd, SNAP_38 "/a/small", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0444);
	assert_int_equal(fstatat(fd, SNAP_38 "/empty file", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0755); /* never set-uid */
	assert_int_equal(storage_open_newest(place->storage, &reader, NULL), 0);
	assert_memory_equal(reader->manifest.root, manifest.root, MANIFEST_ROOT_LEN);
	storage_reader_close(place->storage, reader);
	free(bytes);
	manifest_fini(&manifest);
}

/* A snapshot that braft made keeps its manifest beside it on the follower, too. */
static void a_manifest_without_an_entry_goes_beside(void **state)
{
	struct place *place = *state;
	struct storage_writer *writer;
	struct manifest manifest;
	struct table table;
	uint8_t *bytes;
	size_t len;

	assert_int_equal(manifest_init(&manifest, MANIFEST_CHUNK_DEFAULT, NULL), 0);
	assert_int_equal(manifest_add(&manifest, "data", 5, 0644, NULL), 0);
	assert_int_equal(manifest_layout(&manifest, NULL), 0);
	assert_int_equal(manifest_encode(&manifest, &bytes, &len), 0);
	assert_int_equal(storage_create(place->storage, &writer, NULL), 0);
	assert_int_equal(storage_prepare(writer, &manifest, NULL), 0);
	write_chunk(writer, &manifest, 0);
	make_table(&table, 38);
	assert_int_equal(storage_commit(writer, &table, bytes, len, NULL), 0);
	assert_true(exists(place, "store/manifest_00000000000000000038"));
	assert_false(exists(place, SNAP_38 "/" MANIFEST_NAME));
	table_fini(&table);
	free(bytes);
	manifest_fini(&manifest);
}

/* A manifest describes the files of the table and no others, wherever it lies. */
static void a_manifest_of_other_files_is_not_believed(void **state)
{
	struct place *place = *state;
	struct storage_writer *writer;
	struct storage_reader *reader;
	struct manifest manifest;
	struct table table;
	uint8_t *bytes;
	size_t len;

	assert_int_equal(manifest_init(&manifest, MANIFEST_CHUNK_DEFAULT, NULL), 0);
	assert_int_equal(manifest_add(&manifest, "other", 5, 0644, NULL), 0);
	assert_int_equal(manifest_layout(&manifest, NULL), 0);
	assert_int_equal(manifest_encode(&manifest, &bytes, &len), 0);
	assert_int_equal(storage_create(place->storage, &writer, NULL), 0);
	scratch_write(&place->scratch, "store/temp/data", "hello", 5);
	make_table(&table, 37);
	assert_int_equal(storage_commit(writer, &table, bytes, len, NULL), -EBADMSG);
	table_fini(&table);
	assert_int_equal(commit(place, 37, NULL), 0);
	scratch_write(&place->scratch, "store/manifest_00000000000000000037", bytes, len);
	assert_int_equal(storage_open_newest(place->storage, &reader, NULL), 0);
	assert_string_equal(reader->manifest.files[0].name, "data"); /* computed anew */
	storage_reader_close(place->storage, reader);
	free(bytes);
	manifest_fini(&manifest);
}

static void a_snapshot_that_cannot_fit_is_refused_first(void **state)
{
	struct place *place = *state;
	struct storage_writer *writer;
	struct manifest manifest;
	struct fault fault = {0};
	struct statvfs fs;
	uint64_t available;

	assert_int_equal(statvfs(storage_path(place->storage), &fs), 0);
	available = (uint64_t)fs.f_bavail * fs.f_frsize;
	assert_int_equal(manifest_init(&manifest, MANIFEST_CHUNK_MAX, NULL), 0);
	assert_int_equal(manifest_add(&manifest, "tiny", 1, 0644, NULL), 0);
	assert_int_equal(
		manifest_add(&manifest, "vast", available + (1u << 30), 0644, NULL), 0);
	assert_int_equal(manifest_layout(&manifest, NULL), 0);
	assert_int_equal(storage_create(place->storage, &writer, NULL), 0);
	assert_int_equal(storage_prepare(writer, &manifest, &fault), -ENOSPC);
	assert_non_null(strstr(fault.text, "free"));
	assert_false(exists(place, "store/temp/tiny"));
	storage_abort(writer);
	manifest_fini(&manifest);
}

/* On a disk that makes the file lie in few pieces, and says at once that it is full; in
 * memory it takes as long as a third of the copy. */
static void a_place_is_reserved_on_a_disk_and_not_in_memory(void **state)
{
	static const long file_systems[] = {EXT4_SUPER_MAGIC, TMPFS_MAGIC};
	struct place *place = *state;
	struct storage_writer *writer;
	struct manifest manifest;
	struct stat st;

	make_manifest(&manifest);
	for (size_t i = 0; i < ARRAY_LEN(file_systems); i++) {
		file_system = file_systems[i];
		assert_int_equal(storage_create(place->storage, &writer, NULL), 0);
		assert_int_equal(storage_prepare(writer, &manifest, NULL), 0);
		file_system = 0;
		assert_int_equal(
			fstatat(place->scratch.fd, "store/temp/a/b/big", &st, 0), 0);
		assert_int_equal(st.st_size, 4 * MANIFEST_CHUNK_MIN + 1);
		if (file_systems[i] == TMPFS_MAGIC)
			assert_int_equal(st.st_blocks, 0);
		else
			assert_true(st.st_blocks * 512 >= st.st_size);
		storage_abort(writer);
	}
	manifest_fini(&manifest);
}

/* Stock braft reported a full disk as a saved snapshot, and truncated the log. */
static void a_full_disk_is_an_error_and_the_old_snapshot_stays(void **state)
{
	struct place *place = *state;
	struct storage_writer *writer;
	struct fault fault = {0};
	struct table table;
	uint8_t *noise;
	int64_t newest;
	bool old_stays;
	int fd, error;

	close_store(place);
	if (mount("none", scratch_path(&place->scratch, "store"), "tmpfs", 0,
		    "size=64k") != 0) {
		print_message("skipped: mounting a tmpfs needs CAP_SYS_ADMIN\n");
		skip();
	}
	assert_int_equal(reopen(place, NULL), 0);
	assert_int_equal(commit(place, 37, NULL), 0);
	assert_int_equal(storage_create(place->storage, &writer, NULL), 0);
	scratch_write(&place->scratch, "store/temp/data", "hello", 5);
	noise = scratch_noise(4096, 9);
	fd = openat(place->scratch.fd, "store/fill", O_WRONLY | O_CREAT, 0644);
	while (write(fd, noise, 4096) > 0)
		;
	close(fd);
	free(noise);
	make_table(&table, 38);
	error = storage_commit(writer, &table, NULL, 0, &fault);
	table_fini(&table);
	newest = storage_newest_index(place->storage);
	old_stays = exists(place, SNAP_37 "/data") && !exists(place, SNAP_38);
	close_store(place);
	assert_int_equal(umount(scratch_path(&place->scratch, "store")), 0);
	assert_int_equal(newest, 37);
	assert_true(old_stays);
	assert_int_equal(error, -ENOSPC);
	assert_non_null(strstr(fault.text, "__raft_snapshot_meta"));
	assert_non_null(strstr(fault.text, "free space"));
}

#define STORY(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_commit_leaves_what_braft_would),
		STORY(a_store_of_braft_opens_and_gets_a_manifest_beside_it),
		STORY(an_old_index_is_refused_and_the_newest_stays),
		STORY(a_failed_commit_leaves_the_old_snapshot),
		STORY(a_symlink_in_temp_is_not_followed),
		STORY(only_one_writer_at_a_time),
		STORY(a_reader_keeps_a_superseded_snapshot),
		STORY(an_empty_store_has_nothing_to_read),
		STORY(prepare_makes_large_files_writes_the_small_and_commit_their_modes),
		STORY(a_manifest_without_an_entry_goes_beside),
		STORY(a_manifest_of_other_files_is_not_believed),
		STORY(a_snapshot_that_cannot_fit_is_refused_first),
		STORY(a_place_is_reserved_on_a_disk_and_not_in_memory),
		STORY(a_full_disk_is_an_error_and_the_old_snapshot_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
