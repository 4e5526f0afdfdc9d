/* SPDX-License-Identifier: BSD-3-Clause */
/* snapline tune: tries what a node may be told, and says where more does not help. */
#include <assert.h>
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

#define TIME_LIMIT (105 * SEC) /* no step begins after it */
#define RATES_TIME (40 * SEC)  /* of it */
#define SPAN (2 * SEC)         /* two thousand requests: twenty are slower than p99 */
#define SPAN_QUICK (SEC / 2)
#define ENDLESS (512 * MIB) /* from here on a pull may take longer than a step should */

enum { VALUES_MAX = 4, ENOUGH = 95 /* per cent of the best of an axis */ };

const char *const tune_names[TUNE_AXES] = {
	"mtu", "buffers", "window", "queues", "burst", "rate"};

/* What is tried, the cheapest first; 0 ends it. */
static const uint64_t values[TUNE_AXES][VALUES_MAX + 1] = {
	[TUNE_MTU] = {9000, 4096, 1500},
	[TUNE_BUFFERS] = {8, 16, 32, 64},
	[TUNE_WINDOW] = {64, 256, 1024, 2048},
	[TUNE_QUEUES] = {1, 2, 4},
	[TUNE_BURST] = {64 * KIB, 256 * KIB, MIB},
	[TUNE_RATE] = {0}, /* tune_rate.c */
};

struct arguments {
	struct bench_options bench;
	const char *output;
	const char *foreground;
	nsec ceiling;
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
	{.name = "foreground",
		.arg = "HOST:PORT",
		.kind = OPTION_STRING,
		AT(foreground),
		.help = "also send requests there, one a millisecond, and find the "
			"highest rate beside which they are answered in time: a UDP "
			"echo, or with tcp: before it a TCP echo; snapline bench --serve "
			"has one at its --listen"},
	{.name = "foreground-ceiling",
		.arg = "TIME",
		.kind = OPTION_DURATION,
		.max = (uint64_t)FOREGROUND_PATIENCE,
		AT(ceiling),
		.help = "so long may 99 of 100 of them take; a millisecond more than "
			"without a transfer if not given"},
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
		"--window, --queues and --burst, keeps of each the least that is as "
		"good\n"
		"as the best, tries rates, and says which stage is the slowest then. By\n"
		"itself it starts a peer on this machine. A snapline bench --serve that\n"
		"--to names is told to try the same; any other node keeps its window "
		"and\n"
		"burst. Ends within two minutes.\n",
	.options = options,
};

static nsec now(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * SEC + time.tv_nsec;
}

bool tune_is_far(const struct tune *tune, enum tune_axis axis)
{
	return (axis == TUNE_WINDOW || axis == TUNE_BURST) && tune->far.code != 0;
}

/* More workers than cores only hinder each other; of our own pair both ends are here. */
static bool is_sensible(const struct tune *tune, enum tune_axis axis, uint64_t value)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	long ends = tune->pair.to == NULL ? 2 : 1;

	return axis != TUNE_QUEUES || value <= 1 || (long)value * ends <= cores;
}

static bool is_tried(const struct tune *tune, enum tune_axis axis, const uint64_t *value)
{
	if (!is_sensible(tune, axis, *value))
		return false;
	return !tune->is_quick || value == values[axis] || value[1] == 0 ||
	       !is_sensible(tune, axis, value[1]);
}

const char *tune_value(
	enum tune_axis axis, uint64_t value, char text[static TUNE_NAME_MAX])
{
	unsigned long long number = value;

	if (axis == TUNE_BURST && value != 0 && value % KIB == 0)
		(void)snprintf(text, TUNE_NAME_MAX, "%lluKiB", number / KIB);
	else if (axis == TUNE_BURST && value != 0)
		(void)snprintf(text, TUNE_NAME_MAX, "%llu", number);
	else if (axis == TUNE_BURST)
		return "default";
	else if (axis != TUNE_RATE)
		(void)snprintf(text, TUNE_NAME_MAX, "%llu", number);
	else if (value == 0)
		return "none";
	else if (value == RATE_UNLIMITED)
		return "unlimited";
	else if (value == RATE_AUTO)
		return "auto";
	else if (value % 1000000 == 0)
		(void)snprintf(text, TUNE_NAME_MAX, "%lluMbit", number / 1000000);
	else
		(void)snprintf(text, TUNE_NAME_MAX, "%lluKbit", number / 1000);
	return text;
}

static void show(const struct tune_step *step)
{
	const char *name = tune_names[step->axis];
	char text[TUNE_NAME_MAX];
	const char *value = tune_value(step->axis, step->point.values[step->axis], text);

	if (!step->is_measured) {
		(void)fprintf(stderr, "%s %s: %s\n", name, value, step->fault.text);
		return;
	}
	(void)fprintf(stderr, "%s %s: %.2f Gb/s", name, value, step->gbps);
	if (step->has_times)
		(void)fprintf(stderr, ", requests p50 %llu us, p99 %llu us",
			(unsigned long long)step->times.p50_us,
			(unsigned long long)step->times.p99_us);
	(void)fputc('\n', stderr);
}

struct tune_step *tune_add(struct tune *tune, enum tune_axis axis, uint64_t value)
{
	struct tune_step *step = &tune->steps[tune->count];

	assert(tune->count < TUNE_STEPS_MAX);
	tune->count++;
	*step = (struct tune_step){.axis = axis, .point = tune->best};
	step->point.values[axis] = value;
	return step;
}

/* Noise only ever slows: of several measurements the best counts. */
static bool is_better(const struct tune_step *again, const struct tune_step *step)
{
	if (!step->is_measured || !again->is_measured)
		return !step->is_measured;
	if (step->has_times && again->has_times)
		return again->times.p99_us < step->times.p99_us;
	return again->gbps > step->gbps;
}

/* Said once, as soon as it is known. Its device is known once something was pulled. */
static void note_far(struct tune *tune, const struct tune_far *far)
{
	struct tune_far before = tune->far;

	tune->far = *far;
	if (far->queues == 0) {
		tune->far.queues = before.queues;
		tune->far.slice_size = before.slice_size;
	}
	if (far->code != 0 && before.code == 0 && !tune->is_quiet)
		tune_print_far(tune, stderr);
}

int tune_try(struct tune *tune, struct tune_step *step)
{
	struct tune_step again = {.axis = step->axis, .point = step->point};
	int err;

	if (now() > tune->until) {
		tune->cut_short = "two minutes are over";
		return -ETIME;
	}
	err = tune_measure(tune, &again);
	if (err != 0)
		return err;
	if (again.far.is_asked)
		note_far(tune, &again.far);
	if (is_better(&again, step))
		*step = again;
	if (!tune->is_quiet)
		show(step);
	return 0;
}

void tune_choose(struct tune *tune, struct tune_step *step)
{
	step->is_chosen = true;
	tune->best.values[step->axis] = step->point.values[step->axis];
}

/* Of the steps from `first` on, all of one axis: the least that is as good as the best.
 */
static void choose(struct tune *tune, size_t first)
{
	double best = 0;

	for (size_t i = first; i < tune->count; i++)
		if (tune->steps[i].is_measured && tune->steps[i].gbps > best)
			best = tune->steps[i].gbps;
	for (size_t i = first; i < tune->count; i++) {
		struct tune_step *step = &tune->steps[i];

		if (!step->is_measured || step->gbps * 100 < best * ENOUGH)
			continue;
		tune_choose(tune, step);
		return;
	}
}

/* A burst shows where there is a rate, which the worker keeps up with easily. */
static void add_steps(struct tune *tune, enum tune_axis axis)
{
	const struct tune_step *chosen = tune_chosen(tune);

	if (tune_is_far(tune, axis)) {
		struct tune_step *step = tune_add(tune, axis, tune->best.values[axis]);

		(void)fault_set(&step->fault, -ENOTSUP, "set by the far node");
		return;
	}
	for (const uint64_t *value = values[axis]; *value != 0; value++) {
		struct tune_step *step;

		if (!is_tried(tune, axis, value))
			continue;
		step = tune_add(tune, axis, *value);
		if (axis == TUNE_QUEUES && tune->pair.to != NULL &&
			tune->far.queues != 0 && *value > tune->far.queues)
			(void)fault_set(&step->fault, -ENOTSUP,
				"set by the far node: start it with --queues %llu",
				(unsigned long long)*value);
		if (axis == TUNE_BURST && chosen != NULL)
			step->point.values[TUNE_RATE] = u64_max(
				(uint64_t)(chosen->gbps * 500) * 1000000, RATE_MIN);
	}
}

/* All values in turn, and again: what disturbs for a while disturbs not one alone. Late,
 * a value has one run: a noisy number of the next axis is more than none. */
static int try_axis(struct tune *tune, enum tune_axis axis, nsec share)
{
	size_t first = tune->count;
	nsec end = now() + share;
	uint32_t runs = tune->pair.runs;
	bool is_whole;
	int err = 0;

	add_steps(tune, axis);
	for (size_t i = first; i < tune->count && err == 0; i++)
		if (tune->steps[i].fault.code == 0) {
			tune->pair.runs = now() < end ? runs : 1;
			err = tune_try(tune, &tune->steps[i]);
		}
	tune->pair.runs = runs;
	is_whole = err == 0;
	for (size_t i = first; i < tune->count && err == 0 && now() < end; i++)
		if (!tune->is_quick && tune->steps[i].is_measured)
			err = tune_try(tune, &tune->steps[i]);
	/* the least is not best for want of others; without an MTU there is nothing */
	if (is_whole || tune_chosen(tune) == NULL)
		choose(tune, first);
	return err == -ETIME ? 0 : err;
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

static int try_all(struct tune *tune, struct fault *fault)
{
	nsec began = now();
	int err = 0;

	if (!tune->is_quiet)
		warn_of_noise();
	tune->until = began + TIME_LIMIT - RATES_TIME;
	if (tune->foreground != NULL)
		err = tune_rate_begin(tune, fault);
	if (err != 0)
		return err;
	for (enum tune_axis axis = 0; axis < TUNE_AXES && err == 0; axis++) {
		const struct fault *first = &tune->steps[tune->foreground != NULL].fault;

		tune->until += axis == TUNE_RATE ? RATES_TIME : 0;
		err = axis == TUNE_RATE
			      ? tune_rates(tune)
			      : try_axis(tune, axis,
					(tune->until - now()) / (TUNE_RATE - axis));
		if (err == 0 && tune_chosen(tune) == NULL) /* nothing else will help */
			return fault_set(fault, first->code, "%s", first->text);
	}
	if (err == -ECANCELED)
		return fault_set(fault, err, "interrupted");
	if (err != 0)
		return fault_set(fault, err, "no process for a step: %s", strerror(-err));
	return 0;
}

static int run(const struct arguments *arguments, struct fault *fault)
{
	struct tune tune = {.pair = {.to = arguments->bench.to,
				    .group = arguments->bench.group,
				    .path = COPIER_DPDK,
				    .runs = (uint32_t)arguments->bench.runs,
				    .device = arguments->device},
		.foreground = arguments->foreground,
		.ceiling_us = (uint64_t)(arguments->ceiling / USEC),
		.span = arguments->quick ? SPAN_QUICK : SPAN,
		.is_endless =
			arguments->bench.to != NULL || arguments->bench.size > ENDLESS,
		.is_quick = arguments->quick,
		.is_quiet = arguments->bench.quiet,
		.best = {{[TUNE_MTU] = 9000,
			[TUNE_BUFFERS] = 64,
			[TUNE_WINDOW] = 2048,
			[TUNE_QUEUES] = 1,
			[TUNE_BURST] = arguments->device.burst,
			[TUNE_RATE] = arguments->device.rate_bps}}};
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
		err = try_all(&tune, fault);
	bench_data_remove(dir, NULL);
	if (err == -ECANCELED)
		tune.cut_short = "interrupted";
	/* interrupted, what was found so far is worth a look, but not a file */
	if (err == 0 || (err == -ECANCELED && tune_chosen(&tune) != NULL))
		tune_print(&tune, arguments->bench.json);
	if (err != 0)
		return err;
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
	if (arguments.bench.to != NULL && arguments.device.devs.count == 0)
		(void)fault_set(&fault, -EINVAL,
			"--to: over which device? give --dev and --ip, too; TCP has "
			"nothing to tune");
	if (arguments.foreground == NULL && arguments.ceiling != 0)
		(void)fault_set(&fault, -EINVAL,
			"--foreground-ceiling: whose requests? give --foreground "
			"HOST:PORT, too");
	if (fault.code != 0 || run(&arguments, &fault) != 0)
		return cli_fail(&fault);
	return EX_OK;
}
