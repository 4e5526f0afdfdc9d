/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line of snapline-kv. */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H

#include "dataplane/base/options.h"
#include "dataplane/base/units.h"

enum { ARGUMENTS_DEVICES_MAX = 16 };

struct arguments {
	uint64_t id;
	const char *dir;
	const char *address;
	const char *group;
	struct option_list members;
	bool joins;
	struct option_list devs;
	struct option_list ips;
	struct option_list gateways;
	uint64_t buffers;
	nsec stall_timeout;
	const char *admin;
	struct option_list settings;
	uint64_t threshold;
	uint64_t trailing;
	nsec election_timeout;
	const char *log_level;
};

/* Also sets the log level. Returns OPTIONS_RUN, OPTIONS_HELP when the help was printed,
 * or -EINVAL with the fault. */
int arguments_parse(
	int argc, char *const argv[], struct arguments *arguments, struct fault *fault);

#endif
