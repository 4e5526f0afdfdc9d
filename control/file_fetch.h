/* SPDX-License-Identifier: BSD-3-Clause */
/* Fetches the chunks of a snapshot over get_file, given its manifest.
 *
 *   poll ─request─► leader ─reply─► on_reply ─chunk full and sound─► next_write ─►
 *   the caller writes it ─► on_written ─► … ─► state DONE
 *
 * Chunks are taken in order, so files are: the small ones one after the other, then each
 * large one from its start. A stock leader serves one file at a time, from offset 0, and
 * lets it go only at its end; where chunks are left out (they are here, or zero) such a
 * file is entered with a read of its first byte and left with a read past its end.
 *
 * A chunk that does not match its leaf is fetched again. Pure; memory is allocated by
 * init only. */
#ifndef FILE_FETCH_H
#define FILE_FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "control/fetch_call.h"
#include "dataplane/base/fault.h"
#include "dataplane/manifest.h"

enum {
	FILE_FETCH_DEPTH_MAX = 64,
	FILE_FETCH_TRIES = 4, /* of one chunk, until its content is given up */
};

struct file_fetch_options {
	const struct manifest *manifest;
	const uint64_t *have; /* a bit a chunk; NULL: none */
	uint32_t depth;       /* calls in flight, in any order; 0: one, as stock */
};

struct file_fetch_stats {
	uint64_t bytes_done;   /* written */
	uint64_t bytes_resent; /* of chunks that were bad */
	uint64_t bytes_reused; /* of chunks in `have`, or zero */
	uint64_t calls;        /* answered with data */
	uint64_t refusals;     /* EAGAIN */
};

/* A chunk being filled, then written. */
struct file_fetch_chunk {
	enum {
		FILE_FETCH_FREE,
		FILE_FETCH_FILLING,
		FILE_FETCH_SOUND,
		FILE_FETCH_WRITING,
	} state;
	uint32_t chunk;
	uint32_t len;    /* bytes */
	uint32_t filled; /* bytes */
	uint32_t tries;  /* fetched in vain */
	struct manifest_cursor cursor;
	struct manifest_extent extent; /* its part not asked for yet; len 0: none */
	uint8_t *buf;
};

/* A get_file call and the bytes it is for. */
struct file_fetch_call {
	struct fetch_call call;
	enum {
		FILE_FETCH_IDLE,
		FILE_FETCH_DATA,
		FILE_FETCH_ENTER, /* first byte of a file, to get in */
		FILE_FETCH_LEAVE, /* past the end of a file, to get out */
	} kind;
	struct file_fetch_chunk *chunk; /* of DATA */
	struct manifest_extent piece;   /* what is still missing */
	struct fetch_request request;   /* as sent last */
};

struct file_fetch {
	struct file_fetch_options options;
	struct fetch_policy policy; /* may be changed at any time */
	struct fetch_pace pace;
	enum fetch_state state;
	struct fault fault; /* once FAILED: always the leader's, code -(wire code) or
			       -EBADMSG */
	struct file_fetch_stats stats;
	uint32_t nchunks; /* buffers */
	struct file_fetch_chunk *chunks;
	uint32_t ncalls;
	struct file_fetch_call *calls;
	uint64_t *there;     /* a bit a chunk that is not to be fetched */
	uint32_t next_chunk; /* to be begun */
	uint32_t left;       /* chunks not yet written */
	uint8_t *memory;     /* of all buffers */
	/* what a stock leader has open */
	bool is_entered;
	bool is_at_end;
	uint32_t entered; /* file */
};

struct file_fetch_write {
	struct file_fetch_chunk *slot; /* goes back to on_written */
	uint32_t chunk;
	uint8_t *buf; /* the chunk's bytes, until on_written */
};

/* Returns 0 or -ENOMEM. manifest must outlive it; have is copied. */
int file_fetch_init(struct file_fetch *fetch, const struct file_fetch_options *options,
	const struct fetch_policy *policy);
/* No buffer may be in use any more. Returns tokens of calls not answered. */
void file_fetch_fini(struct file_fetch *fetch, nsec now);

/* Whether a call is to be made now: then each one returned must be made. */
bool file_fetch_poll(struct file_fetch *fetch, nsec now, struct fetch_request *request);
/* When to poll again; NEVER: after a reply or a write. */
nsec file_fetch_deadline(const struct file_fetch *fetch);
/* call is that of the request. */
void file_fetch_on_reply(struct file_fetch *fetch, uint32_t call,
	const struct fetch_reply *reply, nsec now);

/* Whether a chunk is to be written: then each one returned must be. */
bool file_fetch_next_write(struct file_fetch *fetch, struct file_fetch_write *write);
/* It was written without an error. */
void file_fetch_on_written(struct file_fetch *fetch, struct file_fetch_chunk *slot);

#endif
