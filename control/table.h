/* SPDX-License-Identifier: BSD-3-Clause */
/* The metadata table of a snapshot, braft's __raft_snapshot_meta: SnapshotMeta and the
 * list of files with their LocalFileMeta. Sorted by name, byte-wise, as braft's std::map
 * is.
 *
 * On disk it is framed as braft's ProtoBufFile: u32 big-endian length, then
 * LocalSnapshotPbMeta. On the wire it is the bare LocalSnapshotPbMeta with every `source`
 * cleared. */
#ifndef TABLE_H
#define TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/fault.h"

#define TABLE_NAME "__raft_snapshot_meta"

struct snapshot_meta {
	int64_t index; /* last_included_index */
	int64_t term;  /* last_included_term */
	char **peers;  /* owned; "ip:port:idx:role" */
	size_t npeers;
	char **old_peers; /* owned; only when the configuration is joint */
	size_t nold_peers;
};

struct table_file {
	char *name; /* owned */
	bool has_user_meta;
	uint8_t *user_meta; /* owned */
	size_t user_meta_len;
	bool has_source;
	int source;     /* enum FileSource: 0 local, 1 reference */
	char *checksum; /* owned; NULL: none */
};

struct table {
	bool has_meta;
	struct snapshot_meta meta;
	struct table_file *files; /* sorted by name */
	size_t nfiles;
};

void table_init(struct table *table);
void table_fini(struct table *table);

/* Copies peer into the list. Returns 0 or -ENOMEM. */
int table_add_peer(struct table *table, const char *peer);
/* Adds a file with an empty LocalFileMeta, or with a checksum when it is not NULL.
 * Returns 0, -EEXIST for a name already there, or -ENOMEM. */
int table_add_file(struct table *table, const char *name, const char *checksum);
const struct table_file *table_find(const struct table *table, const char *name);

/* LocalSnapshotPbMeta bytes, bit-compatible with braft: every file entry carries its meta
 * sub-message even if empty. as_remote clears the sources. *bytes is malloc'ed; the
 * caller frees it. Returns 0 or -ENOMEM. */
int table_encode(const struct table *table, bool as_remote, uint8_t **bytes, size_t *len);
/* Returns 0, -EBADMSG (not a table, no meta, a name name_check refuses, a name twice), or
 * -ENOMEM. table must not be initialised; table_fini after success. */
int table_decode(
	struct table *table, const uint8_t *bytes, size_t len, struct fault *fault);

#endif
