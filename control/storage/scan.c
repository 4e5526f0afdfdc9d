/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/storage/file_io.h"
#include "control/storage/layout.h"
#include "control/storage/storage.h"

/* The files' sizes where no manifest tells them. */
static uint64_t sum_sizes(const struct storage_reader *reader)
{
	int dirfd = open(reader->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t bytes = 0;

	if (dirfd < 0)
		return 0;
	for (size_t i = 0; i < reader->table.nfiles; i++) {
		struct stat st;

		if (fstatat(dirfd, reader->table.files[i].name, &st,
			    AT_SYMLINK_NOFOLLOW) == 0)
			bytes += (uint64_t)st.st_size;
	}
	close(dirfd);
	return bytes;
}

static void describe(const char *path, int64_t index, struct storage_entry *entry)
{
	struct storage_reader *reader;

	*entry = (struct storage_entry){.index = index};
	if (storage_read(path, index, &reader, &entry->has_manifest, &entry->fault) != 0)
		return;
	entry->term = reader->term;
	entry->files = reader->table.nfiles;
	if (table_find(&reader->table, MANIFEST_NAME) != NULL)
		entry->files--;
	entry->bytes = entry->has_manifest ? reader->manifest.bytes : sum_sizes(reader);
	storage_reader_free(reader);
}

int storage_scan(const char *path, struct storage_entry **entries, size_t *count,
	struct fault *fault)
{
	struct storage_entry *made;
	struct layout_list list;
	int error;
	int fd;

	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return file_fault(fault, -errno, "open the store", path);
	error = layout_list(fd, &list, fault);
	close(fd);
	if (error != 0)
		return error;
	made = calloc(list.nsnapshots + 1, sizeof(*made));
	if (made == NULL) {
		layout_list_fini(&list);
		return fault_set(
			fault, -ENOMEM, "no memory for %zu snapshots", list.nsnapshots);
	}
	for (size_t i = 0; i < list.nsnapshots; i++)
		describe(path, list.snapshots[i], &made[i]);
	*entries = made;
	*count = list.nsnapshots;
	layout_list_fini(&list);
	return 0;
}
