/* SPDX-License-Identifier: BSD-3-Clause */
/* What a tuner has set at this bench. It holds until the connection it came over ends,
 * for whatever reason; then what the bench was started with holds again. One tuner at a
 * time. A node that is no bench refuses: nobody but its operator changes its settings. */
#ifndef TUNING_H
#define TUNING_H

#include <stdbool.h>

#include "control/bench_codec.h"

struct plane;
struct rpc_call;

enum { TUNING_HOLDER_MAX = 64 };

struct tuning {
	bool is_bench;
	struct plane *plane; /* NULL: no device */
	struct bench_settings own;
	char holder[TUNING_HOLDER_MAX]; /* who has set something; empty: nobody */
};

/* plane: NULL when the node has no device; options: what it was opened with. */
void tuning_init(struct tuning *tuning, struct plane *plane, bool is_bench,
	const struct transfer_options *options);

/* BenchService.set; ctx is the node. */
void tuning_serve_set(void *ctx, struct rpc_call *call);

#endif
