/* SPDX-License-Identifier: BSD-3-Clause */
/* When a journal says what, and what becomes of a copy when a sync or the journal fails.
 * fdatasync, syncfs and write are the test's own: they look at the journal, and fail on
 * demand. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "dataplane/base/bitmap.h"
#include "dataplane/file/journal_file.h"
#include "dataplane/file/store_file.h"
#include "tests/lib/scratch.h"

enum { CHUNK = MANIFEST_CHUNK_MIN, CHUNKS = 40, THREADS = 4, GROWN = 70000 };

static struct {
	struct place *place;
	_Atomic int sync_error;  /* what syncing the files fails with */
	_Atomic int write_error; /* what a record meets */
	_Atomic int early;       /* chunks durable when the sync of the files began */
	_Atomic int syncs;
} seam;

struct place {
	struct scratch scratch;
	struct manifest manifest;
	struct store_object *object;
	struct journal_file *journal;
	struct journal_map map; /* as read last */
};

static void read_journal(struct place *place)
{
	assert_int_equal(
		journal_file_load(place->scratch.fd, &place->manifest, &place->map), 0);
}

/* On any thread. */
static uint32_t count_durable(const struct place *place)
{
	uint64_t written, durable;
	struct journal_map map = {CHUNKS, &written, &durable};

	assert_int_equal(journal_file_load(place->scratch.fd, &place->manifest, &map), 0);
	return bitmap_count(&durable, CHUNKS);
}

static int sync_files(int fd, long number)
{
	if (seam.place == NULL)
		return (int)syscall(number, fd);
	atomic_store(&seam.early, (int)count_durable(seam.place));
	atomic_fetch_add(&seam.syncs, 1);
	errno = atomic_load(&seam.sync_error);
	return errno != 0 ? -1 : (int)syscall(number, fd);
}

int syncfs(int fd)
{
	return sync_files(fd, SYS_syncfs);
}

static off_t size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_size : 0;
}

/* The journal's own is no sync of files. */
int fdatasync(int fd)
{
	if (size_of(fd) == (off_t)CHUNKS * CHUNK)
		return sync_files(fd, SYS_fdatasync);
	return (int)syscall(SYS_fdatasync, fd);
}

ssize_t write(int fd, const void *bytes, size_t len)
{
	if (len == JOURNAL_RECORD_LEN && atomic_load(&seam.write_error) != 0) {
		errno = atomic_load(&seam.write_error);
		return -1;
	}
	return syscall(SYS_write, fd, bytes, len);
}

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	struct journal_file_options options = {.sync = true};

	memset(&seam, 0, sizeof(seam));
	scratch_open(&place->scratch);
	assert_int_equal(manifest_init(&place->manifest, CHUNK, NULL), 0);
	assert_int_equal(manifest_add(&place->manifest, "file", (uint64_t)CHUNKS * CHUNK,
				 0644, NULL),
		0);
	assert_int_equal(manifest_layout(&place->manifest, NULL), 0);
	scratch_write(&place->scratch, "file", "", 0);
	assert_int_equal(
		truncate(scratch_path(&place->scratch, "file"), (off_t)CHUNKS * CHUNK),
		0);
	assert_int_equal(store_object_open(&place->object, place->scratch.path,
				 &place->manifest, NULL),
		0);
	place->map.nchunks = CHUNKS;
	place->map.written = calloc(1, sizeof(uint64_t));
	place->map.durable = calloc(1, sizeof(uint64_t));
	journal_describe(&options.header, &place->manifest, "g", 1, 1);
	options.object = place->object;
	assert_int_equal(journal_file_open(&place->journal, &options, NULL), 0);
	seam.place = place;
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	seam.place = NULL;
	if (place->journal != NULL)
		(void)journal_file_close(place->journal, false, NULL);
	store_object_close(place->object);
	manifest_fini(&place->manifest);
	free(place->map.written);
	free(place->map.durable);
	scratch_close(&place->scratch);
	free(place);
	return 0;
}

static int put(struct place *place, uint32_t chunk)
{
	uint8_t *bytes = scratch_noise(CHUNK, chunk + 1);
	const struct store_request request = {
		.object = place->object, .op = STORE_WRITE, .chunk = chunk, .buf = bytes};
	int error = store_object_run(&request);

	free(bytes);
	return error;
}

static void wait_for_durable(struct place *place, uint32_t count)
{
	for (int i = 0; i < 6000 && count_durable(place) != count; i++)
		(void)usleep(10000);
	assert_int_equal(count_durable(place), count);
}

static void a_chunk_is_durable_only_after_its_file_was_synced(void **state)
{
	struct place *place = *state;

	assert_int_equal(put(place, 0), 0);
	assert_int_equal(put(place, 7), 0);
	read_journal(place);
	assert_true(bitmap_test(place->map.written, 0) || atomic_load(&seam.syncs) > 0);
	/* nobody asks for it: a second is enough */
	wait_for_durable(place, 2);
	assert_int_equal(seam.early, 0);
	assert_int_equal(put(place, 8), 0);
	wait_for_durable(place, 3);
	assert_int_equal(seam.early, 2);
	read_journal(place);
	assert_true(bitmap_test(place->map.durable, 8));
}

static void the_end_need_not_wait_for_the_second(void **state)
{
	struct place *place = *state;

	for (uint32_t i = 0; i < CHUNKS; i++)
		assert_int_equal(put(place, i), 0);
	assert_int_equal(journal_file_close(place->journal, true, NULL), 0);
	place->journal = NULL;
	assert_int_equal(count_durable(place), CHUNKS);
	/* and whoever writes now does so without */
	assert_int_equal(put(place, 3), 0);
}

/* A write that was said to be done may be lost: nothing of it may be committed. */
static void a_sync_that_fails_fails_the_copy(void **state)
{
	struct place *place = *state;
	struct fault fault = {0};
	int error = 0;

	atomic_store(&seam.sync_error, EIO);
	for (int i = 0; i < 6000 && error == 0; i++) {
		error = put(place, (uint32_t)i % CHUNKS);
		(void)usleep(10000);
	}
	assert_int_equal(error, -EIO);
	assert_int_equal(journal_file_close(place->journal, true, &fault), -EIO);
	place->journal = NULL;
	assert_non_null(strstr(fault.text, "dmesg"));
	assert_int_equal(count_durable(place), 0);
}

static void a_journal_that_cannot_be_written_is_no_reason_to_fail(void **state)
{
	struct place *place = *state;

	assert_int_equal(put(place, 0), 0);
	atomic_store(&seam.write_error, ENOSPC);
	assert_int_equal(put(place, 1), 0);
	atomic_store(&seam.write_error, 0);
	/* from here on it says nothing, as it may be torn */
	assert_int_equal(put(place, 2), 0);
	assert_int_equal(journal_file_close(place->journal, true, NULL), 0);
	place->journal = NULL;
	read_journal(place);
	assert_true(
		bitmap_test(place->map.written, 0) || bitmap_test(place->map.durable, 0));
	assert_int_equal(bitmap_count(place->map.written, CHUNKS) +
				 bitmap_count(place->map.durable, CHUNKS),
		1);
}

static void *put_quarter(void *context)
{
	struct place *place = context;
	static _Atomic uint32_t next;
	uint32_t quarter = atomic_fetch_add(&next, 1) % THREADS;
	uintptr_t failed = 0;

	for (uint32_t i = quarter; i < CHUNKS; i += THREADS)
		failed += put(place, i) != 0;
	return (void *)failed;
}

static void several_threads_may_write(void **state)
{
	struct place *place = *state;
	pthread_t threads[THREADS];
	void *failed;

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, put_quarter, place), 0);
	for (int i = 0; i < THREADS; i++) {
		(void)pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	assert_int_equal(journal_file_close(place->journal, true, NULL), 0);
	place->journal = NULL;
	assert_int_equal(count_durable(place), CHUNKS);
}

static void one_that_has_grown_is_written_anew(void **state)
{
	struct place *place = *state;
	struct stat st;

	for (uint32_t i = 0; i < GROWN; i++)
		assert_int_equal(journal_file_note(place->journal, i % 30), 0);
	assert_int_equal(journal_file_close(place->journal, true, NULL), 0);
	place->journal = NULL;
	assert_int_equal(count_durable(place), 30);
	assert_int_equal(stat(scratch_path(&place->scratch, JOURNAL_NAME), &st), 0);
	assert_in_range(st.st_size, JOURNAL_HEADER_LEN + JOURNAL_RECORD_LEN,
		JOURNAL_HEADER_LEN + GROWN / 2 * JOURNAL_RECORD_LEN);
	assert_false(scratch_exists(&place->scratch, JOURNAL_NAME ".tmp"));
}

static void another_file_in_its_place_is_none(void **state)
{
	struct place *place = *state;
	struct journal_header header;
	int dirfd = place->scratch.fd;

	(void)journal_file_close(place->journal, false, NULL);
	place->journal = NULL;
	assert_int_equal(journal_file_peek(dirfd, &header), 0);
	scratch_write(&place->scratch, JOURNAL_NAME, "no journal", 10);
	assert_int_equal(journal_file_peek(dirfd, &header), -EBADMSG);
	assert_int_equal(unlinkat(dirfd, JOURNAL_NAME, 0), 0);
	assert_int_equal(journal_file_peek(dirfd, &header), -ENOENT);
	assert_int_equal(symlinkat("file", dirfd, JOURNAL_NAME), 0);
	assert_int_equal(journal_file_peek(dirfd, &header), -EBADMSG);
	assert_int_equal(unlinkat(dirfd, JOURNAL_NAME, 0), 0);
	assert_int_equal(mkfifoat(dirfd, JOURNAL_NAME, 0600), 0);
	assert_int_equal(journal_file_peek(dirfd, &header), -EBADMSG);
	assert_int_equal(unlinkat(dirfd, JOURNAL_NAME, 0), 0);
	assert_int_equal(mkdirat(dirfd, JOURNAL_NAME, 0700), 0);
	assert_int_equal(journal_file_peek(dirfd, &header), -EBADMSG);
}

#define STORY(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_chunk_is_durable_only_after_its_file_was_synced),
		STORY(the_end_need_not_wait_for_the_second),
		STORY(a_sync_that_fails_fails_the_copy),
		STORY(a_journal_that_cannot_be_written_is_no_reason_to_fail),
		STORY(several_threads_may_write),
		STORY(one_that_has_grown_is_written_anew),
		STORY(another_file_in_its_place_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
