/* SPDX-License-Identifier: BSD-3-Clause */
/* What a follower reuses of what it has, and what it refuses to believe. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "control/storage/filter.h"
#include "dataplane/base/units.h"
#include "tests/os/store_world.h"

#define SNAP_1 "store/snapshot_00000000000000000001"
#define SNAP_2 "store/snapshot_00000000000000000002"

enum { CHUNK = MANIFEST_CHUNK_MIN };

struct place {
	struct scratch scratch;
	struct storage *leader;
	struct storage *storage;
	struct storage_reader *reader; /* of the leader's newest */
};

static struct storage *open_store(struct place *place, const char *name)
{
	struct storage_options options;
	struct storage *storage;

	storage_options_init(&options);
	options.chunk_size = CHUNK;
	options.filter_before_copy_remote = true;
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
	place->storage = open_store(place, "store");
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	if (place->reader != NULL)
		storage_reader_close(place->leader, place->reader);
	storage_close(place->storage);
	storage_close(place->leader);
	scratch_close(&place->scratch);
	free(place);
	return 0;
}

static bool exists(const struct place *place, const char *name)
{
	return scratch_exists(&place->scratch, name);
}

static ino_t inode_of(const struct place *place, const char *name)
{
	struct stat st;

	assert_int_equal(stat(scratch_path(&place->scratch, name), &st), 0);
	return st.st_ino;
}

/* three small files in chunk 0, a large one in 1 to 4, of which 2 is a hole */
static const struct world_file files[] = {
	{"big", 3 * CHUNK + 5, 7},
	{"empty", 0, 1},
	{"sub/one", 1000, 1},
	{"sub/two", 2000, 2},
	{"three", 3000, 3},
};

/* The leader has snapshot 2, the follower 1 of the same files but for `changed`. */
static void begin(struct place *place, const struct world_file *changed)
{
	struct world_file newer[ARRAY_LEN(files)];

	memcpy(newer, files, sizeof(files));
	for (size_t i = 0; i < ARRAY_LEN(files) && changed != NULL; i++)
		if (strcmp(newer[i].name, changed->name) == 0)
			newer[i] = *changed;
	assert_int_equal(world_save(place->storage, 1, files, ARRAY_LEN(files), NULL), 0);
	assert_int_equal(world_save(place->leader, 2, newer, ARRAY_LEN(files), NULL), 0);
	assert_int_equal(storage_open_newest(place->leader, &place->reader, NULL), 0);
	assert_int_equal(place->reader->manifest.nchunks, 5);
}

static struct storage_writer *filter(
	struct place *place, bool skip_check, struct filter_result *result)
{
	const struct filter_request request = {
		.table = &place->reader->table,
		.manifest = &place->reader->manifest,
		.skip_check = skip_check,
	};
	struct storage_writer *writer;
	struct fault fault = {0};

	assert_int_equal(storage_create_copy(place->storage, &writer, NULL), 0);
	if (storage_filter(writer, &request, result, &fault) != 0)
		fail_msg("%s", fault.text);
	return writer;
}

/* Pulls what is missing and commits; both snapshots are sound then. */
static void finish(
	struct place *place, struct storage_writer *writer, struct filter_result *result)
{
	struct storage_reader *held = NULL;
	struct fault fault = {0};
	const char *store = storage_path(place->storage);

	(void)storage_open_newest(place->storage, &held, NULL);
	if (storage_prepare(writer, &place->reader->manifest, &fault) != 0)
		fail_msg("%s", fault.text);
	assert_int_equal(world_pull(place->reader, writer->path, result->have), 0);
	if (world_commit(writer, place->reader, &fault) != 0)
		fail_msg("%s", fault.text);
	filter_result_fini(result);
	world_expect_sound(store, 2);
	if (held != NULL) {
		world_expect_sound(store, 1); /* nobody wrote through a link */
		storage_reader_close(place->storage, held);
	}
}

static void an_unchanged_snapshot_is_installed_by_hard_links(void **state)
{
	struct place *place = *state;
	struct filter_result result;
	struct storage_writer *writer;
	ino_t big;

	begin(place, NULL);
	big = inode_of(place, SNAP_1 "/big");
	writer = filter(place, false, &result);
	assert_int_equal(result.nfetch, 0);
	assert_int_equal(result.have_chunks, 5);
	assert_int_equal(result.files_linked, 4); /* the empty one is made anew */
	assert_int_equal(result.bytes_reused, place->reader->manifest.bytes);
	finish(place, writer, &result);
	assert_int_equal(inode_of(place, SNAP_2 "/big"), big);
	assert_true(exists(place, SNAP_2 "/empty"));
}

/* A chunk of several files is written whole, so none of them may be a link. */
static void a_linked_file_is_never_written(void **state)
{
	const struct world_file changed = {"sub/two", 2000, 22};
	struct place *place = *state;
	struct filter_result result;
	struct storage_writer *writer;
	ino_t one;

	begin(place, &changed);
	one = inode_of(place, SNAP_1 "/sub/one");
	writer = filter(place, false, &result);
	assert_int_equal(result.nfetch, 3);
	assert_string_equal(result.fetch[0], "sub/one");
	assert_string_equal(result.fetch[1], "sub/two");
	assert_string_equal(result.fetch[2], "three");
	assert_int_equal(result.have_chunks, 4);
	assert_false(exists(place, "store/temp/sub/one"));
	finish(place, writer, &result);
	assert_int_not_equal(inode_of(place, SNAP_2 "/sub/one"), one);
}

static void flip(struct place *place, const char *name, off_t at)
{
	int fd = openat(place->scratch.fd, name, O_RDWR);
	uint8_t byte;

	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

/* The checksums in both tables are equal all the same. */
static void a_corrupt_local_file_is_not_believed(void **state)
{
	struct place *place = *state;
	struct filter_result result;
	struct storage_writer *writer;

	begin(place, NULL);
	flip(place, SNAP_1 "/big", 2 * CHUNK + 1);
	flip(place, SNAP_1 "/three", 9);
	writer = filter(place, true, &result); /* braft would link both */
	assert_int_equal(result.nfetch, 0);
	filter_result_fini(&result);
	storage_abort(writer);

	writer = filter(place, false, &result);
	assert_int_equal(result.nfetch, 4);
	assert_int_equal(result.have_chunks, 0);
	/* not even for its good chunks: the others would be written into both */
	assert_false(exists(place, "store/temp/big"));
	flip(place, SNAP_1 "/big", 2 * CHUNK + 1);
	flip(place, SNAP_1 "/three", 9);
	finish(place, writer, &result);
}

static void a_file_of_another_mode_is_no_link(void **state)
{
	struct place *place = *state;
	struct filter_result result;
	struct storage_writer *writer;
	struct stat st;

	begin(place, NULL);
	writer = filter(place, false, &result); /* an attempt that leaves its links */
	assert_int_equal(result.nfetch, 0);
	filter_result_fini(&result);
	storage_abort(writer);
	assert_int_equal(fchmodat(place->scratch.fd, SNAP_1 "/big", 0600, 0), 0);
	writer = filter(place, false, &result);
	assert_int_equal(result.nfetch, 1);
	assert_string_equal(result.fetch[0], "big");
	finish(place, writer, &result);
	assert_int_equal(stat(scratch_path(&place->scratch, SNAP_2 "/big"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	assert_false(exists(place, SNAP_1));
}

/* Stopped after some chunks: the next attempt asks only for the others, also after a
 * restart and from a leader that knows nothing of the first one. */
static void a_stopped_copy_goes_on_where_it_was(void **state)
{
	struct place *place = *state;
	struct filter_result result;
	struct storage_writer *writer;

	assert_int_equal(world_save(place->leader, 2, files, ARRAY_LEN(files), NULL), 0);
	assert_int_equal(storage_open_newest(place->leader, &place->reader, NULL), 0);
	writer = filter(place, false, &result);
	assert_int_equal(result.have_chunks, 0);
	assert_int_equal(result.nfetch, 4);
	filter_result_fini(&result);
	assert_int_equal(storage_prepare(writer, &place->reader->manifest, NULL), 0);
	assert_int_equal(world_pull_chunk(place->reader, writer->path, 0), 0);
	assert_int_equal(world_pull_chunk(place->reader, writer->path, 3), 0);
	storage_abort(writer);
	assert_true(exists(place, "store/temp/big"));

	storage_close(place->storage);
	scratch_write(&place->scratch, "store/temp/stray/deep/er", "x", 1);
	scratch_write(&place->scratch, "store/temp/sub/stray", "x", 1);
	place->storage = open_store(place, "store");
	assert_false(exists(place, "store/temp/stray"));
	assert_false(exists(place, "store/temp/sub/stray"));
	writer = filter(place, false, &result);
	assert_int_equal(result.have_chunks, 2);
	assert_true(bitmap_test(result.have, 0) && bitmap_test(result.have, 3));
	assert_int_equal(result.nfetch, 1);
	finish(place, writer, &result);
}

/* A zero chunk is never sent: what lies in its place must be zero already. */
static void old_bytes_in_place_of_a_hole_do_not_stay(void **state)
{
	const struct world_file before[] = {{"big", 2 * CHUNK, 5}};
	struct place *place = *state;
	struct filter_result result;
	struct storage_writer *writer;
	uint8_t *bytes = scratch_noise(2 * CHUNK, 5);

	assert_int_equal(storage_create(place->leader, &writer, NULL), 0);
	world_set_meta(writer, 2);
	memset(bytes, 0, CHUNK);
	world_put(writer, "big", bytes, 2 * CHUNK);
	free(bytes);
	assert_int_equal(storage_writer_add_file(writer, "big", NULL, NULL), 0);
	assert_int_equal(storage_writer_commit(writer, NULL), 0);
	assert_int_equal(storage_open_newest(place->leader, &place->reader, NULL), 0);
	writer = filter(place, false, &result);
	filter_result_fini(&result);
	assert_int_equal(storage_prepare(writer, &place->reader->manifest, NULL), 0);
	bytes = world_bytes(before);
	world_put(writer, "big", bytes, 2 * CHUNK);
	free(bytes);
	storage_abort(writer);
	writer = filter(place, false, &result);
	assert_int_equal(result.have_chunks, 0);
	finish(place, writer, &result);
}

/* Who does not filter starts from nothing, whatever lies in temp. */
static void without_the_filter_temp_counts_for_nothing(void **state)
{
	struct place *place = *state;
	struct filter_result result;
	struct storage_writer *writer;

	begin(place, NULL);
	writer = filter(place, false, &result);
	filter_result_fini(&result);
	storage_abort(writer);
	assert_true(exists(place, "store/temp/big"));
	assert_int_equal(storage_create_copy(place->storage, &writer, NULL), 0);
	result = (struct filter_result){.have = NULL};
	finish(place, writer, &result);
}

static void damage_in_temp_is_no_error(void **state)
{
	struct place *place = *state;
	struct filter_result result;
	struct storage_writer *writer;

	begin(place, NULL);
	writer = filter(place, false, &result);
	filter_result_fini(&result);
	storage_abort(writer);
	scratch_write(&place->scratch, "store/temp/__raft_snapshot_meta", "junk", 4);
	assert_int_equal(unlinkat(place->scratch.fd, "store/temp/three", 0), 0);
	assert_int_equal(
		symlinkat("/etc/passwd", place->scratch.fd, "store/temp/three"), 0);
	writer = filter(place, false, &result);
	assert_int_equal(result.nfetch, 0);
	finish(place, writer, &result);
}

#define STORY(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(an_unchanged_snapshot_is_installed_by_hard_links),
		STORY(a_linked_file_is_never_written),
		STORY(a_corrupt_local_file_is_not_believed),
		STORY(a_file_of_another_mode_is_no_link),
		STORY(a_stopped_copy_goes_on_where_it_was),
		STORY(old_bytes_in_place_of_a_hole_do_not_stay),
		STORY(without_the_filter_temp_counts_for_nothing),
		STORY(damage_in_temp_is_no_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
