/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/snapshot_options.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "dataplane/base/parse.h"
#include "dataplane/transfer.h"

#define AT(field) .offset = offsetof(struct snapshot_options, field)

enum { PIN_MIB_MAX = 1 << 30 }; /* a PiB */

static const struct snapshot_option table[] = {
	{.spec = {.name = "snapshot-interval-s",
		 .arg = "SECONDS",
		 .kind = OPTION_U64,
		 .fallback = "3600",
		 .max = 31536000,
		 AT(interval_s),
		 .help = "save so long after the last save ended; 0: not by time"},
		.braft = "NodeOptions.snapshot_interval_s",
		.is_reloadable = true},
	{.spec = {.name = "snapshot-log-entries",
		 .arg = "N",
		 .kind = OPTION_U64,
		 .fallback = "0",
		 .max = INT64_MAX,
		 AT(log_entries),
		 .help = "save when so many entries were logged since; 0: never"},
		.is_reloadable = true},
	{.spec = {.name = "snapshot-log-bytes",
		 .arg = "BYTES",
		 .kind = OPTION_SIZE,
		 .fallback = "0",
		 .max = INT64_MAX,
		 AT(log_bytes),
		 .help = "save when so much was logged since; 0: never"},
		.is_reloadable = true},
	{.spec = {.name = "do-snapshot-min-index-gap",
		 .arg = "N",
		 .kind = OPTION_U64,
		 .fallback = "1",
		 .min = 1,
		 .max = INT32_MAX,
		 AT(min_index_gap),
		 .help = "with fewer new entries a save does nothing"},
		.braft = "raft_do_snapshot_min_index_gap",
		.is_reloadable = true},
	{.spec = {.name = "copy-file",
		 .arg = "BOOL",
		 .kind = OPTION_SWITCH,
		 .fallback = "true",
		 AT(copies_files),
		 .help = "false: receive metadata only, as a witness does"},
		.braft = "LocalSnapshotStorage copy_file"},
	{.spec = {.name = "keep-data-on-error",
		 .arg = "BOOL",
		 .kind = OPTION_SWITCH,
		 .fallback = "false",
		 AT(keeps_on_error),
		 .help = "keep what was received when an install fails"},
		.braft = "keep_data_on_error"},
	{.spec = {.name = "filter-before-copy-remote",
		 .arg = "BOOL",
		 .kind = OPTION_SWITCH,
		 .fallback = "false",
		 AT(filters_before_copy),
		 .help = "reuse files whose checksum is the leader's"},
		.braft = "NodeOptions.filter_before_copy_remote"},
	{.spec = {.name = "create-parent-directories",
		 .arg = "BOOL",
		 .kind = OPTION_SWITCH,
		 .fallback = "true",
		 AT(creates_parents),
		 .help = "make the store's missing parents"},
		.braft = "raft_create_parent_directories"},
	{.spec = {.name = "sync",
		 .arg = "BOOL",
		 .kind = OPTION_SWITCH,
		 .fallback = "true",
		 AT(syncs),
		 .help = "wait until the disk has what was written"},
		.braft = "raft_sync",
		.is_reloadable = true},
	{.spec = {.name = "sync-meta",
		 .arg = "BOOL",
		 .kind = OPTION_SWITCH,
		 .fallback = "false",
		 AT(syncs_meta),
		 .help = "the same for the table alone, with --sync false"},
		.braft = "raft_sync_meta",
		.is_reloadable = true},
	{.spec = {.name = "use-fsync-rather-than-fdatasync",
		 .arg = "BOOL",
		 .kind = OPTION_SWITCH,
		 .fallback = "true",
		 AT(uses_fsync),
		 .help = "sync times and sizes, too"},
		.braft = "raft_use_fsync_rather_than_fdatasync",
		.is_reloadable = true},
	{.spec = {.name = "max-byte-count-per-rpc-bytes",
		 .arg = "BYTES",
		 .kind = OPTION_SIZE,
		 .fallback = "128KiB",
		 .min = 1,
		 .max = 32 * MIB,
		 AT(rpc_bytes),
		 .help = "asked for by one get_file"},
		.braft = "raft_max_byte_count_per_rpc",
		.is_reloadable = true},
	{.spec = {.name = "allow-read-partly-when-install-snapshot",
		 .arg = "BOOL",
		 .kind = OPTION_SWITCH,
		 .fallback = "true",
		 AT(reads_partly),
		 .help = "take fewer bytes than asked for"},
		.braft = "raft_allow_read_partly_when_install_snapshot",
		.is_reloadable = true},
	{.spec = {.name = "file-check-hole",
		 .arg = "BOOL",
		 .kind = OPTION_SWITCH,
		 .fallback = "false",
		 AT(checks_holes),
		 .help = "do not send blocks of zeros"},
		.braft = "raft_file_check_hole"},
	{.spec = {.name = "copy-max-retry",
		 .arg = "N",
		 .kind = OPTION_U64,
		 .fallback = "3",
		 .max = INT32_MAX,
		 AT(copy_max_retry),
		 .help = "repeats of one failed get_file"},
		.braft = "CopyOptions.max_retry",
		.is_reloadable = true},
	{.spec = {.name = "copy-retry-interval-ms",
		 .arg = "MS",
		 .kind = OPTION_U64,
		 .fallback = "1000",
		 .min = 1,
		 .max = 3600000,
		 AT(copy_retry_interval_ms),
		 .help = "between them"},
		.braft = "CopyOptions.retry_interval_ms",
		.is_reloadable = true},
	{.spec = {.name = "copy-timeout-ms",
		 .arg = "MS",
		 .kind = OPTION_U64,
		 .fallback = "10000",
		 .min = 1,
		 .max = 3600000,
		 AT(copy_timeout_ms),
		 .help = "for one get_file"},
		.braft = "CopyOptions.timeout_ms",
		.is_reloadable = true},
	{.spec = {.name = "rpc-channel-connect-timeout-ms",
		 .arg = "MS",
		 .kind = OPTION_U64,
		 .fallback = "200",
		 .min = 1,
		 .max = 3600000,
		 AT(connect_timeout_ms),
		 .help = "to reach a peer"},
		.braft = "raft_rpc_channel_connect_timeout_ms",
		.is_reloadable = true},
	{.spec = {.name = "pin-log-mib",
		 .arg = "MIB",
		 .kind = OPTION_U64,
		 .fallback = "512",
		 .max = PIN_MIB_MAX,
		 AT(pin_mib),
		 .help = "leader: log kept for a follower in flight; 0: any size"},
		.is_reloadable = true},
	{.spec = {.name = "pin-log-entries",
		 .arg = "N",
		 .kind = OPTION_U64,
		 .fallback = "4000000",
		 .max = INT64_MAX,
		 AT(pin_entries),
		 .help = "the same in entries; 0: any number"},
		.is_reloadable = true},
	{.spec = {.name = "pin-log-max-mib",
		 .arg = "MIB",
		 .kind = OPTION_U64,
		 .fallback = "1024",
		 .max = PIN_MIB_MAX,
		 AT(pin_max_mib),
		 .help = "kept for one that will not converge, then it is given up"},
		.is_reloadable = true},
	{.spec = {.name = "pin-log-max-entries",
		 .arg = "N",
		 .kind = OPTION_U64,
		 .fallback = "8000000",
		 .max = INT64_MAX,
		 AT(pin_max_entries),
		 .help = "the same in entries; 0: any number"},
		.is_reloadable = true},
	{.spec = {.name = "pin-log-linger-s",
		 .arg = "SECONDS",
		 .kind = OPTION_U64,
		 .fallback = "30",
		 .max = 3600,
		 AT(pin_linger_s),
		 .help = "kept on for a follower that has its snapshot"},
		.is_reloadable = true},
	{.spec = {.name = "enable-throttle-when-install-snapshot",
		 .arg = "BOOL",
		 .kind = OPTION_SWITCH,
		 .fallback = "true",
		 AT(is_throttled),
		 .help = "false: the rate below does not hold"},
		.braft = "raft_enable_throttle_when_install_snapshot",
		.is_reloadable = true},
	{.spec = {.name = "snapshot-throttle-rate",
		 .arg = "RATE",
		 .kind = OPTION_RATE,
		 .fallback = "unlimited",
		 AT(throttle_rate_bps),
		 .help = "of all snapshots read and written here"},
		.braft = "throttle_throughput_bytes",
		.is_reloadable = true},
	{.spec = {.name = "snapshot-throttle-check-cycle",
		 .arg = "N",
		 .kind = OPTION_U64,
		 .fallback = "10",
		 .min = 1,
		 .max = 1000,
		 AT(throttle_check_cycle),
		 .help = "parts of a second the rate is shared out in"},
		.braft = "check_cycle",
		.is_reloadable = true},
	{.spec = {.name = "minimal-throttle-threshold-mb",
		 .arg = "MIB",
		 .kind = OPTION_U64,
		 .fallback = "0",
		 .max = 1048576,
		 AT(throttle_floor_mib),
		 .help = "the rate is at least so many MiB/s"},
		.braft = "raft_minimal_throttle_threshold_mb",
		.is_reloadable = true},
	{.spec = {.name = "max-install-snapshot-tasks-num",
		 .arg = "N",
		 .kind = OPTION_U64,
		 .fallback = "1000",
		 .min = 1,
		 .max = INT32_MAX,
		 AT(max_install_tasks),
		 .help = "snapshots received at once"},
		.braft = "raft_max_install_snapshot_tasks_num",
		.is_reloadable = true},
	{.spec = {.name = "retry-replicate-interval-ms",
		 .arg = "MS",
		 .kind = OPTION_U64,
		 .fallback = "1000",
		 .min = 1,
		 .max = 3600000,
		 AT(retry_replicate_interval_ms),
		 .help = "leader: wait after EBUSY or EINTR"},
		.braft = "raft_retry_replicate_interval_ms",
		.is_reloadable = true},
	{.spec = {.name = "election-timeout-ms",
		 .arg = "MS",
		 .kind = OPTION_U64,
		 .fallback = "1000",
		 .min = 1,
		 .max = 3600000,
		 AT(election_timeout_ms),
		 .help = "leader: after other errors wait this over the factor"},
		.braft = "NodeOptions.election_timeout_ms",
		.is_reloadable = true},
	{.spec = {.name = "election-heartbeat-factor",
		 .arg = "N",
		 .kind = OPTION_U64,
		 .fallback = "10",
		 .min = 1,
		 .max = INT32_MAX,
		 AT(election_heartbeat_factor),
		 .help = "heartbeats in an election timeout"},
		.braft = "raft_election_heartbeat_factor"},
	{.spec = {.name = "transfer-class",
		 .arg = "CLASS",
		 .kind = OPTION_WORD,
		 .words = rank_classes,
		 .fallback = "recovery",
		 AT(transfer_class),
		 .help = "of what this node sends, unless who starts or pulls it says "
			 "otherwise: recovery goes before rebalance"},
		.is_reloadable = true},
	{.spec = {.name = "transfer-weight",
		 .arg = "N",
		 .kind = OPTION_U64,
		 .fallback = "10",
		 .min = 1,
		 .max = SHAPER_WEIGHT_MAX,
		 AT(transfer_weight),
		 .help = "the same: its part among those of its class"},
		.is_reloadable = true},
};

const struct snapshot_option *snapshot_options_table(size_t *count)
{
	*count = ARRAY_LEN(table);
	return table;
}

static const struct snapshot_option *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (strcmp(table[i].spec.name, name) == 0)
			return &table[i];
	return NULL;
}

static int refuse_unknown(const char *name, struct fault *fault)
{
	const char *names[ARRAY_LEN(table)];
	const char *near;

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		names[i] = table[i].spec.name;
	near = nearest_word(name, names, ARRAY_LEN(names));
	if (near == NULL)
		return fault_set(fault, -ENOENT,
			"there is no snapshot option '%.60s'; see snapline node --help",
			name);
	return fault_set(fault, -ENOENT,
		"there is no snapshot option '%.60s'; did you mean %s?", name, near);
}

/* Gives one row a value, with the parser, the checks and the words of the command line.
 */
static int parse_row(struct snapshot_options *options, const struct snapshot_option *row,
	const char *text, struct fault *fault)
{
	const struct option_spec specs[] = {row->spec, {.name = NULL}};
	const struct option_command command = {.name = "node", .options = specs};
	struct snapshot_options changed = *options;
	struct option_list operands;
	char word[128];
	char *argv[] = {word};
	int len = snprintf(word, sizeof(word), "--%s=%s", row->spec.name, text);
	int rv;

	if (len < 0 || (size_t)len >= sizeof(word))
		return fault_set(fault, -EINVAL, "--%s: the value '%.20s...' is too long",
			row->spec.name, text);
	rv = options_parse(&command, 1, argv, &changed, &operands, fault);
	if (rv == 0)
		*options = changed;
	return rv;
}

void snapshot_options_default(struct snapshot_options *options)
{
	memset(options, 0, sizeof(*options));
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		int rv = parse_row(options, &table[i], table[i].spec.fallback, NULL);

		assert(rv == 0);
		(void)rv;
	}
}

int snapshot_options_set(struct snapshot_options *options, const char *name,
	const char *text, bool is_running, struct fault *fault)
{
	const struct snapshot_option *row = find(name);

	if (row == NULL)
		return refuse_unknown(name, fault);
	if (is_running && !row->is_reloadable)
		return fault_set(fault, -EPERM,
			"%s holds from the start on: restart the node with --%s %.40s",
			name, name, text);
	return parse_row(options, row, text, fault);
}

int snapshot_options_append(struct option_spec *rows, size_t capacity, size_t offset)
{
	size_t count = 0;

	while (rows[count].name != NULL)
		count++;
	if (capacity < count + ARRAY_LEN(table) + 1)
		return -ENOSPC;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		rows[count + i] = table[i].spec;
		rows[count + i].offset += offset;
	}
	rows[count + ARRAY_LEN(table)] = (struct option_spec){.name = NULL};
	return 0;
}

void snapshot_options_timer(
	const struct snapshot_options *options, struct snapshot_timer_limits *limits)
{
	*limits = (struct snapshot_timer_limits){
		.interval = (nsec)options->interval_s * SEC,
		.entries = options->log_entries,
		.bytes = options->log_bytes,
	};
}

static uint64_t limit_of(uint64_t value, uint64_t unit)
{
	return value == 0 ? UINT64_MAX : value * unit;
}

void snapshot_options_pin(
	const struct snapshot_options *options, struct convergence_config *config)
{
	config->soft.bytes = limit_of(options->pin_mib, MIB);
	config->soft.entries = limit_of(options->pin_entries, 1);
	config->hard.bytes = limit_of(options->pin_max_mib, MIB);
	config->hard.entries = limit_of(options->pin_max_entries, 1);
	if (config->hard.bytes < config->soft.bytes)
		config->hard.bytes = config->soft.bytes;
	if (config->hard.entries < config->soft.entries)
		config->hard.entries = config->soft.entries;
}

void snapshot_options_throttle(
	const struct snapshot_options *options, struct throttle_limits *limits)
{
	uint64_t bps = options->throttle_rate_bps;

	*limits = (struct throttle_limits){
		.is_enabled = options->is_throttled,
		.bytes_per_s = bps == RATE_UNLIMITED ? UINT64_MAX : bps / 8,
		.floor_bytes_per_s = options->throttle_floor_mib * MIB,
		.checks_per_s = (uint32_t)options->throttle_check_cycle,
		.max_install_tasks = (uint32_t)options->max_install_tasks,
	};
}

nsec snapshot_options_block(const struct snapshot_options *options, int code)
{
	uint64_t heartbeat_ms =
		options->election_timeout_ms / options->election_heartbeat_factor;

	if (code == EBUSY || code == EINTR)
		return (nsec)options->retry_replicate_interval_ms * MSEC;
	return (nsec)(heartbeat_ms > 10 ? heartbeat_ms : 10) * MSEC;
}
