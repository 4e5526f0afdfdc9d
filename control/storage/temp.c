/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/storage/temp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/storage/pbfile.h"
#include "control/storage/prune.h"
#include "control/storage/state.h"
#include "control/storage/tree.h"
#include "dataplane/file/journal_file.h"

static int open_temp(int storefd, int *dirfd)
{
	*dirfd = openat(
		storefd, TEMP_NAME, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return *dirfd < 0 ? -errno : 0;
}

static bool is_listed(void *ctx, const char *name, const struct stat *st)
{
	const struct table *table = ctx;

	return S_ISREG(st->st_mode) &&
	       (strcmp(name, TABLE_NAME) == 0 || strcmp(name, JOURNAL_NAME) == 0 ||
		       table_find(table, name) != NULL);
}

static int load(int dirfd, struct table *table)
{
	struct prune_rule rule = {.keep = is_listed, .ctx = table};
	uint8_t *bytes;
	size_t len;
	int error;

	error = pbfile_load(dirfd, TABLE_NAME, &bytes, &len, NULL);
	if (error != 0)
		return error;
	error = table_decode(table, bytes, len, NULL);
	free(bytes);
	if (error != 0)
		return error;
	error = prune_tree(dirfd, &rule, NULL);
	if (error != 0)
		table_fini(table);
	return error;
}

int temp_load(int storefd, struct table *table)
{
	int dirfd;
	int error;

	error = open_temp(storefd, &dirfd);
	if (error != 0)
		return error;
	error = load(dirfd, table);
	close(dirfd);
	if (error != 0)
		table_init(table);
	return error;
}

bool temp_has_journal(int storefd)
{
	struct journal_header header;
	int dirfd;
	int error;

	if (open_temp(storefd, &dirfd) != 0)
		return false;
	error = journal_file_peek(dirfd, &header);
	close(dirfd);
	return error == 0;
}

int temp_save(int storefd, const struct table *table)
{
	struct file_image image = {.sync = FILE_SYNC_NONE};
	uint8_t *bytes;
	int dirfd;
	int error;

	if (!table->has_meta)
		return -EINVAL;
	error = table_encode(table, false, &bytes, &image.len);
	if (error != 0)
		return error;
	error = open_temp(storefd, &dirfd);
	if (error == 0) {
		image.bytes = bytes;
		error = pbfile_save(dirfd, TABLE_NAME, &image, NULL);
		close(dirfd);
	}
	free(bytes);
	return error;
}

int temp_recover(struct storage *storage, struct fault *fault)
{
	struct table table;

	table_init(&table);
	if ((storage->options.filter_before_copy_remote ||
		    temp_has_journal(storage->fd)) &&
		temp_load(storage->fd, &table) == 0) {
		table_fini(&table);
		return 0;
	}
	return tree_remove(storage->fd, TEMP_NAME, fault);
}
