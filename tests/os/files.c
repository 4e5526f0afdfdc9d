/* SPDX-License-Identifier: BSD-3-Clause */
/* What braft asks of a file system adaptor and of ProtoBufFile, under the names of its
 * tests. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/storage/pbfile.h"
#include "control/storage/prune.h"
#include "control/storage/storage.h"
#include "control/storage/tree.h"
#include "dataplane/base/units.h"
#include "tests/lib/scratch.h"

static int set_up(void **state)
{
	struct scratch *scratch = calloc(1, sizeof(*scratch));

	scratch_open(scratch);
	*state = scratch;
	return 0;
}

static int tear_down(void **state)
{
	scratch_close(*state);
	free(*state);
	return 0;
}

static void protobuf_file(void **state)
{
	static const enum file_sync how[] = {
		FILE_SYNC_FULL, FILE_SYNC_DATA, FILE_SYNC_NONE};
	struct scratch *scratch = *state;

	for (size_t i = 0; i < ARRAY_LEN(how); i++) {
		const struct file_image message = {
			.bytes = (const uint8_t *)"message", .len = 7, .sync = how[i]};
		uint8_t *bytes;
		size_t len;

		assert_int_equal(pbfile_save(scratch->fd, "pb", &message, NULL), 0);
		assert_false(scratch_exists(scratch, "pb.tmp"));
		assert_int_equal(pbfile_load(scratch->fd, "pb", &bytes, &len, NULL), 0);
		assert_int_equal(len, 7);
		assert_memory_equal(bytes, "message", 7);
		free(bytes);
		bytes = scratch_read(scratch, "pb", &len);
		assert_memory_equal(bytes, "\0\0\0\7message", 11);
		free(bytes);
	}
}

static void read_write(void **state)
{
	struct scratch *scratch = *state;
	uint8_t *noise = scratch_noise(100000, 1);
	const struct file_image image = {.bytes = noise, .len = 100000};
	uint8_t part[5000];
	uint8_t *bytes;
	size_t len;
	int fd;

	assert_int_equal(file_save(scratch->fd, "f", &image, NULL), 0);
	assert_int_equal(file_load(scratch->fd, "f", 100000, &bytes, &len, NULL), 0);
	assert_int_equal(len, 100000);
	assert_memory_equal(bytes, noise, len);
	free(bytes);
	assert_int_equal(
		file_load(scratch->fd, "f", 99999, &bytes, &len, NULL), -EBADMSG);
	assert_int_equal(tree_open(scratch->fd, "f", O_RDONLY, 0, &fd, NULL), 0);
	assert_int_equal(file_read(fd, part, sizeof(part), 95000), 0);
	assert_memory_equal(part, noise + 95000, sizeof(part));
	assert_int_equal(file_read(fd, part, sizeof(part), 95001), -ENODATA);
	close(fd);
	free(noise);
}

static void delete_file(void **state)
{
	struct scratch *scratch = *state;

	assert_int_equal(tree_unlink(scratch->fd, "absent", NULL), 0);
	assert_int_equal(tree_unlink(scratch->fd, "absent/too", NULL), 0);
	assert_int_equal(tree_remove(scratch->fd, "absent", NULL), 0);
	scratch_write(scratch, "dir/sub/file", "x", 1);
	assert_int_equal(tree_unlink(scratch->fd, "dir/sub", NULL), -EISDIR);
	assert_int_equal(tree_unlink(scratch->fd, "dir/sub/file", NULL), 0);
	assert_true(scratch_exists(scratch, "dir/sub"));
	scratch_write(scratch, "dir/sub/file", "x", 1);
	assert_int_equal(symlinkat("..", scratch->fd, "dir/up"), 0);
	scratch_write(scratch, "beside", "x", 1);
	assert_int_equal(tree_remove(scratch->fd, "dir", NULL), 0);
	assert_false(scratch_exists(scratch, "dir"));
	assert_true(scratch_exists(scratch, "beside"));
}

/* Replacing a file is how a name changes: whole, or not at all. */
static void rename_replaces_a_file_but_no_directory(void **state)
{
	struct scratch *scratch = *state;
	const struct file_image image = {.bytes = (const uint8_t *)"new", .len = 3};
	struct fault fault = {0};

	scratch_write(scratch, "file", "old content", 11);
	assert_int_equal(file_save(scratch->fd, "file", &image, NULL), 0);
	scratch_write(scratch, "dir/inside", "x", 1);
	assert_int_equal(file_save(scratch->fd, "dir", &image, &fault), -EISDIR);
	assert_non_null(strstr(fault.text, "dir"));
	assert_true(scratch_exists(scratch, "dir/inside"));
	assert_false(scratch_exists(scratch, "dir.tmp"));
}

static void create_directory(void **state)
{
	struct scratch *scratch = *state;
	struct storage_options options;
	struct storage *storage;
	struct fault fault = {0};

	storage_options_init(&options);
	options.create_parent_directories = false;
	assert_int_equal(storage_open_options(&storage, scratch_path(scratch, "a/b/c"),
				 &options, NULL),
		-ENOENT);
	options.create_parent_directories = true;
	for (int i = 0; i < 2; i++) { /* made, and found */
		assert_int_equal(
			storage_open_options(&storage, scratch_path(scratch, "a//b/c/"),
				&options, NULL),
			0);
		storage_close(storage);
	}
	assert_true(scratch_exists(scratch, "a/b/c"));
	scratch_write(scratch, "file", "x", 1);
	assert_int_equal(storage_open_options(&storage, scratch_path(scratch, "file/c"),
				 &options, &fault),
		-ENOTDIR);
	assert_int_equal(storage_open_options(
				 &storage, scratch_path(scratch, "file"), &options, NULL),
		-ENOTDIR);
	options.create = false;
	assert_int_equal(storage_open_options(
				 &storage, scratch_path(scratch, "new"), &options, NULL),
		-ENOENT);
	assert_false(scratch_exists(scratch, "new"));
}

struct seen {
	int files;
	int directories;
};

static int see_file(void *ctx, const struct tree_entry *entry, struct fault *fault)
{
	struct seen *seen = ctx;

	(void)fault;
	assert_null(strstr(entry->name, "."));
	seen->files++;
	return 0;
}

static int see_dir(void *ctx, const struct tree_entry *entry, struct fault *fault)
{
	struct seen *seen = ctx;

	(void)fault;
	assert_null(strstr(entry->name, "."));
	seen->directories++;
	return 0;
}

static void directory_reader(void **state)
{
	struct scratch *scratch = *state;
	struct seen seen = {0};
	const struct tree_visitor visitor = {
		.visit = see_file, .visit_dir = see_dir, .ctx = &seen};

	assert_int_equal(tree_walk(scratch->fd, &visitor, NULL), 0);
	assert_int_equal(seen.files + seen.directories, 0);
	scratch_write(scratch, "a/b/one", "x", 1);
	scratch_write(scratch, "a/two", "x", 1);
	scratch_write(scratch, "three", "x", 1);
	assert_int_equal(tree_walk(scratch->fd, &visitor, NULL), 0);
	assert_int_equal(seen.files, 3);
	assert_int_equal(seen.directories, 2);
	assert_int_equal(tree_walk(-1, &visitor, NULL), -EBADF);
}

static void create_sub_directory(void **state)
{
	struct scratch *scratch = *state;
	int fd;

	assert_int_equal(tree_make_parents(scratch->fd, "file", NULL), 0);
	assert_int_equal(tree_make_parents(scratch->fd, "a/b/file", NULL), 0);
	assert_int_equal(tree_make_parents(scratch->fd, "a/b/file", NULL), 0);
	assert_true(scratch_exists(scratch, "a/b"));
	assert_false(scratch_exists(scratch, "a/b/file"));
	scratch_write(scratch, "a/file", "x", 1);
	assert_int_equal(tree_make_parents(scratch->fd, "a/file/c/d", NULL), -ENOTDIR);
	assert_int_equal(symlinkat("/tmp", scratch->fd, "a/out"), 0);
	assert_int_not_equal(tree_make_parents(scratch->fd, "a/out/c/d", NULL), 0);
	assert_int_not_equal(
		tree_open(scratch->fd, "a/out/x", O_RDONLY, 0, &fd, NULL), 0);
}

static bool keep_named(void *ctx, const char *name, const struct stat *st)
{
	(void)st;
	return strcmp(name, ctx) == 0;
}

static void pruning_keeps_a_file_and_the_way_to_it(void **state)
{
	struct scratch *scratch = *state;
	char keep[] = "a/b/keep";
	const struct prune_rule rule = {.keep = keep_named, .ctx = keep};

	scratch_write(scratch, keep, "x", 1);
	scratch_write(scratch, "a/b/go", "x", 1);
	scratch_write(scratch, "a/c/d/go", "x", 1);
	scratch_mkdir(scratch, "empty");
	assert_int_equal(symlinkat("a", scratch->fd, "link"), 0);
	assert_int_equal(prune_tree(scratch->fd, &rule, NULL), 0);
	assert_true(scratch_exists(scratch, keep));
	assert_false(scratch_exists(scratch, "a/b/go"));
	assert_false(scratch_exists(scratch, "a/c"));
	assert_false(scratch_exists(scratch, "empty"));
	assert_false(scratch_exists(scratch, "link"));
}

#define STORY(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(protobuf_file),
		STORY(read_write),
		STORY(delete_file),
		STORY(rename_replaces_a_file_but_no_directory),
		STORY(create_directory),
		STORY(directory_reader),
		STORY(create_sub_directory),
		STORY(pruning_keeps_a_file_and_the_way_to_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
