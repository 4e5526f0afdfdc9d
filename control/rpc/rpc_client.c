/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/rpc.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "control/frame.h"
#include "control/rpc/address.h"
#include "control/rpc/call_table.h"
#include "control/rpc/conn.h"
#include "dataplane/base/log.h"
#include "dataplane/base/units.h"

enum { TEXT_MAX = 1024 }; /* bytes of an explanation; no part of it is cut */

enum client_state {
	CLIENT_IDLE,       /* no connection; the next call makes one */
	CLIENT_RESOLVING,  /* the host's name is being looked up */
	CLIENT_CONNECTING, /* one of the host's addresses is being tried */
	CLIENT_CONNECTED,
	CLIENT_CLOSED,
	CLIENT_STATES,
};

static const bool moves[CLIENT_STATES][CLIENT_STATES] = {
	[CLIENT_IDLE] = {[CLIENT_RESOLVING] = true,
		[CLIENT_CONNECTING] = true,
		[CLIENT_CLOSED] = true},
	[CLIENT_RESOLVING] = {[CLIENT_IDLE] = true,
		[CLIENT_CONNECTING] = true,
		[CLIENT_CLOSED] = true},
	[CLIENT_CONNECTING] = {[CLIENT_IDLE] = true,
		[CLIENT_CONNECTING] = true,
		[CLIENT_CONNECTED] = true,
		[CLIENT_CLOSED] = true},
	[CLIENT_CONNECTED] = {[CLIENT_IDLE] = true, [CLIENT_CLOSED] = true},
};

struct rpc_client {
	uv_loop_t *loop;
	struct address address;
	enum client_state state;
	struct conn *conn; /* while CONNECTING or CONNECTED */
	uv_connect_t connect;
	uv_getaddrinfo_t resolve;
	struct addrinfo *addresses; /* owned; the answer of resolve */
	struct addrinfo *next;      /* to try when this one refuses */
	uv_timer_t timer;           /* armed for the first call that is due */
	uint64_t armed_ms;          /* loop time; CALL_NEVER: not armed */
	struct call_table calls;
	unsigned int nhandles; /* what libuv still has of us */
};

static void client_move(struct rpc_client *client, enum client_state to)
{
	assert(moves[client->state][to]);
	client->state = to;
}

static void release(struct rpc_client *client)
{
	client->nhandles--;
	if (client->nhandles == 0)
		free(client);
}

static void finish(struct client_call *call, const struct rpc_result *result)
{
	call->done(call->ctx, result);
	call_free(call);
}

static void explain(const struct rpc_client *client, const struct client_call *call,
	const char *why, char text[static TEXT_MAX])
{
	const char *address = client->address.text;

	if (call->code == RPC_ERPCTIMEDOUT)
		(void)snprintf(text, TEXT_MAX, "%s did not answer %s within %d ms",
			address, call->name, call->timeout_ms);
	else if (call->code == RPC_EFAILEDSOCKET)
		(void)snprintf(text, TEXT_MAX, "the connection to %s broke during %s: %s",
			address, call->name, why);
	else if (call->code == EHOSTDOWN)
		(void)snprintf(text, TEXT_MAX,
			"cannot connect to %s: %s: is the node running and the address "
			"right?",
			address, why);
	else
		(void)snprintf(text, TEXT_MAX, "%s was not sent to %s: %s", call->name,
			address,
			call->code == RPC_EREQUEST ? "larger than a frame can be"
						   : strerror(call->code));
}

/* Callbacks may make new calls or close the client, so what has ended leaves the table
 * before the first of them runs. */
static void finish_all(
	struct rpc_client *client, struct call_list *ended, const char *why)
{
	struct client_call *call;
	char text[TEXT_MAX];

	while ((call = TAILQ_FIRST(ended)) != NULL) {
		struct rpc_result result = {.code = call->code, .text = text};

		TAILQ_REMOVE(ended, call, order);
		if (client->state == CLIENT_CLOSED) {
			call_free(call);
			continue;
		}
		explain(client, call, why, text);
		finish(call, &result);
	}
}

static void move_call(
	struct rpc_client *client, struct client_call *call, struct call_list *ended)
{
	call_table_remove(&client->calls, call);
	TAILQ_INSERT_TAIL(ended, call, order);
}

/* Ends the calls sent on conn, or those not sent at all. */
static void fail_calls(struct rpc_client *client, const struct conn *via, int error)
{
	struct call_list ended = TAILQ_HEAD_INITIALIZER(ended);
	struct client_call *call;
	struct client_call *next;

	for (call = TAILQ_FIRST(&client->calls.calls); call != NULL; call = next) {
		next = TAILQ_NEXT(call, order);
		/* without a frame and unsent: it has failed already */
		if (call->via != via || (via == NULL && call->bytes == NULL))
			continue;
		move_call(client, call, &ended);
		call->code = via != NULL ? RPC_EFAILEDSOCKET : EHOSTDOWN;
	}
	finish_all(client, &ended, error != 0 ? uv_strerror(error) : "closed");
}

static void on_timer(uv_timer_t *timer);

static void arm(struct rpc_client *client, uint64_t due_ms)
{
	uint64_t now = uv_now(client->loop);

	if (due_ms >= client->armed_ms)
		return;
	client->armed_ms = due_ms;
	(void)uv_timer_start(
		&client->timer, on_timer, due_ms > now ? due_ms - now : 0, 0);
}

static void on_timer(uv_timer_t *timer)
{
	struct rpc_client *client = timer->data;
	struct call_list ended = TAILQ_HEAD_INITIALIZER(ended);
	uint64_t now = uv_now(client->loop);
	struct client_call *call;
	struct client_call *next;

	client->armed_ms = CALL_NEVER;
	for (call = TAILQ_FIRST(&client->calls.calls); call != NULL; call = next) {
		next = TAILQ_NEXT(call, order);
		if (call->due_ms <= now)
			move_call(client, call, &ended);
	}
	arm(client, call_table_next_due(&client->calls));
	finish_all(client, &ended, "no connection could be started");
}

static void on_frame(struct conn *conn, const struct frame *frame)
{
	struct rpc_client *client = conn->owner;
	struct client_call *call;
	char text[TEXT_MAX];
	struct rpc_result result = {
		.code = frame->error_code,
		.text = "",
		.message = {frame->message, frame->message_len},
		.attachment = {frame->attachment, frame->attachment_len},
	};

	if (frame->kind != FRAME_RESPONSE) {
		conn_close(conn, UV_EPROTO);
		return;
	}
	call = call_table_find(&client->calls, frame->correlation_id);
	if (call == NULL || call->via != conn)
		return;
	if (frame->refused != NULL)
		result.code = RPC_ERESPONSE;
	if (result.code != 0) {
		const char *why = frame->refused;

		if (why == NULL)
			why = frame->error_text[0] != '\0' ? frame->error_text
							   : "error without a text";
		(void)snprintf(text, sizeof(text), "%s: %s", client->address.text, why);
		result.text = text;
	}
	call_table_remove(&client->calls, call);
	finish(call, &result);
}

static void on_malformed(struct conn *conn)
{
	log_line(LOG_WARN, "rpc", "event=malformed peer=%s", conn->peer);
}

static void on_conn_closed(struct conn *conn)
{
	struct rpc_client *client = conn->owner;

	if (client->conn == conn) {
		client->conn = NULL;
		client_move(client, CLIENT_IDLE);
	}
	if (client->state != CLIENT_CLOSED)
		fail_calls(client, conn, conn->error);
	release(client);
}

static const struct conn_ops client_conn_ops = {
	.frame = on_frame,
	.malformed = on_malformed,
	.closed = on_conn_closed,
};

static void send_call(struct rpc_client *client, struct client_call *call)
{
	uint8_t *bytes = call->bytes;

	call->via = client->conn;
	call->bytes = NULL;
	conn_send(client->conn, bytes, call->len);
}

static void try_next_address(struct rpc_client *client, int error);

static void on_connected(uv_connect_t *request, int status)
{
	struct conn *conn = (struct conn *)request->handle->data;
	struct rpc_client *client = conn->owner;
	struct client_call *call;

	if (client->conn != conn || conn->closing)
		return;
	if (status != 0) {
		client->conn = NULL;
		conn_close(conn, status);
		try_next_address(client, status);
		return;
	}
	client_move(client, CLIENT_CONNECTED);
	client->next = NULL;
	conn_start(conn);
	for (call = TAILQ_FIRST(&client->calls.calls); call != NULL;
		call = TAILQ_NEXT(call, order)) {
		if (call->bytes != NULL)
			send_call(client, call);
	}
}

/* Begins to connect to sockaddr, or to the unix path when it is NULL. */
static int dial(struct rpc_client *client, const struct sockaddr *to)
{
	int err = conn_create(
		&client->conn, client->loop, to == NULL, &client_conn_ops, client);

	if (err != 0)
		return err;
	client->nhandles++;
	client_move(client, CLIENT_CONNECTING);
	if (to == NULL) {
		uv_pipe_connect(&client->connect, &client->conn->uv.pipe,
			client->address.host, on_connected);
		return 0;
	}
	err = uv_tcp_connect(&client->connect, &client->conn->uv.tcp, to, on_connected);
	if (err != 0) {
		struct conn *conn = client->conn;

		client->conn = NULL;
		conn_close(conn, err);
	}
	return err;
}

static void free_addresses(struct rpc_client *client)
{
	uv_freeaddrinfo(client->addresses);
	client->addresses = NULL;
	client->next = NULL;
}

/* error is why the address before did not work. */
static void try_next_address(struct rpc_client *client, int error)
{
	while (client->next != NULL) {
		const struct addrinfo *at = client->next;

		client->next = at->ai_next;
		error = dial(client, at->ai_addr);
		if (error == 0)
			return;
	}
	free_addresses(client);
	client_move(client, CLIENT_IDLE);
	fail_calls(client, NULL, error);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
	struct rpc_client *client = request->data;

	if (client->state == CLIENT_CLOSED) {
		uv_freeaddrinfo(found);
		release(client);
		return;
	}
	client->addresses = status == 0 ? found : NULL;
	client->next = client->addresses;
	try_next_address(client, status);
	/* last: a callback may have closed the client */
	release(client);
}

static int start_connecting(struct rpc_client *client)
{
	static const struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV,
	};
	char service[8];
	int err;

	free_addresses(client);
	if (client->address.is_unix)
		return dial(client, NULL);
	(void)snprintf(service, sizeof(service), "%u", client->address.port);
	client->resolve.data = client;
	err = uv_getaddrinfo(client->loop, &client->resolve, on_resolved,
		client->address.host, service, &hints);
	if (err != 0)
		return err;
	client->nhandles++;
	client_move(client, CLIENT_RESOLVING);
	return 0;
}

static int encode_call(struct client_call *call, const char *service, const char *method,
	struct rpc_bytes message)
{
	struct frame request = {
		.kind = FRAME_REQUEST,
		.correlation_id = call->id,
		.message = message.data,
		.message_len = message.len,
	};

	(void)snprintf(request.service, sizeof(request.service), "%s", service);
	(void)snprintf(request.method, sizeof(request.method), "%s", method);
	(void)snprintf(call->name, sizeof(call->name), "%s.%s", service, method);
	return frame_encode(&request, &call->bytes, &call->len);
}

/* Ends the call with code from the loop's next iteration. */
static void fail_soon(struct rpc_client *client, struct client_call *call, int code)
{
	call->code = code;
	call->due_ms = uv_now(client->loop);
	arm(client, call->due_ms);
}

/* Sends the call on, or gets, a connection. */
static void place_call(struct rpc_client *client, struct client_call *call)
{
	int err = 0;

	/* a closing connection fails its own calls; this one gets a fresh one */
	if (client->conn != NULL && client->conn->closing) {
		client->conn = NULL;
		client_move(client, CLIENT_IDLE);
	}
	if (client->state == CLIENT_CONNECTED)
		send_call(client, call);
	else if (client->state == CLIENT_IDLE)
		err = start_connecting(client);
	if (err != 0)
		fail_soon(client, call, EHOSTDOWN);
}

void rpc_client_call(struct rpc_client *client, const char *service, const char *method,
	struct rpc_bytes message, int timeout_ms,
	void (*done)(void *ctx, const struct rpc_result *result), void *ctx)
{
	struct client_call *call = calloc(1, sizeof(*call));
	int err;

	if (call == NULL) {
		/* the one case that cannot be kept for the loop */
		struct rpc_result result = {.code = ENOMEM, .text = "out of memory"};

		done(ctx, &result);
		return;
	}
	/* the loop's clock stands still during a callback, however long it takes */
	uv_update_time(client->loop);
	call->done = done;
	call->ctx = ctx;
	call->timeout_ms = timeout_ms;
	call->code = RPC_ERPCTIMEDOUT;
	call->due_ms = CALL_NEVER;
	if (timeout_ms >= 0)
		call->due_ms = uv_now(client->loop) + (uint64_t)timeout_ms;
	call_table_add(&client->calls, call);
	arm(client, call->due_ms);
	err = encode_call(call, service, method, message);
	if (err != 0)
		fail_soon(client, call, err == -EMSGSIZE ? RPC_EREQUEST : ENOMEM);
	else
		place_call(client, call);
}

int rpc_client_open(struct rpc_client **client, struct uv_loop_s *loop,
	const char *address, struct fault *fault)
{
	struct rpc_client *opened = calloc(1, sizeof(*opened));
	int err;

	if (opened == NULL)
		return fault_set(fault, -ENOMEM, "no memory to call %s", address);
	err = address_parse(&opened->address, address, false, fault);
	if (err != 0)
		goto free_client;
	err = uv_timer_init(loop, &opened->timer);
	if (err != 0) {
		(void)fault_set(
			fault, err, "cannot call %s: %s", address, uv_strerror(err));
		goto free_client;
	}
	conn_ignore_sigpipe();
	opened->loop = loop;
	opened->timer.data = opened;
	opened->armed_ms = CALL_NEVER;
	opened->nhandles = 1;
	call_table_init(&opened->calls);
	*client = opened;
	return 0;

free_client:
	free(opened);
	return err;
}

static void on_timer_closed(uv_handle_t *handle)
{
	release(handle->data);
}

void rpc_client_close(struct rpc_client *client)
{
	struct client_call *call;

	/* a lookup that has not begun ends at once; one that has is waited for */
	if (client->state == CLIENT_RESOLVING)
		(void)uv_cancel((uv_req_t *)&client->resolve);
	client_move(client, CLIENT_CLOSED);
	while ((call = TAILQ_FIRST(&client->calls.calls)) != NULL) {
		call_table_remove(&client->calls, call);
		call_free(call);
	}
	free_addresses(client);
	if (client->conn != NULL) {
		conn_close(client->conn, 0);
		client->conn = NULL;
	}
	uv_close((uv_handle_t *)&client->timer, on_timer_closed);
}
