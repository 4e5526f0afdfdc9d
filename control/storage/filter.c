/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/storage/filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/storage/entry.h"
#include "control/storage/filter_items.h"
#include "control/storage/layout.h"
#include "control/storage/prune.h"
#include "control/storage/state.h"
#include "control/storage/temp.h"
#include "control/storage/writer.h"
#include "dataplane/base/bitmap.h"
#include "dataplane/file/journal_file.h"

/* Without a newest snapshot, or with one that cannot be read, there is nothing to link.
 */
static void open_last(struct filter *filter, int64_t index)
{
	filter->lastfd = -1;
	table_init(&filter->last);
	if (index == 0 || filter->request->resume_only ||
		layout_open(filter->writer->storage->fd, index, &filter->lastfd, NULL) !=
			0)
		return;
	if (layout_load_table(filter->lastfd, index, &filter->last, NULL) == 0)
		return;
	table_init(&filter->last);
	close(filter->lastfd);
	filter->lastfd = -1;
}

static void close_last(struct filter *filter)
{
	table_fini(&filter->last);
	if (filter->lastfd >= 0)
		close(filter->lastfd);
}

static int make_maps(struct filter *filter, uint32_t nchunks)
{
	size_t words = BITMAP_WORDS(nchunks) + 1;

	filter->have = calloc(words, sizeof(*filter->have));
	filter->believed = calloc(words, sizeof(*filter->believed));
	filter->journal.nchunks = nchunks;
	filter->journal.written = calloc(words, sizeof(*filter->have));
	filter->journal.durable = calloc(words, sizeof(*filter->have));
	return filter->have == NULL || filter->believed == NULL ||
			       filter->journal.written == NULL ||
			       filter->journal.durable == NULL
		       ? -ENOMEM
		       : 0;
}

static void free_maps(struct filter *filter)
{
	free(filter->have);
	free(filter->believed);
	free(filter->journal.written);
	free(filter->journal.durable);
}

/* A journal of something else, or a damaged one, is none. */
static int load_journal(struct filter *filter, struct fault *fault)
{
	const struct filter_request *request = filter->request;
	int error = -ENOENT;

	if (request->manifest != NULL && !request->skip_check)
		error = journal_file_load(
			filter->tempfd, request->manifest, &filter->journal);
	if (error == -ENOMEM)
		return fault_set(fault, error, "no memory for the journal of temp");
	filter->has_journal = error == 0;
	if (request->resume_only && !filter->has_journal)
		table_fini(&filter->temp); /* and nothing of temp is wanted */
	return 0;
}

static int make_items(struct filter *filter, struct fault *fault)
{
	const struct table *table = filter->request->table;
	const struct manifest *manifest = filter->request->manifest;

	filter->nitems = manifest != NULL ? manifest->nfiles : (uint32_t)table->nfiles;
	filter->items = calloc((size_t)filter->nitems + 1, sizeof(*filter->items));
	if (filter->items == NULL ||
		(manifest != NULL && make_maps(filter, manifest->nchunks) != 0))
		return fault_set(fault, -ENOMEM, "no memory for %u files to compare",
			filter->nitems);
	for (uint32_t i = 0; i < filter->nitems; i++) {
		struct filter_item *item = &filter->items[i];

		if (manifest == NULL) {
			item->entry = &table->files[i];
			continue;
		}
		item->entry = table_find(table, manifest->files[i].name);
		item->size = manifest->files[i].size;
		if (item->entry == NULL)
			return fault_set(fault, -EBADMSG,
				"the leader's manifest and table are not of the same "
				"files");
	}
	return 0;
}

static bool is_wanted(void *ctx, const char *name, const struct stat *st)
{
	const struct filter *filter = ctx;

	(void)st;
	if (strcmp(name, JOURNAL_NAME) == 0)
		return filter->has_journal;
	return table_find(filter->request->table, name) != NULL &&
	       table_find(&filter->temp, name) != NULL;
}

/* A name that is a file here and a directory there is settled by this, too. */
static int remove_unwanted(struct filter *filter, struct fault *fault)
{
	struct prune_rule rule = {.keep = is_wanted, .ctx = filter};

	return prune_tree(filter->tempfd, &rule, fault);
}

/* The entry of a file that is only begun has no checksum: see temp.h. */
static int list_item(struct filter *filter, const struct filter_item *item)
{
	struct table_file begun;

	if (item->origin == FILTER_REFERENCE)
		return entry_put(&filter->writer->table, item->local);
	if (item->is_complete)
		return entry_put(&filter->writer->table, item->entry);
	if (filter->request->manifest == NULL)
		return 0;
	begun = *item->entry;
	begun.checksum = NULL;
	return entry_put(&filter->writer->table, &begun);
}

static int make_table(struct filter *filter, struct fault *fault)
{
	struct storage_writer *writer = filter->writer;
	int error;

	error = storage_writer_save_meta(writer, &filter->request->table->meta);
	for (uint32_t i = 0; i < filter->nitems && error == 0; i++)
		error = list_item(filter, &filter->items[i]);
	if (error != 0)
		return fault_set(fault, error, "no memory for the table");
	if (!writer->keep && filter->request->manifest == NULL)
		return 0;
	writer->keep = true; /* with a manifest there will be a journal to go on by */
	error = temp_save(writer->storage->fd, &writer->table);
	if (error != 0)
		return fault_set(fault, error,
			"cannot write the table of %s: %s; free space and check its mode",
			writer->path, strerror(-error));
	return 0;
}

/* Whether bytes of the file are still to come. */
static bool is_to_fetch(const struct filter *filter, uint32_t at)
{
	const struct manifest *manifest = filter->request->manifest;
	const struct manifest_file *file;

	if (manifest == NULL)
		return !filter->items[at].is_complete;
	file = &manifest->files[at];
	for (uint32_t i = 0; i < manifest_file_chunks(manifest, file); i++) {
		uint32_t chunk = file->first_chunk + i;

		if (!bitmap_test(filter->have, chunk) &&
			(manifest->leaves[chunk].flags & LEAF_ZERO) == 0)
			return true;
	}
	return false;
}

static uint64_t bytes_of(const uint64_t *chunks, const struct manifest *manifest)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < manifest->nchunks; i++)
		if (bitmap_test(chunks, i))
			bytes += manifest_chunk_len(manifest, i);
	return bytes;
}

static uint64_t bytes_reused(const struct filter *filter)
{
	const struct manifest *manifest = filter->request->manifest;
	uint64_t bytes = 0;

	if (manifest != NULL)
		return bytes_of(filter->have, manifest);
	for (uint32_t i = 0; i < filter->nitems; i++)
		if (filter->items[i].is_complete)
			bytes += filter->items[i].size;
	return bytes;
}

static int fill_result(
	const struct filter *filter, struct filter_result *result, struct fault *fault)
{
	struct filter_result made = {.have = filter->have};

	made.fetch = calloc((size_t)filter->nitems + 1, sizeof(*made.fetch));
	if (made.fetch == NULL)
		return fault_set(fault, -ENOMEM, "no memory for a list of files");
	for (uint32_t i = 0; i < filter->nitems; i++) {
		const struct filter_item *item = &filter->items[i];

		if (is_to_fetch(filter, i))
			made.fetch[made.nfetch++] = item->entry->name;
		if (!item->is_complete)
			continue;
		if (item->origin == FILTER_TEMP)
			made.files_kept++;
		else
			made.files_linked++;
	}
	if (filter->have != NULL)
		made.have_chunks =
			bitmap_count(filter->have, filter->request->manifest->nchunks);
	made.bytes_reused = bytes_reused(filter);
	if (filter->have != NULL)
		made.bytes_believed =
			bytes_of(filter->believed, filter->request->manifest);
	*result = made;
	return 0;
}

void filter_result_fini(struct filter_result *result)
{
	free(result->fetch);
	result->fetch = NULL;
}

static int run(struct filter *filter, struct filter_result *result, struct fault *fault)
{
	int error;

	error = make_items(filter, fault);
	if (error == 0)
		error = load_journal(filter, fault);
	if (error == 0)
		error = remove_unwanted(filter, fault);
	for (uint32_t i = 0; i < filter->nitems && error == 0; i++)
		error = filter_choose(filter, &filter->items[i], fault);
	if (error == 0 && filter->have != NULL)
		error = filter_check_chunks(filter, fault);
	for (uint32_t i = 0; i < filter->nitems && filter->have == NULL; i++)
		filter->items[i].is_complete = filter->items[i].origin != FILTER_NONE;
	if (error == 0)
		error = make_table(filter, fault);
	if (error == 0)
		error = fill_result(filter, result, fault);
	if (error != 0)
		return error;
	free(filter->writer->have);
	free(filter->writer->believed);
	filter->writer->have = filter->have;
	filter->writer->believed = filter->believed;
	filter->have = NULL;
	filter->believed = NULL;
	filter->writer->filtered = true;
	return 0;
}

int storage_filter(struct storage_writer *writer, const struct filter_request *request,
	struct filter_result *result, struct fault *fault)
{
	struct filter filter = {.writer = writer, .request = request};
	int64_t index = 0;
	bool has_last = state_ref_newest(writer->storage, &index) == 0;
	int error;

	filter.temp = writer->table;
	table_init(&writer->table);
	error = writer_open_temp(writer, &filter.tempfd, fault);
	if (error == 0) {
		open_last(&filter, index);
		error = run(&filter, result, fault);
		if (error != 0)
			fault_prefix(fault, "%s", writer->path);
		close_last(&filter);
		close(filter.tempfd);
	}
	free(filter.items);
	free_maps(&filter);
	table_fini(&filter.temp);
	if (has_last)
		state_unref(writer->storage, index);
	return error;
}
