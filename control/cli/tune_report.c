/* SPDX-License-Identifier: BSD-3-Clause */
/* What snapline tune found, for people, for scripts, for gnuplot and for a node. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/cli/tune.h"
#include "dataplane/base/json.h"

const struct tune_step *tune_chosen(const struct tune *tune)
{
	const struct tune_step *last = NULL;

	for (size_t i = 0; i < tune->count; i++)
		if (tune->steps[i].is_chosen)
			last = &tune->steps[i];
	return last;
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
		for (int axis = 0; axis < TUNE_AXES; axis++)
			json_u64(&json, tune_names[axis], step->point.values[axis]);
		if (step->is_measured) {
			json_thousandths(
				&json, "gbit_per_s", (uint64_t)(step->gbps * 1000));
			json_thousandths(&json, "core_s_per_gib",
				(uint64_t)(step->core_seconds * 1000));
			json_string(&json, "bottleneck", step->bottleneck);
		} else {
			json_string(&json, "error", step->fault.text);
		}
		json_bool(&json, "chosen", step->is_chosen);
		json_close(&json);
	}
	json_close(&json);
}

static void print_step(const struct tune_step *step)
{
	(void)printf("%c %-8s", step->is_chosen ? '*' : ' ', tune_names[step->axis]);
	for (int axis = 0; axis < TUNE_AXES; axis++)
		(void)printf("  %7llu", (unsigned long long)step->point.values[axis]);
	if (step->is_measured)
		(void)printf("  %7.2f  %10.2f  %s\n", step->gbps, step->core_seconds,
			step->bottleneck);
	else
		(void)printf("  %s\n",
			step->fault.code != 0 ? step->fault.text : "no time for it");
}

/* The device's own MTU is the link's business: memif's says nothing about a NIC's. */
static void put_fragment(const struct tune *tune, FILE *out)
{
	const struct tune_step *chosen = tune_chosen(tune);

	(void)fprintf(out,
		"# snapline tune, %s: %.2f Gb/s; the slowest was %s\n"
		"%smtu: %llu\nbuffers: %llu\nwindow: %llu\nqueues: [%llu]\n"
		"# rate: auto leaves the network to others\n",
		tune->pair.to != NULL ? tune->pair.to : "two processes and net_memif",
		chosen->gbps, chosen->bottleneck, tune->pair.to != NULL ? "" : "# ",
		(unsigned long long)tune->best.values[TUNE_MTU],
		(unsigned long long)tune->best.values[TUNE_BUFFERS],
		(unsigned long long)tune->best.values[TUNE_WINDOW],
		(unsigned long long)tune->best.values[TUNE_QUEUES]);
}

void tune_print(const struct tune *tune, bool json)
{
	if (json) {
		print_json(tune);
		return;
	}
	(void)printf("%-10s", "  tries");
	for (int axis = 0; axis < TUNE_AXES; axis++)
		(void)printf("  %7s", tune_names[axis]);
	(void)printf("  %7s  %10s  %s\n", "Gb/s", "core-s/GiB", "bottleneck");
	for (size_t i = 0; i < tune->count; i++)
		print_step(&tune->steps[i]);
	if (tune->is_cut_short)
		(void)puts("the rest was left out: two minutes are over");
	(void)puts("");
	put_fragment(tune, stdout);
}

static FILE *open_output(
	const char *prefix, const char *suffix, char path[static PATH_MAX])
{
	(void)snprintf(path, PATH_MAX, "%.4000s%s", prefix, suffix);
	return fopen(path, "we");
}

static int close_output(FILE *file, const char *path, struct fault *fault)
{
	bool is_bad = file == NULL || ferror(file);

	if (file != NULL && fclose(file) != 0)
		is_bad = true;
	return is_bad ? fault_set(fault, errno != 0 ? -errno : -EIO, "%.200s: %s", path,
				strerror(errno))
		      : 0;
}

static void put_table(const struct tune *tune, FILE *out)
{
	for (size_t i = 0; i < tune->count; i++) {
		const struct tune_step *step = &tune->steps[i];

		if (step->is_measured)
			(void)fprintf(out, "%s %llu\t%.3f\t%.3f\t%s\n",
				tune_names[step->axis],
				(unsigned long long)step->point.values[step->axis],
				step->gbps, step->core_seconds, step->bottleneck);
	}
}

/* Words of ours and a path, which goes by an argument and is no gnuplot code. */
static int draw(const char *table, const char *picture)
{
	static char script[] =
		"set terminal svg size 800,400; set output ARG2; set datafile separator "
		"'\\t'; set style fill solid 0.6; set boxwidth 0.7; set yrange [0:*]; "
		"set ylabel 'Gb/s'; set y2label 'core-seconds a GiB'; set y2range "
		"[0:*]; set y2tics; set xtics rotate by -30; "
		"plot ARG1 using 2:xtic(1) with boxes title 'goodput', "
		"ARG1 using 0:3 axes x1y2 with linespoints title 'CPU'";
	char file[] = "/tmp/snapline-tune.XXXXXX";
	int status, fd = mkstemp(file);
	pid_t child = -1;

	if (fd < 0)
		return -errno;
	if (write(fd, script, strlen(script)) == (ssize_t)strlen(script))
		child = fork();
	if (child == 0) {
		(void)execlp(
			"gnuplot", "gnuplot", "-c", file, table, picture, (char *)NULL);
		_exit(127);
	}
	(void)close(fd);
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	(void)unlink(file);
	return child > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -EIO;
}

int tune_write(const struct tune *tune, const char *prefix, struct fault *fault)
{
	char yaml[PATH_MAX], table[PATH_MAX], picture[PATH_MAX];
	FILE *file = open_output(prefix, ".yaml", yaml);
	int err;

	if (file != NULL)
		put_fragment(tune, file);
	err = close_output(file, yaml, fault);
	if (err != 0)
		return err;
	file = open_output(prefix, ".tsv", table);
	if (file != NULL)
		put_table(tune, file);
	err = close_output(file, table, fault);
	if (err != 0)
		return err;
	(void)snprintf(picture, sizeof(picture), "%.4000s.svg", prefix);
	err = draw(table, picture);
	if (err == 127)
		(void)fprintf(
			stderr, "no plot: install gnuplot-nox to have %s\n", picture);
	else if (err != 0)
		(void)fprintf(stderr, "no plot: gnuplot failed\n");
	return 0;
}
