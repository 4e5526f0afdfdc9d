/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/snapshot_meta.h"

/* Where name is, or where it belongs. */
static size_t lower_bound(const struct table *table, const char *name)
{
	size_t low = 0;
	size_t high = table->nfiles;

	/* files mostly come in order: look behind the last one first */
	if (high > 0 && strcmp(table->files[high - 1].name, name) < 0)
		return high;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(table->files[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void free_file(struct table_file *file)
{
	free(file->name);
	free(file->user_meta);
	free(file->checksum);
}

/* Room is always the count rounded up to a power of two. */
static int make_room(struct table *table)
{
	size_t used = table->nfiles;
	struct table_file *grown;

	if ((used & (used - 1)) != 0)
		return 0;
	grown = reallocarray(table->files, used > 0 ? used * 2 : 1, sizeof(*grown));
	if (grown == NULL)
		return -ENOMEM;
	table->files = grown;
	return 0;
}

void table_init(struct table *table)
{
	*table = (struct table){.has_meta = false};
}

void table_fini(struct table *table)
{
	snapshot_meta_fini(&table->meta);
	for (size_t i = 0; i < table->nfiles; i++)
		free_file(&table->files[i]);
	free(table->files);
	table_init(table);
}

int table_add_peer(struct table *table, const char *peer)
{
	return snapshot_meta_append(&table->meta.peers, &table->meta.npeers, peer);
}

int table_add_file(struct table *table, const char *name, const char *checksum)
{
	size_t at = lower_bound(table, name);
	struct table_file file = {.source = 0};

	if (at < table->nfiles && strcmp(table->files[at].name, name) == 0)
		return -EEXIST;
	if (make_room(table) != 0)
		return -ENOMEM;
	file.name = strdup(name);
	if (file.name == NULL)
		return -ENOMEM;
	if (checksum != NULL) {
		file.checksum = strdup(checksum);
		if (file.checksum == NULL)
			goto free_name;
	}
	memmove(&table->files[at + 1], &table->files[at],
		(table->nfiles - at) * sizeof(*table->files));
	table->files[at] = file;
	table->nfiles++;
	return 0;

free_name:
	free(file.name);
	return -ENOMEM;
}

const struct table_file *table_find(const struct table *table, const char *name)
{
	size_t at = lower_bound(table, name);

	if (at == table->nfiles || strcmp(table->files[at].name, name) != 0)
		return NULL;
	return &table->files[at];
}
