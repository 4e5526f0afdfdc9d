/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/storage/file_io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/base/units.h"
#include "dataplane/manifest.h"

static const char *remedy(int error)
{
	static const struct {
		int error;
		const char *text;
	} remedies[] = {
		{-ENOSPC, "; free space on that file system and try again"},
		{-EDQUOT, "; free space in your quota and try again"},
		{-EACCES, "; check owner and mode"},
		{-EPERM, "; check owner, mode and attributes"},
		{-EROFS, "; remount the file system for writing"},
		{-EMFILE, "; raise the limit of open files (ulimit -n)"},
		{-EIO, "; check the disk (dmesg)"},
		{-ELOOP, "; symbolic links are not followed"},
	};

	for (size_t i = 0; i < ARRAY_LEN(remedies); i++)
		if (remedies[i].error == error)
			return remedies[i].text;
	return "";
}

int file_fault(struct fault *fault, int error, const char *verb, const char *name)
{
	char quoted[NAME_QUOTED];
	const char *text = strerrordesc_np(-error);

	return fault_set(fault, error, "cannot %s %s: %s%s", verb,
		name_quote(quoted, sizeof(quoted), name),
		text != NULL ? text : "unknown error", remedy(error));
}

int file_write(int fd, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len > 0) {
		ssize_t done = write(fd, at, len);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		at += done;
		len -= (size_t)done;
	}
	return 0;
}

int file_read(int fd, void *bytes, size_t len, uint64_t offset)
{
	char *at = bytes;

	while (len > 0) {
		ssize_t done = pread(fd, at, len, (off_t)offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		if (done == 0)
			return -ENODATA;
		at += done;
		len -= (size_t)done;
		offset += (uint64_t)done;
	}
	return 0;
}

/* Reads what fstat says is there. */
static int load_fd(int fd, size_t max, uint8_t **bytes, size_t *len)
{
	struct stat st;
	uint8_t *buf;
	int error;

	if (fstat(fd, &st) != 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > max)
		return -EBADMSG;
	buf = malloc((size_t)st.st_size + 1);
	if (buf == NULL)
		return -ENOMEM;
	error = file_read(fd, buf, (size_t)st.st_size, 0);
	if (error != 0) {
		free(buf);
		return error;
	}
	*bytes = buf;
	*len = (size_t)st.st_size;
	return 0;
}

int file_load(int dirfd, const char *name, size_t max, uint8_t **bytes, size_t *len,
	struct fault *fault)
{
	int error;
	int fd;

	/* O_NONBLOCK: a fifo of that name must not hold us up. */
	fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return file_fault(fault, -errno, "open", name);
	error = load_fd(fd, max, bytes, len);
	close(fd);
	if (error == -EBADMSG)
		return fault_set(fault, error,
			"%s is not a regular file of at most %zu bytes", name, max);
	if (error != 0)
		return file_fault(fault, error, "read", name);
	return 0;
}

int file_sync(int fd, enum file_sync how)
{
	int rv = 0;

	if (how == FILE_SYNC_FULL)
		rv = fsync(fd);
	else if (how == FILE_SYNC_DATA)
		rv = fdatasync(fd);
	return rv == 0 ? 0 : -errno;
}

/* Writes and syncs a new file. */
static int write_new(int dirfd, const char *name, const struct file_image *image)
{
	int error;
	int fd;

	fd = openat(
		dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	error = file_write(fd, image->bytes, image->len);
	if (error == 0)
		error = file_sync(fd, image->sync);
	/* NFS and quotas may report a lost write as late as here. */
	if (close(fd) != 0 && error == 0)
		error = -errno;
	return error;
}

int file_save(
	int dirfd, const char *name, const struct file_image *image, struct fault *fault)
{
	char temporary[NAME_MAX + 1];
	int used = snprintf(temporary, sizeof(temporary), "%s.tmp", name);
	int error;

	if (used < 0 || (size_t)used >= sizeof(temporary))
		return file_fault(fault, -ENAMETOOLONG, "write", name);
	error = write_new(dirfd, temporary, image);
	if (error == 0 && renameat(dirfd, temporary, dirfd, name) != 0)
		error = -errno;
	if (error == 0)
		return 0;
	(void)unlinkat(dirfd, temporary, 0);
	return file_fault(fault, error, "write", name);
}
