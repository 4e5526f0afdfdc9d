/* SPDX-License-Identifier: BSD-3-Clause */
/* Every system call of a save and of an install fails once, or it and all after it; and
 * the disk is full at every page and every inode. The old snapshot stays, the error is
 * told, and the next attempt succeeds. */
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>

#include "dataplane/base/log.h"
#include "tests/os/crash_world.h"

static const struct scenario scenarios[] = {
	{.name = "save", .run = run_save},
	{.name = "install", .run = run_install},
	{.name = "install of braft's", .run = run_beside},
	{.name = "install with hard links", .run = run_filter, .filter = true},
	{.name = "install resumed", .run = run_filter, .filter = true, .begun = true},
	{.name = "install by a journal", .run = run_resume, .resumes = true},
};

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	log_set_level(LOG_ERROR);
	world_begin(world);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	world_end(*state);
	free(*state);
	return 0;
}

/* What an attempt that met a failure has left, here and for the next start. */
static void expect_honest(
	const struct world *world, const struct scenario *scenario, int result)
{
	struct storage *storage = NULL;
	const char *wrong;

	if (result != 0 && result != -trace.error)
		fail_msg("%s: call %d failed with %d, the result is %d", scenario->name,
			trace.fail_at, trace.error, result);
	storage = world_open(world, scenario, "crash");
	assert_non_null(storage);
	wrong = wrong_with(world, scenario, storage);
	if (wrong != NULL)
		fail_msg("%s, call %d: %s", scenario->name, trace.fail_at, wrong);
	/* When everything fails after the last fsync has, the new name stays. */
	if (result == 0 || !trace.fail_on)
		assert_int_equal(storage_newest_index(storage), result == 0 ? 2 : 1);
	if (storage_newest_index(storage) == 1)
		assert_int_equal(scenario->run(world, storage), 0);
	assert_null(wrong_with(world, scenario, storage));
	assert_int_equal(storage_newest_index(storage), 2);
	storage_close(storage);
	assert_int_equal(access(scratch_path(&world->scratch,
					"crash/snapshot_00000000000000000001"),
				 F_OK),
		-1);
}

/* The store goes on without a restart, too: the first attempt fails, the next does not.
 */
static int attempt(const struct world *world, const struct scenario *scenario)
{
	struct storage *storage = world_open(world, scenario, "crash");
	int64_t newest;
	char temp[200];
	int result;

	assert_non_null(storage);
	trace.calls = 0;
	trace.failed = 0;
	trace.injecting = true;
	result = scenario->run(world, storage);
	trace.injecting = false;
	newest = storage_newest_index(storage);
	assert_int_equal(newest, result == 0 ? 2 : 1);
	assert_true(is_sound(storage) || trace.fail_on);
	(void)snprintf(temp, sizeof(temp), "%s/temp", storage_path(storage));
	if (!trace.fail_on && !scenario->filter && !scenario->resumes)
		assert_int_not_equal(access(temp, F_OK), 0);
	if (result != 0 && trace.fail_at % 2 == 0) {
		assert_int_equal(scenario->run(world, storage), 0);
		assert_int_equal(storage_newest_index(storage), 2);
		assert_true(is_sound(storage));
		storage_close(storage);
		return -1; /* seen to its end */
	}
	storage_close(storage);
	return result;
}

static int fail_everywhere(struct world *world, const struct scenario *scenario)
{
	const struct disk_crash intact = {.root = true, .below = true};
	struct disk_model *model;
	int reported = 0, call = 0;

	make_store(world, scenario, "store");
	model = disk_model_load(scratch_path(&world->scratch, "store"));
	for (trace.failed = 1; trace.failed > 0; call++) {
		int result;
		int failed;

		trace.fail_at = call;
		disk_model_write(model, &intact, scratch_path(&world->scratch, "crash"));
		result = attempt(world, scenario);
		failed = trace.failed;
		reported += result != 0;
		if (result >= 0 || result == -trace.error)
			expect_honest(world, scenario, result);
		trace.failed = failed;
		assert_int_equal(tree_remove(world->scratch.fd, "crash", NULL), 0);
	}
	disk_model_free(model);
	assert_int_equal(tree_remove(world->scratch.fd, "store", NULL), 0);
	print_message("%s: each of %d calls failed with %s%s, %d times the attempt did\n",
		scenario->name, call - 1, strerrorname_np(trace.error),
		trace.fail_on ? ", and all after it" : "", reported);
	assert_true(reported > 20);
	return call - 1;
}

static void every_call_may_fail(void **state)
{
	static const int errors[] = {EIO, ENOSPC};
	int tries = 0;

	for (size_t i = 0; i < ARRAY_LEN(scenarios); i++)
		for (size_t j = 0; j < ARRAY_LEN(errors); j++)
			for (int on = 0; on < 2; on++) {
				trace.error = errors[j];
				trace.fail_on = on == 1;
				tries += fail_everywhere(*state, &scenarios[i]);
			}
	print_message("failing calls: %d tried, all held\n", tries);
	assert_true(tries > 500);
}

struct limit {
	const char *name; /* of the mount option */
	int from, to, step;
	int plenty;
};

enum fit { FITS, FULL, TOO_SMALL };

/* One size of the disk; TOO_SMALL: the old snapshot alone takes more. */
static enum fit fill(const struct world *world, const struct scenario *scenario,
	const struct limit *limit, int size)
{
	const char *path = scratch_path(&world->scratch, "crash");
	struct storage *storage;
	char options[80];
	int result;

	(void)snprintf(options, sizeof(options), "%s=%d", limit->name, limit->plenty);
	assert_int_equal(mount("none", path, "tmpfs", 0, options), 0);
	make_store((struct world *)world, scenario, "crash");
	(void)snprintf(options, sizeof(options), "%s=%d", limit->name, size);
	if (mount("none", path, "tmpfs", MS_REMOUNT, options) != 0) {
		assert_int_equal(umount(path), 0);
		return TOO_SMALL;
	}
	storage = world_open(world, scenario, "crash");
	assert_non_null(storage);
	result = scenario->run(world, storage);
	if (result != 0 && result != -ENOSPC)
		fail_msg("%s of %d: %d", limit->name, size, result);
	assert_int_equal(storage_newest_index(storage), result == 0 ? 2 : 1);
	assert_null(wrong_with(world, scenario, storage));
	(void)snprintf(options, sizeof(options), "%s=%d", limit->name, limit->plenty);
	assert_int_equal(mount("none", path, "tmpfs", MS_REMOUNT, options), 0);
	if (result != 0)
		assert_int_equal(scenario->run(world, storage), 0);
	assert_null(wrong_with(world, scenario, storage));
	storage_close(storage);
	assert_int_equal(umount(path), 0);
	return result == 0 ? FITS : FULL;
}

static void fill_everywhere(const struct world *world, const struct scenario *scenario,
	const struct limit *limit)
{
	int count[3] = {0};

	for (int size = limit->from; size <= limit->to; size += limit->step)
		count[fill(world, scenario, limit, size)]++;
	print_message("%s on a disk of %s=%d to %d: %d times full, %d times not\n",
		scenario->name, limit->name, limit->from, limit->to, count[FULL],
		count[FITS]);
	assert_true(count[FULL] > 0 && count[FITS] > 0);
}

static void the_disk_may_be_full_at_every_step(void **state)
{
	static const struct limit limits[] = {
		{"size", 540 << 10, 1400 << 10, 4096, 4 << 20},
		{"nr_inodes", 8, 40, 1, 200},
	};
	const struct world *world = *state;

	scratch_mkdir(&world->scratch, "crash");
	if (mount("none", scratch_path(&world->scratch, "crash"), "tmpfs", 0, NULL) !=
		0) {
		print_message("skipped: mounting a tmpfs needs CAP_SYS_ADMIN\n");
		skip();
	}
	assert_int_equal(umount(scratch_path(&world->scratch, "crash")), 0);
	trace.error = ENOSPC;
	for (size_t i = 0; i < ARRAY_LEN(scenarios); i++)
		for (size_t j = 0; j < ARRAY_LEN(limits); j++)
			fill_everywhere(world, &scenarios[i], &limits[j]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_call_may_fail, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			the_disk_may_be_full_at_every_step, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
