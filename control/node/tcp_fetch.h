/* SPDX-License-Identifier: BSD-3-Clause */
/* Drives a pure fetch machine: sends its get_file calls over a connection of its own,
 * brings it the answers, wakes it when its time has come.
 *
 *   start ─► (loop) poll … on_reply … ─► is_over ─► end, once ─► close
 *
 * Whoever else changes the machine calls tcp_fetch_pump after. Loop's thread. */
#ifndef TCP_FETCH_H
#define TCP_FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "control/fetch_call.h"
#include "control/file_fetch.h"
#include "dataplane/base/fault.h"

struct rpc_client;
struct tcp_fetch;

struct tcp_fetch_ops {
	bool (*poll)(void *ctx, nsec now, struct fetch_request *request);
	nsec (*deadline)(const void *ctx);
	void (*on_reply)(
		void *ctx, uint32_t call, const struct fetch_reply *reply, nsec now);
	bool (*is_over)(const void *ctx);
	void (*end)(void *ctx); /* no call is under way any more; may close it */
};

struct tcp_fetch_call {
	struct tcp_fetch *fetch;
	uint32_t index;
};

struct tcp_fetch {
	const struct tcp_fetch_ops *ops;
	void *ctx;
	struct rpc_client *client; /* NULL once ended */
	uv_timer_t timer;
	int64_t reader_id;
	nsec connect_timeout; /* set before start; 0: none */
	bool is_pumping;
	bool is_ended;
	void (*closed)(void *ctx);
	struct tcp_fetch_call calls[FILE_FETCH_DEPTH_MAX];
};

/* Begins from the loop's next iteration. ops and ctx are set by the caller before.
 * Returns 0, -EINVAL for an address that does not parse, or -ENOMEM. */
int tcp_fetch_start(struct tcp_fetch *fetch, struct uv_loop_s *loop, const char *address,
	int64_t reader_id, struct fault *fault);
/* Sends what is due; ends when it is over. May not be called from ops but end. */
void tcp_fetch_pump(struct tcp_fetch *fetch);
/* Pumps from the loop's next iteration. */
void tcp_fetch_pump_soon(struct tcp_fetch *fetch);
/* After end, or instead of it: calls under way end unanswered. closed(ctx) follows from
 * the loop; the struct may be freed then. */
void tcp_fetch_close(struct tcp_fetch *fetch, void (*closed)(void *ctx));

#endif
