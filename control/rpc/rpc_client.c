/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/rpc.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "control/frame.h"
#include "control/rpc/rpc_dial.h"
#include "dataplane/base/log.h"
#include "dataplane/base/units.h"

enum { TEXT_MAX = 1024 }; /* bytes of an explanation; no part of it is cut */

void rpc_client_release(struct rpc_client *client)
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
	else if (call->code == RPC_ERESPONSE)
		(void)snprintf(text, TEXT_MAX,
			"%s answers %s with what is no answer: is it the address of a "
			"node?",
			address, call->name);
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

static int how_it_ended(const struct conn *via, int error)
{
	if (via == NULL)
		return EHOSTDOWN;
	return error == UV_EPROTO ? RPC_ERESPONSE : RPC_EFAILEDSOCKET;
}

void rpc_client_fail_calls(struct rpc_client *client, const struct conn *via, int error)
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
		call->code = how_it_ended(via, error);
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
	/* codes are positive: all of us go on with -code */
	if (frame->refused != NULL || frame->error_code < 0)
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
		rpc_dial_move(client, CLIENT_IDLE);
	}
	if (client->state != CLIENT_CLOSED)
		rpc_client_fail_calls(client, conn, conn->error);
	rpc_client_release(client);
}

const struct conn_ops rpc_client_conn_ops = {
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

void rpc_client_on_connected(struct rpc_client *client)
{
	struct client_call *call;

	for (call = TAILQ_FIRST(&client->calls.calls); call != NULL;
		call = TAILQ_NEXT(call, order)) {
		if (call->bytes != NULL)
			send_call(client, call);
	}
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
		rpc_dial_move(client, CLIENT_IDLE);
	}
	if (client->state == CLIENT_CONNECTED)
		send_call(client, call);
	else if (client->state == CLIENT_IDLE)
		err = rpc_dial_start(client);
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
	(void)uv_timer_init(loop, &opened->dialling); /* as the first one */
	conn_ignore_sigpipe();
	opened->loop = loop;
	opened->timer.data = opened;
	opened->dialling.data = opened;
	opened->connect_timeout_ms = RPC_NO_TIMEOUT;
	opened->armed_ms = CALL_NEVER;
	opened->nhandles = 2; /* the timers */
	call_table_init(&opened->calls);
	*client = opened;
	return 0;

free_client:
	free(opened);
	return err;
}

void rpc_client_set_connect_timeout(struct rpc_client *client, int timeout_ms)
{
	client->connect_timeout_ms = timeout_ms;
}

static void on_timer_closed(uv_handle_t *handle)
{
	rpc_client_release(handle->data);
}

void rpc_client_close(struct rpc_client *client)
{
	struct client_call *call;

	rpc_dial_stop(client);
	rpc_dial_move(client, CLIENT_CLOSED);
	while ((call = TAILQ_FIRST(&client->calls.calls)) != NULL) {
		call_table_remove(&client->calls, call);
		call_free(call);
	}
	if (client->conn != NULL) {
		conn_close(client->conn, 0);
		client->conn = NULL;
	}
	uv_close((uv_handle_t *)&client->timer, on_timer_closed);
	uv_close((uv_handle_t *)&client->dialling, on_timer_closed);
}
