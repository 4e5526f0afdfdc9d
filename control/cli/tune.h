/* SPDX-License-Identifier: BSD-3-Clause */
/* What snapline tune tries: points, each measured by a process of its own, one value
 * changed at a time.
 *
 *   tune.c         which points, and where more does not help any more
 *   tune_step.c    one of them: a snapshot pulled a few times
 *   tune_report.c  table, plot, configuration */
#ifndef TUNE_H
#define TUNE_H

#include <stdbool.h>
#include <stddef.h>

#include "control/cli/bench_pair.h"

enum { TUNE_STEPS_MAX = 32, TUNE_NAME_MAX = 32 };

enum tune_axis { TUNE_MTU, TUNE_BUFFERS, TUNE_WINDOW, TUNE_QUEUES, TUNE_AXES };

struct tune_point {
	uint64_t values[TUNE_AXES]; /* as the options of these names */
};

struct tune_step {
	enum tune_axis axis; /* which value it tries */
	struct tune_point point;
	bool is_measured; /* else: what it failed with is in fault */
	bool is_chosen;
	double gbps;
	double core_seconds; /* a GiB, both ends; 0: the peer did not tell */
	char bottleneck[TUNE_NAME_MAX];
	struct fault fault;
};

struct tune {
	struct bench_pair pair; /* its device is changed for each step */
	struct tune_point best;
	struct tune_step steps[TUNE_STEPS_MAX];
	size_t count;
	bool is_cut_short; /* no time for the rest */
};

extern const char *const tune_names[TUNE_AXES];

/* Measures one point. Returns 0, also when the point cannot be had: the step's fault says
 * so; or -ECANCELED, -EAGAIN. */
int tune_measure(const struct bench_pair *pair, struct tune_step *step);

/* The step whose point is the one to use, or NULL. */
const struct tune_step *tune_chosen(const struct tune *tune);

void tune_print(const struct tune *tune, bool json);
/* Writes PREFIX.yaml, PREFIX.tsv and, where there is a gnuplot, PREFIX.svg. Returns 0 or
 * a negative errno with the fault. */
int tune_write(const struct tune *tune, const char *prefix, struct fault *fault);

#endif
