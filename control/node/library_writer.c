/* SPDX-License-Identifier: BSD-3-Clause */
/* The public header: writing a snapshot. */
#include <errno.h>
#include <string.h>

#include "control/node/handles.h"

const char *snapline_writer_path(const struct snapline_writer *writer)
{
	return writer->writer->path;
}

int snapline_writer_add_file(struct snapline_writer *writer, const char *name,
	const struct snapline_file_meta *meta)
{
	struct storage_file_meta stored = {0};

	if (meta == NULL)
		return storage_writer_add_file(writer->writer, name, NULL, NULL);
	if (meta->source != 0 && meta->source != 1)
		return -EINVAL;
	stored.user_meta = meta->user_meta;
	stored.user_meta_len = meta->user_meta_len;
	stored.is_reference = meta->source == 1;
	stored.checksum = meta->checksum;
	return storage_writer_add_file(writer->writer, name, &stored, NULL);
}

int snapline_writer_remove_file(struct snapline_writer *writer, const char *name)
{
	return storage_writer_remove_file(writer->writer, name);
}

const char *snapline_writer_file(const struct snapline_writer *writer, size_t i)
{
	const struct table *table = storage_writer_table(writer->writer);

	return i < table->nfiles ? table->files[i].name : NULL;
}

int snapline_writer_set_meta(
	struct snapline_writer *writer, const struct snapline_meta *meta)
{
	/* storage copies; the strings are not written to */
	const struct snapshot_meta stored = {
		.index = meta->index,
		.term = meta->term,
		.peers = (char **)(uintptr_t)meta->peers,
		.npeers = meta->npeers,
		.old_peers = (char **)(uintptr_t)meta->old_peers,
		.nold_peers = meta->nold_peers,
	};
	int err;

	if (meta->index < 1 || meta->term < 0)
		return -EINVAL;
	err = storage_writer_save_meta(writer->writer, &stored);
	writer->has_meta = writer->has_meta || err == 0;
	return err;
}
