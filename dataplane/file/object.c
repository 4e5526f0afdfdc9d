/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/file/object.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/file/object_state.h"
#include "dataplane/file/store_file.h"

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
int object_file_fault(struct store_object *object, const struct manifest_extent *extent,
	int error, const char *what)
{
	(void)pthread_mutex_lock(&object->lock);
	(void)fault_set(&object->fault, error, "cannot %s %.100s/%.100s: %s; %s", what,
		object->path, object->manifest->files[extent->file].name,
		strerror(-error), remedy(error));
	(void)pthread_mutex_unlock(&object->lock);
	return error;
}

int object_size_fault(
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

int object_disk_fault(struct store_object *object, int error)
{
	(void)pthread_mutex_lock(&object->lock);
	(void)fault_set(&object->fault, error, "cannot sync the disk of %.200s: %s; %s",
		object->path, strerror(-error), remedy(error));
	(void)pthread_mutex_unlock(&object->lock);
	return error;
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
	object_look_for_direct(self);
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
