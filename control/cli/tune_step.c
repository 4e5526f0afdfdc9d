/* SPDX-License-Identifier: BSD-3-Clause */
/* One point, measured by a process of its own: DPDK is started once a process. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/cli/asker.h"
#include "control/cli/bench_data.h"
#include "control/cli/bench_far.h"
#include "control/cli/tune.h"
#include "dataplane/base/log.h"

enum { LOOK_MS = 50 };

static double gbps_of(const struct transfer_info *info, uint64_t bytes)
{
	return info->elapsed_ns == 0 ? 0 : (double)bytes * 8 / (double)info->elapsed_ns;
}

static void describe(struct tune_step *step, const struct transfer_info *info)
{
	const struct effort_report *report = &info->report;

	if (report->has_leader)
		step->core_seconds = (double)(report->leader.cpu + report->follower.cpu) /
				     (double)SEC * (double)GIB /
				     (double)info->bytes_total;
	(void)snprintf(step->bottleneck, sizeof(step->bottleneck), "%s",
		effort_bottleneck(report));
	step->slice_size = info->slice_size;
	step->far.queues = info->leader_queues;
	step->far.slice_size = info->leader_slice_size;
	step->is_measured = true;
}

/* Noise only ever slows: the fastest run counts. */
static void summarise(
	struct tune_step *step, const struct transfer_info infos[], uint32_t count)
{
	const struct transfer_info *best = &infos[0];

	for (uint32_t i = 1; i < count; i++)
		if (infos[i].elapsed_ns < best->elapsed_ns)
			best = &infos[i];
	step->gbps = gbps_of(best, best->bytes_total);
	describe(step, best);
}

/* Not one pull needs to have ended: then only the rate can be to blame, or the wire. */
static void summarise_window(struct tune_step *step, const struct transfer_info *info)
{
	uint64_t rate = step->point.values[TUNE_RATE];

	step->gbps = gbps_of(info, info->bytes_done);
	describe(step, info);
	if (rate < RATE_AUTO && step->gbps * 1e9 >= (double)rate * 0.85)
		(void)snprintf(step->bottleneck, sizeof(step->bottleneck), "the rate");
	else if (!info->has_report)
		(void)snprintf(step->bottleneck, sizeof(step->bottleneck), "the wire");
}

static void apply(struct device_options *device, const struct tune_point *point,
	char queues[static TUNE_NAME_MAX])
{
	(void)snprintf(queues, TUNE_NAME_MAX, "%llu",
		(unsigned long long)point->values[TUNE_QUEUES]);
	device->mtu = point->values[TUNE_MTU];
	device->buffers = point->values[TUNE_BUFFERS];
	device->window = point->values[TUNE_WINDOW];
	device->burst = point->values[TUNE_BURST];
	device->rate_bps = point->values[TUNE_RATE];
	device->queues = (struct option_list){{queues}, 1};
}

static void on_window(void *ctx, uint32_t run, const struct transfer_info *info)
{
	(void)run;
	(void)info;
	asker_go(ctx);
}

static void end_asker(struct asker *asker, struct tune_step *step, const char *where)
{
	if (asker->child == 0)
		return;
	step->has_times = asker_end(asker, &step->times);
	if (step->has_times || step->fault.code != 0)
		return;
	step->is_measured = false;
	(void)fault_set(&step->fault, -ETIMEDOUT,
		"--foreground %.200s: nothing answers: run a UDP echo there, or "
		"'snapline bench --serve'",
		where);
}

/* With other requests beside it, if it is about them. */
static void measure_window(
	const struct tune *tune, struct bench_pair pair, struct tune_step *step)
{
	bool asks = tune->foreground != NULL && step->axis == TUNE_RATE;
	/* what need not settle has a shorter look, and there is time for a second one */
	nsec span = step->axis == TUNE_RATE ? tune->span : tune->span / 2;
	struct transfer_info info = {0};
	struct asker asker = {0};

	if (asks &&
		asker_start(&asker, tune->foreground, tune->span, &step->fault) != 0) {
		fault_prefix(&step->fault, "--foreground");
		return;
	}
	pair.window = span;
	pair.settle = span / 2;
	pair.on_run = on_window;
	pair.ctx = &asker;
	if (step->point.values[TUNE_RATE] == 0) {
		step->is_measured = true;
		asker_go(&asker);
	} else if (bench_pair_pull(&pair, &info, &step->fault) == 0) {
		summarise_window(step, &info);
	}
	end_asker(&asker, step, tune->foreground);
}

static void measure(const struct tune *tune, struct tune_step *step)
{
	struct bench_pair pair = tune->pair;
	struct transfer_info *infos = calloc(pair.runs, sizeof(*infos));
	char queues[TUNE_NAME_MAX];

	apply(&pair.device, &step->point, queues);
	if (infos == NULL)
		(void)fault_set(&step->fault, -ENOMEM, "no memory for the results");
	else if (step->axis == TUNE_RATE || tune->is_endless)
		measure_window(tune, pair, step);
	else if (bench_pair_pull(&pair, infos, &step->fault) == 0)
		summarise(step, infos, pair.runs);
	free(infos);
}

/* The sender's part of the point. A node that keeps its own is measured as it is. */
static int tell_far(
	const struct tune *tune, struct tune_step *step, struct bench_far **far)
{
	const uint64_t *values = step->point.values;
	const struct bench_settings asked = {
		.window = (uint32_t)values[TUNE_WINDOW],
		.buffers = (uint32_t)values[TUNE_BUFFERS],
		.rate_bps = values[TUNE_RATE],
		.burst = values[TUNE_BURST],
	};
	struct fault fault = {0};
	int err = bench_far_open(far, tune->pair.to, &asked, &step->far.held, &fault);

	if (err != 0 && err != -ENOSYS && err != -EPERM)
		return fault_set(&step->fault, err, "%s", fault.text);
	step->far.is_asked = true;
	step->far.code = err;
	return 0;
}

static void measure_pair(const struct tune *tune, struct tune_step *step)
{
	bool is_still = step->axis == TUNE_RATE && step->point.values[TUNE_RATE] == 0;
	struct bench_far *far = NULL;

	if (tune->pair.to != NULL && !is_still && tell_far(tune, step, &far) != 0)
		return;
	measure(tune, step);
	if (far != NULL)
		bench_far_close(far);
}

static bool write_step(int fd, const struct tune_step *step)
{
	/* less than PIPE_BUF: all or nothing */
	return write(fd, step, sizeof(*step)) == (ssize_t)sizeof(*step);
}

static void run_child(const struct tune *tune, struct tune_step *step, int fd)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	log_set_level(LOG_ERROR);
	measure_pair(tune, step);
	_exit(write_step(fd, step) ? 0 : 1);
}

/* Who interrupts us, but not our whole group, means the step as well. */
static ssize_t read_step(int fd, pid_t child, struct tune_step *step)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	bool is_told = false;

	while (poll(&wait, 1, LOOK_MS) <= 0) {
		if (is_told || !bench_data_is_interrupted())
			continue;
		(void)kill(child, SIGTERM);
		is_told = true;
	}
	return read(fd, step, sizeof(*step));
}

int tune_measure(const struct tune *tune, struct tune_step *step)
{
	struct tune_step result;
	ssize_t got;
	pid_t child;
	int fds[2];

	if (pipe(fds) != 0)
		return -errno;
	child = fork();
	if (child == 0)
		run_child(tune, step, fds[1]);
	(void)close(fds[1]);
	got = child < 0 ? -1 : read_step(fds[0], child, &result);
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
