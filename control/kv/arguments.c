/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/kv/arguments.h"

#include <errno.h>

#include "dataplane/base/log.h"

#define AT(field) .offset = offsetof(struct arguments, field)

static const struct option_spec options[] = {
	{.name = "id",
		.arg = "N",
		.kind = OPTION_U64,
		.required = true,
		.min = 1,
		.max = UINT32_MAX,
		AT(id),
		.help = "this server in the group, never given to another one"},
	{.name = "dir",
		.arg = "DIR",
		.kind = OPTION_STRING,
		.required = true,
		AT(dir),
		.help = "holds log/ and store/; made if its parent exists"},
	{.name = "address",
		.arg = "IP:PORT",
		.kind = OPTION_STRING,
		.required = true,
		AT(address),
		.help = "clients at PORT, libraft at PORT+1, Snapline at PORT+2"},
	{.name = "group",
		.arg = "GROUP",
		.kind = OPTION_STRING,
		.fallback = "kv",
		AT(group),
		.help = "id of the Raft group"},
	{.name = "member",
		.arg = "ID=IP:PORT",
		.kind = OPTION_LIST,
		AT(members),
		.help = "first start of a new group: one for each server"},
	{.name = "join",
		.kind = OPTION_FLAG,
		AT(joins),
		.help = "first start in a group that exists: a new or wiped server"},
	{.name = "snapshot-threshold",
		.arg = "N",
		.kind = OPTION_U64,
		.fallback = "8192",
		.min = 1,
		.max = UINT32_MAX,
		AT(threshold),
		.help = "save after so many log entries"},
	{.name = "snapshot-trailing",
		.arg = "N",
		.kind = OPTION_U64,
		.fallback = "4096",
		.min = 1,
		.max = UINT32_MAX,
		AT(trailing),
		.help = "entries kept behind a snapshot, for slow followers"},
	{.name = "election-timeout",
		.arg = "TIME",
		.kind = OPTION_DURATION,
		.fallback = "1s",
		.min = 100000000,
		.max = 60000000000,
		AT(election_timeout),
		.help = "a leader silent for so long is replaced"},
	{.name = "dev",
		.arg = "DEV",
		.kind = OPTION_LIST,
		AT(devs),
		.help = "DPDK device of the data plane; none: TCP"},
	{.name = "ip",
		.arg = "ADDR/LEN",
		.kind = OPTION_LIST,
		AT(ips),
		.help = "its address and subnet; one a --dev, in order"},
	{.name = "gateway",
		.arg = "ADDR",
		.kind = OPTION_LIST,
		AT(gateways),
		.help = "router for other subnets; one a --dev, or none"},
	{.name = "buffers",
		.arg = "N",
		.kind = OPTION_U64,
		.fallback = "64",
		.min = 4,
		.max = 65536,
		AT(buffers),
		.help = "chunk buffers of 1 MiB a device"},
	{.name = "stall-timeout",
		.arg = "TIME",
		.kind = OPTION_DURATION,
		.fallback = "10s",
		.min = 1000000000,
		.max = 3600000000000,
		AT(stall_timeout),
		.help = "a peer that sends nothing for so long has gone"},
	{.name = "admin",
		.arg = "PATH",
		.kind = OPTION_STRING,
		AT(admin),
		.help = "operator socket, for snapline transfer"},
	{.name = "set",
		.arg = "NAME=VALUE",
		.kind = OPTION_LIST,
		AT(settings),
		.help = "any option of snapshots that snapline node --help lists"},
	{.name = "log-level",
		.arg = "LEVEL",
		.kind = OPTION_STRING,
		.fallback = "info",
		AT(log_level),
		.help = "error, warn, info or debug"},
	{.name = NULL},
};

static const struct option_command command = {
	.name = "snapline-kv",
	.is_program = true,
	.summary =
		"Runs one server of a replicated key-value store that speaks the Redis\n"
		"protocol. SIGTERM ends it; a restart needs neither --member nor\n"
		"--join.\n",
	.options = options,
};

static int check(const struct arguments *arguments, struct fault *fault)
{
	const size_t ndevs = arguments->devs.count;
	enum log_level level;

	if (arguments->members.count > 0 && arguments->joins)
		return fault_set(fault, -EINVAL,
			"--member founds a group, --join enters one: give one of them");
	if (arguments->ips.count != ndevs ||
		(arguments->gateways.count != 0 && arguments->gateways.count != ndevs))
		return fault_set(fault, -EINVAL,
			"give one --ip for every --dev, and as many --gateway or none");
	if (ndevs > ARGUMENTS_DEVICES_MAX)
		return fault_set(fault, -EINVAL, "--dev: at most %d devices",
			ARGUMENTS_DEVICES_MAX);
	if (log_parse_level(arguments->log_level, &level) != 0)
		return fault_set(fault, -EINVAL,
			"--log-level: '%.40s' is none of error, warn, info, debug",
			arguments->log_level);
	log_set_level(level);
	return 0;
}

int arguments_parse(
	int argc, char *const argv[], struct arguments *arguments, struct fault *fault)
{
	struct option_list none;
	int rv = options_parse(&command, argc, argv, arguments, &none, fault);

	if (rv == OPTIONS_HELP)
		options_help(&command, stdout);
	return rv != OPTIONS_RUN ? rv : check(arguments, fault);
}
