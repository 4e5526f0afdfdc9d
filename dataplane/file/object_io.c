/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads and writes one file's bytes of a chunk. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "dataplane/file/object_state.h"

int object_check_size(
	struct store_object *object, const struct manifest_extent *extent, int fd)
{
	struct stat status;

	if (fstat(fd, &status) != 0)
		return object_file_fault(object, extent, -errno, "stat");
	if (!S_ISREG(status.st_mode))
		return object_file_fault(object, extent, -ELOOP, "use");
	if ((uint64_t)status.st_size != object->manifest->files[extent->file].size)
		return object_size_fault(object, extent, (uint64_t)status.st_size);
	return 0;
}

static int read_all(struct store_object *object, const struct manifest_extent *extent,
	int fd, uint8_t *bytes)
{
	uint32_t done = 0;

	while (done < extent->len) {
		ssize_t count = pread(fd, bytes + done, extent->len - done,
			(off_t)(extent->file_offset + done));

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return object_file_fault(object, extent, -errno, "read");
		if (count == 0) /* shrunk since we looked */
			return object_size_fault(
				object, extent, extent->file_offset + done);
		done += (uint32_t)count;
	}
	return 0;
}

static int write_all(struct store_object *object, const struct manifest_extent *extent,
	int fd, const uint8_t *bytes)
{
	uint32_t done = 0;

	while (done < extent->len) {
		ssize_t count = pwrite(fd, bytes + done, extent->len - done,
			(off_t)(extent->file_offset + done));

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return object_file_fault(
				object, extent, count == 0 ? -EIO : -errno, "write");
		done += (uint32_t)count;
	}
	return 0;
}

/* A packed file is opened, read and closed again, in three system calls: one byte more
 * than there should be is asked for, so that nothing but what came tells its size. */
static int read_packed(
	struct store_object *object, const struct manifest_extent *extent, uint8_t *bytes)
{
	const char *name = object->manifest->files[extent->file].name;
	uint8_t beyond;
	const struct iovec parts[] = {{bytes, extent->len}, {&beyond, 1}};
	/* O_NONBLOCK: should a FIFO have taken the file's place, we do not hang on it */
	int fd = openat(
		object->folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	int rc = 0;

	if (fd < 0)
		return object_file_fault(object, extent, -errno, "open");
	if (preadv(fd, parts, 2, 0) != (ssize_t)extent->len) {
		rc = object_check_size(object, extent, fd);
		if (rc == 0)
			rc = read_all(object, extent, fd, bytes);
	}
	(void)close(fd);
	return rc;
}

/* What has the name already is not ours to write to: it may be linked, or no file. */
static int create(const struct store_object *object, const struct manifest_file *file)
{
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	mode_t mode = (file->mode & 0777) | 0600; /* until it is committed */
	int fd = openat(object->folder, file->name, flags, mode);

	if (fd < 0 && errno == EEXIST && unlinkat(object->folder, file->name, 0) == 0)
		fd = openat(object->folder, file->name, flags, mode);
	return fd < 0 ? -errno : fd;
}

/* A packed file comes whole, so it is made when it comes: nobody had to before. */
static int write_packed(struct store_object *object, const struct manifest_extent *extent,
	const uint8_t *bytes)
{
	int fd = create(object, &object->manifest->files[extent->file]);
	int rc;

	if (fd < 0)
		return object_file_fault(object, extent, fd, "create");
	rc = write_all(object, extent, fd, bytes);
	/* NFS and quotas may report a lost write as late as here */
	if (close(fd) != 0 && rc == 0)
		rc = object_file_fault(object, extent, -errno, "write");
	return rc;
}

int object_read(
	struct store_object *object, const struct manifest_extent *extent, uint8_t *bytes)
{
	struct slot *slot;
	int rc;

	if (object_is_packed(object, extent->file))
		return read_packed(object, extent, bytes);
	rc = object_acquire(object, extent->file, SLOT_READ, &slot);
	if (rc != 0)
		return object_file_fault(object, extent, rc, "open");
	rc = object_check_size(object, extent, slot->fd);
	if (rc == 0)
		rc = read_all(object, extent, slot->fd, bytes);
	object_release(object, slot);
	return rc;
}

int object_write(struct store_object *object, const struct manifest_extent *extent,
	const uint8_t *bytes)
{
	struct slot *slot;
	int rc;

	if (object_is_packed(object, extent->file))
		return write_packed(object, extent, bytes);
	rc = object_acquire(object, extent->file, SLOT_WRITE, &slot);
	if (rc != 0)
		return object_file_fault(object, extent, rc, "open");
	rc = object_check_size(object, extent, slot->fd);
	if (rc == 0)
		rc = write_all(object, extent, slot->fd, bytes);
	object_release(object, slot);
	return rc;
}
