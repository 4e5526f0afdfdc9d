/* SPDX-License-Identifier: BSD-3-Clause */
/* A copy that can be resumed: its journal while chunks come, and the second look at what
 * an earlier journal was believed about.
 *
 *   storage_filter ─► storage_prepare ─► resume_open_journal ─► chunks come ─► …
 *                                   └──► resume_check ─► (a thread reads what was
 *                                        believed) ─► resume_take_wrong ─► pull those
 *
 * Nothing is committed that was not compared with the manifest by this process: it came
 * over the wire, or was read. So a journal may say what it will, and the disk lose what
 * it will: that costs bytes, never the snapshot. */
#ifndef RESUME_H
#define RESUME_H

#include <stdbool.h>
#include <stdint.h>

#include "control/storage/storage.h"
#include "dataplane/store.h"

struct journal_file;
struct resume_check;

struct resume_journal {
	struct store_object *object; /* the writer's temp */
	const struct manifest *manifest;
	const char *group;
	int64_t index;
	int64_t term;
};

/* Begins the journal of a copy with what storage_filter has found; close it with
 * journal_file_close before the object. Returns 0 or an errno. */
int resume_open_journal(struct journal_file **journal,
	const struct storage_writer *writer, const struct resume_journal *copy,
	struct fault *fault);

/* Starts comparing the writer's `believed` chunks with the manifest, which outlives it,
 * in a thread of low priority. *check is NULL when there are none. Returns 0, -ENOMEM,
 * -EAGAIN (no thread to be had) or an errno. */
int resume_check_start(struct resume_check **check, const struct storage_writer *writer,
	const struct manifest *manifest, struct fault *fault);
bool resume_check_is_done(const struct resume_check *check);
/* Bytes not yet compared. */
uint64_t resume_check_left(const struct resume_check *check);
/* After it is done: chunks that are not what the manifest says. */
uint32_t resume_check_count_wrong(const struct resume_check *check);
/* The same: takes the wrong chunks out of have. Returns how many bytes they have.
 */
uint64_t resume_take_wrong(struct resume_check *check, uint64_t *have);
/* Ends it at the next chunk, waiting for that. */
void resume_check_close(struct resume_check *check);

#endif
