/* SPDX-License-Identifier: BSD-3-Clause */
/* Options from a YAML file: each key is an option's name, each value what the option
 * takes; options that may be repeated take a list.
 *
 *     dev: [0000:01:00.0, 0000:01:00.1]
 *     rate: 2Gbit
 *
 * Several files, in the order of the command line: what a later one says as well counts
 * there, and not in an earlier one, lists as a whole; the command line counts for most.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include <stddef.h>

#include "dataplane/base/fault.h"
#include "dataplane/base/options.h"

struct config {
	char **words; /* "--name=value" of the files, owned; then the command line's */
	int nowned;
	int count; /* of all */
};

enum { CONFIG_FILES_MAX = 16 };

/* The files that --config names on the command line. Returns their number, at most
 * CONFIG_FILES_MAX + 1. */
int config_find(int argc, char *const argv[], const char *paths[CONFIG_FILES_MAX + 1]);

struct config_source {
	const struct option_command *command;
	size_t target_size; /* of the struct that the command's options fill */
	int argc;
	char *const *argv;
};

/* Reads the files that argv names, if any, and puts argv behind them. Returns 0; the
 * errno of a file; -ENOMEM; or -EINVAL: no YAML, a key that is no option, a value that
 * this option does not take, too many files. The words must outlive what is parsed from
 * them, and argv the words. */
int config_read(
	struct config *config, const struct config_source *source, struct fault *fault);
void config_free(struct config *config);

#endif
