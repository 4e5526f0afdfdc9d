/* SPDX-License-Identifier: BSD-3-Clause */
/* One end of a transfer without files: a worker, chunk buffers, and a disk that costs
 * nothing. Every chunk of the snapshot has the same bytes; a buffer that holds them
 * already is not filled again, as if a disk had put them there, and what is written is
 * thrown away. So what is measured is the data plane and its nic.
 *
 *   end_plan ─► end_open ─► end->nic filled by the caller ─► end_start ─► end_turn …
 *   ─► has_ended ─► end_close */
#ifndef END_H
#define END_H

#include "dataplane/worker.h"
#include "hugepages/arena.h"
#include "hugepages/pool.h"

enum { END_BUFFERS = 64, END_REQUESTS = 128, END_PORT = 4791 };

/* What both ends know: one snapshot of equal chunks. */
struct end_plan {
	struct manifest manifest;
	uint8_t *content;    /* of a chunk */
	enum cc_kind cc;     /* CC_FIXED, unless the caller wants another */
	uint32_t window;     /* packets; WIRE_ACK_BITS, unless … */
	uint32_t generation; /* of both sessions: 1 to 4095 */
	uint8_t *memory[2];  /* chunk buffers of the two ends, the same in every run */
};

struct end {
	const struct end_plan *plan;
	struct worker worker;
	struct nic nic; /* the caller's to fill */
	struct store store;
	struct arena arena;
	struct pool pool;
	struct session *session;
	struct store_completion done[END_REQUESTS];
	uint32_t ndone;
	bool is_filled[END_BUFFERS]; /* the buffer holds the chunk */
	uint32_t slice_crc[MANIFEST_CHUNK_DEFAULT / CACHE_SLICE_MIN];
	bool has_ended;
	int code; /* 0: all went well */
	uint64_t
		foreign; /* ticks that are not ours: the disk's, and those the nic adds */
	uint64_t busy;   /* ticks of turns that found something to do, foreign ones off */
	uint64_t turns;  /* of these */
	uint64_t taken;  /* of busy: turns so long that the core was somebody else's */
	uint64_t ntaken; /* how many turns that were */
	uint64_t too_long; /* ticks; longer ones are */
};

/* A snapshot of so many chunks of 1 MiB. */
void end_plan_init(struct end_plan *plan, uint32_t chunks);
void end_plan_fini(struct end_plan *plan);

/* number 0 sends, number 1 receives. Exits with a line when there is no memory. */
struct end *end_open(const struct end_plan *plan, int number, uint32_t slice_size);
void end_start(struct end *end);
/* How many of the frames carry data. */
uint64_t end_data(const struct nic_tx frames[], int count);
/* One turn of the loop. Returns whether there was anything to do. */
bool end_turn(struct end *end);
/* Ticks of its busy turns, as if those that somebody else's program or host broke into
 * had taken as long as the others on average. */
double end_ticks(const struct end *end);
uint64_t end_bytes_done(const struct end *end);
void end_close(struct end *end);

#endif
