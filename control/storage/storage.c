/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/storage/storage.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/storage/file_io.h"
#include "control/storage/layout.h"
#include "control/storage/state.h"
#include "control/storage/temp.h"
#include "control/storage/tree.h"

void storage_options_init(struct storage_options *options)
{
	*options = (struct storage_options){
		.create = true,
		.create_parent_directories = true,
		.sync = true,
		.use_fsync_rather_than_fdatasync = true,
		.chunk_size = MANIFEST_CHUNK_DEFAULT,
	};
}

/* Makes the directory and its entry durable. A path that is there, whatever it is, is
 * left to who opens it. */
static int make_dir(const char *path, struct fault *fault)
{
	char *copy;
	int error = 0;
	int fd;

	if (mkdir(path, 0755) != 0)
		return errno == EEXIST ? 0 : file_fault(fault, -errno, "make", path);
	copy = strdup(path);
	if (copy == NULL)
		return file_fault(fault, -ENOMEM, "make", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) != 0)
		error = file_fault(fault, -errno, "fsync the directory of", path);
	if (fd >= 0)
		close(fd);
	free(copy);
	return error;
}

static int make_parents(const char *path, struct fault *fault)
{
	char *copy = strdup(path);
	int error = 0;

	if (copy == NULL)
		return file_fault(fault, -ENOMEM, "make", path);
	for (char *at = copy + strspn(copy, "/"); error == 0; *at++ = '/') {
		at += strcspn(at, "/");
		if (at[strspn(at, "/")] == '\0')
			break;
		*at = '\0';
		error = make_dir(copy, fault);
	}
	free(copy);
	return error;
}

static int make_store(
	const char *path, const struct storage_options *options, struct fault *fault)
{
	int error = 0;

	if (!options->create)
		return 0;
	if (options->create_parent_directories)
		error = make_parents(path, fault);
	return error == 0 ? make_dir(path, fault) : error;
}

static int open_locked(const char *path, int *opened, struct fault *fault)
{
	int error = 0;
	int fd;

	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return fault_set(
			fault, -ENOENT, "store %s does not exist; check the path", path);
	if (fd < 0)
		return file_fault(fault, -errno, "open the store", path);
	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		error = errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (error == 0) {
		*opened = fd;
		return 0;
	}
	close(fd);
	if (error == -EBUSY)
		return fault_set(fault, error,
			"store %s belongs to another running process; stop that one or "
			"choose another store",
			path);
	return file_fault(fault, error, "lock the store", path);
}

/* Nothing may be deleted before the newest snapshot is known to be good: an older one
 * may be all that is left. */
static int check_newest(int storefd, int64_t index, struct fault *fault)
{
	struct layout_snapshot snapshot = {.storefd = storefd, .index = index};
	struct manifest manifest;
	struct table table;
	char name[LAYOUT_NAME];
	bool has;
	int error;

	error = layout_open(storefd, index, &snapshot.dirfd, fault);
	if (error != 0)
		return error;
	error = layout_load_table(snapshot.dirfd, index, &table, fault);
	if (error != 0)
		goto close_dir;
	snapshot.table = &table;
	error = layout_load_manifest(&snapshot, &manifest, &has, fault);
	if (error == 0)
		manifest_fini(&manifest);
	table_fini(&table);
close_dir:
	close(snapshot.dirfd);
	if (error != 0)
		fault_prefix(fault, "%s", layout_dir(name, index));
	return error;
}

static bool is_listed(const struct layout_list *list, int64_t index)
{
	for (size_t i = 0; i < list->nsnapshots; i++)
		if (list->snapshots[i] == index)
			return true;
	return false;
}

/* Removes what a crash may have left: temp, superseded snapshots, manifests of none. */
static int clean(
	struct storage *storage, const struct layout_list *list, struct fault *fault)
{
	char name[LAYOUT_NAME];
	int error;

	error = temp_recover(storage, fault);
	for (size_t i = 0; i < list->nmanifests && error == 0; i++)
		if (!is_listed(list, list->manifests[i]))
			error = tree_remove(storage->fd,
				layout_manifest(name, list->manifests[i]), fault);
	for (size_t i = 0; i < list->nunfinished && error == 0; i++) {
		layout_manifest(name, list->unfinished[i]);
		strcat(name, ".tmp");
		error = tree_remove(storage->fd, name, fault);
	}
	for (size_t i = 0; i + 1 < list->nsnapshots && error == 0; i++)
		error = state_remove(storage, list->snapshots[i], fault);
	return error;
}

static int recover(struct storage *storage, struct fault *fault)
{
	struct layout_list list;
	char quoted[NAME_QUOTED];
	int error;

	error = layout_list(storage->fd, &list, fault);
	if (error != 0)
		return error;
	if (list.foreign[0] != '\0') {
		error = fault_set(fault, -ENOTEMPTY,
			"this is not a snapshot store: \"%s\" is in it; move that away "
			"or choose another directory",
			name_quote(quoted, sizeof(quoted), list.foreign));
		goto fini_list;
	}
	if (list.nsnapshots > 0) {
		storage->newest = list.snapshots[list.nsnapshots - 1];
		error = check_newest(storage->fd, storage->newest, fault);
	}
	if (error == 0)
		error = clean(storage, &list, fault);
fini_list:
	layout_list_fini(&list);
	return error;
}

int storage_open(
	struct storage **storage, const char *path, bool create, struct fault *fault)
{
	struct storage_options options;

	storage_options_init(&options);
	options.create = create;
	options.create_parent_directories = false;
	return storage_open_options(storage, path, &options, fault);
}

int storage_open_options(struct storage **storage, const char *path,
	const struct storage_options *options, struct fault *fault)
{
	struct storage *made;
	int error;

	error = make_store(path, options, fault);
	if (error != 0)
		return error;
	made = calloc(1, sizeof(*made));
	if (made == NULL)
		return fault_set(fault, -ENOMEM, "no memory for a store");
	made->fd = -1;
	made->options = *options;
	pthread_mutex_init(&made->lock, NULL);
	pthread_mutex_init(&made->computing, NULL);
	made->path = strdup(path);
	if (made->path == NULL) {
		error = fault_set(fault, -ENOMEM, "no memory for a store");
		goto close_storage;
	}
	error = open_locked(path, &made->fd, fault);
	if (error != 0)
		goto close_storage;
	error = recover(made, fault);
	if (error != 0) {
		fault_prefix(fault, "%s", path);
		goto close_storage;
	}
	*storage = made;
	return 0;

close_storage:
	storage_close(made);
	return error;
}

void storage_close(struct storage *storage)
{
	while (storage->refs != NULL) {
		struct state_ref *ref = storage->refs;

		storage->refs = ref->next;
		free(ref);
	}
	if (storage->fd >= 0)
		close(storage->fd);
	pthread_mutex_destroy(&storage->computing);
	pthread_mutex_destroy(&storage->lock);
	free(storage->path);
	free(storage);
}

void storage_set_sync(struct storage *storage, const struct storage_options *options)
{
	pthread_mutex_lock(&storage->lock);
	storage->options.sync = options->sync;
	storage->options.sync_meta = options->sync_meta;
	storage->options.use_fsync_rather_than_fdatasync =
		options->use_fsync_rather_than_fdatasync;
	pthread_mutex_unlock(&storage->lock);
}

const char *storage_path(const struct storage *storage)
{
	return storage->path;
}

int64_t storage_newest_index(struct storage *storage)
{
	int64_t index;

	pthread_mutex_lock(&storage->lock);
	index = storage->newest;
	pthread_mutex_unlock(&storage->lock);
	return index;
}
