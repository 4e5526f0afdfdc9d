/* SPDX-License-Identifier: BSD-3-Clause */
/* What snapline tune found as a picture, by gnuplot. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/cli/tune.h"

/* What was tried, Gb/s, core-seconds a GiB, the slowest, slice size; p50 and p99 of
 * requests beside it in ms, and how many had no answer. */
void tune_plot_table(const struct tune *tune, FILE *out)
{
	char text[TUNE_NAME_MAX];

	for (size_t i = 0; i < tune->count; i++) {
		const struct tune_step *step = &tune->steps[i];

		if (!step->is_measured)
			continue;
		(void)fprintf(out, "%s %s\t%.3f\t%.3f\t%s\t%u", tune_names[step->axis],
			tune_value(step->axis, step->point.values[step->axis], text),
			step->gbps, step->core_seconds,
			step->bottleneck[0] != '\0' ? step->bottleneck : "-",
			step->slice_size);
		if (step->has_times)
			(void)fprintf(out, "\t%.3f\t%.3f\t%llu\n",
				(double)step->times.p50_us / 1000,
				(double)step->times.p99_us / 1000,
				(unsigned long long)step->times.unanswered);
		else
			(void)fputs("\tNaN\tNaN\tNaN\n", out);
	}
}

#define SCRIPT                                                                           \
	"set terminal svg size 1000,450; set output ARG2; set datafile separator "       \
	"'\\t'; "                                                                        \
	"set datafile missing 'NaN'; set style fill solid 0.6; set boxwidth 0.7; "       \
	"set yrange [0:*]; set ylabel 'Gb/s'; set y2range [0:*]; set y2tics; "           \
	"set ytics nomirror; set xtics rotate by -40; set key outside top; "

static const char *const scripts[] = {
	SCRIPT "set y2label 'core-seconds a GiB'; "
	       "plot ARG1 using 2:xtic(1) with boxes title 'goodput', "
	       "ARG1 using 0:3 axes x1y2 with linespoints title 'CPU'",
	SCRIPT "set y2label 'requests of others, ms'; "
	       "plot ARG1 using 2:xtic(1) with boxes title 'goodput', "
	       "ARG1 using 0:7 axes x1y2 with points pt 7 title 'p99', "
	       "ARG1 using 0:6 axes x1y2 with points pt 6 title 'p50'",
};

/* Words of ours and a path, which goes by an argument and is no gnuplot code. */
static int draw(const char *script, const char *table, const char *picture)
{
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

void tune_plot(const struct tune *tune, const char *table, const char *picture)
{
	int err = draw(scripts[tune->foreground != NULL], table, picture);

	if (err == 127)
		(void)fprintf(
			stderr, "no plot: install gnuplot-nox to have %s\n", picture);
	else if (err != 0)
		(void)fprintf(stderr, "no plot: gnuplot could not draw %s from %s\n",
			picture, table);
	if (err != 0 && err != 127)
		(void)unlink(picture); /* what there is of it */
}
