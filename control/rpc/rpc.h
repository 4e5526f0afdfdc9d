/* SPDX-License-Identifier: BSD-3-Clause */
/* PRPC (baidu_std) calls over libuv sockets: TCP "HOST:PORT" or "unix:PATH".
 *
 * Many calls share a connection and are answered in any order; a call may stay unanswered
 * for hours while others pass it. Everything here runs on the loop's thread, and every
 * callback is made from the loop, never from inside the function that caused it. */
#ifndef RPC_H
#define RPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/fault.h"

struct uv_loop_s;
struct rpc_server;
struct rpc_call;
struct rpc_client;

struct rpc_bytes {
	const uint8_t *data;
	size_t len;
};

/* brpc's own codes; all others on the wire are errno values or braft's RaftError. */
enum {
	RPC_ENOSERVICE = 1001,
	RPC_ENOMETHOD = 1002,
	RPC_EREQUEST = 1003,
	RPC_ERPCTIMEDOUT = 1008,
	RPC_EFAILEDSOCKET = 1009,
	RPC_EINTERNAL = 2001,
	RPC_ERESPONSE = 2002,
};

enum { RPC_NO_TIMEOUT = -1 };

struct rpc_method {
	const char
		*service; /* full name: "braft.RaftService"; the short name matches too */
	const char *method;
	/* Must lead to exactly one rpc_call_reply or rpc_call_fail, now or later. */
	void (*handler)(void *ctx, struct rpc_call *call);
};

/* Listens. methods ends with an all-NULL entry and outlives the server. Unknown services
 * and methods are answered with ENOSERVICE/ENOMETHOD. A stale unix socket file is
 * replaced, a living one is not. Returns 0, -EINVAL (address), -EADDRINUSE, -EACCES …,
 * with the remedy. */
int rpc_server_open(struct rpc_server **server, struct uv_loop_s *loop,
	const char *address, const struct rpc_method *methods, void *ctx,
	struct fault *fault);
/* The port bound, for addresses with port 0. */
uint16_t rpc_server_port(const struct rpc_server *server);
/* Closes all connections; calls still open may be replied to, without effect. Freed by
 * the loop's next iterations. */
void rpc_server_close(struct rpc_server *server);

struct rpc_bytes rpc_call_message(const struct rpc_call *call);
const char *rpc_call_peer(const struct rpc_call *call); /* "IP:PORT" or "unix" */

/* gone is called once, when the connection the call came over has ended, for whatever
 * reason; of several for one connection the last one counts. */
void rpc_call_on_gone(struct rpc_call *call, void (*gone)(void *ctx), void *ctx);

/* Both copy what they are given and free the call. */
void rpc_call_reply(
	struct rpc_call *call, struct rpc_bytes message, struct rpc_bytes attachment);
/* code is the positive wire code. */
void rpc_call_fail(struct rpc_call *call, int code, const char *format, ...)
	PRINTF_LIKE(3, 4);

struct rpc_result {
	int code; /* 0, or the wire code; connection trouble: EHOSTDOWN 112 (could not
		     connect), RPC_EFAILEDSOCKET (broken while waiting), RPC_ERPCTIMEDOUT,
		     RPC_ERESPONSE (the peer speaks something else) */
	const char *text;            /* never NULL; empty on success; else one line that
					names the address */
	struct rpc_bytes message;    /* valid during the callback */
	struct rpc_bytes attachment; /* valid during the callback */
};

/* Connects at the first call and again at the first call after a break. Returns 0,
 * -EINVAL for an address that does not parse, or -ENOMEM. */
int rpc_client_open(struct rpc_client **client, struct uv_loop_s *loop,
	const char *address, struct fault *fault);
/* Bounds connecting alone, each of the host's addresses: a call that waits ends with
 * EHOSTDOWN when none answers in time. RPC_NO_TIMEOUT, the default: as long as the system
 * tries, minutes. Holds from the next attempt on. */
void rpc_client_set_connect_timeout(struct rpc_client *client, int timeout_ms);
/* Calls still open end without their callback. Freed by the loop's next iterations. */
void rpc_client_close(struct rpc_client *client);

/* Copies message. done is called exactly once unless the client is closed first.
 * timeout_ms covers connecting and the answer; RPC_NO_TIMEOUT waits for ever. A message
 * too large for a frame ends with RPC_EREQUEST. When there is no memory even to remember
 * the call, done is called from inside, with ENOMEM. */
void rpc_client_call(struct rpc_client *client, const char *service, const char *method,
	struct rpc_bytes message, int timeout_ms,
	void (*done)(void *ctx, const struct rpc_result *result), void *ctx);

#endif
