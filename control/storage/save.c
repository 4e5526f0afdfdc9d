/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/storage/save.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/snapshot_meta.h"
#include "control/storage/checksum.h"
#include "control/storage/entry.h"
#include "control/storage/layout.h"
#include "control/storage/state.h"
#include "control/storage/writer.h"
#include "dataplane/crc.h"
#include "dataplane/manifest_codec.h"

/* The manifest in the making. */
struct save {
	struct storage_writer *writer;
	const struct save_options *options;
	struct manifest manifest;
	uint32_t *file_crc; /* of the manifest's files */
	uint8_t *bytes;     /* the manifest as a file */
	size_t len;
};

int storage_writer_add_file(struct storage_writer *writer, const char *name,
	const struct storage_file_meta *meta, struct fault *fault)
{
	struct table_file entry = {.name = (char *)name};
	char quoted[NAME_QUOTED];
	int error;

	error = name_check(name, fault);
	if (error != 0)
		return error;
	if (table_find(&writer->table, name) != NULL)
		return fault_set(fault, -EEXIST,
			"\"%s\" is in the snapshot already; remove it from the list "
			"first",
			name_quote(quoted, sizeof(quoted), name));
	if (meta != NULL) {
		entry.has_user_meta = meta->user_meta != NULL;
		entry.user_meta = (uint8_t *)meta->user_meta;
		entry.user_meta_len = meta->user_meta_len;
		entry.has_source = meta->is_reference;
		entry.source = meta->is_reference ? ENTRY_REFERENCE : ENTRY_LOCAL;
		entry.checksum = (char *)meta->checksum;
	}
	if (entry_put(&writer->table, &entry) != 0)
		return fault_set(fault, -ENOMEM, "no memory for the table");
	return 0;
}

int storage_writer_remove_file(struct storage_writer *writer, const char *name)
{
	return entry_remove(&writer->table, name) ? 0 : -ENOENT;
}

const struct table *storage_writer_table(const struct storage_writer *writer)
{
	return &writer->table;
}

int storage_writer_save_meta(
	struct storage_writer *writer, const struct snapshot_meta *meta)
{
	struct snapshot_meta copy;
	int error;

	error = snapshot_meta_copy(&copy, meta);
	if (error != 0)
		return error;
	snapshot_meta_fini(&writer->table.meta);
	writer->table.meta = copy;
	writer->table.has_meta = true;
	return 0;
}

static int survey(struct save *save, int dirfd, struct fault *fault)
{
	const struct table *table = &save->writer->table;
	char quoted[NAME_QUOTED];

	for (size_t i = 0; i < table->nfiles; i++) {
		struct fault inner = {0};
		int error =
			layout_add_file(dirfd, &table->files[i], &save->manifest, &inner);

		if (error == -ENOENT)
			return fault_set(fault, error,
				"the snapshot lists \"%s\", but nobody wrote it; write "
				"it "
				"before the end of the save or take it off the list",
				name_quote(quoted, sizeof(quoted), table->files[i].name));
		if (error != 0)
			return fault_set(fault, error, "%s", inner.text);
	}
	return manifest_layout(&save->manifest, fault);
}

static int sum_files(struct save *save, int dirfd, struct fault *fault)
{
	struct checksum_request request = {
		.dirfd = dirfd,
		.manifest = &save->manifest,
		.progress = save->options->progress,
		.ctx = save->options->ctx,
	};
	int error;

	error = survey(save, dirfd, fault);
	if (error != 0)
		return error;
	save->file_crc = calloc((size_t)save->manifest.nfiles + 1, sizeof(uint32_t));
	if (save->file_crc == NULL)
		return fault_set(fault, -ENOMEM, "no memory for checksums");
	request.file_crc = save->file_crc;
	error = checksum_directory(&request, fault);
	if (error == 0 && manifest_encode(&save->manifest, &save->bytes, &save->len) != 0)
		error = fault_set(fault, -ENOMEM, "no memory for the manifest");
	return error;
}

/* Gives every file a checksum that the user gave none, and the manifest its entry. */
static int complete_table(struct save *save)
{
	struct table *table = &save->writer->table;
	char text[CHECKSUM_TEXT];
	int error = 0;

	for (uint32_t i = 0; i < save->manifest.nfiles && error == 0; i++) {
		const char *name = save->manifest.files[i].name;

		if (table_find(table, name)->checksum == NULL)
			error = entry_set_checksum(
				table, name, checksum_text(text, save->file_crc[i]));
	}
	if (error != 0)
		return error;
	checksum_text(text, crc32c(save->bytes, save->len));
	return table_add_file(table, MANIFEST_NAME, text);
}

static int make_manifest(struct save *save, struct fault *fault)
{
	int dirfd;
	int error;

	error = manifest_init(&save->manifest, save->options->chunk_size, fault);
	if (error != 0)
		return error;
	error = writer_open_temp(save->writer, &dirfd, fault);
	if (error != 0)
		return error;
	error = sum_files(save, dirfd, fault);
	close(dirfd);
	if (error == 0 && complete_table(save) != 0)
		error = fault_set(fault, -ENOMEM, "no memory for the table");
	return error;
}

int save_commit(struct storage_writer *writer, const struct save_options *options,
	struct fault *fault)
{
	struct save save = {.writer = writer, .options = options};
	int error;

	error = commit_check_order(writer->storage, &writer->table, fault);
	if (error == 0 && !options->no_manifest)
		error = make_manifest(&save, fault);
	if (error == 0) {
		error = storage_commit(
			writer, &writer->table, save.bytes, save.len, fault);
	} else {
		fault_prefix(fault, "%s", writer->path);
		storage_abort(writer);
	}
	manifest_fini(&save.manifest);
	free(save.file_crc);
	free(save.bytes);
	return error;
}

int storage_writer_commit(struct storage_writer *writer, struct fault *fault)
{
	const struct save_options options = {
		.chunk_size = writer->storage->options.chunk_size,
		.no_manifest = writer->table.nfiles == 0,
	};

	return save_commit(writer, &options, fault);
}
