/* SPDX-License-Identifier: BSD-3-Clause */
/* snapline node: serves a store and receives snapshots until it is told to stop. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "control/cli/cli.h"
#include "control/cli/config.h"
#include "control/cli/device_options.h"
#include "control/node/node.h"
#include "dataplane/base/log.h"

struct arguments {
	struct node_options node;
	struct device_options device;
	const char *log_level;
	struct option_list configs;
	bool check;
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
	{.name = "config",
		.arg = "FILE",
		.kind = OPTION_LIST,
		AT(configs),
		.help = "YAML: the names of these options, and their values; a later one "
			"counts for more, the command line for most; SIGHUP reads rate, "
			"burst, auto-latency, disk-rate and log-level again"},
	{.name = "check",
		.kind = OPTION_FLAG,
		AT(check),
		.help = "say whether options and --config make sense, and start nothing"},
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

/* The command line, and what it names. */
struct source {
	struct config_source file;
	struct config config;
};

/* What parsing alone does not find, and the log level. */
static int resolve(struct arguments *arguments, struct fault *fault)
{
	enum log_level level;

	if (log_parse_level(arguments->log_level, &level) != 0)
		return fault_set(fault, -EINVAL,
			"--log-level: '%.40s' is none of error, warn, info, debug",
			arguments->log_level);
	log_set_level(level);
	return device_options_resolve(
		&arguments->device, &arguments->node.transfer, fault);
}

/* SIGHUP. */
static int reload(void *ctx, struct node_rates *rates, struct fault *fault)
{
	const struct source *source = ctx;
	struct arguments arguments = {0};
	struct option_list operands;
	struct config config;
	int err = config_read(&config, &source->file, fault);

	if (err != 0)
		return err;
	err = options_parse(
		&command, config.count, config.words, &arguments, &operands, fault);
	if (err == 0)
		err = resolve(&arguments, fault);
	rates->rate_bps = arguments.device.rate_bps;
	rates->burst = arguments.device.burst;
	rates->auto_ceiling = arguments.device.auto_latency;
	rates->disk_rate_bps = arguments.device.disk_rate_bps;
	config_free(&config);
	return err;
}

static int run(struct source *source, struct arguments *arguments, struct fault *fault)
{
	int err = resolve(arguments, fault);

	if (err != 0)
		return err;
	if (arguments->check) {
		(void)puts("the configuration is good");
		return 0;
	}
	if (arguments->configs.count > 0) {
		arguments->node.reload = reload;
		arguments->node.reload_ctx = source;
	}
	return node_run(&arguments->node, fault);
}

int node_command(int argc, char *const argv[])
{
	struct source source = {.file = {.command = &command,
					.target_size = sizeof(struct arguments),
					.argc = argc,
					.argv = argv}};
	struct arguments arguments = {0};
	struct fault fault = {0};
	int exit_code = EX_OK;

	if (snapshot_options_append(
		    options, ROWS, offsetof(struct arguments, node.settings)) != 0)
		abort();
	if (config_read(&source.config, &source.file, &fault) != 0)
		return cli_fail(&fault);
	if (cli_parse(&command, source.config.count, source.config.words, &arguments,
		    NULL, &exit_code) &&
		run(&source, &arguments, &fault) != 0)
		exit_code = cli_fail(&fault);
	config_free(&source.config);
	return exit_code;
}
