/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/file/object.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/base/bitmap.h"
#include "dataplane/file/store_file.h"

enum { SYNC_FILES = 32 }; /* more are synced all at once */

struct slot {
	int fd; /* -1: the slot is empty */
	uint32_t file;
	bool writable;
	uint32_t users; /* requests under way; 0: may be closed */
	uint64_t last;  /* tick of the last use */
};

struct store_object {
	const struct manifest *manifest;
	char *path;
	int folder; /* file descriptor */
	struct journal_file *journal;
	_Atomic uint64_t times[OBJECT_WORKS]; /* ns */
	pthread_mutex_t lock;                 /* guards all below */
	uint64_t tick;
	struct slot slots[OBJECT_FDS];
	struct fault fault;
};

static const char *remedy(int error)
{
	switch (error) {
	case -ENOENT:
		return "it was deleted while in use; leave snapshots to `snapline "
		       "snapshot "
		       "prune`, then start the copy again";
	case -ENOSPC:
		return "the disk is full; free space and start again, the copy resumes";
	case -EDQUOT:
		return "the disk quota is used up; raise it and start again, the copy "
		       "resumes";
	case -EIO:
		return "the disk has failed; see `dmesg`";
	case -EMFILE:
	case -ENFILE:
		return "too many open files; raise `ulimit -n`";
	case -ELOOP:
		return "a symbolic link has taken its place; a snapshot holds regular "
		       "files only";
	case -EACCES:
	case -EPERM:
		return "give this user access to the store";
	default:
		return "check the store's disk and permissions";
	}
}

/* Long names are cut so that the remedy is not. */
static int file_fault(struct store_object *object, const struct manifest_extent *extent,
	int error, const char *what)
{
	(void)pthread_mutex_lock(&object->lock);
	(void)fault_set(&object->fault, error, "cannot %s %.100s/%.100s: %s; %s", what,
		object->path, object->manifest->files[extent->file].name,
		strerror(-error), remedy(error));
	(void)pthread_mutex_unlock(&object->lock);
	return error;
}

static int size_fault(
	struct store_object *object, const struct manifest_extent *extent, uint64_t size)
{
	const struct manifest_file *file = &object->manifest->files[extent->file];

	(void)pthread_mutex_lock(&object->lock);
	(void)fault_set(&object->fault, -EBADMSG,
		"%.100s/%.100s has %llu bytes, its manifest says %llu: somebody changed "
		"the snapshot; run `snapline snapshot verify` and make a new one",
		object->path, file->name, (unsigned long long)size,
		(unsigned long long)file->size);
	(void)pthread_mutex_unlock(&object->lock);
	return -EBADMSG;
}

static struct slot *find_slot(struct store_object *object, uint32_t file, bool writable)
{
	for (int i = 0; i < OBJECT_FDS; i++) {
		struct slot *slot = &object->slots[i];

		if (slot->fd >= 0 && slot->file == file && slot->writable >= writable)
			return slot;
	}
	return NULL;
}

/* An empty slot, else the one longest unused; NULL when requests hold all of them. */
static struct slot *find_room(struct store_object *object)
{
	struct slot *oldest = NULL;

	for (int i = 0; i < OBJECT_FDS; i++) {
		struct slot *slot = &object->slots[i];

		if (slot->fd < 0)
			return slot;
		if (slot->users == 0 && (oldest == NULL || slot->last < oldest->last))
			oldest = slot;
	}
	if (oldest != NULL) {
		(void)close(oldest->fd);
		oldest->fd = -1;
	}
	return oldest;
}

static int open_slot(
	struct store_object *object, uint32_t file, bool writable, struct slot **slot)
{
	const char *name = object->manifest->files[file].name;
	int flags = writable ? O_RDWR : O_RDONLY;
	struct slot *room = find_room(object);

	if (room == NULL)
		return -EMFILE;
	/* O_NONBLOCK: should a FIFO have taken the file's place, we do not hang on it */
	room->fd =
		openat(object->folder, name, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (room->fd < 0)
		return -errno;
	room->file = file;
	room->writable = writable;
	room->users = 0;
	*slot = room;
	return 0;
}

static int acquire(
	struct store_object *object, uint32_t file, bool writable, struct slot **slot)
{
	int rc = 0;

	(void)pthread_mutex_lock(&object->lock);
	*slot = find_slot(object, file, writable);
	if (*slot == NULL)
		rc = open_slot(object, file, writable, slot);
	if (rc == 0) {
		(*slot)->users++;
		(*slot)->last = ++object->tick;
	}
	(void)pthread_mutex_unlock(&object->lock);
	return rc;
}

static void release(struct store_object *object, struct slot *slot)
{
	(void)pthread_mutex_lock(&object->lock);
	slot->users--;
	(void)pthread_mutex_unlock(&object->lock);
}

static int check_size(struct store_object *object, const struct manifest_extent *extent,
	const struct slot *slot)
{
	struct stat status;

	if (fstat(slot->fd, &status) != 0)
		return file_fault(object, extent, -errno, "stat");
	if (!S_ISREG(status.st_mode))
		return file_fault(object, extent, -ELOOP, "use");
	if ((uint64_t)status.st_size != object->manifest->files[extent->file].size)
		return size_fault(object, extent, (uint64_t)status.st_size);
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
			return file_fault(object, extent, -errno, "read");
		if (count == 0) /* shrunk since we looked */
			return size_fault(object, extent, extent->file_offset + done);
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
			return file_fault(
				object, extent, count == 0 ? -EIO : -errno, "write");
		done += (uint32_t)count;
	}
	return 0;
}

int object_read(
	struct store_object *object, const struct manifest_extent *extent, uint8_t *bytes)
{
	struct slot *slot;
	int rc = acquire(object, extent->file, false, &slot);

	if (rc != 0)
		return file_fault(object, extent, rc, "open");
	rc = check_size(object, extent, slot);
	if (rc == 0)
		rc = read_all(object, extent, slot->fd, bytes);
	release(object, slot);
	return rc;
}

int object_write(struct store_object *object, const struct manifest_extent *extent,
	const uint8_t *bytes)
{
	struct slot *slot;
	int rc = acquire(object, extent->file, true, &slot);

	if (rc != 0)
		return file_fault(object, extent, rc, "open");
	rc = check_size(object, extent, slot);
	if (rc == 0)
		rc = write_all(object, extent, slot->fd, bytes);
	release(object, slot);
	return rc;
}

static int sync_file(struct store_object *object, uint32_t file)
{
	const struct manifest_extent extent = {.file = file};
	struct slot *slot;
	int rc = acquire(object, file, true, &slot);

	if (rc == 0 && fdatasync(slot->fd) != 0)
		rc = -errno;
	if (rc != 0)
		return file_fault(object, &extent, rc, "sync");
	release(object, slot);
	return 0;
}

/* The files of the chunks by rising position; more than SYNC_FILES: not all of them. */
static uint32_t list_files(const struct manifest *manifest, const uint64_t *chunks,
	uint32_t files[static SYNC_FILES + 1])
{
	struct manifest_cursor cursor;
	struct manifest_extent extent;
	uint32_t count = 0;

	for (uint32_t i = 0; i < manifest->nchunks && count <= SYNC_FILES; i++) {
		if (chunks[i / 64] == 0)
			i |= 63;
		if (i >= manifest->nchunks || !bitmap_test(chunks, i))
			continue;
		manifest_extents(manifest, i, &cursor);
		while (count <= SYNC_FILES &&
			manifest_next_extent(manifest, &cursor, &extent))
			if (count == 0 || files[count - 1] != extent.file)
				files[count++] = extent.file;
	}
	return count;
}

int object_sync(struct store_object *object, const uint64_t *chunks)
{
	uint32_t files[SYNC_FILES + 1];
	uint32_t count = list_files(object->manifest, chunks, files);
	int rc = 0;

	if (count > SYNC_FILES)
		return object_sync_all(object);
	for (uint32_t i = 0; i < count && rc == 0; i++)
		rc = sync_file(object, files[i]);
	return rc;
}

int object_sync_all(struct store_object *object)
{
	int rc;

	if (syncfs(object->folder) == 0)
		return 0;
	rc = -errno;
	(void)pthread_mutex_lock(&object->lock);
	(void)fault_set(&object->fault, rc, "cannot sync the disk of %.200s: %s; %s",
		object->path, strerror(-rc), remedy(rc));
	(void)pthread_mutex_unlock(&object->lock);
	return rc;
}

const struct manifest *object_manifest(const struct store_object *object)
{
	return object->manifest;
}

const char *object_path(const struct store_object *object)
{
	return object->path;
}

int object_folder(const struct store_object *object)
{
	return object->folder;
}

void object_set_journal(struct store_object *object, struct journal_file *journal)
{
	object->journal = journal;
}

struct journal_file *object_journal(const struct store_object *object)
{
	return object->journal;
}

int store_object_open(struct store_object **object, const char *path,
	const struct manifest *manifest, struct fault *fault)
{
	struct store_object *self = calloc(1, sizeof(*self));
	int rc = -ENOMEM;

	if (self == NULL)
		return fault_set(fault, rc, "no memory to open %s", path);
	self->path = strdup(path);
	if (self->path == NULL) {
		(void)fault_set(fault, rc, "no memory to open %s", path);
		goto free_self;
	}
	self->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (self->folder < 0) {
		rc = -errno;
		(void)fault_set(fault, rc, "cannot open %.200s: %s; %s", path,
			strerror(-rc), remedy(rc));
		goto free_path;
	}
	for (int i = 0; i < OBJECT_FDS; i++)
		self->slots[i].fd = -1;
	self->manifest = manifest;
	(void)pthread_mutex_init(&self->lock, NULL);
	*object = self;
	return 0;
free_path:
	free(self->path);
free_self:
	free(self);
	return rc;
}

void store_object_close(struct store_object *object)
{
	for (int i = 0; i < OBJECT_FDS; i++) {
		if (object->slots[i].fd >= 0)
			(void)close(object->slots[i].fd);
	}
	(void)close(object->folder);
	(void)pthread_mutex_destroy(&object->lock);
	free(object->path);
	free(object);
}

void store_object_get_fault(struct store_object *object, struct fault *fault)
{
	(void)pthread_mutex_lock(&object->lock);
	*fault = object->fault;
	(void)pthread_mutex_unlock(&object->lock);
}

void object_count(struct store_object *object, enum object_work work, uint64_t ns)
{
	/* relaxed: a plain count, it orders nothing */
	(void)atomic_fetch_add_explicit(&object->times[work], ns, memory_order_relaxed);
}

static uint64_t counted(const struct store_object *object, enum object_work work)
{
	return atomic_load_explicit(&object->times[work], memory_order_relaxed);
}

void store_object_get_times(const struct store_object *object, struct store_times *times)
{
	times->read = counted(object, OBJECT_READ);
	times->checksum = counted(object, OBJECT_CHECKSUM);
	times->write = counted(object, OBJECT_WRITE);
}
