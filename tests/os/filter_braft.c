/* SPDX-License-Identifier: BSD-3-Clause */
/* braft's test filter_before_copy: a file in every combination of states in temp, in the
 * newest snapshot and at a leader without a manifest. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "control/storage/entry.h"
#include "control/storage/filter.h"
#include "tests/os/store_world.h"

#define SNAP_1 "store/snapshot_00000000000000000001"
#define SNAP_2 "store/snapshot_00000000000000000002"

struct place {
	struct scratch scratch;
	struct storage *storage;
};

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	struct storage_options options;

	scratch_open(&place->scratch);
	storage_options_init(&options);
	options.filter_before_copy_remote = true;
	assert_int_equal(storage_open_options(&place->storage,
				 scratch_path(&place->scratch, "store"), &options, NULL),
		0);
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

static bool exists(const struct place *place, const char *name)
{
	return scratch_exists(&place->scratch, name);
}

static void expect_content(const struct place *place, const char *name, const char *text)
{
	size_t len;
	uint8_t *bytes = scratch_read(&place->scratch, name, &len);

	assert_int_equal(len, strlen(text));
	assert_memory_equal(bytes, text, len);
	free(bytes);
}

enum { ABSENT, NO_SUM, SAME, OTHER, REFERENCE };

/* "t0_l2_r1" in temp, last snapshot and leader, as far as it is in each. */
static void add_one(
	struct storage_writer *writer, const char *name, int kind, const char *content)
{
	const struct storage_file_meta meta = {
		.checksum = kind == NO_SUM  ? NULL
			    : kind == OTHER ? "other"
					    : "same",
		.is_reference = kind == REFERENCE,
	};

	if (kind == ABSENT)
		return;
	assert_int_equal(storage_writer_add_file(writer, name, &meta, NULL), 0);
	if (kind != REFERENCE)
		world_put(writer, name, content, strlen(content));
}

static void each_case(
	void (*visit)(void *ctx, const char *name, const int kinds[3]), void *ctx)
{
	char name[40];

	for (int temp = ABSENT; temp <= OTHER; temp++)
		for (int last = ABSENT; last <= REFERENCE; last++)
			for (int remote = NO_SUM; remote <= SAME; remote++) {
				const int kinds[3] = {temp, last, remote};

				(void)snprintf(name, sizeof(name), "d%d/l%d_r%d", temp,
					last, remote);
				visit(ctx, name, kinds);
			}
}

static void add_temp(void *ctx, const char *name, const int kinds[3])
{
	add_one(ctx, name, kinds[0], "in temp");
}

static void add_last(void *ctx, const char *name, const int kinds[3])
{
	add_one(ctx, name, kinds[1], "in the last snapshot");
}

static void add_remote(void *ctx, const char *name, const int kinds[3])
{
	const struct table_file entry = {
		.name = (char *)name, .checksum = kinds[2] == SAME ? "same" : NULL};

	assert_int_equal(entry_put(ctx, &entry), 0);
}

static void check_case(void *ctx, const char *name, const int kinds[3])
{
	struct place *place = ctx;
	char path[100], last[100];
	struct stat st, old;

	(void)snprintf(path, sizeof(path), SNAP_2 "/%s", name);
	(void)snprintf(last, sizeof(last), SNAP_1 "/%s", name);
	if (kinds[2] == NO_SUM) {
		expect_content(place, path, "fetched");
	} else if (kinds[0] == SAME) {
		expect_content(place, path, "in temp");
	} else if (kinds[1] == SAME) {
		expect_content(place, path, "in the last snapshot");
		assert_int_equal(fstatat(place->scratch.fd, path, &st, 0), 0);
		assert_int_equal(fstatat(place->scratch.fd, last, &old, 0), 0);
		assert_int_equal(st.st_ino, old.st_ino);
	} else if (kinds[1] == REFERENCE) {
		assert_false(exists(place, path));
	} else {
		expect_content(place, path, "fetched");
	}
}

/* A leader's table and a store whose temp and newest snapshot have files in all states.
 */
static void commit_without_manifest(struct storage_writer *writer)
{
	struct table table;

	/* as braft would: no manifest, and no checksum that the user did not give */
	table_init(&table);
	table.has_meta = true;
	table.meta.index = writer->table.meta.index;
	table.meta.term = 1;
	for (size_t i = 0; i < writer->table.nfiles; i++)
		assert_int_equal(entry_put(&table, &writer->table.files[i]), 0);
	assert_int_equal(storage_commit(writer, &table, NULL, 0, NULL), 0);
	table_fini(&table);
}

static void filter_before_copy(void **state)
{
	struct place *place = *state;
	struct filter_request request = {.manifest = NULL};
	struct filter_result result;
	struct storage_writer *writer;
	struct storage_reader *old, *new;
	struct table remote;

	assert_int_equal(storage_create(place->storage, &writer, NULL), 0);
	world_set_meta(writer, 1);
	each_case(add_last, writer);
	commit_without_manifest(writer);
	assert_int_equal(storage_create_copy(place->storage, &writer, NULL), 0);
	world_set_meta(writer, 2);
	each_case(add_temp, writer);
	add_one(writer, "extra", SAME, "listed, but the leader has it no more");
	add_one(writer, "d2/extra", SAME, "the same");
	world_put(writer, "d2/deep/stray", "not listed", 10);
	storage_abort(writer); /* the first attempt failed */

	table_init(&remote);
	remote.has_meta = true;
	remote.meta.index = 2;
	remote.meta.term = 1;
	each_case(add_remote, &remote);
	request.table = &remote;
	assert_int_equal(storage_create_copy(place->storage, &writer, NULL), 0);
	assert_false(exists(place, "store/temp/d2/deep"));
	assert_int_equal(storage_filter(writer, &request, &result, NULL), 0);
	assert_false(exists(place, "store/temp/extra"));
	assert_false(exists(place, "store/temp/d2/extra"));
	/* of 40: 20 have no checksum at the leader, 9 no match here */
	assert_int_equal(result.nfetch, 20 + 9);
	assert_int_equal(result.files_kept, 5);
	assert_int_equal(result.files_linked, 6);
	for (size_t i = 0; i < result.nfetch; i++)
		world_put(writer, result.fetch[i], "fetched", 7);
	filter_result_fini(&result);
	assert_int_equal(storage_open_newest(place->storage, &old, NULL), 0);
	assert_int_equal(storage_commit(writer, &remote, NULL, 0, NULL), 0);
	table_fini(&remote);
	each_case(check_case, place);
	assert_int_equal(storage_open_newest(place->storage, &new, NULL), 0);
	assert_true(entry_is_reference(table_find(&new->table, "d0/l4_r2")));
	storage_reader_close(place->storage, new);
	storage_reader_close(place->storage, old);
	world_expect_sound(storage_path(place->storage), 2);
}

/* Without a manifest our own checksums are checked all the same; braft never does. */
static void a_corrupt_file_is_no_link_even_without_a_manifest(void **state)
{
	const struct world_file file = {"data", 5000, 1};
	struct place *place = *state;
	struct filter_request request = {.manifest = NULL};
	struct filter_result result;
	struct storage_writer *writer;
	struct storage_reader *reader;

	assert_int_equal(world_save(place->storage, 1, &file, 1, NULL), 0);
	assert_int_equal(storage_open_newest(place->storage, &reader, NULL), 0);
	request.table = &reader->table;
	for (int damaged = 0; damaged < 2; damaged++) {
		assert_int_equal(storage_create_copy(place->storage, &writer, NULL), 0);
		assert_int_equal(storage_filter(writer, &request, &result, NULL), 0);
		assert_int_equal(result.nfetch, damaged);
		filter_result_fini(&result);
		storage_abort(writer);
		scratch_write(&place->scratch, SNAP_1 "/data", "damage", 6);
	}
	storage_reader_close(place->storage, reader);
}

#define STORY(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(filter_before_copy),
		STORY(a_corrupt_file_is_no_link_even_without_a_manifest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
