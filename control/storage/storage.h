/* SPDX-License-Identifier: BSD-3-Clause */
/* Snapshot directories on disk, in braft's layout:
 *
 *   PATH/temp/                            the one snapshot being built or received
 *   PATH/snapshot_%020d/                  named by last_included_index
 *   PATH/snapshot_…/__raft_snapshot_meta  the table (control/table.h)
 *   PATH/snapshot_…/__snapline_manifest   the manifest, a file of the table
 *
 *   saving     storage_create ─► write files, add_file… ─► storage_writer_commit
 *   receiving  storage_create_copy ─► storage_filter ─► storage_prepare ─► bytes ─►
 *              storage_commit
 *   reading    storage_open_newest ─► reader ─► storage_reader_close; its directory stays
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

struct storage_options {
	bool create;                    /* PATH, when it is missing */
	bool create_parent_directories; /* and what is above it */
	/* What a failed copy has left in temp stays, also over a restart and without a
	 * journal, and storage_filter uses it for other snapshots too. */
	bool filter_before_copy_remote;
	bool sync;      /* files, table and directories are synced */
	bool sync_meta; /* table and directories are, whatever `sync` says */
	bool use_fsync_rather_than_fdatasync;
	uint32_t chunk_size; /* bytes, of the manifests of saved snapshots */
};

/* braft's defaults: all true but filter_before_copy_remote and sync_meta. */
void storage_options_init(struct storage_options *options);

/* One committed snapshot. Fields are constant while the reader is held. */
struct storage_reader {
	int64_t index;
	int64_t term;
	char *path;         /* of the directory */
	struct table table; /* as on disk */
	struct manifest
		manifest; /* from the file, or computed when the snapshot has none */
};

/* One thread at a time may use it. */
struct storage_writer {
	struct storage *storage;
	char *path;         /* PATH/temp */
	struct table table; /* what storage_writer_commit will commit */
	uint64_t *have;     /* chunks that storage_filter found; NULL: not asked */
	uint64_t *believed; /* of these, the ones that the journal alone speaks for */
	bool filtered;      /* temp holds nothing but what storage_filter has kept */
	bool keep;          /* temp outlives the writer when it fails */
};

/* Opens the store at path for reading and writing, creating it if its parent exists
 * (`create`), and recovers as braft does: temp and all but the largest snapshot are
 * removed (braft.md A9) — but only in a directory that is recognisably a store: empty, or
 * holding nothing but `temp` and snapshot_* directories. Returns 0, -ENOENT (missing),
 * -ENOTEMPTY (not a store: says what is in the way), -EBUSY (another process owns it),
 * -EBADMSG (newest table or manifest unreadable: the directory is kept), or an errno. */
int storage_open(
	struct storage **storage, const char *path, bool create, struct fault *fault);
/* The same with all options: storage_open has braft's defaults, and makes no parents.
 * With filter_before_copy_remote temp stays, but for what its own table does not list. */
int storage_open_options(struct storage **storage, const char *path,
	const struct storage_options *options, struct fault *fault);
void storage_close(struct storage *storage);

/* Changes what may change at run time: sync, sync_meta, use_fsync_rather_than_fdatasync.
 * Holds for commits that begin after. Any thread. */
void storage_set_sync(struct storage *storage, const struct storage_options *options);

const char *storage_path(const struct storage *storage);
/* Index of the newest committed snapshot, 0 when there is none. */
int64_t storage_newest_index(struct storage *storage);

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
/* For a copy from another node: temp is what the last attempt left, and its table the
 * writer's, with filter_before_copy_remote or if there is a journal. Otherwise the same
 * as storage_create. What storage_filter is not asked about, storage_prepare removes. */
int storage_create_copy(
	struct storage *storage, struct storage_writer **writer, struct fault *fault);
/* Removes temp; with `keep` leaves it, with the writer's table, for the next attempt. */
void storage_abort(struct storage_writer *writer);

/* What braft calls LocalFileMeta. */
struct storage_file_meta {
	const uint8_t *user_meta; /* NULL: none */
	size_t user_meta_len;
	bool is_reference; /* the bytes may be elsewhere: the file need not be in temp */
	const char *checksum; /* NULL: the commit fills in the CRC-32C */
};

/* Lists a file of temp, which may be written before or after. meta may be NULL. Returns
 * 0, -EINVAL (a name that name_check refuses), -EEXIST or -ENOMEM. */
int storage_writer_add_file(struct storage_writer *writer, const char *name,
	const struct storage_file_meta *meta, struct fault *fault);
/* Takes it off the list; the commit removes it from temp. Returns 0 or -ENOENT. */
int storage_writer_remove_file(struct storage_writer *writer, const char *name);
/* The list, sorted; valid until it is changed. */
const struct table *storage_writer_table(const struct storage_writer *writer);
/* Copies index, term and configuration. Returns 0 or -ENOMEM. */
int storage_writer_save_meta(
	struct storage_writer *writer, const struct snapshot_meta *meta);

/* Commits the writer's own list: reads the files, makes manifest and missing checksums,
 * and goes on as storage_commit. Without any file there is no manifest: a snapshot of
 * the meta alone, as a witness has. Returns what storage_commit does; -ENOENT names a
 * listed file that was not written. */
int storage_writer_commit(struct storage_writer *writer, struct fault *fault);

/* Creates all sub-directories of the manifest, and its files with their final size, for
 * a transfer to fill; but files smaller than a chunk, which come whole, are left to who
 * writes them. Their place is reserved, but on a tmpfs. All-zero chunks stay holes. Files
 * that storage_filter kept stay as they are. Returns 0, -ENOSPC before anything is
 * created when the file system cannot hold it (naming need and free), or an errno. */
int storage_prepare(struct storage_writer *writer, const struct manifest *manifest,
	struct fault *fault);

/* Commits temp: removes what the table does not list, writes manifest_bytes as
 * MANIFEST_NAME (when not NULL), fsyncs every file of the table, writes and fsyncs the
 * table, fsyncs every directory, renames, fsyncs PATH. Only then does the newest snapshot
 * change; the previous one goes when unreferenced. The writer is freed in every case; on
 * failure it ends as by storage_abort (after -EIO, -EEXIST and -ESTALE temp is always
 * removed) and the old snapshot stays. Returns 0, -EEXIST when this index is the newest
 * already, -ESTALE when the newest is newer, or the errno of the first failing step
 * (ENOSPC, EIO …): braft's swallowed close() error is not copied. */
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
