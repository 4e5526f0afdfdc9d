/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/storage/seal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/crc.h"
#include "dataplane/manifest.h"

enum { SEAL_TEXT = 24 };

static const char prefix[] = "table:crc32c:";

/* A shallow copy of the table: the strings are the original's, the array is its own.
 * *at is the manifest's place in it, nfiles when it has none. */
static int borrow(const struct table *table, struct table *view, size_t *at)
{
	*view = *table;
	view->files = calloc(table->nfiles + 1, sizeof(*view->files));
	if (view->files == NULL)
		return -ENOMEM;
	*at = table->nfiles;
	for (size_t i = 0; i < table->nfiles; i++) {
		view->files[i] = table->files[i];
		if (strcmp(table->files[i].name, MANIFEST_NAME) == 0)
			*at = i;
	}
	return 0;
}

static int compute(const struct table *table, char text[static SEAL_TEXT], bool *has)
{
	struct table view;
	uint8_t *bytes;
	size_t len;
	size_t at;
	int error;

	error = borrow(table, &view, &at);
	if (error != 0)
		return error;
	*has = at < view.nfiles;
	if (*has) {
		view.nfiles--;
		memmove(&view.files[at], &view.files[at + 1],
			(view.nfiles - at) * sizeof(*view.files));
		error = table_encode(&view, true, &bytes, &len);
	}
	free(view.files);
	if (error != 0 || !*has)
		return error;
	(void)snprintf(text, SEAL_TEXT, "%s%08x", prefix, crc32c(bytes, len));
	free(bytes);
	return 0;
}

int seal_encode(const struct table *table, uint8_t **bytes, size_t *len)
{
	char text[SEAL_TEXT];
	struct table view;
	size_t at;
	bool has;
	int error;

	error = compute(table, text, &has);
	if (error == 0)
		error = borrow(table, &view, &at);
	if (error != 0)
		return error;
	if (has) {
		view.files[at].has_user_meta = true;
		view.files[at].user_meta = (uint8_t *)text;
		view.files[at].user_meta_len = strlen(text);
	}
	error = table_encode(&view, false, bytes, len);
	free(view.files);
	return error;
}

int seal_check(const struct table *table)
{
	const struct table_file *entry = table_find(table, MANIFEST_NAME);
	char text[SEAL_TEXT];
	bool has;
	int error;

	if (entry == NULL || !entry->has_user_meta)
		return 0;
	error = compute(table, text, &has);
	if (error != 0)
		return error;
	if (entry->user_meta_len != strlen(text) ||
		memcmp(entry->user_meta, text, entry->user_meta_len) != 0)
		return -EBADMSG;
	return 0;
}
