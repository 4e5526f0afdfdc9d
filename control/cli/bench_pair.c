/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/bench_pair.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "control/cli/bench_data.h"
#include "control/cli/cli.h"
#include "control/node/node.h"

enum { PEER_START_MS = 10000, LOOK_MS = 10 };

int bench_pair_serve(struct bench_pair *pair, struct fault *fault)
{
	struct node_options node = {.listen = pair->listen,
		.group = pair->group,
		.is_bench = true,
		.peer_id = "127.0.0.1:1:0"}; /* in no group: nobody dials it */
	char store[PATH_MAX];
	int err = device_options_resolve(&pair->device, &node.transfer, fault);

	if (err != 0)
		return err;
	(void)snprintf(store, sizeof(store), "%.4000s/leader", pair->dir);
	node.store = store;
	snapshot_options_default(&node.settings);
	bench_data_hold_signals(false);
	return node_run(&node, fault);
}

/* One of the two ends of our own pair. */
static void join(struct bench_pair *pair, const char *role, char dev[static PATH_MAX])
{
	(void)snprintf(dev, PATH_MAX,
		"net_memif0,role=%s,socket=%.2000s/memif,socket-abstract=no", role,
		pair->dir);
	pair->device.devs = (struct option_list){{dev}, 1};
	pair->device.ips = (struct option_list){
		{strcmp(role, "server") == 0 ? "10.0.0.1/24" : "10.0.0.2/24"}, 1};
}

/* The peer: a process of its own, for DPDK is one a process. It ends with us. */
static int run_peer(struct bench_pair pair, const char *address)
{
	struct fault fault = {0};
	char dev[PATH_MAX];

	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	(void)signal(SIGINT, SIG_IGN); /* the terminal's is for the other process */
	join(&pair, "server", dev);
	pair.listen = address;
	return bench_pair_serve(&pair, &fault) == 0 ? EX_OK : cli_fail(&fault);
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

static int pull(struct bench_pair *pair, const char *address,
	struct transfer_info infos[], struct fault *fault)
{
	struct bench_pull bench = {.dir = pair->dir,
		.address = address,
		.group = pair->group,
		.path = pair->path,
		.runs = pair->runs,
		.window = pair->window,
		.settle = pair->settle,
		.on_run = pair->on_run,
		.ctx = pair->ctx};
	int err = device_options_resolve(&pair->device, &bench.transfer, fault);

	return err != 0 ? err : bench_pull(&bench, infos, fault);
}

int bench_pair_pull(
	struct bench_pair *pair, struct transfer_info infos[], struct fault *fault)
{
	char address[PATH_MAX], dev[PATH_MAX];
	pid_t peer;
	int err;

	if (pair->to != NULL)
		return pull(pair, pair->to, infos, fault);
	(void)snprintf(address, sizeof(address), "unix:%.2000s/node", pair->dir);
	(void)unlink(address + strlen("unix:")); /* of the pair before */
	peer = fork();
	if (peer < 0)
		return fault_set(
			fault, -errno, "no process for the peer: %s", strerror(errno));
	if (peer == 0)
		_exit(run_peer(*pair, address));
	join(pair, "client", dev);
	err = wait_for_peer(peer, address + strlen("unix:"), fault);
	if (err == 0)
		err = pull(pair, address, infos, fault);
	(void)kill(peer, SIGTERM);
	while (waitpid(peer, NULL, 0) < 0 && errno == EINTR)
		;
	return err;
}
