/* SPDX-License-Identifier: BSD-3-Clause */
/* snapline tune: tries what a node may be told, and says where more does not help. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "control/cli/bench_data.h"
#include "control/cli/bench_options.h"
#include "control/cli/cli.h"
#include "control/cli/tune.h"
#include "dataplane/base/log.h"

#define TIME_LIMIT (110 * SEC) /* no step begins after it */

enum { VALUES_MAX = 4, ENOUGH = 95 /* per cent of the best of an axis */ };

const char *const tune_names[TUNE_AXES] = {"mtu", "buffers", "window", "queues"};

/* What is tried, the cheapest first; 0 ends it. */
static const uint64_t values[TUNE_AXES][VALUES_MAX + 1] = {
	[TUNE_MTU] = {9000, 4096, 1500},
	[TUNE_BUFFERS] = {8, 16, 32, 64},
	[TUNE_WINDOW] = {64, 256, 1024, 2048},
	[TUNE_QUEUES] = {1, 2, 4},
};

struct arguments {
	struct bench_options bench;
	const char *output;
	struct device_options device;
	bool quick;
};

#define AT(field) .offset = offsetof(struct arguments, field)

static const struct option_spec options[] = {
	{.name = "output",
		.arg = "PREFIX",
		.kind = OPTION_STRING,
		AT(output),
		.help = "write PREFIX.yaml for snapline node --config, PREFIX.tsv, and "
			"PREFIX.svg by gnuplot"},
	{.name = "quick",
		.kind = OPTION_FLAG,
		AT(quick),
		.help = "only the least and the most of everything"},
	BENCH_OPTION_ROWS(struct arguments, "128MiB", "3"),
	{.name = NULL},
};

static const struct option_command command = {
	.name = "tune",
	.summary =
		"Pulls a snapshot with one value after another for --mtu, --buffers,\n"
		"--window and --queues, keeps of each the least that is as good as the\n"
		"best, and says which stage is the slowest then. By itself it starts a\n"
		"peer on this machine; with --to it tries what the pulling side sets.\n"
		"Ends within two minutes.\n",
	.options = options,
};

static nsec now(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * SEC + time.tv_nsec;
}

/* The window is the sender's, and more workers than cores only hinder each other. */
static bool is_tried(
	const struct arguments *arguments, enum tune_axis axis, const uint64_t *value)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (axis == TUNE_WINDOW && arguments->bench.to != NULL)
		return false;
	if (axis == TUNE_QUEUES && *value > 1 && (long)*value * 2 > cores)
		return false;
	return !arguments->quick || value == values[axis] || value[1] == 0;
}

static void show(const struct tune_step *step)
{
	const char *name = tune_names[step->axis];
	unsigned long long value = step->point.values[step->axis];

	if (step->is_measured)
		(void)fprintf(stderr, "%s %llu: %.2f Gb/s\n", name, value, step->gbps);
	else
		(void)fprintf(stderr, "%s %llu: %s\n", name, value, step->fault.text);
}

/* Of the steps from `first` on, all of one axis: the least that is as good as the best.
 */
static void choose(struct tune *tune, enum tune_axis axis, size_t first)
{
	double best = 0;

	for (size_t i = first; i < tune->count; i++)
		if (tune->steps[i].is_measured && tune->steps[i].gbps > best)
			best = tune->steps[i].gbps;
	for (size_t i = first; i < tune->count; i++) {
		struct tune_step *step = &tune->steps[i];

		if (!step->is_measured || step->gbps * 100 < best * ENOUGH)
			continue;
		step->is_chosen = true;
		tune->best.values[axis] = step->point.values[axis];
		return;
	}
}

/* Noise only ever slows: of several measurements the fastest counts. */
static int try_again(struct tune *tune, struct tune_step *step)
{
	struct tune_step again = {.axis = step->axis, .point = step->point};
	int err = tune_measure(&tune->pair, &again);

	if (err == 0 &&
		(!step->is_measured || (again.is_measured && again.gbps > step->gbps)))
		*step = again;
	return err;
}

static void add_steps(
	struct tune *tune, const struct arguments *arguments, enum tune_axis axis)
{
	for (const uint64_t *value = values[axis]; *value != 0; value++) {
		struct tune_step *step = &tune->steps[tune->count];

		if (!is_tried(arguments, axis, value))
			continue;
		*step = (struct tune_step){.axis = axis, .point = tune->best};
		step->point.values[axis] = *value;
		tune->count++;
	}
}

/* All values in turn, and again: what disturbs for a while disturbs not one alone. */
static int try_axis(struct tune *tune, const struct arguments *arguments,
	enum tune_axis axis, nsec until)
{
	uint32_t rounds = arguments->quick ? 1 : 2;
	size_t first = tune->count;

	add_steps(tune, arguments, axis);
	for (uint32_t round = 0; round < rounds; round++) {
		for (size_t i = first; i < tune->count; i++) {
			int err;

			tune->is_cut_short |= now() > until;
			if (tune->is_cut_short)
				break;
			err = try_again(tune, &tune->steps[i]);
			if (err != 0)
				return err;
			if (!arguments->bench.quiet)
				show(&tune->steps[i]);
		}
	}
	choose(tune, axis, first);
	return 0;
}

static void warn_of_noise(void)
{
	double load;

	if (getloadavg(&load, 1) == 1 && load > (double)sysconf(_SC_NPROCESSORS_ONLN) / 4)
		(void)fprintf(stderr,
			"other programs are running (load %.1f): what is found now may "
			"be chance\n",
			load);
}

static int try_all(
	struct tune *tune, const struct arguments *arguments, struct fault *fault)
{
	nsec until = now() + TIME_LIMIT;

	if (!arguments->bench.quiet)
		warn_of_noise();
	for (enum tune_axis axis = 0; axis < TUNE_AXES; axis++) {
		const struct fault *first = &tune->steps[0].fault;
		int err = try_axis(tune, arguments, axis, until);

		if (err == -ECANCELED)
			return fault_set(fault, err, "interrupted");
		if (err != 0)
			return fault_set(
				fault, err, "no process for a step: %s", strerror(-err));
		if (tune_chosen(tune) == NULL) /* nothing else will help */
			return fault_set(fault, first->code, "%s", first->text);
	}
	return 0;
}

static int run(const struct arguments *arguments, struct fault *fault)
{
	struct tune tune = {.pair = {.to = arguments->bench.to,
				    .group = arguments->bench.group,
				    .runs = (uint32_t)arguments->bench.runs,
				    .device = arguments->device},
		.best = {{[TUNE_MTU] = 9000,
			[TUNE_BUFFERS] = 64,
			[TUNE_WINDOW] = 2048,
			[TUNE_QUEUES] = 1}}};
	char dir[PATH_MAX];
	int err;

	bench_data_hold_signals(true);
	err = bench_data_open(dir, arguments->bench.dir, fault);
	if (err != 0)
		return err;
	tune.pair.dir = dir;
	if (arguments->bench.to == NULL)
		err = bench_data_make(
			dir, arguments->bench.size, arguments->bench.files, fault);
	if (err == 0)
		err = try_all(&tune, arguments, fault);
	bench_data_remove(dir, NULL);
	if (err != 0)
		return err;
	tune_print(&tune, arguments->bench.json);
	return arguments->output != NULL ? tune_write(&tune, arguments->output, fault)
					 : 0;
}

int tune_command(int argc, char *const argv[])
{
	struct arguments arguments = {0};
	struct fault fault = {0};
	int exit_code;

	if (!cli_parse(&command, argc, argv, &arguments, NULL, &exit_code))
		return exit_code;
	log_set_level(LOG_WARN);
	if (arguments.bench.to == NULL && arguments.device.devs.count != 0)
		(void)fault_set(&fault, -EINVAL,
			"--dev: without --to tune brings its own two devices; give it, "
			"or leave --dev out");
	if (fault.code != 0 || run(&arguments, &fault) != 0)
		return cli_fail(&fault);
	return EX_OK;
}
