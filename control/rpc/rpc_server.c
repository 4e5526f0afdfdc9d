/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/rpc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include <uv.h>

#include "control/frame.h"
#include "control/rpc/address.h"
#include "control/rpc/conn.h"
#include "control/rpc/listener.h"
#include "dataplane/base/log.h"

LIST_HEAD(open_calls, rpc_call);
LIST_HEAD(open_conns, server_conn);

struct server_conn {
	LIST_ENTRY(server_conn) entry;
	struct rpc_server *server;
	struct conn *conn;
	struct open_calls calls; /* unanswered */
	void (*gone)(void *ctx); /* NULL: nobody wants to know */
	void *gone_ctx;
};

struct rpc_server {
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} listener;
	uv_loop_t *loop;
	struct address address;
	uint16_t port;
	const struct rpc_method *methods;
	void *ctx;
	struct open_conns conns;
	unsigned int nhandles; /* the listener and connections not yet closed */
	uint64_t malformed;    /* connections ended for bytes that are no frame */
	bool closing;
};

struct rpc_call {
	LIST_ENTRY(rpc_call) entry;
	struct server_conn *from; /* NULL: the connection has ended */
	char peer[CONN_PEER_MAX];
	int64_t correlation_id;
	size_t message_len;
	uint8_t message[];
};

static void send_response(struct conn *conn, struct frame *response)
{
	uint8_t *bytes;
	size_t len;
	int err = frame_encode(response, &bytes, &len);

	if (err == -EMSGSIZE) {
		response->error_code = RPC_EINTERNAL;
		(void)snprintf(response->error_text, sizeof(response->error_text),
			"the answer is larger than %d bytes", FRAME_BODY_MAX);
		err = frame_encode(response, &bytes, &len);
	}
	if (err == 0)
		conn_send(conn, bytes, len);
	else
		conn_close(conn, err); /* silence would leave the caller waiting */
}

static void send_failure(
	struct conn *conn, int64_t correlation_id, int code, const char *text)
{
	struct frame response = {
		.kind = FRAME_RESPONSE,
		.correlation_id = correlation_id,
		.error_code = code,
	};

	(void)snprintf(response.error_text, sizeof(response.error_text), "%s", text);
	send_response(conn, &response);
}

static void free_call(struct rpc_call *call)
{
	if (call->from != NULL)
		LIST_REMOVE(call, entry);
	free(call);
}

void rpc_call_reply(
	struct rpc_call *call, struct rpc_bytes message, struct rpc_bytes attachment)
{
	struct frame response = {
		.kind = FRAME_RESPONSE,
		.correlation_id = call->correlation_id,
		.message = message.data,
		.message_len = message.len,
		.attachment = attachment.data,
		.attachment_len = attachment.len,
	};

	if (call->from != NULL)
		send_response(call->from->conn, &response);
	free_call(call);
}

void rpc_call_fail(struct rpc_call *call, int code, const char *format, ...)
{
	char text[FRAME_TEXT_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (call->from != NULL)
		send_failure(call->from->conn, call->correlation_id,
			code != 0 ? code : RPC_EINTERNAL, text);
	free_call(call);
}

struct rpc_bytes rpc_call_message(const struct rpc_call *call)
{
	return (struct rpc_bytes){call->message, call->message_len};
}

const char *rpc_call_peer(const struct rpc_call *call)
{
	return call->peer;
}

void rpc_call_on_gone(struct rpc_call *call, void (*gone)(void *ctx), void *ctx)
{
	if (call->from == NULL) {
		gone(ctx);
		return;
	}
	call->from->gone = gone;
	call->from->gone_ctx = ctx;
}

/* "braft.RaftService" is also known as "RaftService". */
static bool is_service(const struct rpc_method *method, const char *name)
{
	const char *dot = strrchr(method->service, '.');

	return strcmp(method->service, name) == 0 ||
	       (dot != NULL && strcmp(dot + 1, name) == 0);
}

static const struct rpc_method *find_method(
	const struct rpc_method *methods, const struct frame *frame, bool *service_known)
{
	*service_known = false;
	for (const struct rpc_method *m = methods; m->service != NULL; m++) {
		if (!is_service(m, frame->service))
			continue;
		*service_known = true;
		if (strcmp(m->method, frame->method) == 0)
			return m;
	}
	return NULL;
}

/* No method takes an attachment: it is left out. */
static struct rpc_call *create_call(struct server_conn *from, const struct frame *frame)
{
	struct rpc_call *call = malloc(sizeof(*call) + frame->message_len);

	if (call == NULL)
		return NULL;
	call->from = from;
	memcpy(call->peer, from->conn->peer, sizeof(call->peer));
	call->correlation_id = frame->correlation_id;
	call->message_len = frame->message_len;
	if (frame->message_len > 0)
		memcpy(call->message, frame->message, frame->message_len);
	LIST_INSERT_HEAD(&from->calls, call, entry);
	return call;
}

static void on_malformed(struct conn *conn)
{
	struct server_conn *from = conn->owner;

	from->server->malformed++;
	log_line(LOG_WARN, "rpc", "event=malformed peer=%s listen=%s total=%" PRIu64,
		conn->peer, from->server->address.text, from->server->malformed);
}

static void on_frame(struct conn *conn, const struct frame *frame)
{
	struct server_conn *from = conn->owner;
	struct rpc_server *server = from->server;
	const struct rpc_method *method;
	struct rpc_call *call;
	char text[FRAME_TEXT_MAX];
	bool service_known;

	if (frame->kind != FRAME_REQUEST) {
		on_malformed(conn);
		conn_close(conn, UV_EPROTO);
		return;
	}
	if (frame->refused != NULL) {
		send_failure(conn, frame->correlation_id, RPC_EREQUEST, frame->refused);
		return;
	}
	method = find_method(server->methods, frame, &service_known);
	if (method == NULL) {
		(void)snprintf(text, sizeof(text), "this node has no %s %s.%s",
			service_known ? "method" : "service", frame->service,
			frame->method);
		send_failure(conn, frame->correlation_id,
			service_known ? RPC_ENOMETHOD : RPC_ENOSERVICE, text);
		return;
	}
	call = create_call(from, frame);
	if (call == NULL) {
		send_failure(conn, frame->correlation_id, ENOMEM, "out of memory");
		return;
	}
	method->handler(server->ctx, call);
}

static void release(struct rpc_server *server)
{
	server->nhandles--;
	if (server->nhandles == 0)
		free(server);
}

static void on_conn_closed(struct conn *conn)
{
	struct server_conn *from = conn->owner;
	struct rpc_server *server = from->server;
	struct rpc_call *call;
	struct rpc_call *next;

	for (call = LIST_FIRST(&from->calls); call != NULL; call = next) {
		next = LIST_NEXT(call, entry);
		call->from = NULL;
	}
	LIST_REMOVE(from, entry);
	if (from->gone != NULL)
		from->gone(from->gone_ctx);
	free(from);
	release(server);
}

static const struct conn_ops server_conn_ops = {
	.frame = on_frame,
	.malformed = on_malformed,
	.closed = on_conn_closed,
};

static void on_connection(uv_stream_t *listener, int status)
{
	struct rpc_server *server = listener->data;
	struct server_conn *from;
	int err = status;

	if (err != 0)
		goto log_refusal;
	from = calloc(1, sizeof(*from));
	if (from == NULL) {
		err = UV_ENOMEM;
		goto log_refusal;
	}
	err = conn_create(&from->conn, server->loop, server->address.is_unix,
		&server_conn_ops, from);
	if (err != 0) {
		free(from);
		goto log_refusal;
	}
	from->server = server;
	LIST_INIT(&from->calls);
	LIST_INSERT_HEAD(&server->conns, from, entry);
	server->nhandles++;
	err = uv_accept(listener, &from->conn->uv.stream);
	if (err != 0)
		conn_close(from->conn, err);
	else
		conn_start(from->conn);
	return;

log_refusal:
	log_line(LOG_WARN, "rpc", "event=accept_failed listen=%s err=%s",
		server->address.text, uv_err_name(err));
}

static void on_listener_closed(uv_handle_t *handle)
{
	release(handle->data);
}

/* Hands fd to libuv. Returns 0 or a uv error, then fd is still ours; *initialised says
 * whether the handle needs closing. */
static int adopt(struct rpc_server *server, int fd, bool *initialised)
{
	int err;

	*initialised = false;
	if (server->address.is_unix)
		err = uv_pipe_init(server->loop, &server->listener.pipe, 0);
	else
		err = uv_tcp_init(server->loop, &server->listener.tcp);
	if (err != 0)
		return err;
	*initialised = true;
	server->listener.handle.data = server;
	server->nhandles = 1;
	if (server->address.is_unix)
		return uv_pipe_open(&server->listener.pipe, fd);
	return uv_tcp_open(&server->listener.tcp, fd);
}

static int start(struct rpc_server *server, struct fault *fault)
{
	bool initialised = false;
	int fd;
	int err = listener_open(&server->address, &fd, &server->port, fault);

	if (err != 0)
		goto free_server;
	err = adopt(server, fd, &initialised);
	if (err != 0) {
		(void)close(fd);
		goto report;
	}
	err = uv_listen(&server->listener.stream, SOMAXCONN, on_connection);
	if (err == 0)
		return 0;

report:
	(void)fault_set(fault, err, "cannot listen on %s: %s", server->address.text,
		uv_strerror(err));
free_server:
	if (initialised)
		uv_close(&server->listener.handle, on_listener_closed);
	else
		free(server);
	return err;
}

int rpc_server_open(struct rpc_server **server, struct uv_loop_s *loop,
	const char *address, const struct rpc_method *methods, void *ctx,
	struct fault *fault)
{
	struct rpc_server *opened = calloc(1, sizeof(*opened));
	int err;

	if (opened == NULL)
		return fault_set(fault, -ENOMEM, "no memory to listen on %s", address);
	err = address_parse(&opened->address, address, true, fault);
	if (err != 0) {
		free(opened);
		return err;
	}
	conn_ignore_sigpipe();
	opened->loop = loop;
	opened->methods = methods;
	opened->ctx = ctx;
	LIST_INIT(&opened->conns);
	err = start(opened, fault);
	if (err == 0)
		*server = opened;
	return err;
}

uint16_t rpc_server_port(const struct rpc_server *server)
{
	return server->port;
}

void rpc_server_close(struct rpc_server *server)
{
	struct server_conn *from;

	server->closing = true;
	if (server->address.is_unix)
		(void)unlink(server->address.host);
	for (from = LIST_FIRST(&server->conns); from != NULL;
		from = LIST_NEXT(from, entry))
		conn_close(from->conn, 0);
	uv_close(&server->listener.handle, on_listener_closed);
}
