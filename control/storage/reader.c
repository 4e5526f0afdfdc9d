/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/storage/checksum.h"
#include "control/storage/file_io.h"
#include "control/storage/layout.h"
#include "control/storage/state.h"
#include "control/storage/storage.h"
#include "dataplane/base/log.h"
#include "dataplane/manifest_codec.h"

/* A snapshot being read: what is closed again when the reader is complete. */
struct loading {
	int storefd;
	int dirfd;
	struct storage_reader *reader;
};

static int load_start(
	struct loading *loading, const char *path, int64_t index, struct fault *fault)
{
	struct storage_reader *reader = calloc(1, sizeof(*reader));
	char name[LAYOUT_NAME];
	int error;

	if (reader == NULL)
		return fault_set(fault, -ENOMEM, "no memory for a snapshot");
	layout_dir(name, index);
	if (asprintf(&reader->path, "%s/%s", path, name) < 0) {
		error = fault_set(fault, -ENOMEM, "no memory for a snapshot");
		goto free_reader;
	}
	error = layout_open(loading->storefd, index, &loading->dirfd, fault);
	if (error != 0)
		goto free_path;
	error = layout_load_table(loading->dirfd, index, &reader->table, fault);
	if (error != 0)
		goto close_dir;
	reader->index = index;
	reader->term = reader->table.meta.term;
	loading->reader = reader;
	return 0;

close_dir:
	close(loading->dirfd);
free_path:
	fault_prefix(fault, "%s", reader->path);
	free(reader->path);
free_reader:
	free(reader);
	return error;
}

static int load_manifest(const struct loading *loading, bool *has, struct fault *fault)
{
	struct layout_snapshot snapshot = {
		.storefd = loading->storefd,
		.dirfd = loading->dirfd,
		.index = loading->reader->index,
		.table = &loading->reader->table,
	};

	return layout_load_manifest(&snapshot, &loading->reader->manifest, has, fault);
}

static int add_files(
	const struct loading *loading, struct manifest *manifest, struct fault *fault)
{
	const struct table *table = &loading->reader->table;

	for (size_t i = 0; i < table->nfiles; i++) {
		int error = layout_add_file(
			loading->dirfd, &table->files[i], manifest, fault);

		if (error != 0)
			return error;
	}
	return manifest_layout(manifest, fault);
}

/* Keeps the manifest beside the snapshot. It can be made again, so a full disk only
 * costs time. */
static void keep_manifest(const struct loading *loading, const uint8_t *bytes, size_t len)
{
	struct file_image image = {.bytes = bytes, .len = len};
	struct fault fault = {0};
	char name[LAYOUT_NAME];

	layout_manifest(name, loading->reader->index);
	if (file_save(loading->storefd, name, &image, &fault) != 0 ||
		fsync(loading->storefd) != 0)
		log_line(LOG_WARN, "storage",
			"event=manifest_not_kept file=%s err=\"%s\"", name, fault.text);
}

static int compute_manifest(const struct loading *loading, struct fault *fault)
{
	struct manifest manifest;
	struct checksum_request request = {
		.dirfd = loading->dirfd, .manifest = &manifest};
	uint8_t *bytes;
	size_t len;
	int error;

	error = manifest_init(&manifest, MANIFEST_CHUNK_DEFAULT, fault);
	if (error == 0)
		error = add_files(loading, &manifest, fault);
	if (error == 0)
		error = checksum_directory(&request, fault);
	if (error == 0 && manifest_encode(&manifest, &bytes, &len) != 0)
		error = fault_set(fault, -ENOMEM, "no memory for a manifest");
	if (error != 0) {
		manifest_fini(&manifest);
		return error;
	}
	keep_manifest(loading, bytes, len);
	free(bytes);
	loading->reader->manifest = manifest;
	return 0;
}

static int load_complete(struct storage *storage, int64_t index, struct loading *loading,
	struct fault *fault)
{
	bool has;
	int error;

	error = load_start(loading, storage->path, index, fault);
	if (error != 0)
		return error;
	/* A second thread waits, and finds what the first one has kept. */
	pthread_mutex_lock(&storage->computing);
	error = load_manifest(loading, &has, fault);
	if (error == 0 && !has)
		error = compute_manifest(loading, fault);
	pthread_mutex_unlock(&storage->computing);
	close(loading->dirfd);
	if (error == 0)
		return 0;
	fault_prefix(fault, "%s", loading->reader->path);
	storage_reader_free(loading->reader);
	return error;
}

int storage_open_newest(
	struct storage *storage, struct storage_reader **reader, struct fault *fault)
{
	struct loading loading = {.storefd = storage->fd};
	int64_t index;
	int error;

	error = state_ref_newest(storage, &index);
	if (error == -ENOENT)
		return fault_set(fault, error, "store %s has no snapshot yet; make one",
			storage->path);
	if (error != 0)
		return fault_set(fault, error, "no memory for a snapshot");
	error = load_complete(storage, index, &loading, fault);
	if (error != 0) {
		state_unref(storage, index);
		return error;
	}
	*reader = loading.reader;
	return 0;
}

void storage_reader_close(struct storage *storage, struct storage_reader *reader)
{
	int64_t index = reader->index;

	storage_reader_free(reader);
	state_unref(storage, index);
}

/* Turns index 0 into the newest one's. */
static int choose(int storefd, const char *path, int64_t *index, struct fault *fault)
{
	struct layout_list list;
	int error;

	if (*index != 0)
		return 0;
	error = layout_list(storefd, &list, fault);
	if (error != 0)
		return error;
	if (list.nsnapshots == 0)
		error = fault_set(fault, -ENOENT,
			"store %s has no snapshot; check the path or make one", path);
	else
		*index = list.snapshots[list.nsnapshots - 1];
	layout_list_fini(&list);
	return error;
}

int storage_read(const char *path, int64_t index, struct storage_reader **reader,
	bool *has_manifest, struct fault *fault)
{
	struct loading loading;
	int error;

	loading.storefd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (loading.storefd < 0)
		return file_fault(fault, -errno, "open the store", path);
	error = choose(loading.storefd, path, &index, fault);
	if (error == 0)
		error = load_start(&loading, path, index, fault);
	if (error != 0)
		goto close_store;
	error = load_manifest(&loading, has_manifest, fault);
	close(loading.dirfd);
	if (error == 0) {
		*reader = loading.reader;
	} else {
		fault_prefix(fault, "%s", loading.reader->path);
		storage_reader_free(loading.reader);
	}
close_store:
	close(loading.storefd);
	return error;
}

void storage_reader_free(struct storage_reader *reader)
{
	manifest_fini(&reader->manifest);
	table_fini(&reader->table);
	free(reader->path);
	free(reader);
}
