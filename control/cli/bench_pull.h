/* SPDX-License-Identifier: BSD-3-Clause */
/* Pulls the same snapshot again and again, over one data plane, each into a store of its
 * own that is removed afterwards. */
#ifndef BENCH_PULL_H
#define BENCH_PULL_H

#include "control/node/copier.h"

enum { BENCH_RUNS_MAX = 1000 };

struct bench_pull {
	const char *dir;     /* stores are made here */
	const char *address; /* of the node that leads */
	const char *group;
	enum copier_path path;
	struct transfer_options transfer;
	uint32_t runs; /* counted ones: one more goes before them, to warm up */
	nsec window;   /* 0: so many runs; else as many as it takes */
	nsec settle;   /* before it opens: until rates are what they will be */
	/* Told after each of them; run 0 is the warm-up. */
	void (*on_run)(void *ctx, uint32_t run, const struct transfer_info *info);
	void *ctx;
};

/* Fills one info a run, which the caller has made room for. Blocks; SIGINT and SIGTERM
 * end it with -ECANCELED, also those held by bench_data_hold_signals. Returns 0 or the
 * first run's error.
 *
 * For a window there is one info: what came while it was open, from `settle` after
 * the first bytes on. The last pull is given up; the report is that of the last one that
 * ended, if one did. on_run is told as of run 0 when the window opens. */
int bench_pull(const struct bench_pull *bench, struct transfer_info infos[],
	struct fault *fault);

#endif
