/* SPDX-License-Identifier: BSD-3-Clause */
/* Chunks whose pages are not in memory are read past the page cache, several at once; and
 * where that is refused, odd or fails, as any file is. The calls that decide are the
 * test's own. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include <liburing.h>

#include "dataplane/base/log.h"
#include "dataplane/base/units.h"
#include "dataplane/crc.h"
#include "dataplane/file/store_file.h"
#include "tests/lib/scratch.h"

enum {
	CHUNK = MANIFEST_CHUNK_MIN,
	SLICE = 8192,
	SIZE = 3 * CHUNK + 1000,
	TAIL = 3,
	MANY = 20,       /* more than are under way at once */
	CACHED = 1 << 8, /* what to say of pages: */
	ALL_COLD = 0,
	ALL_WARM = 1,
	HALF_WARM = 2,
};

static struct {
	int memory;          /* CACHED: what is true */
	bool is_tmpfs;       /* what to say of the file system */
	int ring_error;      /* what asking for a ring meets; 0: nothing */
	int enter_error;     /* what using one meets */
	int open_error;      /* what opening with O_DIRECT meets */
	const char *instead; /* opened in place of a file with O_DIRECT */
	int read_error;      /* what an ordinary read meets */
	int opened;          /* with O_DIRECT, or tried to */
	int ordinarily;      /* reads that were no io_uring's */
	int asked;           /* what of a file is in memory */
} calls;

int io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags)
{
	int (*real)(unsigned, struct io_uring *, unsigned);

	if (calls.ring_error != 0)
		return calls.ring_error;
	*(void **)&real = dlsym(RTLD_NEXT, "io_uring_queue_init");
	return real(entries, ring, flags);
}

int io_uring_submit_and_wait(struct io_uring *ring, unsigned count)
{
	int (*real)(struct io_uring *, unsigned);

	if (calls.enter_error != 0)
		return calls.enter_error;
	*(void **)&real = dlsym(RTLD_NEXT, "io_uring_submit_and_wait");
	return real(ring, count);
}

int openat(int dirfd, const char *path, int flags, ...)
{
	if ((flags & O_DIRECT) != 0) {
		calls.opened++;
		errno = calls.open_error;
		if (calls.open_error != 0)
			return -1;
		if (calls.instead != NULL)
			return open(calls.instead, O_RDONLY);
	}
	return (int)syscall(SYS_openat, dirfd, path, flags, 0600);
}

ssize_t pread(int fd, void *bytes, size_t len, off_t offset)
{
	calls.ordinarily++;
	errno = calls.read_error;
	if (calls.read_error != 0)
		return -1;
	return syscall(SYS_pread64, fd, bytes, len, offset);
}

int fstatfs(int fd, struct statfs *fs)
{
	*fs = (struct statfs){.f_type = EXT4_SUPER_MAGIC};
	if (calls.is_tmpfs)
		fs->f_type = TMPFS_MAGIC;
	return fd >= 0 ? 0 : -1;
}

int mincore(void *map, size_t len, unsigned char *here)
{
	size_t pages = len / (size_t)sysconf(_SC_PAGESIZE);

	calls.asked++;
	if (calls.memory == CACHED)
		return (int)syscall(SYS_mincore, map, len, here);
	memset(here, calls.memory == ALL_WARM, pages);
	if (calls.memory == HALF_WARM)
		memset(here, 1, pages / 2);
	return 0;
}

struct place {
	struct scratch scratch;
	struct manifest manifest;
	struct store_object *object;
	struct store store;
	bool is_open;
	uint8_t *bytes;  /* of the file */
	uint8_t *buffer; /* MANY chunks and a bit, aligned as chunk buffers are */
	uint32_t slice_crc[MANY][CHUNK / SLICE];
};

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	memset(&calls, 0, sizeof(calls));
	scratch_open(&place->scratch);
	place->bytes = scratch_noise(SIZE, 1);
	place->buffer = aligned_alloc(4096, (size_t)MANY * CHUNK + 4096);
	scratch_write(&place->scratch, "file", place->bytes, SIZE);
	assert_int_equal(manifest_init(&place->manifest, CHUNK, NULL), 0);
	assert_int_equal(manifest_add(&place->manifest, "file", SIZE, 0644, NULL), 0);
	assert_int_equal(manifest_layout(&place->manifest, NULL), 0);
	assert_int_equal(store_object_open(&place->object, place->scratch.path,
				 &place->manifest, NULL),
		0);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	memset(&calls, 0, sizeof(calls));
	if (place->is_open)
		store_file_close(&place->store);
	store_object_close(place->object);
	manifest_fini(&place->manifest);
	scratch_close(&place->scratch);
	free(place->bytes);
	free(place->buffer);
	free(place);
	return 0;
}

static void submit(struct place *place, uint32_t cookie, uint32_t chunk, uint8_t *buf)
{
	const struct store_request request = {
		.object = place->object,
		.cookie = cookie,
		.op = STORE_READ,
		.chunk = chunk,
		.buf = buf,
		.slice_size = SLICE,
		.slice_crc = place->slice_crc[cookie],
	};

	if (!place->is_open)
		assert_int_equal(store_file_open(&place->store, NULL), 0);
	place->is_open = true;
	assert_true(place->store.ops->submit(place->store.self, &request));
}

static struct store_completion await(struct place *place)
{
	struct store_completion completion;

	while (place->store.ops->poll(place->store.self, &completion, 1) == 0)
		(void)usleep(20);
	return completion;
}

static int read_chunk(struct place *place, uint32_t chunk, uint8_t *buf)
{
	submit(place, 0, chunk, buf);
	return await(place).error;
}

static void expect_bytes(
	const struct place *place, uint32_t cookie, uint32_t chunk, const uint8_t *buf)
{
	uint32_t len = manifest_chunk_len(&place->manifest, chunk);

	assert_memory_equal(buf, place->bytes + (size_t)chunk * CHUNK, len);
	for (uint32_t at = 0; at < len; at += SLICE)
		assert_int_equal(place->slice_crc[cookie][at / SLICE],
			crc32c(buf + at, u32_min(SLICE, len - at)));
}

static void expect_chunk(struct place *place, uint32_t chunk, uint8_t *buf)
{
	memset(buf, 0, CHUNK);
	assert_int_equal(read_chunk(place, chunk, buf), 0);
	expect_bytes(place, 0, chunk, buf);
}

/* Here and now: what is forbidden, or refused by the file system, is another's story. */
static bool takes_direct(const struct place *place)
{
	int fd = open(scratch_path(&place->scratch, "file"), O_RDONLY | O_DIRECT);
	struct io_uring ring;

	if (fd < 0)
		return false;
	(void)close(fd);
	if (io_uring_queue_init(1, &ring, 0) != 0)
		return false;
	io_uring_queue_exit(&ring);
	return true;
}

static bool is_any_cached(const struct place *place)
{
	int fd = open(scratch_path(&place->scratch, "file"), O_RDONLY);
	void *map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	unsigned char here[SIZE / 4096 + 1] = {0};
	int rc = (int)syscall(SYS_mincore, map, SIZE, here);

	(void)munmap(map, SIZE);
	(void)close(fd);
	assert_int_equal(rc, 0);
	return memchr(here, 1, sizeof(here)) != NULL;
}

static void a_cold_chunk_is_read_past_the_cache_and_leaves_no_page_there(void **state)
{
	struct place *place = *state;
	int fd = open(scratch_path(&place->scratch, "file"), O_RDONLY);

	assert_int_equal(fsync(fd), 0);
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	(void)close(fd);
	if (is_any_cached(place) || !takes_direct(place))
		skip(); /* a file system in memory, for one */
	calls.memory = CACHED;
	expect_chunk(place, 0, place->buffer);
	expect_chunk(place, 2, place->buffer);
	assert_int_equal(calls.ordinarily, 0);
	assert_int_equal(calls.opened, 1);
	assert_false(is_any_cached(place));
}

static void many_at_once_each_come_to_their_own_buffer(void **state)
{
	struct place *place = *state;
	bool is_done[MANY] = {false};

	memset(place->buffer, 0, (size_t)MANY * CHUNK);
	for (uint32_t i = 0; i < MANY; i++)
		submit(place, i, i % 4, place->buffer + (size_t)i * CHUNK);
	for (uint32_t i = 0; i < MANY; i++) {
		struct store_completion done = await(place);

		assert_int_equal(done.error, 0);
		assert_false(is_done[done.cookie]);
		is_done[done.cookie] = true;
		expect_bytes(place, (uint32_t)done.cookie, done.cookie % 4,
			place->buffer + (size_t)done.cookie * CHUNK);
	}
}

static void a_store_may_close_while_reads_are_under_way(void **state)
{
	struct place *place = *state;

	for (uint32_t i = 0; i < MANY; i++)
		submit(place, i, i % 3, place->buffer + (size_t)i * CHUNK);
	store_file_close(&place->store);
	place->is_open = false;
}

static void a_warm_chunk_is_copied_from_memory(void **state)
{
	struct place *place = *state;

	calls.memory = ALL_WARM;
	expect_chunk(place, 1, place->buffer);
	assert_int_equal(calls.ordinarily, 1);
	assert_int_equal(calls.opened, 0);
}

static void a_chunk_of_which_half_is_in_memory_comes_from_the_disk(void **state)
{
	struct place *place = *state;

	if (!takes_direct(place))
		skip();
	calls.memory = HALF_WARM;
	expect_chunk(place, 1, place->buffer);
	assert_int_equal(calls.ordinarily, 0);
}

static void a_tail_and_a_buffer_out_of_line_are_read_as_ever(void **state)
{
	struct place *place = *state;

	expect_chunk(place, TAIL, place->buffer);
	expect_chunk(place, 1, place->buffer + 64);
	assert_int_equal(calls.ordinarily, 2);
}

/* As in most containers: one line in the log, and the bytes all the same. */
static void without_io_uring_files_are_read_as_ever(void **state)
{
	static const int errors[] = {-EPERM, -ENOSYS, -ENOMEM};
	struct place *place = *state;

	log_set_level(LOG_ERROR);
	for (size_t i = 0; i < 2 * ARRAY_LEN(errors); i++) {
		calls.ring_error = i % 2 == 0 ? errors[i / 2] : 0;
		calls.enter_error = errors[i / 2];
		expect_chunk(place, 0, place->buffer);
		assert_int_equal(calls.opened, 0);
		store_file_close(&place->store);
		place->is_open = false;
	}
	log_set_level(LOG_INFO);
}

/* tmpfs of old kernels, many network and FUSE file systems. */
static void a_file_system_that_refuses_is_asked_once(void **state)
{
	struct place *place = *state;

	calls.open_error = EINVAL;
	expect_chunk(place, 0, place->buffer);
	expect_chunk(place, 1, place->buffer);
	assert_int_equal(calls.ordinarily, 2);
	assert_int_equal(calls.opened, takes_direct(place) ? 1 : 0);
}

/* Nothing lies behind the page cache there, and to look page by page takes its time. */
static void of_a_tmpfs_nobody_asks_what_is_in_memory(void **state)
{
	struct place *place = *state;

	store_object_close(place->object);
	calls.is_tmpfs = true;
	assert_int_equal(store_object_open(&place->object, place->scratch.path,
				 &place->manifest, NULL),
		0);
	expect_chunk(place, 0, place->buffer);
	assert_int_equal(calls.asked, 0);
	assert_int_equal(calls.opened, 0);
}

/* An empty file gives fewer bytes than were asked for, a directory an error. */
static void what_does_not_work_is_done_in_the_ordinary_way(void **state)
{
	static const char *const instead[] = {"/dev/null", "/"};
	struct place *place = *state;

	for (size_t i = 0; i < ARRAY_LEN(instead); i++) {
		calls.instead = instead[i];
		expect_chunk(place, 0, place->buffer);
		expect_chunk(place, 1, place->buffer);
		assert_int_equal(calls.ordinarily, 2);
		tear_down(state);
		set_up(state);
		place = *state;
	}
}

static void a_disk_that_fails_is_told_of_by_name(void **state)
{
	struct place *place = *state;
	struct fault fault;

	calls.instead = "/";
	calls.read_error = EIO;
	assert_int_equal(read_chunk(place, 1, place->buffer), -EIO);
	store_object_get_fault(place->object, &fault);
	assert_int_equal(fault.code, -EIO);
	assert_non_null(strstr(fault.text, "/file"));
}

static void a_file_cut_meanwhile_is_told_with_both_sizes(void **state)
{
	struct place *place = *state;
	struct fault fault;

	assert_int_equal(truncate(scratch_path(&place->scratch, "file"), SIZE - 1000), 0);
	assert_int_equal(read_chunk(place, 2, place->buffer), -EBADMSG);
	store_object_get_fault(place->object, &fault);
	assert_non_null(strstr(fault.text, "786432"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_cold_chunk_is_read_past_the_cache_and_leaves_no_page_there),
		TEST(many_at_once_each_come_to_their_own_buffer),
		TEST(a_store_may_close_while_reads_are_under_way),
		TEST(a_warm_chunk_is_copied_from_memory),
		TEST(a_chunk_of_which_half_is_in_memory_comes_from_the_disk),
		TEST(a_tail_and_a_buffer_out_of_line_are_read_as_ever),
		TEST(without_io_uring_files_are_read_as_ever),
		TEST(a_file_system_that_refuses_is_asked_once),
		TEST(of_a_tmpfs_nobody_asks_what_is_in_memory),
		TEST(what_does_not_work_is_done_in_the_ordinary_way),
		TEST(a_disk_that_fails_is_told_of_by_name),
		TEST(a_file_cut_meanwhile_is_told_with_both_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
