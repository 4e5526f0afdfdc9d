/* SPDX-License-Identifier: BSD-3-Clause */
/* Options from a YAML file: each key is an option's name, each value what the option
 * takes; options that may be repeated take a list.
 *
 *     dev: [0000:01:00.0, 0000:01:00.1]
 *     rate: 2Gbit
 *
 * What the command line gives as well counts there, and not in the file. */
#ifndef CONFIG_H
#define CONFIG_H

#include <stddef.h>

#include "dataplane/base/fault.h"
#include "dataplane/base/options.h"

struct config {
	char **words; /* "--name=value", owned; then those of the command line */
	int nowned;
	int count; /* of all */
};

/* The file that --config names on the command line, or NULL. */
const char *config_find(int argc, char *const argv[]);

struct config_source {
	const char *path;
	const struct option_command *command;
	size_t target_size; /* of the struct that the command's options fill */
	int argc;
	char *const *argv;
};

/* Reads the file and puts argv behind it. Returns 0; the errno of the file; -ENOMEM; or
 * -EINVAL: no YAML, a key that is no option, a value that this option does not take. The
 * words must outlive what is parsed from them. */
int config_read(
	struct config *config, const struct config_source *source, struct fault *fault);
void config_free(struct config *config);

#endif
