/* SPDX-License-Identifier: BSD-3-Clause */
/* How a client gets its connection: looks the host up, then tries one address after the
 * other.
 *
 *   IDLE ─► RESOLVING ─► CONNECTING ─► (next address) CONNECTING ─► CONNECTED
 *     ▲         └────────────┴─ none is left: calls that wait fail ─┐     │
 *     └─────────────────────────────────────────────────────────────┴─────┘ */
#ifndef RPC_DIAL_H
#define RPC_DIAL_H

#include <uv.h>

#include "control/rpc/address.h"
#include "control/rpc/call_table.h"
#include "control/rpc/conn.h"
#include "control/rpc/rpc.h"

enum client_state {
	CLIENT_IDLE,       /* no connection; the next call makes one */
	CLIENT_RESOLVING,  /* the host's name is being looked up */
	CLIENT_CONNECTING, /* one of the host's addresses is being tried */
	CLIENT_CONNECTED,
	CLIENT_CLOSED,
	CLIENT_STATES,
};

struct rpc_client {
	uv_loop_t *loop;
	struct address address;
	enum client_state state;
	struct conn *conn; /* while CONNECTING or CONNECTED */
	uv_getaddrinfo_t resolve;
	struct addrinfo *addresses; /* owned; the answer of resolve */
	struct addrinfo *next;      /* to try when this one refuses */
	uv_timer_t dialling;        /* runs while CONNECTING, when that is bounded */
	int connect_timeout_ms;     /* an address; RPC_NO_TIMEOUT: the system's */
	uv_timer_t timer;           /* armed for the first call that is due */
	uint64_t armed_ms;          /* loop time; CALL_NEVER: not armed */
	struct call_table calls;
	unsigned int nhandles; /* what libuv still has of us */
};

void rpc_dial_move(struct rpc_client *client, enum client_state to);

/* Returns 0, or an error with which nothing was begun. */
int rpc_dial_start(struct rpc_client *client);
/* Gives up what is under way: the client is being closed. */
void rpc_dial_stop(struct rpc_client *client);

/* rpc_client.c: the calls */
extern const struct conn_ops rpc_client_conn_ops;
void rpc_client_release(struct rpc_client *client);
/* Connected: sends what waits. */
void rpc_client_on_connected(struct rpc_client *client);
/* Ends the calls sent on conn, or those not sent at all. */
void rpc_client_fail_calls(struct rpc_client *client, const struct conn *via, int error);

#endif
