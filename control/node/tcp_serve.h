/* SPDX-License-Identifier: BSD-3-Clause */
/* braft.FileService over TCP: serves the files of registered snapshots to stock followers
 * and to our own without a device.
 *
 *   tcp_serve_open ─► tcp_serve_add(reader_id) ─► get_file … ─► tcp_serve_remove ─► close
 *
 * The rules are those of control/file_service.h; files are read on libuv's thread pool,
 * all else happens on the loop. */
#ifndef TCP_SERVE_H
#define TCP_SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/table.h"
#include "control/throttle.h"
#include "dataplane/base/fault.h"

struct uv_loop_s;
struct rpc_call;
struct tcp_serve;

struct tcp_serve_options {
	struct uv_loop_s *loop;
	struct throttle *throttle; /* NULL: unlimited */
	bool check_hole;           /* raft_file_check_hole: zero blocks are left out */
};

/* One snapshot under one reader_id. Everything is borrowed until released is called. */
struct tcp_source {
	int64_t reader_id;
	const char *path;           /* of the snapshot's directory; absolute, or relative
				       to an unchanging working directory */
	const struct table *table;  /* as on disk */
	const uint8_t *table_bytes; /* as on the wire: sources cleared */
	size_t table_len;
	/* Nothing refers to this source any more; called once, after tcp_serve_remove,
	 * maybe from inside it. May be NULL. */
	void (*released)(void *ctx);
	void *ctx;
};

struct tcp_serve_stats {
	uint64_t bytes;    /* of files, answered */
	uint64_t calls;    /* answered with data */
	uint64_t refusals; /* answered with EAGAIN */
	nsec last;         /* uv_hrtime of the last call, 0: none yet */
};

/* Returns 0 or -ENOMEM. */
int tcp_serve_open(struct tcp_serve **serve, const struct tcp_serve_options *options,
	struct fault *fault);
/* Removes every source. Freed when the last read has ended, by the loop. */
void tcp_serve_close(struct tcp_serve *serve);

/* NULL takes the throttle away; the old one must live until reads under way have ended.
 */
void tcp_serve_set_throttle(struct tcp_serve *serve, struct throttle *throttle);

/* Returns 0, -EEXIST (the id is taken), -ENOMEM, or the errno of opening path. */
int tcp_serve_add(struct tcp_serve *serve, const struct tcp_source *source);
/* Calls for this id are answered with ENOENT from now on; a read under way is answered.
 * Unknown ids are ignored. */
void tcp_serve_remove(struct tcp_serve *serve, int64_t reader_id);

/* The follower is ours: up to max_reads at once, of any file at any offset. Without it,
 * braft's rules hold: one read at a time, one file after the other. */
void tcp_serve_set_any_order(
	struct tcp_serve *serve, int64_t reader_id, uint32_t max_reads);

/* Paused, every call is answered with EAGAIN, which a stock follower takes for a throttle
 * and bears for ever. */
void tcp_serve_pause(struct tcp_serve *serve, int64_t reader_id, bool is_paused);

/* Returns whether the id is known. */
bool tcp_serve_get_stats(
	const struct tcp_serve *serve, int64_t reader_id, struct tcp_serve_stats *stats);

/* The handler of braft.FileService.get_file; ctx is the struct tcp_serve. */
void tcp_serve_get_file(void *ctx, struct rpc_call *call);

#endif
