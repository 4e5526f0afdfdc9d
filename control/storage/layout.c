/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/storage/layout.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/storage/entry.h"
#include "control/storage/file_io.h"
#include "control/storage/pbfile.h"
#include "control/storage/tree.h"
#include "dataplane/manifest_codec.h"

enum { DIGITS = 20 };

static const char dir_prefix[] = "snapshot_";
static const char manifest_prefix[] = "manifest_";

char *layout_dir(char name[static LAYOUT_NAME], int64_t index)
{
	(void)snprintf(name, LAYOUT_NAME, "%s%020lld", dir_prefix, (long long)index);
	return name;
}

char *layout_manifest(char name[static LAYOUT_NAME], int64_t index)
{
	(void)snprintf(name, LAYOUT_NAME, "%s%020lld", manifest_prefix, (long long)index);
	return name;
}

/* Reads PREFIX, twenty digits, SUFFIX and nothing else: braft's own scan takes
 * snapshot_7 and snapshot_…11.bak for snapshots, which then are deleted as old ones. */
static bool parse(
	const char *name, const char *prefix, const char *suffix, int64_t *index)
{
	size_t len = strlen(prefix);
	const char *digits = name + len;
	int64_t value = 0;

	if (strncmp(name, prefix, len) != 0 || strspn(digits, "0123456789") != DIGITS ||
		strcmp(digits + DIGITS, suffix) != 0)
		return false;
	for (int i = 0; i < DIGITS; i++)
		if (__builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, digits[i] - '0', &value))
			return false;
	*index = value;
	return true;
}

static int append(int64_t **numbers, size_t *count, int64_t number)
{
	int64_t *grown = reallocarray(*numbers, *count + 1, sizeof(*grown));

	if (grown == NULL)
		return -ENOMEM;
	grown[(*count)++] = number;
	*numbers = grown;
	return 0;
}

static bool is_of_type(int dirfd, const char *name, mode_t type)
{
	struct stat st;

	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       (st.st_mode & S_IFMT) == type;
}

static int list_entry(struct layout_list *list, int storefd, const char *name)
{
	bool is_dir = is_of_type(storefd, name, S_IFDIR);
	bool is_file = is_of_type(storefd, name, S_IFREG);
	int64_t index;

	/* lost+found: a store may be a file system of its own. */
	if (is_dir && (strcmp(name, "temp") == 0 || strcmp(name, "lost+found") == 0))
		return 0;
	if (is_dir && parse(name, dir_prefix, "", &index) && index > 0)
		return append(&list->snapshots, &list->nsnapshots, index);
	if (is_file && parse(name, manifest_prefix, "", &index))
		return append(&list->manifests, &list->nmanifests, index);
	if (is_file && parse(name, manifest_prefix, ".tmp", &index))
		return append(&list->unfinished, &list->nunfinished, index);
	(void)snprintf(list->foreign, sizeof(list->foreign), "%s", name);
	return 0;
}

static int compare_indexes(const void *a, const void *b)
{
	const int64_t *left = a;
	const int64_t *right = b;

	return (*left > *right) - (*left < *right);
}

static int list_entries(struct layout_list *list, int storefd, DIR *dir)
{
	const struct dirent *entry;
	int error;

	for (;;) {
		errno = 0;
		entry = readdir(dir);
		if (entry == NULL)
			break;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		error = list_entry(list, storefd, entry->d_name);
		if (error != 0)
			return error;
	}
	if (errno != 0)
		return -errno;
	if (list->nsnapshots > 0)
		qsort(list->snapshots, list->nsnapshots, sizeof(*list->snapshots),
			compare_indexes);
	return 0;
}

int layout_list(int storefd, struct layout_list *list, struct fault *fault)
{
	int fd = openat(storefd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir;
	int error;

	*list = (struct layout_list){.snapshots = NULL};
	if (fd < 0)
		return file_fault(fault, -errno, "open", "the store");
	dir = fdopendir(fd);
	if (dir == NULL) {
		error = -errno;
		close(fd);
		return file_fault(fault, error, "read", "the store");
	}
	error = list_entries(list, storefd, dir);
	closedir(dir);
	if (error == 0)
		return 0;
	layout_list_fini(list);
	return file_fault(fault, error, "read", "the store");
}

void layout_list_fini(struct layout_list *list)
{
	free(list->snapshots);
	free(list->manifests);
	free(list->unfinished);
}

int layout_open(int storefd, int64_t index, int *dirfd, struct fault *fault)
{
	char name[LAYOUT_NAME];
	int fd = openat(storefd, layout_dir(name, index),
		O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return file_fault(fault, -errno, "open", name);
	*dirfd = fd;
	return 0;
}

int layout_load_table(int dirfd, int64_t index, struct table *table, struct fault *fault)
{
	struct fault inner = {0};
	uint8_t *bytes;
	size_t len;
	int error;

	error = pbfile_load(dirfd, TABLE_NAME, &bytes, &len, &inner);
	if (error == -ENOENT)
		return fault_set(fault, -EBADMSG,
			TABLE_NAME " is missing: this is no complete snapshot; remove it "
				   "or fetch it again");
	if (error != 0)
		return fault_set(fault, error, "%s", inner.text);
	error = table_decode(table, bytes, len, &inner);
	free(bytes);
	if (error != 0)
		return fault_set(fault, error,
			TABLE_NAME ": %s; remove this snapshot and fetch it again",
			inner.text);
	if (table->meta.index == index)
		return 0;
	error = fault_set(fault, -EBADMSG,
		TABLE_NAME " is of index %lld, its directory of %lld; remove this "
			   "snapshot and fetch it again",
		(long long)table->meta.index, (long long)index);
	table_fini(table);
	return error;
}

int layout_add_file(int dirfd, const struct table_file *entry, struct manifest *manifest,
	struct fault *fault)
{
	struct fault inner = {0};
	struct stat st;
	int error;
	int fd;

	error = tree_open(dirfd, entry->name, O_RDONLY | O_NONBLOCK, 0, &fd, &inner);
	if (error == -ENOENT && entry_is_reference(entry))
		return 0;
	if (error != 0)
		return fault_set(fault, error, "%s", inner.text);
	error = fstat(fd, &st) != 0 ? -errno : 0;
	close(fd);
	if (error != 0)
		return file_fault(fault, error, "look at", entry->name);
	if (!S_ISREG(st.st_mode))
		return fault_set(
			fault, -EBADMSG, "%s is not a regular file", entry->name);
	return manifest_add(
		manifest, entry->name, (uint64_t)st.st_size, st.st_mode & 0777, fault);
}

int layout_compare(
	const struct table *table, const struct manifest *manifest, struct fault *fault)
{
	size_t listed = 0;
	char quoted[NAME_QUOTED];

	for (size_t i = 0; i < table->nfiles; i++) {
		bool found = manifest_find(manifest, table->files[i].name) != NULL;

		if (strcmp(table->files[i].name, MANIFEST_NAME) == 0)
			continue;
		listed += found;
		if (!found && !entry_is_reference(&table->files[i]))
			return fault_set(fault, -EBADMSG,
				"the table lists %s, the manifest does not",
				name_quote(quoted, sizeof(quoted), table->files[i].name));
	}
	if (listed != manifest->nfiles)
		return fault_set(fault, -EBADMSG,
			"the manifest has %u files, the table %zu", manifest->nfiles,
			listed);
	return 0;
}

static int load_manifest(int dirfd, const char *name, const struct table *table,
	struct manifest *manifest, struct fault *fault)
{
	uint8_t *bytes;
	size_t len;
	int error;

	error = file_load(dirfd, name, LAYOUT_MANIFEST_MAX, &bytes, &len, fault);
	if (error != 0)
		return error;
	error = manifest_decode(manifest, bytes, len, fault);
	free(bytes);
	if (error != 0)
		return error;
	error = layout_compare(table, manifest, fault);
	if (error != 0)
		manifest_fini(manifest);
	return error;
}

int layout_load_manifest(const struct layout_snapshot *snapshot,
	struct manifest *manifest, bool *has, struct fault *fault)
{
	struct fault inner = {0};
	char name[LAYOUT_NAME];
	int error;

	if (table_find(snapshot->table, MANIFEST_NAME) == NULL) {
		/* A copy beside can be made again: a damaged one counts as none. */
		error = load_manifest(snapshot->storefd,
			layout_manifest(name, snapshot->index), snapshot->table, manifest,
			NULL);
		*has = error == 0;
		if (error != 0)
			memset(manifest, 0, sizeof(*manifest));
		return error == -ENOMEM ? error : 0;
	}
	error = load_manifest(
		snapshot->dirfd, MANIFEST_NAME, snapshot->table, manifest, &inner);
	*has = error == 0;
	if (error == -ENOENT)
		error = -EBADMSG;
	if (error != 0)
		return fault_set(fault, error,
			MANIFEST_NAME ": %s; remove this snapshot and fetch it again",
			inner.text);
	return 0;
}
