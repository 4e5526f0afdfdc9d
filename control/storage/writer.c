/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/storage/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/storage/file_io.h"
#include "control/storage/state.h"
#include "control/storage/temp.h"
#include "control/storage/tree.h"
#include "dataplane/base/log.h"

static bool begin(struct storage *storage)
{
	bool begun;

	pthread_mutex_lock(&storage->lock);
	begun = !storage->writing;
	storage->writing = true;
	pthread_mutex_unlock(&storage->lock);
	return begun;
}

static void end(struct storage *storage)
{
	pthread_mutex_lock(&storage->lock);
	storage->writing = false;
	pthread_mutex_unlock(&storage->lock);
}

static int empty_temp(const struct storage *storage, struct fault *fault)
{
	int error = tree_remove(storage->fd, TEMP_NAME, fault);

	if (error == 0 && mkdirat(storage->fd, TEMP_NAME, 0755) != 0)
		error = file_fault(fault, -errno, "make", TEMP_NAME);
	return error;
}

/* How much of what an earlier attempt left is of use. */
enum reuse { REUSE_NOTHING, REUSE_JOURNALLED, REUSE_ALL };

static bool load_temp(struct storage *storage, enum reuse reuse, struct table *table)
{
	if (reuse == REUSE_NOTHING ||
		(reuse == REUSE_JOURNALLED && !temp_has_journal(storage->fd)))
		return false;
	return temp_load(storage->fd, table) == 0;
}

static int create(struct storage *storage, enum reuse reuse,
	struct storage_writer **writer, struct fault *fault)
{
	struct storage_writer *made;
	bool found;
	int error;

	if (!begin(storage))
		return fault_set(fault, -EBUSY,
			"store %s is receiving or saving another snapshot; wait for its "
			"end",
			storage->path);
	made = calloc(1, sizeof(*made));
	if (made == NULL ||
		asprintf(&made->path, "%s/%s", storage->path, TEMP_NAME) < 0) {
		error = fault_set(fault, -ENOMEM, "no memory for a snapshot");
		goto end_writing;
	}
	made->storage = storage;
	table_init(&made->table);
	found = load_temp(storage, reuse, &made->table);
	made->keep = found || reuse == REUSE_ALL;
	error = found ? 0 : empty_temp(storage, fault);
	if (error != 0) {
		fault_prefix(fault, "%s", storage->path);
		free(made->path);
		goto end_writing;
	}
	*writer = made;
	return 0;

end_writing:
	free(made);
	end(storage);
	return error;
}

int storage_create(
	struct storage *storage, struct storage_writer **writer, struct fault *fault)
{
	return create(storage, REUSE_NOTHING, writer, fault);
}

int storage_create_copy(
	struct storage *storage, struct storage_writer **writer, struct fault *fault)
{
	bool all = storage->options.filter_before_copy_remote;

	return create(storage, all ? REUSE_ALL : REUSE_JOURNALLED, writer, fault);
}

void writer_free(struct storage_writer *writer)
{
	end(writer->storage);
	table_fini(&writer->table);
	free(writer->have);
	free(writer->believed);
	free(writer->path);
	free(writer);
}

/* A journal says what of the files is on the disk, and the table of the beginning lists
 * them: as after a kill, there is nothing to write, which a full disk could refuse, and
 * nothing to wait for: syncfs is as slow as all that others have written. Without one the
 * table must not tell of files that a power cut may yet take away, for nobody could tell
 * them from complete ones. */
static bool keep_temp(const struct storage_writer *writer)
{
	int storefd = writer->storage->fd;

	if (!writer->keep)
		return false;
	if (temp_has_journal(storefd))
		return true;
	if (state_options(writer->storage).sync && syncfs(storefd) != 0)
		return false;
	return temp_save(storefd, &writer->table) == 0;
}

void storage_abort(struct storage_writer *writer)
{
	struct fault fault = {0};

	if (keep_temp(writer)) {
		writer_free(writer);
		return;
	}
	/* What stays is removed by the next storage_create or storage_open. */
	if (tree_remove(writer->storage->fd, TEMP_NAME, &fault) != 0)
		log_line(LOG_WARN, "storage", "event=temp_stays path=%s err=\"%s\"",
			writer->path, fault.text);
	writer_free(writer);
}

int writer_empty_temp(const struct storage_writer *writer, struct fault *fault)
{
	return empty_temp(writer->storage, fault);
}

int writer_open_temp(const struct storage_writer *writer, int *dirfd, struct fault *fault)
{
	int fd = openat(writer->storage->fd, TEMP_NAME,
		O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return file_fault(fault, -errno, "open", writer->path);
	*dirfd = fd;
	return 0;
}
