/* SPDX-License-Identifier: BSD-3-Clause */
/* Snapshot directories on disk, in braft's layout:
 *
 *   PATH/temp/                            the one snapshot being built or received
 *   PATH/snapshot_%020d/                  named by last_included_index
 *   PATH/snapshot_…/__raft_snapshot_meta  the table (control/table.h)
 *   PATH/snapshot_…/__snapline_manifest   the manifest, a file of the table
 *
 *   storage_create ─► writer: files, table, manifest ─► storage_commit ─► the newest
 * snapshot storage_open_newest ─► reader ─► reader_close        (a reader keeps its
 * directory alive)
 *
 * Functions that touch the disk may block for long (fsync) and may be called from any
 * thread; the storage has its own lock around the reference counts. One process owns a
 * store at a time: it holds flock(2) on PATH. */
#ifndef STORAGE_H
#define STORAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "control/table.h"
#include "dataplane/base/fault.h"
#include "dataplane/manifest.h"

struct storage;

/* One committed snapshot. Fields are constant while the reader is held. */
struct storage_reader {
	int64_t index;
	int64_t term;
	char *path;         /* of the directory */
	struct table table; /* as on disk */
	struct manifest
		manifest; /* from the file, or computed when the snapshot has none */
};

struct storage_writer {
	struct storage *storage;
	char *path; /* PATH/temp */
};

/* Opens the store at path for reading and writing, creating it if its parent exists
 * (`create`), and recovers as braft does: temp and all but the largest snapshot are
 * removed (braft.md A9) — but only in a directory that is recognisably a store: empty, or
 * holding nothing but `temp` and snapshot_* directories. Returns 0, -ENOENT (missing),
 * -ENOTEMPTY (not a store: says what is in the way), -EBUSY (another process owns it),
 * -EBADMSG (newest table or manifest unreadable: the directory is kept), or an errno. */
int storage_open(
	struct storage **storage, const char *path, bool create, struct fault *fault);
void storage_close(struct storage *storage);

const char *storage_path(const struct storage *storage);
/* Index of the newest committed snapshot, 0 when there is none. */
int64_t storage_newest_index(struct storage *storage);
/* Bytes an ordinary user may still write on the store's file system. */
int storage_free_bytes(struct storage *storage, uint64_t *bytes, struct fault *fault);

/* Takes a reference on the newest snapshot. A snapshot without a manifest (made by braft)
 * gets one computed and kept beside the directory as PATH/manifest_%020d, which may take
 * as long as reading it. Returns 0, -ENOENT when there is none, -EBADMSG for a corrupt
 * table or manifest, or an errno. */
int storage_open_newest(
	struct storage *storage, struct storage_reader **reader, struct fault *fault);
/* Drops the reference; a superseded snapshot without references is deleted. */
void storage_reader_close(struct storage *storage, struct storage_reader *reader);

/* Makes an empty PATH/temp, removing what was there. One writer at a time: -EBUSY. */
int storage_create(
	struct storage *storage, struct storage_writer **writer, struct fault *fault);
/* Removes temp. */
void storage_abort(struct storage_writer *writer);

/* Creates every file of the manifest with its final size and mode, and all
 * sub-directories, for a transfer to fill. All-zero chunks stay holes. Returns 0, -ENOSPC
 * before anything is created when the file system cannot hold it (naming need and free),
 * or an errno. */
int storage_prepare(struct storage_writer *writer, const struct manifest *manifest,
	struct fault *fault);

/* Commits temp: writes manifest_bytes as MANIFEST_NAME (when not NULL), fsyncs every file
 * of the table and every directory, writes and fsyncs the table, fsyncs temp, renames,
 * fsyncs PATH. Only then does the newest snapshot change; the previous one goes when
 * unreferenced. The writer is freed in every case; on failure temp is removed and the old
 * snapshot stays. Returns 0, -EEXIST when this index is the newest already, -ESTALE when
 * the newest is newer, or the errno of the first failing step (ENOSPC, EIO …): braft's
 * swallowed close() error is not copied. */
int storage_commit(struct storage_writer *writer, const struct table *table,
	const uint8_t *manifest_bytes, size_t manifest_len, struct fault *fault);

/* One line of `snapshot list`. */
struct storage_entry {
	int64_t index;
	int64_t term;
	uint64_t files;
	uint64_t bytes;
	bool has_manifest;
	struct fault fault; /* code 0: table and manifest are sound */
};

/* Looks without owning: no lock, nothing is removed or created. Entries by rising index.
 * *entries is malloc'ed. Returns 0, -ENOENT, -ENOTDIR or an errno. */
int storage_scan(const char *path, struct storage_entry **entries, size_t *count,
	struct fault *fault);

/* Reads one committed snapshot without owning the store; index 0: the newest. The
 * manifest is left empty (nfiles 0, *has_manifest false) when the snapshot has none. Free
 * with storage_reader_free. */
int storage_read(const char *path, int64_t index, struct storage_reader **reader,
	bool *has_manifest, struct fault *fault);
void storage_reader_free(struct storage_reader *reader);

#endif
