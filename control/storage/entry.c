/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/storage/entry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void fini(struct table_file *file)
{
	free(file->name);
	free(file->user_meta);
	free(file->checksum);
}

/* A copy of all but the name. */
static int copy_meta(struct table_file *to, const struct table_file *from)
{
	*to = (struct table_file){
		.has_user_meta = from->has_user_meta,
		.user_meta_len = from->user_meta_len,
		.has_source = from->has_source,
		.source = from->source,
	};
	if (from->has_user_meta) {
		to->user_meta = malloc(from->user_meta_len + 1);
		if (to->user_meta == NULL)
			return -ENOMEM;
		if (from->user_meta_len > 0)
			memcpy(to->user_meta, from->user_meta, from->user_meta_len);
	}
	if (from->checksum == NULL)
		return 0;
	to->checksum = strdup(from->checksum);
	if (to->checksum != NULL)
		return 0;
	free(to->user_meta);
	return -ENOMEM;
}

static struct table_file *find(struct table *table, const char *name)
{
	const struct table_file *found = table_find(table, name);

	return found != NULL ? &table->files[found - table->files] : NULL;
}

int entry_put(struct table *table, const struct table_file *entry)
{
	struct table_file copy;
	struct table_file *at;
	int error;

	error = copy_meta(&copy, entry);
	if (error != 0)
		return error;
	error = table_add_file(table, entry->name, NULL);
	if (error != 0 && error != -EEXIST) {
		fini(&copy);
		return error;
	}
	at = find(table, entry->name);
	copy.name = at->name;
	at->name = NULL;
	fini(at);
	*at = copy;
	return 0;
}

bool entry_remove(struct table *table, const char *name)
{
	struct table_file *at = find(table, name);

	if (at == NULL)
		return false;
	fini(at);
	table->nfiles--;
	memmove(at, at + 1, (size_t)(&table->files[table->nfiles] - at) * sizeof(*at));
	return true;
}

int entry_set_checksum(struct table *table, const char *name, const char *checksum)
{
	struct table_file *at = find(table, name);
	char *copy;

	if (at == NULL)
		return -ENOENT;
	copy = strdup(checksum);
	if (copy == NULL)
		return -ENOMEM;
	free(at->checksum);
	at->checksum = copy;
	return 0;
}

bool entry_is_reference(const struct table_file *entry)
{
	return entry->has_source && entry->source == ENTRY_REFERENCE;
}

bool entry_same_checksum(const struct table_file *a, const struct table_file *b)
{
	return a != NULL && b != NULL && a->checksum != NULL && b->checksum != NULL &&
	       strcmp(a->checksum, b->checksum) == 0;
}
