/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/storage/prune.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control/storage/file_io.h"
#include "control/storage/tree.h"
#include "dataplane/manifest.h"

enum { OPEN_DIR = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW };

struct pruning {
	const struct prune_rule *rule;
	char path[PATH_MAX]; /* of the entry at hand */
	struct fault *fault;
};

static int prune_dir(struct pruning *pruning, int fd, int depth, bool *empty);

/* Removes a directory's entry if it has to go. Sets *stays otherwise. */
static int prune_entry(
	struct pruning *pruning, int dirfd, const char *last, int depth, bool *stays)
{
	struct stat st;
	bool empty = false;
	int error;
	int fd;

	if (fstatat(dirfd, last, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return file_fault(pruning->fault, -errno, "look at", pruning->path);
	if (!S_ISDIR(st.st_mode)) {
		*stays = pruning->rule->keep(pruning->rule->ctx, pruning->path, &st);
		if (!*stays && unlinkat(dirfd, last, 0) != 0)
			return file_fault(
				pruning->fault, -errno, "remove", pruning->path);
		return 0;
	}
	/* deeper than any name of a table: nothing in it is to be kept */
	if (depth >= NAME_DEPTH_MAX)
		return tree_remove(dirfd, last, pruning->fault);
	fd = openat(dirfd, last, OPEN_DIR);
	if (fd < 0)
		return file_fault(pruning->fault, -errno, "open", pruning->path);
	error = prune_dir(pruning, fd, depth + 1, &empty);
	*stays = !empty;
	if (error == 0 && empty && unlinkat(dirfd, last, AT_REMOVEDIR) != 0)
		error = file_fault(pruning->fault, -errno, "remove", pruning->path);
	return error;
}

static int prune_entries(struct pruning *pruning, DIR *dir, int depth, bool *empty)
{
	size_t path_len = strlen(pruning->path);
	size_t room = sizeof(pruning->path) - path_len;
	int error = 0;

	*empty = true;
	while (error == 0) {
		const struct dirent *entry;
		bool stays = false;
		int used;

		errno = 0;
		entry = readdir(dir);
		if (entry == NULL)
			return errno == 0 ? 0
					  : file_fault(pruning->fault, -errno, "read",
						    pruning->path);
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		used = snprintf(pruning->path + path_len, room, "%s%s",
			path_len == 0 ? "" : "/", entry->d_name);
		if (used < 0 || (size_t)used >= room)
			error = tree_remove(dirfd(dir), entry->d_name, pruning->fault);
		else
			error = prune_entry(
				pruning, dirfd(dir), entry->d_name, depth, &stays);
		pruning->path[path_len] = '\0';
		if (stays)
			*empty = false;
	}
	return error;
}

/* Closes fd. */
static int prune_dir(struct pruning *pruning, int fd, int depth, bool *empty)
{
	DIR *dir = fdopendir(fd);
	int error;

	if (dir == NULL) {
		error = file_fault(pruning->fault, -errno, "read", pruning->path);
		close(fd);
		return error;
	}
	error = prune_entries(pruning, dir, depth, empty);
	closedir(dir);
	return error;
}

int prune_tree(int dirfd, const struct prune_rule *rule, struct fault *fault)
{
	struct pruning pruning = {.rule = rule, .fault = fault};
	int fd = openat(dirfd, ".", OPEN_DIR);
	bool empty;

	if (fd < 0)
		return file_fault(fault, -errno, "open", ".");
	return prune_dir(&pruning, fd, 0, &empty);
}
