/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/pb_codec.h"
#include "control/snapshot_meta_codec.h"
#include "dataplane/base/units.h"
#include "dataplane/manifest.h"
#include "proto/braft.pb-c.h"

enum { CHECKSUM_MAX = 1023 }; /* bytes */

typedef Braft__LocalSnapshotPbMeta__File file_message;

/* The messages of one file, side by side in one array. */
struct file_messages {
	Braft__LocalSnapshotPbMeta__File file;
	Braft__LocalFileMeta meta;
};

static void file_to_messages(
	const struct table_file *file, bool as_remote, struct file_messages *messages)
{
	braft__local_snapshot_pb_meta__file__init(&messages->file);
	braft__local_file_meta__init(&messages->meta);
	messages->file.name = file->name;
	/* braft writes the sub-message even when there is nothing in it */
	messages->file.meta = &messages->meta;
	messages->meta.has_user_meta = file->has_user_meta;
	messages->meta.user_meta.data = file->user_meta;
	messages->meta.user_meta.len = file->user_meta_len;
	messages->meta.has_source = file->has_source && !as_remote;
	messages->meta.source = (Braft__FileSource)file->source;
	messages->meta.checksum = file->checksum;
}

int table_encode(const struct table *table, bool as_remote, uint8_t **bytes, size_t *len)
{
	Braft__LocalSnapshotPbMeta message = BRAFT__LOCAL_SNAPSHOT_PB_META__INIT;
	size_t room = table->nfiles > 0 ? table->nfiles : 1;
	struct file_messages *messages = calloc(room, sizeof(*messages));
	file_message **pointers = calloc(room, sizeof(*pointers));
	Braft__SnapshotMeta meta;
	int err = -ENOMEM;

	if (messages == NULL || pointers == NULL)
		goto free_messages;
	if (table->has_meta) {
		snapshot_meta_to_message(&table->meta, &meta);
		message.meta = &meta;
	}
	for (size_t i = 0; i < table->nfiles; i++) {
		file_to_messages(&table->files[i], as_remote, &messages[i]);
		pointers[i] = &messages[i].file;
	}
	message.n_files = table->nfiles;
	message.files = pointers;
	err = pb_pack(&message.base, bytes, len);

free_messages:
	free(pointers);
	free(messages);
	return err;
}

/* The manifest is a file of the table although its name is reserved. */
static int check_name(const char *name, struct fault *fault)
{
	if (strcmp(name, MANIFEST_NAME) == 0)
		return 0;
	if (name_check(name, fault) == 0)
		return 0;
	if (fault != NULL)
		fault->code = -EBADMSG;
	fault_prefix(fault, "the metadata table lists a bad file");
	return -EBADMSG;
}

static int fill_file(struct table_file *file, const Braft__LocalFileMeta *meta)
{
	if (meta->has_user_meta) {
		size_t len = meta->user_meta.len;

		file->user_meta = malloc(len > 0 ? len : 1);
		if (file->user_meta == NULL)
			return -ENOMEM;
		if (len > 0)
			memcpy(file->user_meta, meta->user_meta.data, len);
		file->user_meta_len = len;
		file->has_user_meta = true;
	}
	/* a value unknown to us is what proto2 calls an unknown field */
	if (meta->has_source &&
		(meta->source == BRAFT__FILE_SOURCE__FILE_SOURCE_LOCAL ||
			meta->source == BRAFT__FILE_SOURCE__FILE_SOURCE_REFERENCE)) {
		file->has_source = true;
		file->source = (int)meta->source;
	}
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	const file_message *const *left = a;
	const file_message *const *right = b;

	return strcmp((*left)->name, (*right)->name);
}

static int decode_file(
	struct table *table, const file_message *message, struct fault *fault)
{
	const char *checksum = message->meta != NULL ? message->meta->checksum : NULL;
	int err = check_name(message->name, fault);

	if (err != 0)
		return err;
	if (checksum != NULL && strlen(checksum) > CHECKSUM_MAX)
		return fault_set(fault, -EBADMSG,
			"the metadata table gives '%.100s' a checksum longer than %d "
			"bytes",
			message->name, CHECKSUM_MAX);
	err = table_add_file(table, message->name, checksum);
	if (err == -EEXIST)
		return fault_set(fault, -EBADMSG,
			"the metadata table lists '%.200s' twice", message->name);
	/* it was added behind the others, as they come sorted */
	if (err == 0 && message->meta != NULL)
		err = fill_file(&table->files[table->nfiles - 1], message->meta);
	return err;
}

static int decode_files(struct table *table, const Braft__LocalSnapshotPbMeta *message,
	struct fault *fault)
{
	/* a stranger's table may be in any order, and sorting one at a time is slow */
	if (message->n_files > 1)
		qsort(message->files, message->n_files, sizeof(*message->files),
			compare_names);
	for (size_t i = 0; i < message->n_files; i++) {
		int err = decode_file(table, message->files[i], fault);

		if (err != 0)
			return err;
	}
	return 0;
}

int table_decode(
	struct table *table, const uint8_t *bytes, size_t len, struct fault *fault)
{
	ProtobufCMessage *unpacked;
	const Braft__LocalSnapshotPbMeta *message;
	int err = pb_unpack(&braft__local_snapshot_pb_meta__descriptor, bytes, len,
		SIZE_MAX, &unpacked);

	if (err != 0)
		return fault_set(fault, err,
			err == -ENOMEM ? "no memory for a metadata table of %zu bytes"
				       : "%zu bytes are not a metadata table",
			len);
	message = (const Braft__LocalSnapshotPbMeta *)unpacked;
	table_init(table);
	if (message->meta == NULL) {
		err = fault_set(fault, -EBADMSG,
			"the metadata table does not say which index and term it is for");
		goto free_unpacked;
	}
	err = snapshot_meta_from_message(&table->meta, message->meta);
	if (err != 0)
		goto free_unpacked;
	table->has_meta = true;
	err = decode_files(table, message, fault);
	if (err != 0)
		goto free_table;
	pb_free(unpacked);
	return 0;

free_table:
	table_fini(table);
free_unpacked:
	pb_free(unpacked);
	if (err == -ENOMEM)
		return fault_set(fault, err, "no memory for the metadata table");
	return fault_set(fault, err, "the metadata table is damaged");
}
