/* SPDX-License-Identifier: BSD-3-Clause */
/* What snapline tune tries: points, each measured by a process of its own, one value
 * changed at a time.
 *
 *   tune.c         which points, and where more does not help any more
 *   tune_rate.c    the rates, the last of them: what others bear
 *   tune_step.c    one point: a snapshot pulled a few times, or for a while, from a peer
 * of our own, or from a far node, which is told the point, too tune_report.c  table and
 * configuration tune_plot.c    what gnuplot makes of it */
#ifndef TUNE_H
#define TUNE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "control/bench_codec.h"
#include "control/cli/bench_pair.h"
#include "control/cli/foreground.h"

enum { TUNE_STEPS_MAX = 40, TUNE_NAME_MAX = 32 };

enum tune_axis {
	TUNE_MTU, /* and with it the slice size */
	TUNE_BUFFERS,
	TUNE_WINDOW,
	TUNE_QUEUES,
	TUNE_BURST, /* of a rate */
	TUNE_RATE,
	TUNE_AXES
};

struct tune_point {
	/* as the options of these names; burst 0: the default, rate 0: no transfer */
	uint64_t values[TUNE_AXES];
};

/* What the node that --to names says to window, buffers, burst and rate of a point. */
struct tune_far {
	bool is_asked;
	int code; /* 0: they hold; else it keeps its own: -ENOSYS: it is older than the
		     question, -EPERM: it is no bench */
	struct bench_settings held;
	uint32_t queues;     /* of its device; 0: not known yet */
	uint32_t slice_size; /* the most its device takes */
};

struct tune_step {
	enum tune_axis axis; /* which value it tries */
	struct tune_point point;
	bool is_measured; /* else: what it failed with is in fault */
	bool is_chosen;
	double gbps;
	double core_seconds; /* a GiB, both ends; 0: the peer did not tell */
	uint32_t slice_size; /* bytes; 0: not known */
	bool has_times;      /* of requests beside it */
	struct foreground_times times;
	char bottleneck[TUNE_NAME_MAX];
	struct tune_far far;
	struct fault fault;
};

struct tune {
	struct bench_pair pair; /* its device is changed for each step */
	const char *foreground; /* whom requests are sent to meanwhile; NULL: nobody */
	uint64_t ceiling_us;    /* what 99 of 100 of them may take */
	nsec span;       /* how long it is measured where the end is not waited for */
	bool is_endless; /* pulls may take long: their end is never waited for */
	bool is_quick;
	bool is_quiet;
	nsec until;          /* no step begins after it */
	struct tune_far far; /* as it was last */
	struct tune_point best;
	struct tune_step steps[TUNE_STEPS_MAX];
	size_t count;
	const char *cut_short; /* why the rest was left out; NULL: all was tried */
};

extern const char *const tune_names[TUNE_AXES];

/* tune.c. Adds a step at the best point so far, but for one value. */
struct tune_step *tune_add(struct tune *tune, enum tune_axis axis, uint64_t value);
/* Measures it, once more if it was before. Returns 0, -ETIME: no time for it; or what
 * tune_measure does. */
int tune_try(struct tune *tune, struct tune_step *step);
/* A step of this axis is the best: its value is used from now on. */
void tune_choose(struct tune *tune, struct tune_step *step);

/* tune_rate.c. Asks without a transfer; sets the ceiling if nobody has: a millisecond
 * more than that. Returns 0, or an error: nobody answers. */
int tune_rate_begin(struct tune *tune, struct fault *fault);
/* Tries rates below what was reached so far. Returns what tune_try does, but -ETIME. */
int tune_rates(struct tune *tune);

/* tune_step.c. Measures one point: some pulls, or for a rate a while of them, with
 * requests beside it if there is a foreground. Returns 0, also when the point cannot be
 * had: the step's fault says so; or -ECANCELED, -EAGAIN. */
int tune_measure(const struct tune *tune, struct tune_step *step);

/* The step whose point is the one to use, or NULL. */
const struct tune_step *tune_chosen(const struct tune *tune);

void tune_print(const struct tune *tune, bool json);
/* A line about what the far node does not let us try; nothing if there is none. */
void tune_print_far(const struct tune *tune, FILE *out);
/* Writes PREFIX.yaml, PREFIX.tsv and, where there is a gnuplot, PREFIX.svg. Returns 0 or
 * a negative errno with the fault. */
int tune_write(const struct tune *tune, const char *prefix, struct fault *fault);

/* tune_plot.c. One line a step that was measured, for gnuplot. */
void tune_plot_table(const struct tune *tune, FILE *out);
/* Draws it, or says why not. */
void tune_plot(const struct tune *tune, const char *table, const char *picture);

/* Whether this value is the sender's, which is the far node and keeps its own. */
bool tune_is_far(const struct tune *tune, enum tune_axis axis);

/* A value as the option takes it: 9000, 256KiB, 500Mbit, auto; "none" is no transfer. */
const char *tune_value(
	enum tune_axis axis, uint64_t value, char text[static TUNE_NAME_MAX]);

#endif
