/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/storage/build.h"
#include "control/storage/storage.h"
#include "control/storage/verify.h"
#include "dataplane/base/units.h"
#include "dataplane/crc.h"
#include "tests/lib/scratch.h"

#define SNAP_5 "store/snapshot_00000000000000000005"

static const char *const peers[] = {"10.0.0.1:8000:0:0", "10.0.0.2:8000:0:0"};

struct place {
	struct scratch scratch;
	struct storage *storage;
	struct build_options options;
	struct build_result result;
	char from[80];
};

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	scratch_open(&place->scratch);
	scratch_mkdir(&place->scratch, "from");
	(void)snprintf(place->from, sizeof(place->from), "%s/from", place->scratch.path);
	assert_int_equal(storage_open(&place->storage,
				 scratch_path(&place->scratch, "store"), true, NULL),
		0);
	place->options = (struct build_options){
		.from = place->from,
		.index = 5,
		.term = 2,
		.peers = peers,
		.npeers = ARRAY_LEN(peers),
		.chunk_size = MANIFEST_CHUNK_MIN,
	};
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	storage_close(place->storage);
	scratch_close(&place->scratch);
	free(place);
	return 0;
}

static int build(struct place *place, struct fault *fault)
{
	return build_snapshot(place->storage, &place->options, &place->result, fault);
}

static void expect_sound(struct place *place)
{
	struct verify_options options = {.path = storage_path(place->storage)};
	struct verify_result result;
	struct fault fault = {0};

	if (verify_snapshot(&options, &result, &fault) != 0)
		fail_msg("%s", fault.text);
	assert_true(result.has_manifest);
	assert_int_equal(result.files, place->result.files);
	assert_true(result.bytes == place->result.bytes);
}

static void put_noise(struct place *place, const char *name, size_t len)
{
	uint8_t *bytes = scratch_noise(len, len + 1);

	scratch_write(&place->scratch, name, bytes, len);
	free(bytes);
}

static void expect_same(struct place *place, const char *name)
{
	char from[200], to[200];
	uint8_t *a, *b;
	size_t a_len, b_len;

	(void)snprintf(from, sizeof(from), "from/%s", name);
	(void)snprintf(to, sizeof(to), SNAP_5 "/%s", name);
	a = scratch_read(&place->scratch, from, &a_len);
	b = scratch_read(&place->scratch, to, &b_len);
	assert_int_equal(a_len, b_len);
	assert_memory_equal(a, b, a_len);
	free(a);
	free(b);
}

static void a_tree_becomes_a_sound_snapshot(void **state)
{
	static const char *const names[] = {"one", "dir with space/two",
		"dir with space/deeper/three", "empty", "\xe6\x97\xa5.dat"};
	struct place *place = *state;
	struct storage_reader *reader;
	const struct table_file *entry;
	char checksum[20];
	uint8_t *bytes;
	size_t len;

	put_noise(place, "from/one", 100);
	put_noise(place, "from/dir with space/two", MANIFEST_CHUNK_MIN);
	put_noise(place, "from/dir with space/deeper/three", 3 * MANIFEST_CHUNK_MIN + 7);
	put_noise(place, "from/empty", 0);
	put_noise(place, "from/\xe6\x97\xa5.dat", 5000);
	assert_int_equal(fchmodat(place->scratch.fd, "from/one", 0750, 0), 0);
	assert_int_equal(build(place, NULL), 0);
	assert_int_equal(place->result.files, 5);
	assert_true(place->result.bytes == 100 + 4 * MANIFEST_CHUNK_MIN + 7 + 5000);
	expect_sound(place);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		expect_same(place, names[i]);

	assert_int_equal(storage_open_newest(place->storage, &reader, NULL), 0);
	assert_true(reader->index == 5 && reader->term == 2);
	assert_int_equal(reader->table.nfiles, 6);
	assert_int_equal(reader->table.meta.npeers, 2);
	assert_string_equal(reader->table.meta.peers[1], peers[1]);
	bytes = scratch_read(&place->scratch, "from/dir with space/deeper/three", &len);
	(void)snprintf(checksum, sizeof(checksum), "crc32c:%08x", crc32c(bytes, len));
	free(bytes);
	entry = table_find(&reader->table, "dir with space/deeper/three");
	assert_string_equal(entry->checksum, checksum);
	assert_string_equal(
		table_find(&reader->table, "empty")->checksum, "crc32c:00000000");
	assert_int_equal(manifest_find(&reader->manifest, "one")->mode, 0750);
	storage_reader_close(place->storage, reader);
}

static void an_empty_directory_is_a_valid_snapshot(void **state)
{
	struct place *place = *state;

	assert_int_equal(build(place, NULL), 0);
	assert_int_equal(place->result.files, 0);
	expect_sound(place);
}

static void a_sparse_file_stays_sparse(void **state)
{
	struct place *place = *state;
	struct storage_reader *reader;
	struct stat st;
	int fd;

	fd = openat(place->scratch.fd, "from/sparse", O_WRONLY | O_CREAT, 0644);
	assert_int_equal(pwrite(fd, "middle", 6, 40 << 20), 6);
	assert_int_equal(ftruncate(fd, (64 << 20) + 3), 0);
	close(fd);
	assert_int_equal(build(place, NULL), 0);
	assert_int_equal(fstatat(place->scratch.fd, SNAP_5 "/sparse", &st, 0), 0);
	assert_int_equal(st.st_size, (64 << 20) + 3);
	assert_true(st.st_blocks * 512 <= 1 << 20);
	expect_same(place, "sparse");
	expect_sound(place);
	assert_int_equal(storage_open_newest(place->storage, &reader, NULL), 0);
	assert_int_equal(reader->manifest.nchunks, 257);
	for (uint32_t i = 0; i < 257; i++)
		assert_int_equal(
			reader->manifest.leaves[i].flags, i == 160 ? 0 : LEAF_ZERO);
	storage_reader_close(place->storage, reader);
}

static void links_share_the_bytes(void **state)
{
	struct place *place = *state;
	struct stat from, to;

	put_noise(place, "from/sub/file", 1000);
	place->options.link = true;
	assert_int_equal(build(place, NULL), 0);
	assert_int_equal(fstatat(place->scratch.fd, "from/sub/file", &from, 0), 0);
	assert_int_equal(fstatat(place->scratch.fd, SNAP_5 "/sub/file", &to, 0), 0);
	assert_true(from.st_ino == to.st_ino);
	expect_sound(place);
}

static void ten_hundred_small_files_share_chunks(void **state)
{
	struct place *place = *state;
	char name[40];

	for (int i = 0; i < 1000; i++) {
		(void)snprintf(name, sizeof(name), "from/%d/%d", i % 7, i);
		scratch_write(&place->scratch, name, name, strlen(name));
	}
	assert_int_equal(build(place, NULL), 0);
	assert_int_equal(place->result.files, 1000);
	expect_sound(place);
}

static void expect_refused(struct place *place, const char *name, const char *reason)
{
	struct fault fault = {0};

	assert_int_equal(build(place, &fault), -EINVAL);
	if (strstr(fault.text, name) == NULL || strstr(fault.text, reason) == NULL)
		fail_msg("\"%s\" does not name %s, %s", fault.text, name, reason);
	assert_int_equal(storage_newest_index(place->storage), 0);
	assert_false(scratch_exists(&place->scratch, "store/temp"));
}

static void everything_but_regular_files_is_refused_by_name(void **state)
{
	struct place *place = *state;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int from = openat(place->scratch.fd, "from", O_RDONLY | O_DIRECTORY);
	int sock;

	put_noise(place, "from/fine", 10);
	assert_int_equal(symlinkat("fine", from, "alias"), 0);
	expect_refused(place, "alias", "symbolic link");
	assert_int_equal(unlinkat(from, "alias", 0), 0);

	assert_int_equal(symlinkat("/", from, "root"), 0);
	expect_refused(place, "root", "symbolic link");
	assert_int_equal(unlinkat(from, "root", 0), 0);

	assert_int_equal(mkfifoat(from, "pipe", 0644), 0);
	expect_refused(place, "pipe", "fifo");
	assert_int_equal(unlinkat(from, "pipe", 0), 0);

	sock = socket(AF_UNIX, SOCK_STREAM, 0);
	(void)snprintf(
		address.sun_path, sizeof(address.sun_path), "%s/sock", place->from);
	assert_int_equal(bind(sock, (struct sockaddr *)&address, sizeof(address)), 0);
	close(sock);
	expect_refused(place, "sock", "socket");
	assert_int_equal(unlinkat(from, "sock", 0), 0);

	if (mknodat(from, "null", S_IFCHR | 0644, makedev(1, 3)) == 0) {
		expect_refused(place, "null", "device");
		assert_int_equal(unlinkat(from, "null", 0), 0);
	}
	assert_int_equal(build(place, NULL), 0);
	close(from);
}

static void unsafe_names_are_refused(void **state)
{
	static const struct {
		const char *name, *shown, *reason;
	} cases[] = {
		{"from/__raft_snapshot_meta", "__raft_snapshot_meta", "reserved"},
		{"from/__snapline_manifest", "__snapline_manifest", "reserved"},
		{"from/new\nline", "new\\x0aline", "control character"},
		{"from/\xff\xfe", "\\xff\\xfe", "UTF-8"},
	};
	struct place *place = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		scratch_write(&place->scratch, cases[i].name, "x", 1);
		expect_refused(place, cases[i].shown, cases[i].reason);
		assert_int_equal(unlinkat(place->scratch.fd, cases[i].name, 0), 0);
	}
}

/* One more than a name may have parts: no talk of symbolic links, which are not there. */
static void a_directory_that_is_too_deep_is_refused_by_name(void **state)
{
	struct place *place = *state;
	char name[sizeof("from") + 2 * (NAME_DEPTH_MAX + 1) + 2] = "from";

	for (int i = 0; i < NAME_DEPTH_MAX + 1; i++) {
		(void)strcat(name, "/d");
		scratch_mkdir(&place->scratch, name);
	}
	expect_refused(place, "d/d/d", "nested too deeply");
	assert_int_equal(unlinkat(place->scratch.fd, name, AT_REMOVEDIR), 0);
	assert_int_equal(build(place, NULL), 0);
}

static void the_store_may_not_be_inside(void **state)
{
	struct place *place = *state;

	place->options.from = place->scratch.path;
	expect_refused(place, "store", "is the store itself");
}

static void index_and_term_must_make_sense(void **state)
{
	struct place *place = *state;
	struct fault fault = {0};

	place->options.index = 0;
	assert_int_equal(build(place, NULL), -EINVAL);
	place->options.index = 5;
	place->options.term = 0;
	assert_int_equal(build(place, NULL), -EINVAL);
	place->options.term = 2;
	place->options.chunk_size = 1000;
	assert_int_equal(build(place, NULL), -EINVAL);
	place->options.chunk_size = 0;
	assert_int_equal(build(place, NULL), 0);
	assert_int_equal(build(place, &fault), -EEXIST);
	assert_non_null(strstr(fault.text, "index 5"));
	place->options.index = 4;
	assert_int_equal(build(place, NULL), -ESTALE);
	place->options.index = 6;
	place->options.from = "/nowhere";
	assert_int_equal(build(place, NULL), -ENOENT);
	assert_int_equal(storage_newest_index(place->storage), 5);
}

/* Appends to the file as soon as copying has begun. */
static void grow_source(void *ctx, const char *stage, uint64_t done, uint64_t total)
{
	struct place *place = ctx;
	int fd;

	(void)done;
	(void)total;
	if (strcmp(stage, "copy") != 0)
		return;
	fd = openat(place->scratch.fd, "from/log", O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, "more", 4), 4);
	close(fd);
}

static void a_file_that_changes_meanwhile_is_named(void **state)
{
	struct place *place = *state;
	struct fault fault = {0};

	put_noise(place, "from/log", 4 << 20);
	place->options.progress = grow_source;
	place->options.ctx = place;
	assert_int_equal(build(place, &fault), -EBUSY);
	assert_non_null(strstr(fault.text, "log changed while it was read"));
	assert_int_equal(storage_newest_index(place->storage), 0);
	assert_false(scratch_exists(&place->scratch, "store/temp"));
}

#define STORY(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_tree_becomes_a_sound_snapshot),
		STORY(an_empty_directory_is_a_valid_snapshot),
		STORY(a_sparse_file_stays_sparse),
		STORY(links_share_the_bytes),
		STORY(ten_hundred_small_files_share_chunks),
		STORY(everything_but_regular_files_is_refused_by_name),
		STORY(unsafe_names_are_refused),
		STORY(a_directory_that_is_too_deep_is_refused_by_name),
		STORY(the_store_may_not_be_inside),
		STORY(index_and_term_must_make_sense),
		STORY(a_file_that_changes_meanwhile_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
