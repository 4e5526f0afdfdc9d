/* SPDX-License-Identifier: BSD-3-Clause */
/* A copy that is interrupted, and goes on: what is sent again, and that whatever the
 * journal and the disk say in between, the snapshot is right. */
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dataplane/base/units.h"
#include "control/storage/tree.h"
#include "tests/os/copy_world.h"

#define TEMP "store/temp"
#define JOURNAL TEMP "/" JOURNAL_NAME

/* chunk 0: the small ones, 1 to 24: big, 25 and 26: hole, 27: large, 28 and 29: other */
enum { CHUNK = MANIFEST_CHUNK_MIN, CHUNKS = 30, ZERO = 2, MOVED = CHUNKS - ZERO };

static const struct world_file files[] = {
	{"big", 23 * CHUNK + 77, 1},
	{"empty", 0, 0},
	{"hole", 2 * CHUNK, 0},
	{"large", CHUNK, 2},
	{"other", 2 * CHUNK, 3},
	{"small/a", 100, 4},
	{"small/b", 5000, 5},
};

static atomic_int nsyncfs;

struct place {
	struct scratch scratch;
	struct storage *leader;
	struct storage *storage;
	struct storage_reader *reader; /* of the leader's newest */
	bool filters;
};

static struct storage *open_store(struct place *place, const char *name)
{
	struct storage_options options;
	struct storage *storage;

	storage_options_init(&options);
	options.chunk_size = CHUNK;
	options.filter_before_copy_remote = place->filters;
	assert_int_equal(storage_open_options(&storage,
				 scratch_path(&place->scratch, name), &options, NULL),
		0);
	return storage;
}

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	scratch_open(&place->scratch);
	place->leader = open_store(place, "leader");
	assert_int_equal(world_save(place->leader, 2, files, ARRAY_LEN(files), NULL), 0);
	assert_int_equal(storage_open_newest(place->leader, &place->reader, NULL), 0);
	assert_int_equal(place->reader->manifest.nchunks, CHUNKS);
	place->storage = open_store(place, "store");
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	storage_reader_close(place->leader, place->reader);
	storage_close(place->storage);
	storage_close(place->leader);
	scratch_close(&place->scratch);
	free(place);
	return 0;
}

static void restart(struct place *place)
{
	storage_close(place->storage);
	place->storage = open_store(place, "store");
}

/* A new life for the follower, with nothing. */
static void forget(struct place *place)
{
	storage_close(place->storage);
	assert_int_equal(tree_remove(place->scratch.fd, "store", NULL), 0);
	place->storage = open_store(place, "store");
}

static void begin(struct place *place, struct copy *copy)
{
	assert_int_equal(
		copy_begin(copy, place->storage, place->reader, place->filters), 0);
}

/* An attempt that ends after so many chunks; is_killed: within a second. */
static void stop_after(struct place *place, uint32_t chunks, bool is_killed)
{
	struct copy copy;

	begin(place, &copy);
	assert_int_equal(copy_pull(&copy, chunks), 0);
	if (is_killed)
		copy_kill(&copy);
	else
		copy_interrupt(&copy);
	restart(place);
}

/* The next attempt is the last and sends exactly that; of what it reuses it has believed
 * so much at first. */
static void expect_rest(struct place *place, int sent, uint32_t unchecked)
{
	struct copy copy;

	begin(place, &copy);
	assert_int_equal(copy.unchecked, unchecked);
	assert_int_equal(copy_finish(&copy), sent);
	assert_false(scratch_exists(&place->scratch, TEMP));
	world_expect_sound(storage_path(place->storage), 2);
}

static const struct {
	int percent;
	bool filters;
	bool is_killed;
} matrix[] = {
	{0, false, true},
	{0, true, false},
	{1, false, true},
	{1, true, false},
	{37, false, true},
	{37, false, false},
	{37, true, true},
	{37, true, false},
	{50, false, true},
	{50, false, false},
	{50, true, true},
	{99, false, true},
	{99, false, false},
	{99, true, true},
	{100, false, true},
	{100, false, false},
	{100, true, true},
	{100, true, false},
};

static void interrupted_anywhere_only_what_is_missing_is_sent(void **state)
{
	struct place *place = *state;

	for (size_t i = 0; i < ARRAY_LEN(matrix); i++) {
		int came = (MOVED * matrix[i].percent + 99) / 100;

		place->filters = matrix[i].filters;
		forget(place);
		stop_after(place, (uint32_t)came, matrix[i].is_killed);
		/* what was synced is believed; what was only written is read first */
		expect_rest(
			place, MOVED - came, matrix[i].is_killed ? 0 : (uint32_t)came);
	}
}

static void interrupted_again_and_again_nothing_is_sent_twice(void **state)
{
	struct place *place = *state;
	struct copy copy;
	uint32_t sent = 0;

	for (int i = 0; i < 6; i++) {
		begin(place, &copy);
		assert_int_equal(copy_pull(&copy, 4), 0);
		sent += copy.sent;
		if (i % 2 == 0)
			copy_kill(&copy);
		else
			copy_interrupt(&copy);
		restart(place);
	}
	assert_int_equal(sent, 24);
	begin(place, &copy);
	assert_int_equal(copy_finish(&copy), MOVED - 24);
	world_expect_sound(storage_path(place->storage), 2);
}

static void cut_journal(struct place *place, size_t len)
{
	assert_int_equal(truncate(scratch_path(&place->scratch, JOURNAL), (off_t)len), 0);
}

static size_t journal_len(struct place *place)
{
	struct stat st;

	assert_int_equal(stat(scratch_path(&place->scratch, JOURNAL), &st), 0);
	return (size_t)st.st_size;
}

/* Each chunk has one record: what is cut off is sent again, and no more. */
static void a_journal_torn_at_any_byte_costs_what_it_lost(void **state)
{
	struct place *place = *state;
	enum { CAME = 5, WHOLE = JOURNAL_HEADER_LEN + CAME * JOURNAL_RECORD_LEN };

	for (size_t len = 0; len <= WHOLE; len++) {
		int told = len < JOURNAL_HEADER_LEN
				   ? 0
				   : (int)(len - JOURNAL_HEADER_LEN) / JOURNAL_RECORD_LEN;
		struct copy copy;

		forget(place);
		stop_after(place, CAME, true);
		assert_int_equal(journal_len(place), WHOLE);
		cut_journal(place, len);
		restart(place);
		begin(place, &copy);
		assert_int_equal(
			copy.reused, told + (len >= JOURNAL_HEADER_LEN ? ZERO : 0));
		assert_int_equal(copy_pull(&copy, 1), 0);
		copy_kill(&copy);
	}
	restart(place);
	expect_rest(place, MOVED - CAME - 1, 0);
}

static void spoil(struct place *place, const char *name, uint64_t at, size_t len)
{
	uint8_t *zeros = calloc(1, len);
	char path[200];
	int fd;

	(void)snprintf(path, sizeof(path), TEMP "/%s", name);
	fd = openat(place->scratch.fd, path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, zeros, len, (off_t)at), len);
	close(fd);
	free(zeros);
}

/* After a power cut: the journal is there, of the bytes since the last sync some are not.
 */
static void writes_that_were_not_synced_and_lost_are_sent_again(void **state)
{
	struct place *place = *state;
	struct copy copy;

	stop_after(place, 10, false);
	begin(place, &copy);
	assert_int_equal(copy_pull(&copy, 6), 0);
	copy_kill(&copy);
	/* chunks 10 and 13, file "big" begins at chunk 1 */
	spoil(place, "big", 9 * CHUNK, CHUNK);
	spoil(place, "big", 12 * CHUNK, CHUNK);
	restart(place);
	expect_rest(place, MOVED - 16 + 2, 10);
}

/* A disk that lies, or rots: believed at first, found out before the commit. */
static void a_bit_that_rots_in_what_was_durable_is_found_and_sent_again(void **state)
{
	struct place *place = *state;

	for (int filters = 0; filters < 2; filters++) {
		place->filters = filters != 0;
		forget(place);
		stop_after(place, 20, false);
		spoil(place, "big", 3 * CHUNK + 1234, 1);
		spoil(place, "small/b", 17, 1);
		expect_rest(place, MOVED - 20 + 2, 20);
	}
}

/* Nobody journals zeros: a hole that is none any more is found all the same. */
static void a_hole_that_was_written_to_is_a_hole_again(void **state)
{
	struct place *place = *state;
	uint8_t byte = 1;
	int fd;

	stop_after(place, 20, false);
	fd = openat(place->scratch.fd, TEMP "/hole", O_WRONLY);
	assert_int_equal(pwrite(fd, &byte, 1, CHUNK + 5), 1);
	close(fd);
	expect_rest(place, MOVED - 20, 20);
}

static void a_file_that_is_gone_costs_its_own_chunks(void **state)
{
	struct place *place = *state;

	stop_after(place, MOVED, false);
	assert_int_equal(unlinkat(place->scratch.fd, TEMP "/other", 0), 0);
	assert_int_equal(
		truncate(scratch_path(&place->scratch, TEMP "/large"), CHUNK - 1), 0);
	expect_rest(place, 3, MOVED - 3);
}

/* The leader's next snapshot: one chunk of big differs, other is as it was. */
static void next_snapshot(struct place *place)
{
	struct storage_writer *writer;
	uint8_t *bytes;

	storage_reader_close(place->leader, place->reader);
	assert_int_equal(storage_create(place->leader, &writer, NULL), 0);
	world_set_meta(writer, 3);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		bytes = world_bytes(&files[i]);
		if (i == 0)
			bytes[7 * CHUNK + 3] ^= 1;
		world_put(writer, files[i].name, bytes, files[i].len);
		free(bytes);
		assert_int_equal(
			storage_writer_add_file(writer, files[i].name, NULL, NULL), 0);
	}
	assert_int_equal(storage_writer_commit(writer, NULL), 0);
	assert_int_equal(storage_open_newest(place->leader, &place->reader, NULL), 0);
}

static void of_a_changed_snapshot_only_the_difference_is_sent(void **state)
{
	struct place *place = *state;
	struct copy copy;

	place->filters = true;
	forget(place);
	stop_after(place, 20, false);
	next_snapshot(place);
	begin(place, &copy);
	assert_int_equal(copy.unchecked, 0); /* the journal is of another root */
	assert_int_equal(copy.reused, 20 - 1 + ZERO);
	copy_interrupt(&copy);
	/* and from now on there is a journal of this one */
	begin(place, &copy);
	assert_int_equal(copy.unchecked, 19);
	assert_int_equal(copy_finish(&copy), MOVED - 19);
	world_expect_sound(storage_path(place->storage), 3);
}

/* braft's default: nothing of another snapshot is used. */
static void without_the_filter_a_changed_snapshot_starts_over(void **state)
{
	struct place *place = *state;
	struct copy copy;

	stop_after(place, 20, false);
	next_snapshot(place);
	begin(place, &copy);
	assert_int_equal(copy.reused, 0);
	assert_int_equal(copy_finish(&copy), MOVED);
	world_expect_sound(storage_path(place->storage), 3);
}

static void with_other_chunks_what_is_there_is_compared(void **state)
{
	struct place *place = *state;
	struct journal_header header = {.group = "g"};
	struct copy copy;
	struct scratch temp;
	uint8_t *bytes;
	size_t len;

	place->filters = true;
	forget(place);
	stop_after(place, 20, false);
	temp.fd = openat(place->scratch.fd, TEMP, O_RDONLY | O_DIRECTORY);
	bytes = scratch_read(&temp, JOURNAL_NAME, &len);
	assert_int_equal(journal_decode_header(&header, bytes, len), 0);
	header.chunk_size *= 2;
	journal_encode_header(bytes, &header);
	scratch_write(&temp, JOURNAL_NAME, bytes, len);
	close(temp.fd);
	free(bytes);
	begin(place, &copy);
	assert_int_equal(copy.unchecked, 0);
	assert_int_equal(copy.reused, 20 + ZERO);
	assert_int_equal(copy_finish(&copy), MOVED - 20);
	world_expect_sound(storage_path(place->storage), 2);
}

/* With the filter, as before there were journals. */
static void without_a_journal_what_is_there_is_compared(void **state)
{
	struct place *place = *state;

	place->filters = true;
	forget(place);
	stop_after(place, 20, false);
	assert_int_equal(unlinkat(place->scratch.fd, JOURNAL, 0), 0);
	restart(place);
	expect_rest(place, MOVED - 20, 0);
}

/* The table that is to tell what came finds no room any more: what came is kept by the
 * one of the beginning. */
static void a_disk_without_room_for_the_table_keeps_what_came(void **state)
{
	struct place *place = *state;
	struct copy copy;

	begin(place, &copy);
	assert_int_equal(copy_pull(&copy, 20), 0);
	/* as good as full: it is where the table is written before it gets its name */
	scratch_mkdir(&place->scratch, TEMP "/" TABLE_NAME ".tmp");
	copy_interrupt(&copy);
	restart(place);
	expect_rest(place, MOVED - 20, 20);
}

/* Counted, for it waits for all that anybody has written to the file system. */
int syncfs(int fd)
{
	(void)atomic_fetch_add(&nsyncfs, 1);
	return (int)syscall(SYS_syncfs, fd);
}

static void who_is_stopped_waits_for_its_own_files_only(void **state)
{
	struct place *place = *state;
	struct copy copy;
	int before;

	begin(place, &copy);
	assert_int_equal(copy_pull(&copy, 20), 0);
	assert_int_equal(
		copy_close(&copy, true), 0); /* the journal's first sync is all */
	before = atomic_load(&nsyncfs);
	storage_abort(copy.writer);
	assert_int_equal(atomic_load(&nsyncfs), before);
	restart(place);
	expect_rest(place, MOVED - 20, 20);
}

/* Neither the next save nor a stock leader's files take it for theirs. */
static void a_save_in_between_starts_from_nothing(void **state)
{
	struct place *place = *state;

	stop_after(place, 20, false);
	assert_true(scratch_exists(&place->scratch, JOURNAL));
	assert_int_equal(world_save(place->storage, 1, files, ARRAY_LEN(files), NULL), 0);
	assert_false(scratch_exists(&place->scratch, TEMP));
	assert_false(scratch_exists(
		&place->scratch, "store/snapshot_00000000000000000001/" JOURNAL_NAME));
	expect_rest(place, MOVED, 0);
}

#define STORY(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(interrupted_anywhere_only_what_is_missing_is_sent),
		STORY(interrupted_again_and_again_nothing_is_sent_twice),
		STORY(a_journal_torn_at_any_byte_costs_what_it_lost),
		STORY(writes_that_were_not_synced_and_lost_are_sent_again),
		STORY(a_bit_that_rots_in_what_was_durable_is_found_and_sent_again),
		STORY(a_hole_that_was_written_to_is_a_hole_again),
		STORY(a_file_that_is_gone_costs_its_own_chunks),
		STORY(of_a_changed_snapshot_only_the_difference_is_sent),
		STORY(without_the_filter_a_changed_snapshot_starts_over),
		STORY(with_other_chunks_what_is_there_is_compared),
		STORY(without_a_journal_what_is_there_is_compared),
		STORY(a_disk_without_room_for_the_table_keeps_what_came),
		STORY(who_is_stopped_waits_for_its_own_files_only),
		STORY(a_save_in_between_starts_from_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
