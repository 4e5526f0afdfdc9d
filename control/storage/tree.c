/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/storage/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control/storage/file_io.h"
#include "dataplane/manifest.h"

enum { OPEN_DIR = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW };

/* Cuts the first component off *name, which is not empty. Returns false when it is the
 * last one, which stays in *name. */
static bool next_component(const char **name, char component[static NAME_MAX + 1])
{
	size_t len = strcspn(*name, "/");

	if ((*name)[len] == '\0' || len > NAME_MAX)
		return false;
	memcpy(component, *name, len);
	component[len] = '\0';
	*name += len + 1;
	return true;
}

/* Opens the directory that holds name, making what is missing when make is set. *fd is
 * dirfd itself for a name without a directory. */
static int open_parent(int dirfd, const char **name, bool make, int *fd)
{
	char component[NAME_MAX + 1];
	int at = dirfd;

	while (next_component(name, component)) {
		int error = 0;
		int below = -1;

		if (make && mkdirat(at, component, 0755) != 0 && errno != EEXIST)
			error = -errno;
		if (error == 0) {
			below = openat(at, component, OPEN_DIR);
			error = below < 0 ? -errno : 0;
		}
		if (at != dirfd)
			close(at);
		if (error != 0)
			return error;
		at = below;
	}
	*fd = at;
	return 0;
}

int tree_open(
	int dirfd, const char *name, int flags, mode_t mode, int *fd, struct fault *fault)
{
	const char *last = name;
	int parent;
	int opened;
	int error;

	error = open_parent(dirfd, &last, false, &parent);
	if (error != 0)
		return file_fault(fault, error, "open", name);
	opened = openat(parent, last, flags | O_CLOEXEC | O_NOFOLLOW, mode);
	error = opened < 0 ? -errno : 0;
	if (parent != dirfd)
		close(parent);
	if (error != 0)
		return file_fault(fault, error, "open", name);
	*fd = opened;
	return 0;
}

int tree_make_parents(int dirfd, const char *name, struct fault *fault)
{
	const char *last = name;
	int parent;
	int error;

	error = open_parent(dirfd, &last, true, &parent);
	if (error != 0)
		return file_fault(fault, error, "make the directories of", name);
	if (parent != dirfd)
		close(parent);
	return 0;
}

int tree_unlink(int dirfd, const char *name, struct fault *fault)
{
	const char *last = name;
	int parent;
	int error;

	error = open_parent(dirfd, &last, false, &parent);
	if (error == -ENOENT)
		return 0;
	if (error != 0)
		return file_fault(fault, error, "remove", name);
	if (unlinkat(parent, last, 0) != 0 && errno != ENOENT)
		error = file_fault(fault, -errno, "remove", name);
	if (parent != dirfd)
		close(parent);
	return error;
}

struct walk {
	const struct tree_visitor *visitor;
	char path[PATH_MAX]; /* of the entry at hand, below the start */
	struct fault *fault;
};

static int walk_dir(struct walk *walk, int fd, size_t path_len, int depth);

static int too_deep(struct fault *fault, const char *path)
{
	char quoted[NAME_QUOTED];

	return fault_set(fault, -EINVAL,
		"directory %s is nested too deeply: a name in a snapshot has %d parts at "
		"most, move it up",
		name_quote(quoted, sizeof(quoted), path), NAME_DEPTH_MAX);
}

static int walk_entry(struct walk *walk, int dirfd, size_t path_len, int depth)
{
	const struct tree_visitor *visitor = walk->visitor;
	struct tree_entry entry = {.name = walk->path};
	const char *last = walk->path + (path_len == 0 ? 0 : path_len + 1);
	int error = 0;
	int fd;

	if (fstatat(dirfd, last, &entry.stat, AT_SYMLINK_NOFOLLOW) != 0)
		return file_fault(walk->fault, -errno, "look at", walk->path);
	if (!S_ISDIR(entry.stat.st_mode))
		return visitor->visit(visitor->ctx, &entry, walk->fault);
	if (visitor->visit_dir != NULL)
		error = visitor->visit_dir(visitor->ctx, &entry, walk->fault);
	if (error != 0)
		return error;
	if (depth >= NAME_DEPTH_MAX)
		return too_deep(walk->fault, walk->path);
	fd = openat(dirfd, last, OPEN_DIR);
	if (fd < 0)
		return file_fault(walk->fault, -errno, "open", walk->path);
	return walk_dir(walk, fd, strlen(walk->path), depth + 1);
}

static bool is_dot(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Visits what the directory holds. Closes fd. */
static int walk_dir(struct walk *walk, int fd, size_t path_len, int depth)
{
	DIR *dir = fdopendir(fd);
	const struct dirent *entry;
	int error = 0;

	if (dir == NULL) {
		error = file_fault(walk->fault, -errno, "read", walk->path);
		close(fd);
		return error;
	}
	while (error == 0) {
		int used;

		errno = 0;
		entry = readdir(dir);
		if (entry == NULL) {
			if (errno != 0)
				error = file_fault(
					walk->fault, -errno, "read", walk->path);
			break;
		}
		if (is_dot(entry->d_name))
			continue;
		used = snprintf(walk->path + path_len, sizeof(walk->path) - path_len,
			"%s%s", path_len == 0 ? "" : "/", entry->d_name);
		if (used < 0 || (size_t)used >= sizeof(walk->path) - path_len)
			error = file_fault(
				walk->fault, -ENAMETOOLONG, "visit", walk->path);
		else
			error = walk_entry(walk, dirfd(dir), path_len, depth);
		walk->path[path_len] = '\0';
	}
	closedir(dir);
	return error;
}

int tree_walk(int dirfd, const struct tree_visitor *visitor, struct fault *fault)
{
	struct walk walk = {.visitor = visitor, .fault = fault};
	int fd = openat(dirfd, ".", OPEN_DIR);

	if (fd < 0)
		return file_fault(fault, -errno, "open", ".");
	return walk_dir(&walk, fd, 0, 0);
}

/* What is done to a directory's entries on the way back up. */
struct ascent {
	bool remove; /* everything; else: fsync directories */
	struct fault *fault;
};

static int ascend(const struct ascent *ascent, int fd, int depth);

static int ascend_entry(
	const struct ascent *ascent, int dirfd, const char *name, int depth)
{
	int error = 0;
	int fd;

	fd = openat(dirfd, name, OPEN_DIR);
	if (fd >= 0) {
		if (depth >= 2 * NAME_DEPTH_MAX) {
			close(fd);
			return file_fault(ascent->fault, -ELOOP, "descend into", name);
		}
		error = ascend(ascent, fd, depth + 1);
	} else if (errno == ENOENT) {
		return 0; /* another thread removes the same */
	} else if (errno != ENOTDIR && errno != ELOOP) {
		error = file_fault(ascent->fault, -errno, "open", name);
	}
	if (error == 0 && ascent->remove &&
		unlinkat(dirfd, name, fd >= 0 ? AT_REMOVEDIR : 0) != 0 && errno != ENOENT)
		error = file_fault(ascent->fault, -errno, "remove", name);
	return error;
}

/* Closes fd. */
static int ascend(const struct ascent *ascent, int fd, int depth)
{
	DIR *dir = fdopendir(fd);
	const struct dirent *entry;
	int error = 0;

	if (dir == NULL) {
		error = file_fault(ascent->fault, -errno, "read", "a directory");
		close(fd);
		return error;
	}
	while (error == 0) {
		errno = 0;
		entry = readdir(dir);
		if (entry == NULL) {
			if (errno != 0)
				error = file_fault(
					ascent->fault, -errno, "read", "a directory");
			break;
		}
		/* A file has nothing to sync here: do not even open it. */
		if (is_dot(entry->d_name) ||
			(!ascent->remove && entry->d_type != DT_DIR &&
				entry->d_type != DT_UNKNOWN))
			continue;
		error = ascend_entry(ascent, dirfd(dir), entry->d_name, depth);
	}
	if (error == 0 && !ascent->remove && fsync(dirfd(dir)) != 0)
		error = file_fault(ascent->fault, -errno, "fsync", "a directory");
	closedir(dir);
	return error;
}

int tree_remove(int dirfd, const char *name, struct fault *fault)
{
	struct ascent ascent = {.remove = true, .fault = fault};
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? 0 : file_fault(fault, -errno, "look at", name);
	return ascend_entry(&ascent, dirfd, name, 0);
}

int tree_sync_dirs(int dirfd, struct fault *fault)
{
	struct ascent ascent = {.remove = false, .fault = fault};
	int fd = openat(dirfd, ".", OPEN_DIR);

	if (fd < 0)
		return file_fault(fault, -errno, "open", ".");
	return ascend(&ascent, fd, 0);
}
