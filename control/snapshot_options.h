/* SPDX-License-Identifier: BSD-3-Clause */
/* Everything about snapshots that can be set, in one table: braft's flags with their
 * meanings and defaults, and our own. The table parses the command line, prints the help
 * and changes a running node.
 *
 * braft's flags that concern only the Raft log (sync policy, segments, recovery of a
 * corrupt log) have no row: the log belongs to the engine that embeds us. */
#ifndef SNAPSHOT_OPTIONS_H
#define SNAPSHOT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "control/convergence.h"
#include "control/snapshot_timer.h"
#include "control/throttle_braft.h"
#include "dataplane/base/options.h"

struct snapshot_options {
	/* when this node saves */
	uint64_t interval_s; /* 0: not by time */
	uint64_t log_entries;
	uint64_t log_bytes;
	uint64_t min_index_gap;
	/* what is saved and kept */
	bool copies_files; /* false: metadata only, for a witness */
	bool keeps_on_error;
	bool filters_before_copy;
	bool creates_parents;
	bool syncs;
	bool syncs_meta;
	bool uses_fsync;
	/* get_file */
	uint64_t rpc_bytes;
	bool reads_partly;
	bool checks_holes;
	uint64_t copy_max_retry;
	uint64_t copy_retry_interval_ms;
	uint64_t copy_timeout_ms;
	uint64_t connect_timeout_ms;
	/* the log kept for followers in flight; 0: no limit */
	uint64_t pin_mib;
	uint64_t pin_entries;
	uint64_t pin_max_mib;
	uint64_t pin_max_entries;
	uint64_t pin_linger_s;
	/* throttle */
	bool is_throttled;
	uint64_t throttle_rate_bps;
	uint64_t throttle_check_cycle;
	uint64_t throttle_floor_mib;
	uint64_t max_install_tasks;
	/* a leader whose install failed */
	uint64_t retry_replicate_interval_ms;
	uint64_t election_timeout_ms;
	uint64_t election_heartbeat_factor;
	/* what this node sends, unless somebody says otherwise: see dataplane/rank.h */
	uint64_t transfer_class; /* a place among rank_classes, from 1 */
	uint64_t transfer_weight;
};

struct snapshot_option {
	struct option_spec spec; /* its offset is into struct snapshot_options */
	const char *braft;       /* braft's name; NULL: ours */
	bool is_reloadable;      /* may be changed while the node runs */
};

/* All rows; *count is how many. */
const struct snapshot_option *snapshot_options_table(size_t *count);

void snapshot_options_default(struct snapshot_options *options);

/* Sets one by its name. Returns 0, -ENOENT (unknown: names the nearest), -EINVAL (names
 * what it takes), or -EPERM: the node runs and this one holds from the start on. */
int snapshot_options_set(struct snapshot_options *options, const char *name,
	const char *text, bool is_running, struct fault *fault);

/* Appends a row an option to a table that a {.name = NULL} ends and that has room for
 * `capacity` rows with that end. offset: of the struct snapshot_options in the target of
 * options_parse. Returns 0 or -ENOSPC. */
int snapshot_options_append(struct option_spec *rows, size_t capacity, size_t offset);

void snapshot_options_timer(
	const struct snapshot_options *options, struct snapshot_timer_limits *limits);
/* A hard limit below its soft one counts as that. */
void snapshot_options_pin(
	const struct snapshot_options *options, struct convergence_config *config);
void snapshot_options_throttle(
	const struct snapshot_options *options, struct throttle_limits *limits);
/* How long a leader leaves a follower alone after InstallSnapshot failed with this code:
 * a positive errno, or 0 for an answer without success. */
nsec snapshot_options_block(const struct snapshot_options *options, int code);

#endif
