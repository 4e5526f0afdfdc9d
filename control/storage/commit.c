/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/snapshot_meta.h"
#include "control/storage/entry.h"
#include "control/storage/file_io.h"
#include "control/storage/layout.h"
#include "control/storage/pbfile.h"
#include "control/storage/prune.h"
#include "control/storage/seal.h"
#include "control/storage/state.h"
#include "control/storage/storage.h"
#include "control/storage/tree.h"
#include "control/storage/writer.h"
#include "dataplane/base/bitmap.h"
#include "dataplane/journal.h"
#include "dataplane/manifest_codec.h"

enum { FSYNC_MAX = 256 }; /* files that are fsynced one by one */

/* What the steps of one commit share. */
struct commit {
	struct storage *storage;
	struct storage_options options;
	const struct table *table;
	const uint8_t *manifest_bytes; /* NULL: none */
	size_t manifest_len;
	struct manifest manifest; /* decoded; empty when there is none */
	int dirfd;                /* of temp */
	uint64_t *finished;       /* files of the table whose mode was seen to be right */
};

int commit_check_order(
	struct storage *storage, const struct table *table, struct fault *fault)
{
	int64_t newest = storage_newest_index(storage);
	int64_t index = table->meta.index;

	if (!table->has_meta || index < 1)
		return fault_set(fault, -EINVAL,
			"the snapshot's table does not say a valid index");
	if (index == newest)
		return fault_set(fault, -EEXIST,
			"store %s has a snapshot of index %lld already", storage->path,
			(long long)index);
	if (index < newest)
		return fault_set(fault, -ESTALE,
			"store %s has a newer snapshot, of index %lld; %lld would go "
			"back",
			storage->path, (long long)newest, (long long)index);
	return 0;
}

/* How the bytes of a user's file become durable. */
static enum file_sync how_to_sync(const struct commit *commit)
{
	if (!commit->options.sync)
		return FILE_SYNC_NONE;
	return commit->options.use_fsync_rather_than_fdatasync ? FILE_SYNC_FULL
							       : FILE_SYNC_DATA;
}

static bool syncs_meta(const struct commit *commit)
{
	return commit->options.sync || commit->options.sync_meta;
}

static int read_manifest(struct commit *commit, struct fault *fault)
{
	int error;

	if (commit->manifest_bytes == NULL)
		return 0;
	error = manifest_decode(
		&commit->manifest, commit->manifest_bytes, commit->manifest_len, fault);
	if (error != 0)
		return error;
	return layout_compare(commit->table, &commit->manifest, fault);
}

/* Into temp when the table lists it; a snapshot that braft made has no room for it, and
 * keeps it beside. */
static int write_manifest(struct commit *commit, struct fault *fault)
{
	struct file_image image = {
		.bytes = commit->manifest_bytes,
		.len = commit->manifest_len,
		.sync = how_to_sync(commit),
	};
	char name[LAYOUT_NAME];
	bool inside = table_find(commit->table, MANIFEST_NAME) != NULL;

	if (commit->manifest_bytes == NULL)
		return 0;
	return file_save(inside ? commit->dirfd : commit->storage->fd,
		inside ? MANIFEST_NAME : layout_manifest(name, commit->table->meta.index),
		&image, fault);
}

/* The owner keeps the right to read, or the snapshot could never be served. */
static bool is_mode_right(const struct commit *commit, const char *name,
	const struct stat *st, mode_t *want)
{
	const struct manifest_file *file = manifest_find(&commit->manifest, name);

	*want = file != NULL ? (file->mode & 0777) | S_IRUSR : st->st_mode & 0777;
	return (st->st_mode & 0777) == *want;
}

static int set_mode(const struct commit *commit, int fd, const char *name)
{
	struct stat st;
	mode_t mode;

	if (fstat(fd, &st) != 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	/* A hard link is left alone when it is right already. */
	if (!is_mode_right(commit, name, &st, &mode) && fchmod(fd, mode) != 0)
		return -errno;
	return 0;
}

/* Sets the mode and asks the kernel to begin writing. The fsyncs that follow then find
 * most of the work done, instead of waiting for the disk once a file. The request is a
 * hint: its errors come back from fsync. */
static int finish_file(
	const struct commit *commit, const struct table_file *entry, struct fault *fault)
{
	const char *name = entry->name;
	struct fault inner = {0};
	int error;
	int fd;

	error = tree_open(commit->dirfd, name, O_RDONLY | O_NONBLOCK, 0, &fd, &inner);
	if (error == -ENOENT && entry_is_reference(entry))
		return 0;
	if (error != 0)
		return fault_set(fault, error, "%s", inner.text);
	error = set_mode(commit, fd, name);
	if (error == 0 && commit->options.sync)
		(void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	close(fd);
	return error != 0 ? file_fault(fault, error, "finish", name) : 0;
}

static int sync_file(
	const struct commit *commit, const struct table_file *entry, struct fault *fault)
{
	const char *name = entry->name;
	struct fault inner = {0};
	int error;
	int fd;

	error = tree_open(commit->dirfd, name, O_RDONLY | O_NONBLOCK, 0, &fd, &inner);
	if (error == -ENOENT && entry_is_reference(entry))
		return 0;
	if (error != 0)
		return fault_set(fault, error, "%s", inner.text);
	error = file_sync(fd, how_to_sync(commit));
	if (close(fd) != 0 && error == 0)
		error = -errno;
	return error != 0 ? file_fault(fault, error, "make durable", name) : 0;
}

/* Each fsync waits for the disk's cache, even when there is nothing left to write. Many
 * files share one syncfs instead; the store's descriptor has been open since the start,
 * so no write error since then can have been missed; a file that needs nothing else is
 * not even opened. */
static int sync_files(const struct commit *commit, struct fault *fault)
{
	const struct table *table = commit->table;
	bool is_alone = commit->options.sync && table->nfiles <= FSYNC_MAX;
	int error = 0;

	for (uint32_t i = 0; i < table->nfiles && error == 0; i++)
		if (is_alone || !bitmap_test(commit->finished, i))
			error = finish_file(commit, &table->files[i], fault);
	if (error != 0 || !commit->options.sync)
		return error;
	if (table->nfiles > FSYNC_MAX) {
		if (syncfs(commit->storage->fd) != 0)
			error = file_fault(fault, -errno, "make durable", "all files");
		return error;
	}
	for (size_t i = 0; i < table->nfiles && error == 0; i++)
		error = sync_file(commit, &table->files[i], fault);
	return error;
}

static int write_table(struct commit *commit, struct fault *fault)
{
	struct file_image image;
	uint8_t *bytes;
	int error;

	if (seal_encode(commit->table, &bytes, &image.len) != 0)
		return fault_set(fault, -ENOMEM, "no memory for the table");
	image.bytes = bytes;
	image.sync = syncs_meta(commit) ? FILE_SYNC_FULL : FILE_SYNC_NONE;
	error = pbfile_save(commit->dirfd, TABLE_NAME, &image, fault);
	free(bytes);
	return error;
}

/* The moment of truth. When the last fsync fails nobody can say whether the new name
 * would survive, so the snapshot is taken back. */
static int publish(struct commit *commit, struct fault *fault)
{
	char name[LAYOUT_NAME];
	int fd = commit->storage->fd;
	int error;

	layout_dir(name, commit->table->meta.index);
	/* What an earlier commit could not take back would be in the way. */
	error = tree_remove(fd, name, fault);
	if (error != 0)
		return error;
	if (renameat(fd, TEMP_NAME, fd, name) != 0)
		return file_fault(fault, -errno, "rename temp to", name);
	if (!syncs_meta(commit) || fsync(fd) == 0)
		return 0;
	error = file_fault(fault, -errno, "fsync the store after making", name);
	(void)renameat(fd, name, fd, TEMP_NAME);
	return error;
}

static bool is_listed(void *ctx, const char *name, const struct stat *st)
{
	const struct commit *commit = ctx;
	const struct table_file *entry = table_find(commit->table, name);
	mode_t mode;

	if (strcmp(name, JOURNAL_NAME) == 0)
		return true;
	if (entry != NULL && S_ISREG(st->st_mode) &&
		is_mode_right(commit, name, st, &mode))
		bitmap_set(commit->finished, (uint32_t)(entry - commit->table->files));
	return entry != NULL;
}

static int remove_unlisted(struct commit *commit, struct fault *fault)
{
	struct prune_rule rule = {.keep = is_listed, .ctx = commit};

	return prune_tree(commit->dirfd, &rule, fault);
}

static int run(struct commit *commit, struct fault *fault)
{
	int error;

	commit->finished = calloc(
		BITMAP_WORDS(commit->table->nfiles) + 1, sizeof(*commit->finished));
	if (commit->finished == NULL)
		return fault_set(fault, -ENOMEM, "no memory to commit");
	error = read_manifest(commit, fault);
	if (error == 0)
		error = remove_unlisted(commit, fault);
	if (error == 0)
		error = write_manifest(commit, fault);
	if (error == 0)
		error = sync_files(commit, fault);
	if (error == 0)
		error = write_table(commit, fault);
	/* as late as can be: until here, what came is not lost by a crash */
	if (error == 0)
		error = tree_unlink(commit->dirfd, JOURNAL_NAME, fault);
	if (error == 0 && syncs_meta(commit))
		error = tree_sync_dirs(commit->dirfd, fault);
	if (error == 0)
		error = publish(commit, fault);
	manifest_fini(&commit->manifest);
	free(commit->finished);
	return error;
}

/* The table that is committed: the given one, but what storage_filter found to be a
 * reference stays one. *merged is to be freed by its owner; *table may point to it. */
static int merge_references(const struct storage_writer *writer,
	const struct table **table, struct table *merged)
{
	const struct table *given = *table;
	int error = 0;

	table_init(merged);
	if (!writer->filtered || given == &writer->table)
		return 0;
	error = snapshot_meta_copy(&merged->meta, &given->meta);
	merged->has_meta = given->has_meta;
	for (size_t i = 0; i < given->nfiles && error == 0; i++) {
		const struct table_file *own =
			table_find(&writer->table, given->files[i].name);
		bool is_reference = own != NULL && entry_is_reference(own);

		error = entry_put(merged, is_reference ? own : &given->files[i]);
	}
	*table = merged;
	return error;
}

static int commit_table(struct storage_writer *writer, const struct table *table,
	const uint8_t *manifest_bytes, size_t manifest_len, struct fault *fault)
{
	struct commit commit = {
		.storage = writer->storage,
		.options = state_options(writer->storage),
		.table = table,
		.manifest_bytes = manifest_bytes,
		.manifest_len = manifest_len,
	};
	char name[LAYOUT_NAME];
	int error;

	error = commit_check_order(commit.storage, table, fault);
	if (error != 0)
		return error;
	error = writer_open_temp(writer, &commit.dirfd, fault);
	if (error != 0)
		return error;
	error = run(&commit, fault);
	close(commit.dirfd);
	if (error != 0) {
		fault_prefix(fault, "%s", writer->path);
		(void)tree_remove(commit.storage->fd,
			layout_manifest(name, table->meta.index), NULL);
		return error;
	}
	state_supersede(commit.storage, table->meta.index);
	return 0;
}

int storage_commit(struct storage_writer *writer, const struct table *table,
	const uint8_t *manifest_bytes, size_t manifest_len, struct fault *fault)
{
	struct table merged;
	int error;

	error = merge_references(writer, &table, &merged);
	if (error == 0)
		error = commit_table(writer, table, manifest_bytes, manifest_len, fault);
	else
		(void)fault_set(fault, error, "no memory for the table");
	table_fini(&merged);
	if (error == 0) {
		writer_free(writer);
		return 0;
	}
	/* -EIO: what the cache shows may not be what the disk holds. The others: nobody
	 * will ever want it. */
	if (error == -EIO || error == -EEXIST || error == -ESTALE)
		writer->keep = false;
	storage_abort(writer);
	return error;
}
