/* SPDX-License-Identifier: BSD-3-Clause */
/* snapline bench: what this machine, or the way to another one, can do.
 *
 *   snapline bench                  a peer of our own, joined by net_memif
 *   snapline bench --serve …        a node with a snapshot that was made up …
 *   snapline bench --to HOST:PORT … … or any other node's, pulled again and again
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "control/cli/bench_data.h"
#include "control/cli/bench_options.h"
#include "control/cli/bench_pair.h"
#include "control/cli/bench_report.h"
#include "control/cli/cli.h"
#include "control/cli/foreground.h"
#include "dataplane/base/log.h"

struct arguments {
	struct bench_options bench;
	bool serve;
	const char *listen;
	struct device_options device;
};

#define AT(field) .offset = offsetof(struct arguments, field)

static const struct option_spec options[] = {
	{.name = "serve",
		.kind = OPTION_FLAG,
		AT(serve),
		.help = "be the node that --to names, until SIGTERM; snapline tune "
			"--to may have it try other settings"},
	{.name = "listen",
		.arg = "HOST:PORT",
		.kind = OPTION_STRING,
		AT(listen),
		.help = "with --serve: TCP address for --to to name; on UDP it answers "
			"requests of snapline tune --foreground"},
	BENCH_OPTION_ROWS(struct arguments, "256MiB", "5"),
	{.name = NULL},
};

static const struct option_command command = {
	.name = "bench",
	.summary =
		"Pulls a snapshot again and again and says how fast that was, and which\n"
		"stage was the slowest. By itself it starts a peer on this machine and\n"
		"is joined to it by shared memory. Between two machines: --serve on "
		"one,\n--to on the other, each with its --dev.\n",
	.options = options,
};

/* What the command line asks for must fit together. */
static int check(const struct arguments *arguments, struct fault *fault)
{
	if (arguments->serve && arguments->bench.to != NULL)
		return fault_set(fault, -EINVAL,
			"--serve and --to: one machine serves, the other one pulls");
	if (arguments->serve != (arguments->listen != NULL))
		return fault_set(
			fault, -EINVAL, "--serve and --listen HOST:PORT go together");
	if (!arguments->serve && arguments->bench.to == NULL &&
		arguments->device.devs.count)
		return fault_set(fault, -EINVAL,
			"--dev: without --serve or --to the bench brings its own two "
			"devices; give one of them, or leave --dev out");
	return 0;
}

static void show_run(void *ctx, uint32_t run, const struct transfer_info *info)
{
	const struct arguments *arguments = ctx;

	if (arguments->bench.quiet)
		return;
	(void)fprintf(stderr, run == 0 ? "warm-up: %.3f s\n" : "run: %.3f s\n",
		(double)info->elapsed_ns / (double)SEC);
}

static int pull(struct arguments *arguments, struct bench_pair *pair, struct fault *fault)
{
	struct transfer_info *infos = calloc(pair->runs, sizeof(*infos));
	int err;

	if (infos == NULL)
		return fault_set(fault, -ENOMEM, "no memory for the results");
	err = bench_pair_pull(pair, infos, fault);
	if (err == 0)
		err = bench_report(infos, pair->runs, arguments->bench.json);
	free(infos);
	return err;
}

/* Whoever wants to know what others suffer sends them requests: snapline tune
 * --foreground. It is no reason not to serve that the UDP port is taken. */
static pid_t start_answers(const char *listen)
{
	struct fault fault = {0};
	pid_t child = fork();

	if (child != 0)
		return child;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)foreground_serve(listen, &fault);
	(void)fprintf(stderr, "snapline: no answers for --foreground: %s\n", fault.text);
	_exit(EX_UNAVAILABLE);
}

static int serve(
	struct arguments *arguments, struct bench_pair *pair, struct fault *fault)
{
	pid_t answers = start_answers(arguments->listen);
	int err = bench_pair_serve(pair, fault);

	if (answers <= 0)
		return err;
	(void)kill(answers, SIGKILL);
	while (waitpid(answers, NULL, 0) < 0 && errno == EINTR)
		;
	return err;
}

static int run(struct arguments *arguments, struct fault *fault)
{
	struct bench_pair pair = {.to = arguments->bench.to,
		.listen = arguments->listen,
		.group = arguments->bench.group,
		.runs = (uint32_t)arguments->bench.runs,
		.device = arguments->device,
		.on_run = show_run,
		.ctx = arguments};
	char dir[PATH_MAX];
	int err;

	bench_data_hold_signals(true);
	err = bench_data_open(dir, arguments->bench.dir, fault);
	if (err != 0)
		return err;
	pair.dir = dir;
	if (arguments->bench.to == NULL)
		err = bench_data_make(
			dir, arguments->bench.size, arguments->bench.files, fault);
	if (err == 0)
		err = arguments->serve ? serve(arguments, &pair, fault)
				       : pull(arguments, &pair, fault);
	bench_data_remove(dir, NULL);
	return err;
}

int bench_command(int argc, char *const argv[])
{
	struct arguments arguments = {0};
	struct fault fault = {0};
	int exit_code;

	if (!cli_parse(&command, argc, argv, &arguments, NULL, &exit_code))
		return exit_code;
	log_set_level(arguments.serve ? LOG_INFO : LOG_WARN);
	if (check(&arguments, &fault) != 0 || run(&arguments, &fault) != 0)
		return cli_fail(&fault);
	return EX_OK;
}
