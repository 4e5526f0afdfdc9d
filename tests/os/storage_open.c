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
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/storage/pbfile.h"
#include "dataplane/base/units.h"
#include "tests/os/storage_world.h"

static void a_crash_is_cleaned_up_at_start(void **state)
{
	struct place *place = *state;

	assert_int_equal(commit(place, 37, NULL), 0);
	close_store(place);
	/* after the rename, before the old one was deleted; and a later half copy */
	assert_int_equal(
		renameat(place->scratch.fd, SNAP_37, place->scratch.fd, "aside"), 0);
	assert_int_equal(reopen(place, NULL), 0);
	assert_int_equal(commit(place, 38, NULL), 0);
	close_store(place);
	assert_int_equal(
		renameat(place->scratch.fd, "aside", place->scratch.fd, SNAP_37), 0);
	scratch_write(&place->scratch, "store/temp/deep/er/half", "x", 1);
	scratch_write(&place->scratch, "store/manifest_00000000000000000037", "x", 1);
	scratch_write(&place->scratch, "store/manifest_00000000000000000038.tmp", "x", 1);
	assert_int_equal(reopen(place, NULL), 0);
	assert_int_equal(storage_newest_index(place->storage), 38);
	assert_false(exists(place, SNAP_37));
	assert_false(exists(place, "store/temp"));
	assert_false(exists(place, "store/manifest_00000000000000000037"));
	assert_false(exists(place, "store/manifest_00000000000000000038.tmp"));
	assert_true(exists(place, SNAP_38 "/data"));
}

static void a_directory_that_is_no_store_stays_untouched(void **state)
{
	static const char *const foreign[] = {"notes.txt", "snapshot_7",
		"snapshot_00000000000000000011.bak", "snapshot_-0000000000000000001",
		"snapshot_99999999999999999999"};
	struct place *place = *state;

	close_store(place);
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
		struct fault fault = {0};
		char name[80];

		scratch_write(&place->scratch, "store/temp/precious", "x", 1);
		(void)snprintf(name, sizeof(name), "store/%s/file", foreign[i]);
		scratch_write(&place->scratch, name, "y", 1);
		assert_int_equal(reopen(place, &fault), -ENOTEMPTY);
		assert_non_null(strstr(fault.text, foreign[i]));
		assert_true(exists(place, "store/temp/precious"));
		assert_true(exists(place, name));
		unlinkat(place->scratch.fd, name, 0);
		(void)snprintf(name, sizeof(name), "store/%s", foreign[i]);
		unlinkat(place->scratch.fd, name, AT_REMOVEDIR);
	}
	place->storage = NULL;
	assert_int_equal(reopen(place, NULL), 0);
}

static void a_missing_store_is_not_made_unasked(void **state)
{
	struct place *place = *state;
	struct storage *other;
	struct fault fault = {0};

	assert_int_equal(
		storage_open(&other, scratch_path(&place->scratch, "no"), false, &fault),
		-ENOENT);
	assert_non_null(strstr(fault.text, "does not exist"));
	assert_false(exists(place, "no"));
	assert_int_equal(
		storage_open(&other, scratch_path(&place->scratch, "no/no"), true, NULL),
		-ENOENT);
}

static void a_store_has_one_owner(void **state)
{
	struct place *place = *state;
	struct storage *other;
	struct fault fault = {0};
	int status;
	pid_t child;

	assert_int_equal(
		storage_open(&other, storage_path(place->storage), false, &fault),
		-EBUSY);
	assert_non_null(strstr(fault.text, "another running process"));
	child = fork();
	if (child == 0)
		_exit(storage_open(&other, storage_path(place->storage), false, NULL) ==
					-EBUSY
				? 0
				: 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* braft goes on as if there was none, and takes the whole log for lost. Here nothing is
 * deleted, least of all an older snapshot. */
static void a_corrupt_table_is_not_taken_for_no_snapshot(void **state)
{
	struct place *place = *state;
	uint8_t *bytes;
	size_t len;

	assert_int_equal(commit(place, 38, NULL), 0);
	close_store(place);
	scratch_write(&place->scratch, SNAP_37 "/data", "old", 3);
	bytes = scratch_read(&place->scratch, SNAP_38 "/__raft_snapshot_meta", &len);
	for (size_t cut = 0; cut < len; cut++) {
		struct fault fault = {0};

		scratch_write(
			&place->scratch, SNAP_38 "/__raft_snapshot_meta", bytes, cut);
		place->storage = NULL;
		assert_int_equal(reopen(place, &fault), -EBADMSG);
		assert_non_null(strstr(fault.text, "__raft_snapshot_meta"));
		assert_non_null(strstr(fault.text, "snapshot_00000000000000000038"));
	}
	bytes[4 + 3] = 37; /* the index: well formed, but not the directory's */
	scratch_write(&place->scratch, SNAP_38 "/__raft_snapshot_meta", bytes, len);
	assert_int_equal(reopen(place, NULL), -EBADMSG);
	unlinkat(place->scratch.fd, SNAP_38 "/__raft_snapshot_meta", 0);
	assert_int_equal(reopen(place, NULL), -EBADMSG);
	assert_true(exists(place, SNAP_37 "/data"));
	assert_true(exists(place, SNAP_38 "/data"));
	free(bytes);
}

static void a_framed_file_is_exactly_its_length(void **state)
{
	const struct file_image abc = {.bytes = (const uint8_t *)"abc", .len = 3};
	struct place *place = *state;
	int fd = place->scratch.fd;
	struct fault fault = {0};
	uint8_t *bytes;
	size_t len;

	assert_int_equal(pbfile_save(fd, "pb", &abc, NULL), 0);
	assert_false(exists(place, "pb.tmp"));
	assert_int_equal(pbfile_load(fd, "pb", &bytes, &len, NULL), 0);
	assert_int_equal(len, 3);
	assert_memory_equal(bytes, "abc", 3);
	free(bytes);
	scratch_write(&place->scratch, "pb", "\0\0\0\3abcd", 8);
	assert_int_equal(pbfile_load(fd, "pb", &bytes, &len, &fault), -EBADMSG);
	assert_non_null(strstr(fault.text, "pb has bytes behind its message"));
	scratch_write(&place->scratch, "pb", "\xff\xff\xff\xff\0", 5);
	assert_int_equal(pbfile_load(fd, "pb", &bytes, &len, NULL), -EBADMSG);
	scratch_write(&place->scratch, "pb", "\0\0\0\0", 4);
	assert_int_equal(pbfile_load(fd, "pb", &bytes, &len, NULL), 0);
	assert_int_equal(len, 0);
	free(bytes);
	assert_int_equal(pbfile_load(fd, "store", &bytes, &len, NULL), -EBADMSG);
	assert_int_equal(pbfile_load(fd, "absent", &bytes, &len, NULL), -ENOENT);
}

static void a_list_shows_sound_and_damaged_snapshots(void **state)
{
	struct place *place = *state;
	struct storage_entry *entries;
	size_t count;

	assert_int_equal(commit(place, 37, NULL), 0);
	scratch_write(&place->scratch, SNAP_38 "/__raft_snapshot_meta", "junk", 4);
	assert_int_equal(
		storage_scan(storage_path(place->storage), &entries, &count, NULL), 0);
	assert_int_equal(count, 2);
	assert_true(entries[0].index == 37 && entries[0].term == 3);
	assert_true(entries[0].files == 1 && entries[0].bytes == 5);
	assert_false(entries[0].has_manifest);
	assert_int_equal(entries[0].fault.code, 0);
	assert_int_equal(entries[1].index, 38);
	assert_int_equal(entries[1].fault.code, -EBADMSG);
	free(entries);
	assert_int_equal(storage_scan("/nowhere", &entries, &count, NULL), -ENOENT);
	assert_int_equal(storage_scan("/dev/null", &entries, &count, NULL), -ENOTDIR);
}

#define STORY(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_crash_is_cleaned_up_at_start),
		STORY(a_directory_that_is_no_store_stays_untouched),
		STORY(a_missing_store_is_not_made_unasked),
		STORY(a_store_has_one_owner),
		STORY(a_corrupt_table_is_not_taken_for_no_snapshot),
		STORY(a_framed_file_is_exactly_its_length),
		STORY(a_list_shows_sound_and_damaged_snapshots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
