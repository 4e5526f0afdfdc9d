/* SPDX-License-Identifier: BSD-3-Clause */
/* What a store's entries are called and what they hold. */
#ifndef LAYOUT_H
#define LAYOUT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/table.h"
#include "dataplane/base/fault.h"
#include "dataplane/manifest.h"

enum { LAYOUT_NAME = 48, LAYOUT_MANIFEST_MAX = 1 << 30 };

/* snapshot_%020lld and manifest_%020lld. Return name. */
char *layout_dir(char name[static LAYOUT_NAME], int64_t index);
char *layout_manifest(char name[static LAYOUT_NAME], int64_t index);

/* What a directory holds, as far as it is a store's. */
struct layout_list {
	int64_t *snapshots; /* rising */
	size_t nsnapshots;
	int64_t *manifests; /* kept beside; without order */
	size_t nmanifests;
	int64_t *unfinished; /* manifests with .tmp */
	size_t nunfinished;
	char foreign[NAME_MAX + 1]; /* something that is no store's; empty: nothing */
};

/* Returns 0, -ENOMEM or an errno. */
int layout_list(int storefd, struct layout_list *list, struct fault *fault);
void layout_list_fini(struct layout_list *list);

/* Opens the directory of a snapshot. Returns 0, -ENOENT or an errno. */
int layout_open(int storefd, int64_t index, int *dirfd, struct fault *fault);

/* Loads a snapshot's table, which must be for this index. Returns 0, -EBADMSG (also when
 * it is missing), -ENOMEM or an errno. */
int layout_load_table(int dirfd, int64_t index, struct table *table, struct fault *fault);

/* Loads the manifest: the one that the table lists, else a sound one beside the
 * directory. *has is false when there is none; the manifest is empty then. Returns 0,
 * -EBADMSG (listed but missing or damaged, or of other files than the table), -ENOMEM or
 * an errno. */
struct layout_snapshot {
	int storefd;
	int dirfd;
	int64_t index;
	const struct table *table;
};
int layout_load_manifest(const struct layout_snapshot *snapshot,
	struct manifest *manifest, bool *has, struct fault *fault);

/* Adds the file, as it lies in the directory, to a manifest in the making. One that is
 * kept elsewhere (a reference) and not here is left out. Returns 0, -ENOENT, -EBADMSG (no
 * regular file), or an error of manifest_add. */
int layout_add_file(int dirfd, const struct table_file *entry, struct manifest *manifest,
	struct fault *fault);

/* Whether the manifest is of exactly the files of the table, but for references, which
 * it may leave out. Returns 0 or -EBADMSG. */
int layout_compare(
	const struct table *table, const struct manifest *manifest, struct fault *fault);

#endif
