/* SPDX-License-Identifier: BSD-3-Clause */
/* Fetches the files of a table over get_file when there is no manifest: one call at a
 * time, one file after the other in the table's order, each until its eof, as a stock
 * leader has it. Sizes are not known before; nothing can be checked.
 *
 *   poll ─request─► leader ─reply─► on_reply ─write─► the caller writes it ─► on_written
 *
 * The last write of a file says its size: the caller cuts or extends the file to it, so
 * that a hole at the end keeps its length. Pure. */
#ifndef FILE_STREAM_H
#define FILE_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "control/fetch_call.h"
#include "control/table.h"
#include "dataplane/base/fault.h"

enum { FILE_STREAM_WRITES_MAX = 4 }; /* handed out and not written yet */

struct file_stream {
	const struct table *table;
	const uint64_t *skip;       /* a bit a file that is here already; NULL: none */
	struct fetch_policy policy; /* may be changed at any time */
	struct fetch_pace pace;
	struct fetch_call call;
	struct fetch_request request; /* as sent last */
	enum fetch_state state;
	struct fault fault; /* once FAILED: always the leader's */
	uint32_t file;      /* being fetched; nfiles: none left */
	uint64_t offset;    /* of what is asked for next */
	uint32_t nwrites;   /* handed out and not written yet */
	uint64_t bytes;     /* of file, covered by answers */
	uint64_t calls;     /* answered with data */
	uint64_t refusals;  /* EAGAIN */
};

struct file_stream_write {
	uint32_t file; /* index into the table */
	bool is_first; /* of the file: it is created, or emptied */
	bool is_last;  /* of the file: its size is end */
	uint64_t end;  /* where this write ends in the file, holes included */
	struct file_segment_cursor segments; /* checked; of the reply */
};

/* table and skip must outlive it. */
void file_stream_init(struct file_stream *stream, const struct table *table,
	const uint64_t *skip, const struct fetch_policy *policy);
/* Returns the tokens of a call not answered. */
void file_stream_fini(struct file_stream *stream, nsec now);

/* As file_fetch_poll, _deadline and _on_reply. on_reply returns whether there is
 * something to write; writes are done in their order, each ended by on_written. */
bool file_stream_poll(
	struct file_stream *stream, nsec now, struct fetch_request *request);
nsec file_stream_deadline(const struct file_stream *stream);
bool file_stream_on_reply(struct file_stream *stream, const struct fetch_reply *reply,
	nsec now, struct file_stream_write *write);
void file_stream_on_written(struct file_stream *stream);

#endif
