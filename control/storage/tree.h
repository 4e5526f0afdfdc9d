/* SPDX-License-Identifier: BSD-3-Clause */
/* Directory trees, walked through descriptors so that no symlink is ever followed.
 *
 * Every name is relative to a directory descriptor. Functions fill fault with the path
 * below that directory; the caller puts the directory's own path before it. */
#ifndef TREE_H
#define TREE_H

#include <sys/stat.h>

#include "dataplane/base/fault.h"

/* Opens a relative path; no component may be a symlink. *fd is the caller's. Returns 0 or
 * the errno of openat(2): -ELOOP or -ENOTDIR for a symlink. */
int tree_open(int dirfd, const char *name, int flags, mode_t mode, int *fd,
	struct fault *fault);

/* Makes the directories above name, 0755. Returns 0 or an errno. */
int tree_make_parents(int dirfd, const char *name, struct fault *fault);

/* Removes a file. Returns 0, also when it is not there, or an errno. */
int tree_unlink(int dirfd, const char *name, struct fault *fault);

/* Removes name and all below it. Returns 0, also when it is not there, or an errno. */
int tree_remove(int dirfd, const char *name, struct fault *fault);

struct tree_entry {
	const char *name; /* relative to the walk's start; valid during the call */
	struct stat stat;
};

/* Calls visit for everything below dirfd but directories, in no order; visit_dir (may be
 * NULL) for each directory before what it holds. A visit that returns not 0 ends the
 * walk, and the walk returns it. Returns 0, -EINVAL for more than NAME_DEPTH_MAX levels,
 * or an errno. */
struct tree_visitor {
	int (*visit)(void *ctx, const struct tree_entry *entry, struct fault *fault);
	int (*visit_dir)(void *ctx, const struct tree_entry *entry, struct fault *fault);
	void *ctx;
};
int tree_walk(int dirfd, const struct tree_visitor *visitor, struct fault *fault);

/* fsyncs every directory below dirfd, the deepest first, and dirfd last. Returns 0 or an
 * errno. */
int tree_sync_dirs(int dirfd, struct fault *fault);

#endif
