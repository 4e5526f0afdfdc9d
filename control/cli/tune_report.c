/* SPDX-License-Identifier: BSD-3-Clause */
/* What snapline tune found, for people, for scripts, for gnuplot and for a node. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/cli/tune.h"
#include "dataplane/base/json.h"

const struct tune_step *tune_chosen(const struct tune *tune)
{
	const struct tune_step *last = NULL;

	for (size_t i = 0; i < tune->count; i++)
		/* of a burst only the value counts: its rate is not what is possible */
		if (tune->steps[i].is_chosen && tune->steps[i].axis != TUNE_BURST)
			last = &tune->steps[i];
	return last;
}

static void print_values(
	const struct tune *tune, struct json *json, const struct tune_step *step)
{
	char text[TUNE_NAME_MAX];

	for (enum tune_axis axis = 0; axis < TUNE_AXES; axis++) {
		uint64_t value = step->point.values[axis];

		if (tune_is_far(tune, axis))
			continue;
		if (axis == TUNE_RATE)
			json_string(
				json, tune_names[axis], tune_value(axis, value, text));
		else
			json_u64(json, tune_names[axis], value);
	}
}

static void print_measured(struct json *json, const struct tune_step *step)
{
	json_u64(json, "slice", step->slice_size);
	json_thousandths(json, "gbit_per_s", (uint64_t)(step->gbps * 1000));
	json_thousandths(json, "core_s_per_gib", (uint64_t)(step->core_seconds * 1000));
	json_string(json, "bottleneck", step->bottleneck);
	if (!step->has_times)
		return;
	json_u64(json, "p50_us", step->times.p50_us);
	json_u64(json, "p99_us", step->times.p99_us);
	json_u64(json, "unanswered", step->times.unanswered);
}

static void print_json(const struct tune *tune)
{
	struct json json;

	json_init(&json, stdout);
	json_open_array(&json, NULL);
	for (size_t i = 0; i < tune->count; i++) {
		const struct tune_step *step = &tune->steps[i];

		json_open_object(&json, NULL);
		json_string(&json, "tries", tune_names[step->axis]);
		print_values(tune, &json, step);
		if (step->is_measured)
			print_measured(&json, step);
		else
			json_string(&json, "error", step->fault.text);
		json_bool(&json, "chosen", step->is_chosen);
		json_close(&json);
	}
	json_close(&json);
}

static void print_step(const struct tune *tune, const struct tune_step *step)
{
	const struct foreground_times *times = &step->times;
	char text[TUNE_NAME_MAX];

	(void)printf("%c %-8s", step->is_chosen ? '*' : ' ', tune_names[step->axis]);
	for (enum tune_axis axis = 0; axis < TUNE_AXES; axis++)
		(void)printf("  %9s",
			tune_is_far(tune, axis)
				? "-"
				: tune_value(axis, step->point.values[axis], text));
	if (!step->is_measured) {
		(void)printf(
			"  %s\n", step->fault.code != 0 ? step->fault.text : "not tried");
		return;
	}
	(void)printf(
		"  %5u  %7.2f  %10.2f", step->slice_size, step->gbps, step->core_seconds);
	if (tune->foreground != NULL && step->has_times)
		(void)printf("  %8llu  %8llu", (unsigned long long)times->p50_us,
			(unsigned long long)times->p99_us);
	else if (tune->foreground != NULL)
		(void)printf("  %8s  %8s", "-", "-");
	(void)printf("  %s\n", step->bottleneck);
}

static bool has_rates(const struct tune *tune)
{
	for (size_t i = 0; i < tune->count; i++) {
		const struct tune_step *step = &tune->steps[i];

		if (step->axis == TUNE_RATE && step->point.values[TUNE_RATE] != 0 &&
			step->is_measured)
			return true;
	}
	return false;
}

/* Whose requests a rate is for, and whether there is one they bear. */
static void put_rate(const struct tune *tune, FILE *out)
{
	const struct tune_step *chosen = tune_chosen(tune);
	char text[TUNE_NAME_MAX];
	const char *rate = tune_value(TUNE_RATE, tune->best.values[TUNE_RATE], text);

	if (tune->foreground == NULL)
		(void)fprintf(out,
			"# rate: auto leaves the network to others; --foreground finds "
			"what they bear\n");
	else if (!has_rates(tune))
		(void)fprintf(out, "# rate: none was tried beside requests to %s\n",
			tune->foreground);
	else if (chosen->axis == TUNE_RATE)
		(void)fprintf(out,
			"# beside it 99 of 100 requests to %s took %llu us, without a "
			"transfer %llu us; they may take %llu us\nrate: %s\n",
			tune->foreground, (unsigned long long)chosen->times.p99_us,
			(unsigned long long)tune->steps[0].times.p99_us,
			(unsigned long long)tune->ceiling_us, rate);
	else
		(void)fprintf(out,
			"# beside no rate that was tried 99 of 100 requests to %s took "
			"%llu us or less\nrate: auto\n",
			tune->foreground, (unsigned long long)tune->ceiling_us);
}

/* The device's own MTU is the link's business: memif's says nothing about a NIC's. */
static void put_fragment(const struct tune *tune, FILE *out)
{
	const struct tune_step *chosen = tune_chosen(tune);
	const uint64_t *best = tune->best.values;
	char text[TUNE_NAME_MAX];

	(void)fprintf(out,
		"# snapline tune, %s: %.2f Gb/s; the slowest was %s\n"
		"# snapline node --config NODE.yaml --config THIS.yaml --check\n"
		"%smtu: %llu\nbuffers: %llu\nqueues: [%llu]\n",
		tune->pair.to != NULL ? tune->pair.to : "two processes and net_memif",
		chosen->gbps, chosen->bottleneck, tune->pair.to != NULL ? "" : "# ",
		(unsigned long long)best[TUNE_MTU],
		(unsigned long long)best[TUNE_BUFFERS],
		(unsigned long long)best[TUNE_QUEUES]);
	if (!tune_is_far(tune, TUNE_WINDOW))
		(void)fprintf(
			out, "window: %llu\n", (unsigned long long)best[TUNE_WINDOW]);
	if (best[TUNE_BURST] != 0 && !tune_is_far(tune, TUNE_BURST))
		(void)fprintf(out, "burst: %s # of a rate\n",
			tune_value(TUNE_BURST, best[TUNE_BURST], text));
	put_rate(tune, out);
}

/* Fewer than it was told to use: it has no more. */
static uint32_t far_buffers(const struct tune *tune)
{
	uint32_t buffers = 0;

	for (size_t i = 0; i < tune->count; i++) {
		const struct tune_step *step = &tune->steps[i];

		if (step->far.held.buffers < step->point.values[TUNE_BUFFERS])
			buffers = u32_max(buffers, step->far.held.buffers);
	}
	return buffers;
}

/* Whether two MTUs came to the same slices because the far device takes no larger ones.
 */
static bool is_mtu_far(const struct tune *tune)
{
	uint32_t count = 0;

	for (size_t i = 0; i < tune->count && tune->pair.to != NULL; i++) {
		const struct tune_step *step = &tune->steps[i];

		count += step->axis == TUNE_MTU && step->is_measured &&
			 step->slice_size == tune->far.slice_size;
	}
	return count > 1;
}

void tune_print_far(const struct tune *tune, FILE *out)
{
	const char *to = tune->pair.to;
	uint32_t buffers = far_buffers(tune);

	if (tune->far.code != 0)
		(void)fprintf(out,
			"%s is %s: its window and burst are not swept, and of the "
			"buffers only ours\n",
			to,
			tune->far.code == -ENOSYS ? "older"
						  : "a node, no snapline bench --serve");
	else if (buffers != 0)
		(void)fprintf(out,
			"%s has %u buffers a queue: no more were tried there; start it "
			"with more --buffers\n",
			to, buffers);
	if (is_mtu_far(tune))
		(void)fprintf(out,
			"%s takes slices of %u bytes at most: start it with a larger "
			"--mtu to try larger ones\n",
			to, tune->far.slice_size);
}

void tune_print(const struct tune *tune, bool json)
{
	if (json) {
		print_json(tune);
		return;
	}
	(void)printf("%-10s", "  tries");
	for (int axis = 0; axis < TUNE_AXES; axis++)
		(void)printf("  %9s", tune_names[axis]);
	(void)printf("  %5s  %7s  %10s%s  %s\n", "slice", "Gb/s", "core-s/GiB",
		tune->foreground != NULL ? "    p50 us    p99 us" : "", "bottleneck");
	for (size_t i = 0; i < tune->count; i++)
		print_step(tune, &tune->steps[i]);
	if (tune->cut_short != NULL)
		(void)printf("the rest was left out: %s\n", tune->cut_short);
	tune_print_far(tune, stdout);
	(void)puts("");
	put_fragment(tune, stdout);
}

/* Everything or nothing: what was there before stays until all is written. */
static int write_output(const struct tune *tune,
	void (*put)(const struct tune *tune, FILE *out), const char *path,
	struct fault *fault)
{
	char unfinished[PATH_MAX];
	FILE *file;
	int err = 0;

	(void)snprintf(unfinished, sizeof(unfinished), "%.4080s.unfinished", path);
	file = fopen(unfinished, "we");
	if (file == NULL)
		return fault_set(
			fault, -errno, "--output: %.200s: %s", path, strerror(errno));
	errno = 0;
	put(tune, file);
	if (fflush(file) != 0 || ferror(file))
		err = errno != 0 ? errno : EIO;
	if (fclose(file) != 0 && err == 0)
		err = errno;
	if (err == 0 && rename(unfinished, path) != 0)
		err = errno;
	if (err == 0)
		return 0;
	(void)unlink(unfinished);
	return fault_set(fault, -err, "--output: %.200s: %s", path, strerror(err));
}

int tune_write(const struct tune *tune, const char *prefix, struct fault *fault)
{
	char yaml[PATH_MAX], table[PATH_MAX], picture[PATH_MAX];
	int err;

	(void)snprintf(yaml, sizeof(yaml), "%.4000s.yaml", prefix);
	(void)snprintf(table, sizeof(table), "%.4000s.tsv", prefix);
	(void)snprintf(picture, sizeof(picture), "%.4000s.svg", prefix);
	err = write_output(tune, put_fragment, yaml, fault);
	if (err == 0)
		err = write_output(tune, tune_plot_table, table, fault);
	if (err == 0)
		tune_plot(tune, table, picture);
	return err;
}
