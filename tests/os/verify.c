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
#include <unistd.h>

#include <cmocka.h>

#include "control/storage/build.h"
#include "control/storage/storage.h"
#include "control/storage/verify.h"
#include "dataplane/base/units.h"
#include "tests/lib/scratch.h"

#define SNAP "store/snapshot_00000000000000000005/"

enum { CHUNK = MANIFEST_CHUNK_MIN };

/* What verify said last, and how often it said something. */
struct heard {
	char file[200];
	int64_t chunk;
	char what[400];
	int count;
};

struct place {
	struct scratch scratch;
	struct heard heard;
};

/* A small snapshot: two files share chunk 0, "big" has chunks 1 to 3, one is empty. */
static int set_up(void **state)
{
	static const char *const peers[] = {"10.0.0.1:8000:0:0"};
	struct place *place = calloc(1, sizeof(*place));
	uint8_t *noise = scratch_noise(2 * CHUNK + 9, 7);
	struct build_options options = {
		.index = 5,
		.term = 2,
		.peers = peers,
		.npeers = 1,
		.chunk_size = CHUNK,
	};
	struct build_result result;
	struct storage *storage;

	scratch_open(&place->scratch);
	scratch_write(&place->scratch, "from/a", noise, 60);
	scratch_write(&place->scratch, "from/dir/b", noise + 60, 33);
	scratch_write(&place->scratch, "from/big", noise, 2 * CHUNK + 9);
	scratch_write(&place->scratch, "from/none", noise, 0);
	free(noise);
	options.from = scratch_path(&place->scratch, "from");
	assert_int_equal(storage_open(&storage, scratch_path(&place->scratch, "store"),
				 true, NULL),
		0);
	assert_int_equal(build_snapshot(storage, &options, &result, NULL), 0);
	storage_close(storage);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	scratch_close(&place->scratch);
	free(place);
	return 0;
}

static void hear(void *ctx, const char *file, int64_t chunk, const char *what)
{
	struct heard *heard = ctx;

	(void)snprintf(heard->file, sizeof(heard->file), "%s", file);
	(void)snprintf(heard->what, sizeof(heard->what), "%s", what);
	heard->chunk = chunk;
	heard->count++;
}

static int verify(struct place *place, struct verify_result *result, struct fault *fault)
{
	struct verify_options options = {
		.path = scratch_path(&place->scratch, "store"),
		.problem = hear,
		.ctx = &place->heard,
	};
	int error;

	place->heard.count = 0;
	error = verify_snapshot(&options, result, fault);
	assert_int_equal(place->heard.count, result->problems);
	return error;
}

static void expect_sound(struct place *place)
{
	struct verify_result result;

	assert_int_equal(verify(place, &result, NULL), 0);
	assert_int_equal(place->heard.count, 0);
}

/* Exactly this one problem. */
static void expect_one(
	struct place *place, const char *file, int64_t chunk, const char *what)
{
	struct verify_result result;
	struct fault fault = {0};

	assert_int_equal(verify(place, &result, &fault), -EBADMSG);
	assert_int_equal(place->heard.count, 1);
	assert_string_equal(place->heard.file, file);
	assert_true(place->heard.chunk == chunk);
	if (strstr(place->heard.what, what) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", place->heard.what, what);
	assert_non_null(strstr(fault.text, file));
}

/* Flips a bit of a file below the snapshot's directory; a second time undoes it. */
static void flip(struct place *place, const char *name, uint64_t bit)
{
	char path[200];
	uint8_t byte;
	int fd;

	(void)snprintf(path, sizeof(path), SNAP "%s", name);
	fd = openat(place->scratch.fd, path, O_RDWR | O_CLOEXEC);
	assert_int_equal(pread(fd, &byte, 1, (off_t)(bit / 8)), 1);
	byte ^= (uint8_t)(1 << bit % 8);
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)(bit / 8)), 1);
	close(fd);
}

static uint64_t count_bits(struct place *place, const char *name)
{
	char path[200];
	size_t len;

	(void)snprintf(path, sizeof(path), SNAP "%s", name);
	free(scratch_read(&place->scratch, path, &len));
	return len * 8;
}

static void a_sound_snapshot_has_no_problem(void **state)
{
	struct place *place = *state;
	struct verify_result result;

	assert_int_equal(verify(place, &result, NULL), 0);
	assert_true(result.index == 5 && result.term == 2);
	assert_int_equal(result.files, 4);
	assert_int_equal(result.chunks, 4);
	assert_true(result.bytes == 93 + 2 * CHUNK + 9);
	assert_true(result.has_manifest);
}

/* Small files share a chunk, still the right one is named. */
static void every_flipped_bit_of_a_small_file_is_found(void **state)
{
	static const char *const names[] = {"a", "dir/b"};
	struct place *place = *state;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		for (uint64_t bit = 0; bit < count_bits(place, names[i]); bit += 5) {
			flip(place, names[i], bit);
			expect_one(place, names[i], 0, "chunk 0 of the snapshot");
			flip(place, names[i], bit);
		}
	expect_sound(place);
}

static void a_flipped_bit_of_a_large_file_names_its_chunk(void **state)
{
	static const uint64_t offsets[] = {
		0, CHUNK - 1, CHUNK, 2 * CHUNK - 1, 2 * CHUNK, 2 * CHUNK + 8};
	struct place *place = *state;
	char what[64];

	for (size_t i = 0; i < ARRAY_LEN(offsets); i++) {
		uint64_t chunk = offsets[i] / CHUNK;

		flip(place, "big", offsets[i] * 8 + i);
		(void)snprintf(what, sizeof(what),
			"chunk %d of the file, chunk %d of the snapshot", (int)chunk,
			(int)chunk + 1);
		expect_one(place, "big", (int64_t)chunk, what);
		flip(place, "big", offsets[i] * 8 + i);
	}
	flip(place, "big", 3);
	flip(place, "big", (CHUNK + 5) * 8);
	assert_int_equal(verify(place, &(struct verify_result){0}, NULL), -EBADMSG);
	assert_int_equal(place->heard.count, 2);
}

/* Including index, term and peers, for which braft's format has no checksum. */
static void every_flipped_bit_of_the_table_is_found(void **state)
{
	struct place *place = *state;
	struct verify_result result;

	for (uint64_t bit = 0; bit < count_bits(place, "__raft_snapshot_meta"); bit++) {
		flip(place, "__raft_snapshot_meta", bit);
		if (verify(place, &result, NULL) != -EBADMSG)
			fail_msg("bit %d of byte %d went unnoticed", (int)(bit % 8),
				(int)(bit / 8));
		flip(place, "__raft_snapshot_meta", bit);
	}
	expect_sound(place);
}

static void every_flipped_bit_of_the_manifest_is_found(void **state)
{
	struct place *place = *state;
	struct verify_result result;

	for (uint64_t bit = 0; bit < count_bits(place, MANIFEST_NAME); bit += 3) {
		flip(place, MANIFEST_NAME, bit);
		assert_int_equal(verify(place, &result, NULL), -EBADMSG);
		assert_string_equal(place->heard.file, MANIFEST_NAME);
		flip(place, MANIFEST_NAME, bit);
	}
	expect_sound(place);
}

/* With the manifest lost the table's checksums still tell which file is damaged. */
static void without_the_manifest_the_table_still_protects(void **state)
{
	struct place *place = *state;
	struct verify_result result;

	flip(place, MANIFEST_NAME, 0);
	flip(place, "dir/b", 17);
	assert_int_equal(verify(place, &result, NULL), -EBADMSG);
	assert_false(result.has_manifest);
	assert_string_equal(place->heard.file, "dir/b");
	assert_non_null(strstr(place->heard.what, "checksum in the table"));
}

/* And the other way round. */
static void without_the_table_the_manifest_still_protects(void **state)
{
	struct place *place = *state;
	struct verify_result result;

	assert_int_equal(unlinkat(place->scratch.fd, SNAP "__raft_snapshot_meta", 0), 0);
	expect_one(place, "__raft_snapshot_meta", -1, "is missing");
	flip(place, "big", 1);
	assert_int_equal(verify(place, &result, NULL), -EBADMSG);
	assert_int_equal(result.problems, 2);
	assert_string_equal(place->heard.file, "big");
	flip(place, "a", 1); /* which of the two files of chunk 0, nobody can tell */
	assert_int_equal(verify(place, &result, NULL), -EBADMSG);
	assert_int_equal(result.problems, 4);
}

static void missing_extra_and_misshapen_files_are_named(void **state)
{
	struct place *place = *state;

	assert_int_equal(renameat(place->scratch.fd, SNAP "none", place->scratch.fd,
				 SNAP "dir/none"),
		0);
	assert_int_equal(verify(place, &(struct verify_result){0}, NULL), -EBADMSG);
	assert_int_equal(place->heard.count, 2); /* one missing, one too many */
	assert_string_equal(place->heard.file, "dir/none");
	assert_int_equal(renameat(place->scratch.fd, SNAP "dir/none", place->scratch.fd,
				 SNAP "none"),
		0);
	expect_sound(place);

	scratch_write(&place->scratch, SNAP "a", "short", 5);
	expect_one(place, "a", -1, "has 5 bytes instead of 60");
	assert_int_equal(unlinkat(place->scratch.fd, SNAP "a", 0), 0);
	expect_one(place, "a", -1, "is missing");
	assert_int_equal(symlinkat("big", place->scratch.fd, SNAP "a"), 0);
	expect_one(place, "a", -1, "symbolic link");
	assert_int_equal(unlinkat(place->scratch.fd, SNAP "a", 0), 0);
	scratch_write(&place->scratch, SNAP "a/x", "x", 1);
	assert_int_equal(verify(place, &(struct verify_result){0}, NULL), -EBADMSG);
	assert_int_equal(place->heard.count, 2);
}

static void a_lost_neighbour_does_not_hide_a_flipped_bit(void **state)
{
	struct place *place = *state;

	assert_int_equal(unlinkat(place->scratch.fd, SNAP "a", 0), 0);
	flip(place, "dir/b", 0);
	assert_int_equal(verify(place, &(struct verify_result){0}, NULL), -EBADMSG);
	assert_int_equal(place->heard.count, 2);
	assert_string_equal(place->heard.file, "dir/b");
}

static void a_missing_snapshot_is_no_damage(void **state)
{
	struct place *place = *state;
	struct verify_options options = {
		.path = scratch_path(&place->scratch, "store"), .index = 6};
	struct verify_result result;

	assert_int_equal(verify_snapshot(&options, &result, NULL), -ENOENT);
	options.path = "/nowhere";
	assert_int_equal(verify_snapshot(&options, &result, NULL), -ENOENT);
	options = (struct verify_options){
		.path = scratch_path(&place->scratch, "from/dir")};
	assert_int_equal(verify_snapshot(&options, &result, NULL), -ENOENT);
}

#define STORY(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_sound_snapshot_has_no_problem),
		STORY(every_flipped_bit_of_a_small_file_is_found),
		STORY(a_flipped_bit_of_a_large_file_names_its_chunk),
		STORY(every_flipped_bit_of_the_table_is_found),
		STORY(every_flipped_bit_of_the_manifest_is_found),
		STORY(without_the_manifest_the_table_still_protects),
		STORY(without_the_table_the_manifest_still_protects),
		STORY(missing_extra_and_misshapen_files_are_named),
		STORY(a_lost_neighbour_does_not_hide_a_flipped_bit),
		STORY(a_missing_snapshot_is_no_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
