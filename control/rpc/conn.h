/* SPDX-License-Identifier: BSD-3-Clause */
/* One connection that carries PRPC frames, for server and client alike.
 *
 *   conn_create ─► (uv_accept or uv_…_connect on conn->uv) ─► conn_start
 *     ─► frame, frame, …  ─► closed, and the connection frees itself
 *
 * A connection is on the heap because libuv closes in the background. The callbacks may
 * close it, and send on it, at any time. */
#ifndef CONN_H
#define CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

struct conn;
struct frame;

enum {
	CONN_PEER_MAX = 64,
	CONN_QUEUE_MAX = 256 << 20, /* bytes unsent to a peer that does not read */
};

struct conn_ops {
	/* frame and what it points to are valid during the call */
	void (*frame)(struct conn *conn, const struct frame *frame);
	/* bytes that are no frame came in; the connection is closing */
	void (*malformed)(struct conn *conn);
	/* the last callback; conn is freed after it */
	void (*closed)(struct conn *conn);
};

struct conn {
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} uv;
	uv_connect_t connect; /* a client's; lives until libuv has let go of the handle */
	const struct conn_ops *ops;
	void *owner;
	bool is_unix;
	bool closing;
	int error;                /* 0: closed by us; else the uv error that ended it */
	char peer[CONN_PEER_MAX]; /* "IP:PORT" or "unix" */
	uint8_t *bytes;           /* received, the first frame at 0 */
	size_t len;               /* bytes used */
	size_t room;              /* bytes allocated */
	size_t wanted;            /* bytes of the frame that is arriving; 0: unknown */
};

/* Returns 0, -ENOMEM or a uv error; then nothing is left to close. */
int conn_create(struct conn **conn, uv_loop_t *loop, bool is_unix,
	const struct conn_ops *ops, void *owner);

/* Connected: names the peer and begins to read. */
void conn_start(struct conn *conn);

/* Takes bytes over, also on failure. A failure closes the connection; nothing is sent on
 * a closing one. */
void conn_send(struct conn *conn, uint8_t *bytes, size_t len);

/* error 0, or the uv error to remember. May be called again. */
void conn_close(struct conn *conn, int error);

/* libuv writes to sockets without MSG_NOSIGNAL: a peer that vanished must not kill us.
 * A handler the program has installed stays. */
void conn_ignore_sigpipe(void);

#endif
