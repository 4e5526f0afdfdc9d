/* SPDX-License-Identifier: BSD-3-Clause */
/* The options of commands that pull a snapshot again and again: bench and tune. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include "control/cli/bench_pull.h"
#include "control/cli/device_options.h"

struct bench_options {
	const char *to; /* the node to pull from; NULL: a peer of our own */
	const char *group;
	uint64_t size;  /* bytes of the snapshot that is made up */
	uint64_t files; /* in it */
	uint64_t runs;  /* that count */
	const char *dir;
	bool json;
	bool quiet;
};

/* The rows of an option table whose target holds a struct bench_options as `bench` and a
 * struct device_options as `device`; the defaults of --size and --runs are texts. */
#define BENCH_OPTION_ROWS(target, default_size, default_runs)                            \
	{.name = "to",                                                                   \
		.arg = "HOST:PORT",                                                      \
		.kind = OPTION_STRING,                                                   \
		.offset = offsetof(target, bench.to),                                    \
		.help = "pull from this node, snapline bench --serve for one, over our " \
			"--dev or TCP; not: from a peer of our own"},                    \
		{.name = "group",                                                        \
			.arg = "GROUP",                                                  \
			.kind = OPTION_STRING,                                           \
			.fallback = "bench",                                             \
			.offset = offsetof(target, bench.group),                         \
			.help = "of the node; another one's, to pull what that has"},    \
		{.name = "size",                                                         \
			.arg = "SIZE",                                                   \
			.kind = OPTION_SIZE,                                             \
			.fallback = (default_size),                                      \
			.min = 1,                                                        \
			.offset = offsetof(target, bench.size),                          \
			.help = "of the snapshot that is made up"},                      \
		{.name = "files",                                                        \
			.arg = "N",                                                      \
			.kind = OPTION_U64,                                              \
			.fallback = "16",                                                \
			.min = 1,                                                        \
			.max = 1000000,                                                  \
			.offset = offsetof(target, bench.files),                         \
			.help = "in it"},                                                \
		{.name = "runs",                                                         \
			.arg = "N",                                                      \
			.kind = OPTION_U64,                                              \
			.fallback = (default_runs),                                      \
			.min = 1,                                                        \
			.max = BENCH_RUNS_MAX,                                           \
			.offset = offsetof(target, bench.runs),                          \
			.help = "that count, of each thing measured; one more warms "    \
				"up"},                                                   \
		{.name = "dir",                                                          \
			.arg = "DIR",                                                    \
			.kind = OPTION_STRING,                                           \
			.offset = offsetof(target, bench.dir),                           \
			.help = "where files go meanwhile; /dev/shm, if there is one, "  \
				"else $TMPDIR"},                                         \
		DEVICE_OPTION_ROWS(target),                                              \
		{.name = "json",                                                         \
			.kind = OPTION_FLAG,                                             \
			.offset = offsetof(target, bench.json),                          \
			.help = "print the result as JSON"},                             \
	{                                                                                \
		.name = "quiet", .kind = OPTION_FLAG,                                    \
		.offset = offsetof(target, bench.quiet), .help = "show no progress"      \
	}

#endif
