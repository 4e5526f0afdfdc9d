/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/storage/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/storage/file_io.h"
#include "control/storage/tree.h"
#include "dataplane/base/units.h"

enum { BUFFER = 1 << 20 };

int copy_init(struct copy *copy, struct fault *fault)
{
	copy->buf = malloc(BUFFER);
	if (copy->buf == NULL)
		return fault_set(fault, -ENOMEM, "no memory for a copy buffer");
	return 0;
}

void copy_fini(struct copy *copy)
{
	free(copy->buf);
}

static int changed(struct fault *fault, const struct manifest_file *file)
{
	char quoted[NAME_QUOTED];

	return fault_set(fault, -EBUSY,
		"%s changed while it was read; stop what writes to it and try again",
		name_quote(quoted, sizeof(quoted), file->name));
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int copy_run(struct copy *copy, const int fds[static 2], off_t from, off_t to)
{
	while (from < to) {
		size_t len = (size_t)u64_min((uint64_t)(to - from), BUFFER);
		int error = file_read(fds[0], copy->buf, len, (uint64_t)from);

		if (error != 0)
			return error;
		if (lseek(fds[1], from, SEEK_SET) < 0)
			return -errno;
		error = file_write(fds[1], copy->buf, len);
		if (error != 0)
			return error;
		from += (off_t)len;
		copy->copied(copy->ctx, len);
	}
	return 0;
}

/* Copies the runs of data and leaves the rest holes. */
static int copy_bytes(struct copy *copy, const int fds[static 2], off_t size)
{
	off_t at = 0;

	if (ftruncate(fds[1], size) != 0)
		return -errno;
	while (at < size) {
		off_t data = lseek(fds[0], at, SEEK_DATA);
		off_t hole;
		int error;

		if (data < 0 && errno != ENXIO)
			return -errno;
		if (data < 0 || data > size)
			data = size;
		copy->copied(copy->ctx, (uint64_t)(data - at));
		if (data == size)
			return 0;
		hole = lseek(fds[0], data, SEEK_HOLE);
		if (hole < 0)
			return errno == ENXIO ? -ENODATA : -errno;
		if (hole > size)
			hole = size;
		error = copy_run(copy, fds, data, hole);
		if (error != 0)
			return error;
		at = hole;
	}
	return 0;
}

static int fill(struct copy *copy, const int fds[static 2],
	const struct manifest_file *file, struct fault *fault)
{
	struct stat before, after;
	int error = 0;

	if (fstat(fds[0], &before) != 0)
		return file_fault(fault, -errno, "look at", file->name);
	if (!S_ISREG(before.st_mode) || (uint64_t)before.st_size != file->size)
		return changed(fault, file);
	/* A reflink is as good as a copy and moves no byte; most file systems have none.
	 */
	if (ioctl(fds[1], FICLONE, fds[0]) == 0)
		copy->copied(copy->ctx, file->size);
	else
		error = copy_bytes(copy, fds, before.st_size);
	if (error == -ENODATA)
		return changed(fault, file);
	if (error == 0 && (fchmod(fds[1], (file->mode & 0777) | S_IRUSR) != 0 ||
				  fstat(fds[0], &after) != 0))
		error = -errno;
	if (error != 0)
		return file_fault(fault, error, "copy", file->name);
	return same_file(&before, &after) ? 0 : changed(fault, file);
}

static int copy_open(
	struct copy *copy, const struct manifest_file *file, struct fault *fault)
{
	int fds[2];
	int error;

	error = tree_open(
		copy->from, file->name, O_RDONLY | O_NONBLOCK, 0, &fds[0], fault);
	if (error != 0)
		return error;
	error = tree_open(
		copy->to, file->name, O_WRONLY | O_CREAT | O_EXCL, 0600, &fds[1], fault);
	if (error != 0)
		goto close_from;
	error = fill(copy, fds, file, fault);
	if (close(fds[1]) != 0 && error == 0)
		error = file_fault(fault, -errno, "copy", file->name);
close_from:
	close(fds[0]);
	return error;
}

/* Links the very file that has been looked at, not what its name may mean by now. */
static int link_fd(
	struct copy *copy, int fd, const struct manifest_file *file, struct fault *fault)
{
	char self[64];
	struct stat st;

	if (fstat(fd, &st) != 0)
		return file_fault(fault, -errno, "look at", file->name);
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != file->size)
		return changed(fault, file);
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, self, copy->to, file->name, AT_SYMLINK_FOLLOW) != 0) {
		if (errno == EXDEV)
			return fault_set(fault, -EXDEV,
				"%s is on another file system than the store: it cannot "
				"be "
				"hard-linked; leave out --link",
				file->name);
		return file_fault(fault, -errno, "hard-link", file->name);
	}
	copy->copied(copy->ctx, file->size);
	return 0;
}

static int copy_link(
	struct copy *copy, const struct manifest_file *file, struct fault *fault)
{
	int error;
	int fd;

	error = tree_open(copy->from, file->name, O_RDONLY | O_NONBLOCK, 0, &fd, fault);
	if (error != 0)
		return error;
	error = link_fd(copy, fd, file, fault);
	close(fd);
	return error;
}

int copy_file(struct copy *copy, const struct manifest_file *file, struct fault *fault)
{
	int error = tree_make_parents(copy->to, file->name, fault);

	if (error != 0)
		return error;
	return copy->link ? copy_link(copy, file, fault) : copy_open(copy, file, fault);
}
