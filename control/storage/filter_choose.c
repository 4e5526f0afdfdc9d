/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/storage/checksum.h"
#include "control/storage/copy.h"
#include "control/storage/entry.h"
#include "control/storage/file_io.h"
#include "control/storage/filter_items.h"
#include "control/storage/tree.h"
#include "dataplane/base/units.h"
#include "dataplane/crc.h"

enum { BUFFER = 1 << 20 };

static bool by_chunks(const struct filter *filter)
{
	return filter->request->manifest != NULL && !filter->request->skip_check;
}

static int look(int dirfd, const char *name, struct stat *st)
{
	int fd;
	int error = tree_open(dirfd, name, O_RDONLY | O_NONBLOCK, 0, &fd, NULL);

	if (error != 0)
		return error;
	if (fstat(fd, st) != 0)
		error = -errno;
	else if (!S_ISREG(st->st_mode))
		error = -EINVAL;
	close(fd);
	return error;
}

static int crc_of(int fd, uint64_t size, uint32_t *crc)
{
	uint8_t *buf = malloc(BUFFER);
	int error = 0;

	if (buf == NULL)
		return -ENOMEM;
	*crc = 0;
	for (uint64_t at = 0; at < size && error == 0; at += BUFFER) {
		size_t len = (size_t)u64_min(size - at, BUFFER);

		error = file_read(fd, buf, len, at);
		if (error == 0)
			*crc = crc32c_extend(*crc, buf, len);
	}
	free(buf);
	return error;
}

/* Whether the file in temp is what its checksum says, where we know how to tell. With a
 * manifest the leaves will tell better. */
static bool is_sound(const struct filter *filter, const struct filter_item *item)
{
	const char *checksum = item->entry->checksum;
	char text[CHECKSUM_TEXT];
	uint32_t crc;
	int error;
	int fd;

	if (filter->request->skip_check || filter->request->manifest != NULL ||
		checksum == NULL || strncmp(checksum, "crc32c:", 7) != 0)
		return true;
	error = tree_open(
		filter->tempfd, item->entry->name, O_RDONLY | O_NONBLOCK, 0, &fd, NULL);
	if (error != 0)
		return false;
	error = crc_of(fd, item->size, &crc);
	close(fd);
	return error == 0 && strcmp(checksum_text(text, crc), checksum) == 0;
}

/* Mode and bytes are the inode's: where either has to differ there is no link. */
static bool is_linkable(const struct filter *filter, const struct filter_item *item,
	const struct stat *st)
{
	const struct manifest *manifest = filter->request->manifest;
	const struct manifest_file *file;

	if (manifest == NULL)
		return true;
	file = &manifest->files[item - filter->items];
	return (uint64_t)st->st_size == file->size &&
	       (st->st_mode & 0777) == ((file->mode & 0777) | S_IRUSR);
}

/* With leaves to check by, also a file that was only begun is worth keeping. */
static bool keep(struct filter *filter, struct filter_item *item)
{
	const struct table_file *local = table_find(&filter->temp, item->entry->name);
	bool same = entry_same_checksum(local, item->entry);
	struct stat st;

	if (local == NULL || (!same && !by_chunks(filter)))
		return false;
	if (same && entry_is_reference(local)) {
		item->origin = FILTER_REFERENCE;
		item->local = local;
		return true;
	}
	if (look(filter->tempfd, item->entry->name, &st) != 0)
		return false;
	if (filter->request->manifest == NULL)
		item->size = (uint64_t)st.st_size;
	item->is_shared = st.st_nlink > 1;
	if ((uint64_t)st.st_size != item->size ||
		(item->is_shared && !is_linkable(filter, item, &st)) ||
		!is_sound(filter, item))
		return false;
	item->origin = FILTER_TEMP;
	return true;
}

static void on_copied(void *ctx, uint64_t bytes)
{
	(void)ctx;
	(void)bytes;
}

static void take_from_last(struct filter *filter, struct filter_item *item)
{
	const struct table_file *last = table_find(&filter->last, item->entry->name);
	struct manifest_file file = {.name = item->entry->name};
	struct copy copy = {
		.from = filter->lastfd,
		.to = filter->tempfd,
		.link = true,
		.copied = on_copied,
	};
	struct stat st;

	if (!entry_same_checksum(last, item->entry))
		return;
	if (entry_is_reference(last)) {
		item->origin = FILTER_REFERENCE;
		item->local = last;
		return;
	}
	if (look(filter->lastfd, file.name, &st) != 0 || !is_linkable(filter, item, &st))
		return;
	file.size = (uint64_t)st.st_size;
	item->size = file.size;
	if (copy_file(&copy, &file, NULL) != 0)
		return;
	item->origin = FILTER_LINK;
	item->is_shared = true;
}

int filter_drop(struct filter *filter, struct filter_item *item, struct fault *fault)
{
	if (item->origin == FILTER_NONE)
		return 0;
	item->origin = FILTER_NONE;
	item->local = NULL;
	item->is_complete = false;
	return tree_unlink(filter->tempfd, item->entry->name, fault);
}

int filter_choose(struct filter *filter, struct filter_item *item, struct fault *fault)
{
	bool is_empty = filter->request->manifest != NULL && item->size == 0;
	int error = 0;

	if (!is_empty && keep(filter, item))
		return 0;
	/* what temp's table does not list has been removed already */
	if (table_find(&filter->temp, item->entry->name) != NULL)
		error = tree_unlink(filter->tempfd, item->entry->name, fault);
	if (error != 0 || is_empty) /* made anew, there is nothing to save */
		return error;
	take_from_last(filter, item);
	if (item->origin == FILTER_LINK && !is_sound(filter, item))
		return filter_drop(filter, item, fault);
	return 0;
}
