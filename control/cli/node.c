/* SPDX-License-Identifier: BSD-3-Clause */
/* snapline node: serves a store and receives snapshots until it is told to stop. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sysexits.h>

#include "control/cli/cli.h"
#include "control/cli/device_options.h"
#include "control/node/node.h"
#include "dataplane/base/log.h"

struct arguments {
	struct node_options node;
	struct device_options device;
	const char *log_level;
};

#define AT(field) .offset = offsetof(struct arguments, field)

enum { ROWS = 64 };

/* The rows of the snapshot settings are appended at start. */
static struct option_spec options[ROWS] = {
	{.name = "store",
		.arg = "DIR",
		.kind = OPTION_STRING,
		.required = true,
		AT(node.store),
		.help = "where snapshots live; made if its parent exists"},
	{.name = "listen",
		.arg = "HOST:PORT",
		.kind = OPTION_STRING,
		.required = true,
		AT(node.listen),
		.help = "TCP address for Raft's and Snapline's calls"},
	{.name = "group",
		.arg = "GROUP",
		.kind = OPTION_STRING,
		.required = true,
		AT(node.group),
		.help = "id of the Raft group"},
	{.name = "peer-id",
		.arg = "IP:PORT:IDX",
		.kind = OPTION_STRING,
		.required = true,
		AT(node.peer_id),
		.help = "this node in the group; peers dial IP:PORT"},
	{.name = "admin",
		.arg = "PATH",
		.kind = OPTION_STRING,
		AT(node.admin),
		.help = "operator socket, for snapline transfer"},
	DEVICE_OPTION_ROWS(struct arguments),
	{.name = "log-level",
		.arg = "LEVEL",
		.kind = OPTION_STRING,
		.fallback = "info",
		AT(log_level),
		.help = "error, warn, info or debug"},
	{.name = NULL},
};

static const struct option_command command = {
	.name = "node",
	.summary = "Runs a node of one Raft group: serves the snapshots of its store,\n"
		   "receives what a leader installs. SIGTERM ends it; a snapshot on its\n"
		   "way then is given up and the store keeps what it had.\n",
	.options = options,
};

int node_command(int argc, char *const argv[])
{
	struct arguments arguments = {0};
	struct fault fault = {0};
	enum log_level level;
	int exit_code;

	if (snapshot_options_append(
		    options, ROWS, offsetof(struct arguments, node.settings)) != 0)
		abort();
	if (!cli_parse(&command, argc, argv, &arguments, NULL, &exit_code))
		return exit_code;
	if (log_parse_level(arguments.log_level, &level) != 0) {
		(void)fault_set(&fault, -EINVAL,
			"--log-level: '%.40s' is none of error, warn, info, debug",
			arguments.log_level);
		return cli_fail(&fault);
	}
	log_set_level(level);
	if (device_options_resolve(&arguments.device, &arguments.node.transfer, &fault) !=
			0 ||
		node_run(&arguments.node, &fault) != 0)
		return cli_fail(&fault);
	return EX_OK;
}
