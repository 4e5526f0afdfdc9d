/* SPDX-License-Identifier: BSD-3-Clause */
/* Fetches the files of one snapshot over braft.FileService.get_file.
 *
 *   with a manifest   chunk by chunk into files that storage_prepare made, each chunk
 *                     checked against its leaf, those in `have` left out
 *   with a table      file by file, sizes unknown until their end, into a directory: all
 *                     that a stock leader offers (tcp_read fetches the table itself)
 *
 * Bytes are written on libuv's thread pool; nothing is fsynced: storage_commit does. All
 * functions are called on the loop's thread, and on_end is called from the loop. */
#ifndef TCP_COPY_H
#define TCP_COPY_H

#include <stdbool.h>
#include <stdint.h>

#include "control/fetch_call.h"
#include "control/table.h"
#include "dataplane/base/fault.h"
#include "dataplane/manifest.h"
#include "dataplane/store.h"

struct uv_loop_s;
struct tcp_copy;

/* Who is to blame: only a local fault says something about this node's disk. */
enum tcp_origin {
	TCP_ORIGIN_NONE, /* success */
	TCP_ORIGIN_LOCAL,
	TCP_ORIGIN_REMOTE, /* the leader's code, the network, or bad content */
	TCP_ORIGIN_CANCEL,
};

struct tcp_result {
	enum tcp_origin origin;
	struct fault fault; /* code 0: success; -(wire code) for a remote one */
};

struct tcp_copy_stats {
	uint64_t bytes_done;   /* checked and written; zero chunks count */
	uint64_t bytes_resent; /* fetched again because a chunk was bad */
	uint64_t bytes_reused; /* of `have` */
	uint64_t calls;        /* answered with data */
	uint64_t refusals;     /* EAGAIN */
};

/* Everything pointed to is borrowed until on_end. */
struct tcp_copy_options {
	struct uv_loop_s *loop;
	const char *address; /* of the leader's control port; copied. The copy has its own
				connection: bulk holds up no heartbeat */
	int64_t reader_id;
	struct fetch_policy policy; /* fetch_policy_default() to begin with */

	/* With a manifest. */
	const struct manifest *manifest; /* NULL: without */
	struct store_object *object;
	const uint64_t *have; /* a bit a chunk that is here already; NULL: none */
	uint32_t depth;       /* calls in flight when the leader is ours and was told so
				 (tcp_serve_set_any_order); 0: stock, one, in order */

	/* Without. */
	const struct table *table;
	const char *path;     /* an existing directory */
	const uint64_t *skip; /* a bit a file of the table that is here; NULL: none */

	void (*on_end)(void *ctx, const struct tcp_result *result);
	void *ctx;
};

/* Returns 0, -EINVAL (address), -ENOMEM, or the errno of opening path. on_end is called
 * once after success.
 */
int tcp_copy_start(struct tcp_copy **copy, const struct tcp_copy_options *options,
	struct fault *fault);
/* on_end follows from the loop, with -ECANCELED, as soon as no write is under way.
 * Without effect once it has ended. */
void tcp_copy_cancel(struct tcp_copy *copy, const char *why);
/* After on_end, also from inside it. */
void tcp_copy_destroy(struct tcp_copy *copy);

/* Paused, it makes no new call; those under way still end. */
void tcp_copy_pause(struct tcp_copy *copy, bool is_paused);
void tcp_copy_get_stats(const struct tcp_copy *copy, struct tcp_copy_stats *stats);

#endif
