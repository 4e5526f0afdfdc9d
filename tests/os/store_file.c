/* SPDX-License-Identifier: BSD-3-Clause */
/* Chunks go to files and come back; whatever a disk or a person does to the files in the
 * meantime is told by name. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/crc.h"
#include "dataplane/file/store_file.h"
#include "tests/lib/folder.h"

enum {
	CHUNK = MANIFEST_CHUNK_MIN,
	SLICE = 8192,
	BIG = 2 * CHUNK + 1000, /* a file of three chunks, the last one short */
	MANY = 200,             /* more small files than are kept open */
};

/* A snapshot of one big file, one in a folder, one empty and many small ones. */
struct scene {
	char folder[64];
	struct manifest manifest;
	struct store_object *object;
	struct store store;
	uint8_t *buf;
	uint32_t slice_crc[CHUNK / SLICE];
};

static uint8_t pattern(uint32_t chunk, uint32_t at)
{
	return (uint8_t)(chunk * 131 + at * 7 + at / 251);
}

static void path_of(const struct scene *scene, const char *name, char *path, size_t size)
{
	(void)snprintf(path, size, "%s/%s", scene->folder, name);
}

static void create_files(struct scene *scene)
{
	for (uint32_t i = 0; i < scene->manifest.nfiles; i++) {
		const struct manifest_file *file = &scene->manifest.files[i];
		char path[128];
		int fd;

		path_of(scene, file->name, path, sizeof(path));
		fd = open(path, O_CREAT | O_WRONLY, 0600);
		assert_true(fd >= 0);
		assert_int_equal(ftruncate(fd, (off_t)file->size), 0);
		(void)close(fd);
	}
}

static void describe(struct manifest *manifest)
{
	char name[32];

	assert_int_equal(manifest_init(manifest, CHUNK, NULL), 0);
	assert_int_equal(manifest_add(manifest, "big", BIG, 0644, NULL), 0);
	assert_int_equal(manifest_add(manifest, "sub/one", 777, 0644, NULL), 0);
	assert_int_equal(manifest_add(manifest, "empty", 0, 0644, NULL), 0);
	for (int i = 0; i < MANY; i++) {
		(void)snprintf(name, sizeof(name), "small-%03d", i);
		assert_int_equal(manifest_add(manifest, name, 5000 + i, 0644, NULL), 0);
	}
	assert_int_equal(manifest_layout(manifest, NULL), 0);
}

static int set_up(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	char path[128];

	*state = scene;
	assert_true(folder_make(scene->folder, sizeof(scene->folder), "store-file"));
	path_of(scene, "sub", path, sizeof(path));
	assert_int_equal(mkdir(path, 0700), 0);
	describe(&scene->manifest);
	create_files(scene);
	scene->buf = calloc(1, CHUNK);
	assert_int_equal(
		store_object_open(&scene->object, scene->folder, &scene->manifest, NULL),
		0);
	return store_file_open(&scene->store, NULL);
}

static int tear_down(void **state)
{
	struct scene *scene = *state;
	char command[128];
	int rc;

	store_file_close(&scene->store);
	store_object_close(scene->object);
	manifest_fini(&scene->manifest);
	(void)snprintf(command, sizeof(command), "rm -rf %s", scene->folder);
	rc = system(command);
	free(scene->buf);
	free(scene);
	return rc;
}

/* One request, and its answer. */
static int transact(struct scene *scene, enum store_op op, uint32_t chunk)
{
	const struct timespec moment = {.tv_nsec = 20000};
	struct store_request request = {
		.object = scene->object,
		.cookie = chunk + 1000,
		.op = op,
		.chunk = chunk,
		.buf = scene->buf,
		.slice_size = SLICE,
		.slice_crc = scene->slice_crc,
	};
	struct store_completion completion;

	assert_true(scene->store.ops->submit(scene->store.self, &request));
	while (scene->store.ops->poll(scene->store.self, &completion, 1) == 0)
		(void)nanosleep(&moment, NULL);
	assert_int_equal(completion.cookie, chunk + 1000);
	return completion.error;
}

static void write_chunk(struct scene *scene, uint32_t chunk)
{
	for (uint32_t at = 0; at < CHUNK; at++)
		scene->buf[at] = pattern(chunk, at);
	assert_int_equal(transact(scene, STORE_WRITE, chunk), 0);
}

static uint32_t chunk_of(const struct scene *scene, const char *name)
{
	for (uint32_t i = 0; i < scene->manifest.nfiles; i++) {
		if (strcmp(scene->manifest.files[i].name, name) == 0)
			return scene->manifest.files[i].first_chunk;
	}
	fail_msg("no file %s", name);
	return 0;
}

static void assert_fault(struct scene *scene, int code, const char *name)
{
	struct fault fault;

	store_object_get_fault(scene->object, &fault);
	assert_int_equal(fault.code, code);
	if (strstr(fault.text, name) == NULL)
		fail_msg("'%s' is not in: %s", name, fault.text);
}

static void every_chunk_comes_back_with_the_crc_of_each_slice(void **state)
{
	struct scene *scene = *state;

	for (uint32_t chunk = 0; chunk < scene->manifest.nchunks; chunk++)
		write_chunk(scene, chunk);
	for (uint32_t chunk = 0; chunk < scene->manifest.nchunks; chunk++) {
		uint32_t len = manifest_chunk_len(&scene->manifest, chunk);

		memset(scene->buf, 0, CHUNK);
		assert_int_equal(transact(scene, STORE_READ, chunk), 0);
		for (uint32_t at = 0; at < len; at++)
			assert_true(scene->buf[at] == pattern(chunk, at));
		for (uint32_t at = 0; at < len; at += SLICE)
			assert_int_equal(scene->slice_crc[at / SLICE],
				crc32c(scene->buf + at, u32_min(SLICE, len - at)));
	}
	assert_fault(scene, 0, "");
}

static void small_files_of_one_chunk_get_their_own_bytes(void **state)
{
	struct scene *scene = *state;
	const struct manifest_file *files = scene->manifest.files;

	for (uint32_t chunk = 0; chunk < scene->manifest.nchunks; chunk++)
		write_chunk(scene, chunk);
	for (uint32_t i = 0; i < scene->manifest.nfiles; i++) {
		char path[128];
		uint8_t byte;
		int fd;

		if (files[i].size == 0)
			continue;
		path_of(scene, files[i].name, path, sizeof(path));
		fd = open(path, O_RDONLY);
		assert_int_equal(read(fd, &byte, 1), 1);
		assert_int_equal(byte, pattern(files[i].first_chunk, files[i].offset));
		(void)close(fd);
	}
}

static void a_small_file_is_made_by_the_write_that_brings_it(void **state)
{
	struct scene *scene = *state;
	struct stat st;
	char path[128];

	path_of(scene, "small-007", path, sizeof(path));
	assert_int_equal(unlink(path), 0);
	write_chunk(scene, chunk_of(scene, "small-007"));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 5007);
	assert_int_equal(st.st_mode & 0700, 0600);
}

/* The inode may be another snapshot's, too: what has the name makes room. */
static void a_small_file_is_never_written_through_a_link(void **state)
{
	struct scene *scene = *state;
	char path[128], other[128], byte;
	struct stat st;
	int fd;

	path_of(scene, "small-007", path, sizeof(path));
	path_of(scene, "older", other, sizeof(other));
	fd = open(other, O_CREAT | O_RDWR, 0400);
	assert_int_equal(write(fd, "old", 3), 3);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(link(other, path), 0);
	write_chunk(scene, chunk_of(scene, "small-007"));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink(other, path), 0);
	write_chunk(scene, chunk_of(scene, "small-007"));
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 3);
	assert_int_equal(pread(fd, &byte, 1, 0), 1);
	assert_int_equal(byte, 'o');
	(void)close(fd);
}

static void a_small_file_of_another_size_or_kind_is_not_sent(void **state)
{
	struct scene *scene = *state;
	uint32_t chunk = chunk_of(scene, "small-007");
	char path[128];

	path_of(scene, "small-007", path, sizeof(path));
	assert_int_equal(truncate(path, 5008), 0);
	assert_int_equal(transact(scene, STORE_READ, chunk), -EBADMSG);
	assert_fault(scene, -EBADMSG, "small-007 has 5008 bytes");
	assert_int_equal(truncate(path, 5006), 0);
	assert_int_equal(transact(scene, STORE_READ, chunk), -EBADMSG);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(transact(scene, STORE_READ, chunk), -ELOOP);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("big", path), 0);
	assert_int_equal(transact(scene, STORE_READ, chunk), -ELOOP);
}

static int count_open_files(void)
{
	int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void few_files_stay_open(void **state)
{
	struct scene *scene = *state;
	int before = count_open_files();

	for (uint32_t chunk = 0; chunk < scene->manifest.nchunks; chunk++)
		assert_int_equal(transact(scene, STORE_READ, chunk), 0);
	assert_true(count_open_files() - before <= 64);
}

static void a_shrunk_file_is_named_with_both_sizes(void **state)
{
	struct scene *scene = *state;
	char path[128];

	path_of(scene, "big", path, sizeof(path));
	assert_int_equal(transact(scene, STORE_READ, chunk_of(scene, "big")), 0);
	assert_int_equal(truncate(path, 1234), 0); /* while it is kept open */
	assert_int_equal(transact(scene, STORE_READ, chunk_of(scene, "big")), -EBADMSG);
	assert_fault(scene, -EBADMSG, "big has 1234 bytes, its manifest says 525288");
}

static void a_grown_file_is_refused_even_where_its_bytes_are_there(void **state)
{
	struct scene *scene = *state;
	char path[128];

	path_of(scene, "big", path, sizeof(path));
	assert_int_equal(truncate(path, BIG + 1), 0);
	assert_int_equal(transact(scene, STORE_READ, chunk_of(scene, "big")), -EBADMSG);
	assert_fault(scene, -EBADMSG, "525289");
}

static void a_vanished_file_is_named(void **state)
{
	struct scene *scene = *state;
	char path[128];

	path_of(scene, "sub/one", path, sizeof(path));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(
		transact(scene, STORE_READ, chunk_of(scene, "sub/one")), -ENOENT);
	assert_fault(scene, -ENOENT, "sub/one");
}

static void a_symbolic_link_is_not_followed(void **state)
{
	struct scene *scene = *state;
	char path[128];

	path_of(scene, "big", path, sizeof(path));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(transact(scene, STORE_WRITE, chunk_of(scene, "big")), -ELOOP);
	assert_fault(scene, -ELOOP, "symbolic link");
}

/* Needs root for a file system small enough; skipped otherwise. */
static void a_full_disk_is_named_with_the_way_on(void **state)
{
	struct scene *scene = *state;
	struct store_object *small;
	struct store_object *kept = scene->object;
	struct fault fault;
	char path[128], disk[80];
	int rc, fd;

	(void)snprintf(disk, sizeof(disk), "%s/disk", scene->folder);
	assert_int_equal(mkdir(disk, 0700), 0);
	if (mount("none", disk, "tmpfs", 0, "size=64k") != 0)
		skip();
	(void)snprintf(path, sizeof(path), "%s/big", disk);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	rc = ftruncate(fd, BIG);
	(void)close(fd);
	if (rc == 0)
		rc = store_object_open(&small, disk, &scene->manifest, NULL);
	if (rc == 0) {
		scene->object = small;
		rc = transact(scene, STORE_WRITE, chunk_of(scene, "big"));
		store_object_get_fault(small, &fault);
		store_object_close(small);
		scene->object = kept;
	}
	assert_int_equal(umount(disk), 0);
	assert_int_equal(rc, -ENOSPC);
	assert_non_null(strstr(fault.text, "free space and start again"));
}

/* A file size limit stands in for whatever else makes a write fail. */
static void a_refused_write_says_so(void **state)
{
	struct scene *scene = *state;
	struct rlimit old, small;
	int rc;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = CHUNK / 2;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	rc = transact(scene, STORE_WRITE, chunk_of(scene, "big"));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(rc, -EFBIG);
	assert_fault(scene, -EFBIG, "cannot write");
}

static void only_the_first_fault_is_kept(void **state)
{
	struct scene *scene = *state;
	char path[128];

	path_of(scene, "sub/one", path, sizeof(path));
	assert_int_equal(unlink(path), 0);
	path_of(scene, "big", path, sizeof(path));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(transact(scene, STORE_READ, chunk_of(scene, "big")), -ENOENT);
	assert_int_equal(
		transact(scene, STORE_READ, chunk_of(scene, "sub/one")), -ENOENT);
	assert_fault(scene, -ENOENT, "/big");
}

static void a_full_queue_says_no_and_every_request_is_answered_once(void **state)
{
	enum { REQUESTS = 2000 };
	struct scene *scene = *state;
	struct store_completion completions[32];
	static uint8_t answered[REQUESTS];
	uint32_t submitted = 0, done = 0;

	memset(answered, 0, sizeof(answered));
	while (done < REQUESTS) {
		struct store_request request = {
			.object = scene->object,
			.cookie = submitted,
			.op = STORE_READ,
			.chunk = chunk_of(scene, "big") + 2, /* 1000 bytes */
			.buf = scene->buf,
		};
		int count;

		while (submitted < REQUESTS &&
			scene->store.ops->submit(scene->store.self, &request))
			request.cookie = ++submitted;
		count = scene->store.ops->poll(scene->store.self, completions, 32);
		for (int i = 0; i < count; i++) {
			assert_int_equal(completions[i].error, 0);
			assert_int_equal(answered[completions[i].cookie]++, 0);
		}
		done += (uint32_t)count;
	}
}

static void a_folder_that_is_not_there_is_a_clear_fault(void **state)
{
	struct scene *scene = *state;
	struct store_object *object;
	struct fault fault = {0};

	assert_int_equal(
		store_object_open(&object, "/nowhere/at/all", &scene->manifest, &fault),
		-ENOENT);
	assert_non_null(strstr(fault.text, "/nowhere/at/all"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_chunk_comes_back_with_the_crc_of_each_slice),
		TEST(small_files_of_one_chunk_get_their_own_bytes),
		TEST(a_small_file_is_made_by_the_write_that_brings_it),
		TEST(a_small_file_is_never_written_through_a_link),
		TEST(a_small_file_of_another_size_or_kind_is_not_sent),
		TEST(few_files_stay_open),
		TEST(a_shrunk_file_is_named_with_both_sizes),
		TEST(a_grown_file_is_refused_even_where_its_bytes_are_there),
		TEST(a_vanished_file_is_named),
		TEST(a_symbolic_link_is_not_followed),
		TEST(a_full_disk_is_named_with_the_way_on),
		TEST(a_refused_write_says_so),
		TEST(only_the_first_fault_is_kept),
		TEST(a_full_queue_says_no_and_every_request_is_answered_once),
		TEST(a_folder_that_is_not_there_is_a_clear_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
