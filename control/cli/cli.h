/* SPDX-License-Identifier: BSD-3-Clause */
/* What the subcommands share: a function each, exit codes from sysexits.h, results on
 * standard output, everything else on standard error. */
#ifndef CLI_H
#define CLI_H

#include <stdbool.h>

#include "dataplane/base/fault.h"
#include "dataplane/base/options.h"
#include "dataplane/transfer.h"

/* argv is what follows noun and verb. Each returns the exit code. */
int snapshot_create(int argc, char *const argv[]);
int snapshot_list(int argc, char *const argv[]);
int snapshot_show(int argc, char *const argv[]);
int snapshot_verify(int argc, char *const argv[]);
int node_command(int argc, char *const argv[]);
int pull_command(int argc, char *const argv[]);
int bench_command(int argc, char *const argv[]);
int tune_command(int argc, char *const argv[]);
int transfer_start_command(int argc, char *const argv[]);
int transfer_list_command(int argc, char *const argv[]);
int transfer_pause_command(int argc, char *const argv[]);
int transfer_resume_command(int argc, char *const argv[]);
int transfer_cancel_command(int argc, char *const argv[]);
int transfer_throttle_command(int argc, char *const argv[]);
int queue_list_command(int argc, char *const argv[]);
int queue_set_rate_command(int argc, char *const argv[]);

/* Parses the command line into target and operands. Returns false when the command ends
 * here, with help or an error printed: *exit_code is then what to return. */
bool cli_parse(const struct option_command *command, int argc, char *const argv[],
	void *target, struct option_list *operands, int *exit_code);

/* The rows of a command that asks a node: whose target holds `const char *admin` and
 * `bool json`. */
#define ADMIN_OPTION_ROWS(target, whose, what)                                           \
	{.name = "admin",                                                                \
		.arg = "PATH",                                                           \
		.kind = OPTION_STRING,                                                   \
		.required = true,                                                        \
		.offset = offsetof(target, admin),                                       \
		.help = "operator socket of " whose},                                    \
	{                                                                                \
		.name = "json", .kind = OPTION_FLAG, .offset = offsetof(target, json),   \
		.help = "print " what " as JSON"                                         \
	}

/* Which transfers go first, as options of a command; 0: not said. */
struct rank_options {
	uint64_t class; /* as rank_of takes it */
	uint64_t weight;
};

/* The rows of an option table whose target holds a struct rank_options as `rank`. */
#define RANK_OPTION_ROWS(target)                                                         \
	{.name = "class",                                                                \
		.arg = "CLASS",                                                          \
		.kind = OPTION_WORD,                                                     \
		.words = rank_classes,                                                   \
		.offset = offsetof(target, rank.class),                                  \
		.help = "recovery, which goes before others of the leader's, or "        \
			"rebalance"},                                                    \
	{                                                                                \
		.name = "weight", .arg = "N", .kind = OPTION_U64, .min = 1,              \
		.max = SHAPER_WEIGHT_MAX, .offset = offsetof(target, rank.weight),       \
		.help = "its part among the leader's transfers of its class"             \
	}

/* What a command takes as RATE: 0, a rate in range, unlimited. Returns 0 or -EINVAL. */
int cli_parse_rate(const char *text, uint64_t *rate_bps, struct fault *fault);

/* The exit code for an errno or a wire code, of either sign: EX_OK for 0. */
int cli_exit_code(int error);

/* Prints "snapline: TEXT" and returns the exit code of the fault. */
int cli_fail(const struct fault *fault);

#endif
