/* SPDX-License-Identifier: BSD-3-Clause */
/* One point, measured by a process of its own: DPDK is started once a process. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/cli/bench_data.h"
#include "control/cli/tune.h"
#include "dataplane/base/log.h"

/* Noise only ever slows: the fastest run counts. */
static void summarise(
	struct tune_step *step, const struct transfer_info infos[], uint32_t count)
{
	const struct transfer_info *best = &infos[0];
	double gib;

	for (uint32_t i = 1; i < count; i++)
		if (infos[i].elapsed_ns < best->elapsed_ns)
			best = &infos[i];
	gib = (double)best->bytes_total / (double)GIB;
	step->gbps = (double)best->bytes_total * 8 / (double)best->elapsed_ns;
	if (best->report.has_leader)
		step->core_seconds =
			(double)(best->report.leader.cpu + best->report.follower.cpu) /
			(double)SEC / gib;
	(void)snprintf(step->bottleneck, sizeof(step->bottleneck), "%s",
		effort_bottleneck(&best->report));
	step->is_measured = true;
}

static void apply(struct device_options *device, const struct tune_point *point,
	char queues[static TUNE_NAME_MAX])
{
	(void)snprintf(queues, TUNE_NAME_MAX, "%llu",
		(unsigned long long)point->values[TUNE_QUEUES]);
	device->mtu = point->values[TUNE_MTU];
	device->buffers = point->values[TUNE_BUFFERS];
	device->window = point->values[TUNE_WINDOW];
	device->queues = (struct option_list){{queues}, 1};
}

static void measure(struct bench_pair pair, struct tune_step *step)
{
	struct transfer_info *infos = calloc(pair.runs, sizeof(*infos));
	char queues[TUNE_NAME_MAX];

	apply(&pair.device, &step->point, queues);
	if (infos == NULL)
		(void)fault_set(&step->fault, -ENOMEM, "no memory for the results");
	else if (bench_pair_pull(&pair, infos, &step->fault) == 0)
		summarise(step, infos, pair.runs);
	free(infos);
}

static bool write_step(int fd, const struct tune_step *step)
{
	/* less than PIPE_BUF: all or nothing */
	return write(fd, step, sizeof(*step)) == (ssize_t)sizeof(*step);
}

static void run_child(const struct bench_pair *pair, struct tune_step *step, int fd)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	log_set_level(LOG_ERROR);
	measure(*pair, step);
	_exit(write_step(fd, step) ? 0 : 1);
}

int tune_measure(const struct bench_pair *pair, struct tune_step *step)
{
	struct tune_step result;
	ssize_t got;
	pid_t child;
	int fds[2];

	if (pipe(fds) != 0)
		return -errno;
	child = fork();
	if (child == 0)
		run_child(pair, step, fds[1]);
	(void)close(fds[1]);
	do
		got = child < 0 ? -1 : read(fds[0], &result, sizeof(result));
	while (got < 0 && child > 0 && errno == EINTR);
	(void)close(fds[0]);
	if (child < 0)
		return -EAGAIN;
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	if (got == (ssize_t)sizeof(result))
		*step = result;
	else
		(void)fault_set(&step->fault, -EIO, "its process ended early");
	if (bench_data_is_interrupted() || step->fault.code == -ECANCELED)
		return -ECANCELED;
	return 0;
}
