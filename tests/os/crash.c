/* SPDX-License-Identifier: BSD-3-Clause */
/* A store is stopped at every single operation of a save and of an install, in every way
 * that the file system allows, and started again. */
#include <stddef.h>
#include <stdint.h>

#include "tests/os/crash_world.h"

static const struct scenario scenarios[] = {
	{.name = "save", .run = run_save},
	{.name = "install", .run = run_install},
	{.name = "install of braft's", .run = run_beside},
	{.name = "install with hard links", .run = run_filter, .filter = true},
	{.name = "install resumed", .run = run_filter, .filter = true, .begun = true},
	{.name = "install by a journal", .run = run_resume, .resumes = true},
	{.name = "start after a crash", .run = run_nothing, .recovers = true},
};

static const struct disk_crash crashes[] = {
	{.root = true, .below = true, .data = DISK_LIVE}, /* kill -9 */
	{.root = true, .below = true, .data = DISK_LOST},
	{.root = true, .below = true, .data = DISK_TORN},
	{.root = true, .below = false, .data = DISK_LIVE},
	{.root = true, .below = false, .data = DISK_LOST},
	{.root = true, .below = false, .data = DISK_TORN},
	{.root = false, .below = true, .data = DISK_LIVE},
	{.root = false, .below = true, .data = DISK_LOST},
	{.root = false, .below = true, .data = DISK_TORN},
	{.root = false, .below = false, .data = DISK_LIVE},
	{.root = false, .below = false, .data = DISK_LOST},
	{.root = false, .below = false, .data = DISK_TORN},
};

struct tally {
	int points;
	int different; /* disks; each is started once */
	int old_found;
	int new_found;
	int failed;
	const char *first; /* what went wrong first */
	int first_at;
	uint64_t *seen; /* hashes, and whether the new snapshot was promised */
	int nseen;
};

/* A log that is truncated only when the store has said that the snapshot is safe. */
static int64_t first_log_index(bool promised)
{
	return promised ? 3 : 2;
}

/* Starts the store that the crash has left. Returns NULL or what is wrong. */
static const char *start_again(const struct world *world, const struct scenario *scenario,
	bool promised, struct tally *tally)
{
	struct storage *storage = world_open(world, scenario, "crash");
	const char *wrong;

	if (storage == NULL)
		return "the store does not open";
	wrong = wrong_with(world, scenario, storage);
	if (wrong == NULL &&
		first_log_index(promised) > storage_newest_index(storage) + 1)
		wrong = "log entries are gone that no snapshot covers";
	if (storage_newest_index(storage) == 1) {
		tally->old_found++;
		if (wrong == NULL && scenario->run(world, storage) != 0)
			wrong = "the second attempt fails";
		if (wrong == NULL && storage_newest_index(storage) != 2)
			wrong = "the second attempt is lost";
		if (wrong == NULL)
			wrong = wrong_with(world, scenario, storage);
	} else {
		tally->new_found++;
		if (wrong == NULL && world_save(storage, 3, old_files, 2, NULL) != 0)
			wrong = "the next save fails";
	}
	storage_close(storage);
	return wrong;
}

static bool was_seen(struct tally *tally, uint64_t hash)
{
	for (int i = 0; i < tally->nseen; i++)
		if (tally->seen[i] == hash)
			return true;
	tally->seen = reallocarray(tally->seen, (size_t)tally->nseen + 1, sizeof(hash));
	assert_non_null(tally->seen);
	tally->seen[tally->nseen++] = hash;
	return false;
}

static void crash_here(const struct world *world, const struct scenario *scenario,
	struct disk_model *model, bool promised, struct tally *tally)
{
	for (size_t i = 0; i < ARRAY_LEN(crashes); i++) {
		uint64_t hash = disk_model_hash(model, &crashes[i]);
		const char *wrong;

		tally->points++;
		if (was_seen(tally, hash * 2 + promised))
			continue;
		tally->different++;
		disk_model_write(
			model, &crashes[i], scratch_path(&world->scratch, "crash"));
		wrong = start_again(world, scenario, promised, tally);
		assert_int_equal(tree_remove(world->scratch.fd, "crash", NULL), 0);
		if (wrong == NULL)
			continue;
		if (tally->failed++ == 0) {
			tally->first = wrong;
			tally->first_at = tally->points / (int)ARRAY_LEN(crashes);
		}
	}
}

/* Records the story on a real store, then replays it against the model. */
static void try_all(
	struct world *world, const struct scenario *scenario, struct tally *tally)
{
	const struct disk_op done = {.kind = DISK_DONE};
	struct disk_model *model;
	struct storage *storage;
	bool promised = scenario->recovers;

	make_store(world, scenario, "store");
	model = disk_model_load(scratch_path(&world->scratch, "store"));
	trace.recording = true;
	storage = world_open(world, scenario, "store");
	assert_int_equal(scenario->run(world, storage), 0);
	trace_add(&done);
	trace.recording = false;
	storage_close(storage);
	crash_here(world, scenario, model, promised, tally);
	for (size_t i = 0; i < trace.count; i++) {
		disk_model_apply(model, &trace.ops[i]);
		promised |= trace.ops[i].kind == DISK_DONE;
		crash_here(world, scenario, model, promised, tally);
	}
	print_message("%s: %zu operations, %d crash points, %d different disks: "
		      "%d with the old snapshot, %d with the new one, %d wrong\n",
		scenario->name, trace.count, tally->points, tally->different,
		tally->old_found, tally->new_found, tally->failed);
	trace_clear();
	disk_model_free(model);
	free(tally->seen);
	assert_int_equal(tree_remove(world->scratch.fd, "store", NULL), 0);
}

static void after_a_crash_there_is_the_old_or_the_new_snapshot(void **state)
{
	struct world world;
	int points = 0, failed = 0;

	(void)state;
	world_begin(&world);
	for (size_t i = 0; i < ARRAY_LEN(scenarios); i++) {
		struct tally tally = {0};

		try_all(&world, &scenarios[i], &tally);
		if (tally.failed > 0)
			print_message("first, after %d operations: %s\n", tally.first_at,
				tally.first);
		/* both ends of the story were met */
		assert_true(tally.new_found > 0);
		assert_true(tally.old_found > 0 || scenarios[i].recovers);
		points += tally.points;
		failed += tally.failed;
	}
	world_end(&world);
	print_message("crash matrix: %d points, %d held\n", points, points - failed);
	assert_int_equal(failed, 0);
	assert_true(points > 1000);
}

/* The matrix can fail: without syncing, a power cut does lose the snapshot. */
static void without_syncing_the_matrix_finds_what_is_lost(void **state)
{
	const struct scenario scenario = {
		.name = "save without sync", .run = run_save, .no_sync = true};
	struct tally tally = {0};
	struct world world;

	(void)state;
	world_begin(&world);
	try_all(&world, &scenario, &tally);
	world_end(&world);
	assert_true(tally.failed > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(after_a_crash_there_is_the_old_or_the_new_snapshot),
		cmocka_unit_test(without_syncing_the_matrix_finds_what_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
