/* SPDX-License-Identifier: BSD-3-Clause */
/* braft's flags keep their meaning and defaults under our names; one table parses, prints
 * and changes them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/snapshot_options.h"
#include "dataplane/base/parse.h"

static struct snapshot_options options;
static struct fault fault;

static int start(void **state)
{
	(void)state;
	snapshot_options_default(&options);
	fault = (struct fault){0};
	return 0;
}

static int set(const char *name, const char *text, bool is_running)
{
	fault = (struct fault){0};
	return snapshot_options_set(&options, name, text, is_running, &fault);
}

/* braft's name, its default as our text, and whether braft reloads it. */
static const struct {
	const char *braft, *name, *text;
	bool is_reloadable;
} braft_flags[] = {
	{"raft_do_snapshot_min_index_gap", "do-snapshot-min-index-gap", "1", true},
	{"raft_max_byte_count_per_rpc", "max-byte-count-per-rpc-bytes", "131072", true},
	{"raft_allow_read_partly_when_install_snapshot",
		"allow-read-partly-when-install-snapshot", "true", true},
	{"raft_enable_throttle_when_install_snapshot",
		"enable-throttle-when-install-snapshot", "true", true},
	{"raft_minimal_throttle_threshold_mb", "minimal-throttle-threshold-mb", "0",
		true},
	{"raft_max_install_snapshot_tasks_num", "max-install-snapshot-tasks-num", "1000",
		true},
	{"raft_file_check_hole", "file-check-hole", "false", false},
	{"raft_create_parent_directories", "create-parent-directories", "true", false},
	{"raft_retry_replicate_interval_ms", "retry-replicate-interval-ms", "1000", true},
	{"raft_rpc_channel_connect_timeout_ms", "rpc-channel-connect-timeout-ms", "200",
		true},
	{"raft_use_fsync_rather_than_fdatasync", "use-fsync-rather-than-fdatasync",
		"true", true},
	{"raft_sync", "sync", "true", true},
	{"raft_sync_meta", "sync-meta", "false", true},
	{"raft_election_heartbeat_factor", "election-heartbeat-factor", "10", false},
	{"NodeOptions.snapshot_interval_s", "snapshot-interval-s", "3600", true},
	{"NodeOptions.filter_before_copy_remote", "filter-before-copy-remote", "false",
		false},
	{"NodeOptions.election_timeout_ms", "election-timeout-ms", "1000", true},
	{"CopyOptions.max_retry", "copy-max-retry", "3", true},
	{"CopyOptions.retry_interval_ms", "copy-retry-interval-ms", "1000", true},
	{"CopyOptions.timeout_ms", "copy-timeout-ms", "10000", true},
};

static void every_flag_of_braft_has_its_option_and_default(void **state)
{
	const struct snapshot_option *table;
	size_t count;

	(void)state;
	table = snapshot_options_table(&count);
	for (size_t i = 0; i < ARRAY_LEN(braft_flags); i++) {
		struct snapshot_options before = options;
		size_t row = 0;

		assert_int_equal(set(braft_flags[i].name, braft_flags[i].text, false), 0);
		assert_memory_equal(&before, &options, sizeof(options));
		while (row < count &&
			strcmp(table[row].spec.name, braft_flags[i].name) != 0)
			row++;
		assert_true(row < count);
		assert_string_equal(table[row].braft, braft_flags[i].braft);
		assert_int_equal(table[row].is_reloadable, braft_flags[i].is_reloadable);
	}
}

/* Every default is one that set takes; and no two rows share a field or a name. */
static void rows_are_consistent(void **state)
{
	const struct snapshot_option *table;
	size_t count;

	(void)state;
	table = snapshot_options_table(&count);
	for (size_t i = 0; i < count; i++) {
		struct snapshot_options before = options;

		assert_int_equal(
			set(table[i].spec.name, table[i].spec.fallback, false), 0);
		assert_memory_equal(&before, &options, sizeof(options));
		for (size_t j = 0; j < i; j++) {
			assert_string_not_equal(table[i].spec.name, table[j].spec.name);
			assert_int_not_equal(table[i].spec.offset, table[j].spec.offset);
		}
	}
}

static void unknown_name_is_told_with_the_nearest(void **state)
{
	(void)state;
	assert_int_equal(set("snapshot-intervall-s", "1", false), -ENOENT);
	assert_string_equal(fault.text,
		"there is no snapshot option 'snapshot-intervall-s'; did you mean "
		"snapshot-interval-s?");
	assert_int_equal(set("zzzzzzzzzzzz", "1", false), -ENOENT);
	assert_string_equal(fault.text, "there is no snapshot option 'zzzzzzzzzzzz'; see "
					"snapline node --help");
}

static void wrong_value_is_told_with_the_range_and_changes_nothing(void **state)
{
	const struct snapshot_options before = options;
	char longest[200];

	(void)state;
	memset(longest, '1', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(set("snapshot-throttle-check-cycle", "0", false), -EINVAL);
	assert_string_equal(fault.text,
		"--snapshot-throttle-check-cycle takes a number from 1 to 1000, not '0'; "
		"see snapline node --help");
	assert_int_equal(set("do-snapshot-min-index-gap", "0", false), -EINVAL);
	assert_int_equal(set("do-snapshot-min-index-gap", "-1", false), -EINVAL);
	assert_int_equal(set("max-byte-count-per-rpc-bytes", "33MiB", false), -EINVAL);
	assert_int_equal(set("sync", "maybe", false), -EINVAL);
	assert_int_equal(set("sync", "", false), -EINVAL);
	assert_int_equal(set("sync-meta", "--help", false), -EINVAL);
	assert_int_equal(set("copy-max-retry", longest, false), -EINVAL);
	assert_int_equal(set("transfer-class", "urgent", false), -EINVAL);
	assert_string_equal(fault.text, "--transfer-class takes one of recovery, "
					"rebalance, not 'urgent'; see snapline node "
					"--help");
	assert_memory_equal(&before, &options, sizeof(options));
}

static void only_reloadable_options_change_while_the_node_runs(void **state)
{
	(void)state;
	assert_int_equal(set("filter-before-copy-remote", "true", true), -EPERM);
	assert_string_equal(fault.text,
		"filter-before-copy-remote holds from the start on: restart the node "
		"with --filter-before-copy-remote true");
	assert_false(options.filters_before_copy);
	assert_int_equal(set("filter-before-copy-remote", "true", false), 0);
	assert_true(options.filters_before_copy);
	assert_int_equal(set("snapshot-interval-s", "60", true), 0);
	assert_int_equal(options.interval_s, 60);
	assert_int_equal(set("transfer-class", "rebalance", true), 0);
	assert_int_equal(options.transfer_class, 2);
}

struct command_line {
	const char *store;
	struct snapshot_options snapshot;
};

static void command_line_takes_the_rows_of_the_table(void **state)
{
	struct option_spec rows[64] = {
		{.name = "store",
			.arg = "DIR",
			.kind = OPTION_STRING,
			.offset = offsetof(struct command_line, store),
			.help = "where snapshots live"},
		{.name = NULL},
	};
	struct option_command command = {.name = "node", .summary = "", .options = rows};
	char word[] = "--sync=false", store[] = "--store=/a";
	char rate[] = "--snapshot-throttle-rate=1MiB/s";
	char *argv[] = {word, store, rate};
	struct command_line line = {0};
	struct option_list operands;
	char *text = NULL;
	size_t len;
	FILE *out;

	(void)state;
	assert_int_equal(snapshot_options_append(rows, 8, 0), -ENOSPC);
	assert_null(rows[1].name);
	assert_int_equal(snapshot_options_append(rows, ARRAY_LEN(rows),
				 offsetof(struct command_line, snapshot)),
		0);
	assert_int_equal(
		options_parse(&command, 3, argv, &line, &operands, &fault), OPTIONS_RUN);
	assert_string_equal(line.store, "/a");
	assert_false(line.snapshot.syncs);
	assert_true(line.snapshot.uses_fsync);
	assert_int_equal(line.snapshot.throttle_rate_bps, 8 * MIB);

	out = open_memstream(&text, &len);
	assert_non_null(out);
	options_help(&command, out);
	assert_int_equal(fclose(out), 0);
	assert_non_null(
		strstr(text, "\n  --do-snapshot-min-index-gap N\n"
			     "                             with fewer new entries a "
			     "save does nothing, from 1 to 2147483647 "
			     "(default 1)\n"));
	free(text);
}

static void options_become_limits(void **state)
{
	struct snapshot_timer_limits timer;
	struct throttle_limits throttle, standard;

	(void)state;
	snapshot_options_throttle(&options, &throttle);
	throttle_limits_default(&standard);
	assert_int_equal(throttle.is_enabled, standard.is_enabled);
	assert_int_equal(throttle.bytes_per_s, standard.bytes_per_s);
	assert_int_equal(throttle.floor_bytes_per_s, standard.floor_bytes_per_s);
	assert_int_equal(throttle.checks_per_s, standard.checks_per_s);
	assert_int_equal(throttle.max_install_tasks, standard.max_install_tasks);
	assert_int_equal(set("snapshot-throttle-rate", "0", true), 0);
	assert_int_equal(set("minimal-throttle-threshold-mb", "3", true), 0);
	snapshot_options_throttle(&options, &throttle);
	assert_int_equal(throttle.bytes_per_s, 0);
	assert_int_equal(throttle.floor_bytes_per_s, 3 * MIB);
	assert_int_equal(set("snapshot-log-bytes", "1GiB", true), 0);
	snapshot_options_timer(&options, &timer);
	assert_int_equal(timer.interval, 3600 * SEC);
	assert_int_equal(timer.entries, 0);
	assert_int_equal(timer.bytes, GIB);
}

static void leader_waits_by_the_code(void **state)
{
	(void)state;
	assert_int_equal(snapshot_options_block(&options, EBUSY), SEC);
	assert_int_equal(snapshot_options_block(&options, EINTR), SEC);
	assert_int_equal(snapshot_options_block(&options, ECANCELED), 100 * MSEC);
	assert_int_equal(snapshot_options_block(&options, 0), 100 * MSEC);
	assert_int_equal(set("election-timeout-ms", "50", true), 0);
	assert_int_equal(snapshot_options_block(&options, 0), 10 * MSEC);
}

static void a_pin_has_two_limits_the_hard_one_never_below_the_soft(void **state)
{
	struct convergence_config config;

	(void)state;
	snapshot_options_pin(&options, &config);
	assert_int_equal(config.soft.bytes, 512 * MIB);
	assert_int_equal(config.hard.bytes, 1024 * MIB);
	assert_int_equal(config.hard.entries, 2 * config.soft.entries);
	assert_int_equal(set("pin-log-mib", "2048", true), 0);
	assert_int_equal(set("pin-log-entries", "0", true), 0);
	snapshot_options_pin(&options, &config);
	assert_int_equal(config.hard.bytes, 2048 * MIB);
	assert_true(config.hard.entries == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(
			every_flag_of_braft_has_its_option_and_default, start),
		cmocka_unit_test_setup(rows_are_consistent, start),
		cmocka_unit_test_setup(unknown_name_is_told_with_the_nearest, start),
		cmocka_unit_test_setup(
			wrong_value_is_told_with_the_range_and_changes_nothing, start),
		cmocka_unit_test_setup(
			only_reloadable_options_change_while_the_node_runs, start),
		cmocka_unit_test_setup(command_line_takes_the_rows_of_the_table, start),
		cmocka_unit_test_setup(options_become_limits, start),
		cmocka_unit_test_setup(leader_waits_by_the_code, start),
		cmocka_unit_test_setup(
			a_pin_has_two_limits_the_hard_one_never_below_the_soft, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
