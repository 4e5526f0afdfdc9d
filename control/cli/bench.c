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
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "control/cli/bench_data.h"
#include "control/cli/bench_pull.h"
#include "control/cli/bench_report.h"
#include "control/cli/cli.h"
#include "control/cli/device_options.h"
#include "control/node/node.h"
#include "dataplane/base/log.h"

enum { PEER_START_MS = 10000, LOOK_MS = 10 };

struct arguments {
	const char *to;
	bool serve;
	const char *listen;
	const char *group;
	uint64_t size;
	uint64_t files;
	uint64_t runs;
	const char *dir;
	struct device_options device;
	bool json;
	bool quiet;
};

#define AT(field) .offset = offsetof(struct arguments, field)

static const struct option_spec options[] = {
	{.name = "to",
		.arg = "HOST:PORT",
		.kind = OPTION_STRING,
		AT(to),
		.help = "pull from this node, over our --dev or TCP; not: from a peer of "
			"our own"},
	{.name = "serve",
		.kind = OPTION_FLAG,
		AT(serve),
		.help = "be the node that --to names, until SIGTERM"},
	{.name = "listen",
		.arg = "HOST:PORT",
		.kind = OPTION_STRING,
		AT(listen),
		.help = "with --serve: TCP address for --to to name"},
	{.name = "group",
		.arg = "GROUP",
		.kind = OPTION_STRING,
		.fallback = "bench",
		AT(group),
		.help = "of the node; another one's, to pull what that has"},
	{.name = "size",
		.arg = "SIZE",
		.kind = OPTION_SIZE,
		.fallback = "256MiB",
		.min = 1,
		AT(size),
		.help = "of the snapshot that is made up"},
	{.name = "files",
		.arg = "N",
		.kind = OPTION_U64,
		.fallback = "16",
		.min = 1,
		.max = 1000000,
		AT(files),
		.help = "in it"},
	{.name = "runs",
		.arg = "N",
		.kind = OPTION_U64,
		.fallback = "5",
		.min = 1,
		.max = BENCH_RUNS_MAX,
		AT(runs),
		.help = "that count; one more warms up"},
	{.name = "dir",
		.arg = "DIR",
		.kind = OPTION_STRING,
		AT(dir),
		.help = "where files go; /dev/shm, if there is one, else $TMPDIR"},
	DEVICE_OPTION_ROWS(struct arguments),
	{.name = "json",
		.kind = OPTION_FLAG,
		AT(json),
		.help = "print the result as JSON"},
	{.name = "quiet", .kind = OPTION_FLAG, AT(quiet), .help = "show no progress"},
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
	if (arguments->serve && arguments->to != NULL)
		return fault_set(fault, -EINVAL,
			"--serve and --to: one machine serves, the other one pulls");
	if (arguments->serve != (arguments->listen != NULL))
		return fault_set(
			fault, -EINVAL, "--serve and --listen HOST:PORT go together");
	if (!arguments->serve && arguments->to == NULL && arguments->device.devs.count)
		return fault_set(fault, -EINVAL,
			"--dev: without --serve or --to the bench brings its own two "
			"devices; give one of them, or leave --dev out");
	return 0;
}

static int serve(struct arguments *arguments, const char *dir, struct fault *fault)
{
	struct node_options node = {.listen = arguments->listen,
		.group = arguments->group,
		.peer_id = "127.0.0.1:1:0"}; /* in no group: nobody dials it */
	char store[PATH_MAX];
	int err = device_options_resolve(&arguments->device, &node.transfer, fault);

	if (err != 0)
		return err;
	(void)snprintf(store, sizeof(store), "%.4000s/leader", dir);
	node.store = store;
	snapshot_options_default(&node.settings);
	bench_data_hold_signals(false);
	return node_run(&node, fault);
}

/* One of the two ends of our own pair. */
static void join(struct arguments *arguments, const char *dir, const char *role,
	char dev[static PATH_MAX])
{
	(void)snprintf(dev, PATH_MAX,
		"net_memif0,role=%s,socket=%.2000s/memif,socket-abstract=no", role, dir);
	arguments->device.devs = (struct option_list){{dev}, 1};
	arguments->device.ips = (struct option_list){
		{strcmp(role, "server") == 0 ? "10.0.0.1/24" : "10.0.0.2/24"}, 1};
}

/* The peer: a process of its own, for DPDK is one a process. It ends with us. */
static int run_peer(struct arguments arguments, const char *dir, const char *address)
{
	struct fault fault = {0};
	char dev[PATH_MAX];

	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	(void)signal(SIGINT, SIG_IGN); /* the terminal's is for the other process */
	join(&arguments, dir, "server", dev);
	arguments.listen = address;
	return serve(&arguments, dir, &fault) == 0 ? EX_OK : cli_fail(&fault);
}

/* Until it listens. */
static int wait_for_peer(pid_t peer, const char *socket, struct fault *fault)
{
	const struct timespec moment = {.tv_nsec = LOOK_MS * MSEC};

	for (int waited = 0; waited < PEER_START_MS; waited += LOOK_MS) {
		if (bench_data_is_interrupted())
			return fault_set(fault, -ECANCELED, "interrupted");
		if (access(socket, F_OK) == 0)
			return 0;
		if (waitpid(peer, NULL, WNOHANG) == peer)
			return fault_set(fault, -EIO, "the peer did not start");
		(void)nanosleep(&moment, NULL);
	}
	return fault_set(fault, -ETIMEDOUT, "the peer does not listen");
}

static void show_run(void *ctx, uint32_t run, const struct transfer_info *info)
{
	const struct arguments *arguments = ctx;

	if (arguments->quiet)
		return;
	(void)fprintf(stderr, run == 0 ? "warm-up: %.3f s\n" : "run: %.3f s\n",
		(double)info->elapsed_ns / (double)SEC);
}

static int pull(struct arguments *arguments, const char *dir, const char *address,
	struct fault *fault)
{
	struct bench_pull bench = {.dir = dir,
		.address = address,
		.group = arguments->group,
		.runs = (uint32_t)arguments->runs,
		.on_run = show_run,
		.ctx = arguments};
	struct transfer_info *infos = calloc(arguments->runs, sizeof(*infos));
	int err = device_options_resolve(&arguments->device, &bench.transfer, fault);

	if (infos == NULL)
		return fault_set(fault, -ENOMEM, "no memory for the results");
	if (err == 0)
		err = bench_pull(&bench, infos, fault);
	if (err == 0)
		err = bench_report(infos, arguments->runs, arguments->json);
	free(infos);
	return err;
}

static int pull_from_peer(
	struct arguments *arguments, const char *dir, struct fault *fault)
{
	char address[PATH_MAX], dev[PATH_MAX];
	pid_t peer;
	int err;

	(void)snprintf(address, sizeof(address), "unix:%.2000s/node", dir);
	peer = fork();
	if (peer < 0)
		return fault_set(
			fault, -errno, "no process for the peer: %s", strerror(errno));
	if (peer == 0)
		_exit(run_peer(*arguments, dir, address));
	join(arguments, dir, "client", dev);
	err = wait_for_peer(peer, address + strlen("unix:"), fault);
	if (err == 0)
		err = pull(arguments, dir, address, fault);
	(void)kill(peer, SIGTERM);
	while (waitpid(peer, NULL, 0) < 0 && errno == EINTR)
		;
	return err;
}

static int run(struct arguments *arguments, struct fault *fault)
{
	char dir[PATH_MAX];
	int err;

	bench_data_hold_signals(true);
	err = bench_data_open(dir, arguments->dir, fault);
	if (err != 0)
		return err;
	if (arguments->to == NULL)
		err = bench_data_make(dir, arguments->size, arguments->files, fault);
	if (err == 0 && arguments->serve)
		err = serve(arguments, dir, fault);
	else if (err == 0 && arguments->to != NULL)
		err = pull(arguments, dir, arguments->to, fault);
	else if (err == 0)
		err = pull_from_peer(arguments, dir, fault);
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
