/* SPDX-License-Identifier: BSD-3-Clause */
/* Takes out of a directory tree what does not belong there. */
#ifndef PRUNE_H
#define PRUNE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "dataplane/base/fault.h"

struct prune_rule {
	/* name is relative to the start. Never asked about directories. */
	bool (*keep)(void *ctx, const char *name, const struct stat *st);
	void *ctx;
};

/* Removes everything below dirfd that keep refuses, and all directories that end up
 * empty. Symbolic links are not followed. Returns 0 or an errno. */
int prune_tree(int dirfd, const struct prune_rule *rule, struct fault *fault);

#endif
