/* SPDX-License-Identifier: BSD-3-Clause */
/* The resume journal of one object, kept in its directory while chunks are written to it.
 *
 *   store thread   write ──► note: WRITTEN ─────────────────────┐
 *   own thread     every 64 MiB or second: sync what was noted, ├──► append
 *                  then DURABLE, then sync the journal ─────────┘
 *
 * Its own thread, so that no write waits for a sync. The journal is made anew at open,
 * and again when it has grown, beside the old one, which it then replaces: there is no
 * moment without. */
#ifndef JOURNAL_FILE_H
#define JOURNAL_FILE_H

#include "dataplane/base/fault.h"
#include "dataplane/journal.h"
#include "dataplane/store.h"

struct journal_file;

/* Reads the header of the journal in a directory. Returns 0, -ENOENT when there is none,
 * -EBADMSG when it is unreadable or damaged, or an errno. */
int journal_file_peek(int dirfd, struct journal_header *header);
/* Reads a journal of this manifest into the map, whose nchunks are the manifest's.
 * Returns the same, or -ESTALE when it is of another content or chunk size, or -ENOMEM.
 */
int journal_file_load(
	int dirfd, const struct manifest *manifest, struct journal_map *map);

struct journal_file_options {
	struct store_object *object; /* whose chunks; outlives the journal */
	struct journal_header header;
	const struct journal_map *begin; /* what is there already; NULL: nothing */
	bool sync; /* false: nothing is synced, so nothing is recorded as DURABLE */
};

/* Makes the journal, notes in it what the object writes from now on, starts its thread.
 * Returns 0, -ENOMEM, -EAGAIN (no thread to be had) or an errno. */
int journal_file_open(struct journal_file **journal,
	const struct journal_file_options *options, struct fault *fault);

/* Ends the thread; the object writes on without a journal, which stays in its directory.
 * sync: what was written becomes DURABLE before. Returns 0, or the error that a sync met:
 * then nobody can say what of the object's files is on disk. */
int journal_file_close(struct journal_file *journal, bool sync, struct fault *fault);

/* The chunk has been written: called by the object, on any thread. A journal that cannot
 * be written costs a later resume, no more: that is logged once. Returns 0, or what
 * journal_file_close will return. */
int journal_file_note(struct journal_file *journal, uint32_t chunk);

#endif
