/* SPDX-License-Identifier: BSD-3-Clause */
/* What the RPC tests share: a server, a client and a clock in one loop. Each test program
 * has its own copy; the shared test library is linked without libuv. */
#ifndef RPC_WORLD_H
#define RPC_WORLD_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <uv.h>

#include "control/frame.h"
#include "control/rpc/rpc.h"
#include "tests/lib/folder.h"

enum { HELD_MAX = 600, PATIENCE_MS = 5000, TICK_MS = 5 };

struct world {
	uv_loop_t loop;
	uv_timer_t patience;
	int waited_ms;
	struct rpc_server *server;
	struct rpc_client *client;
	char address[160];
	char dir[64];
	struct rpc_call *held[HELD_MAX];
	int nheld;
	int served;
	uint8_t *payload; /* what "large" answers with */
	size_t payload_len;
};

/* One call and what became of it. */
struct outcome {
	struct world *world;
	int times;
	int code;
	char text[1024];
	uint8_t message[64];
	size_t message_len;
	size_t attachment_len;
	uint8_t attachment_first;
	uint8_t attachment_last;
	int order; /* which to end, from 1 */
};

/* in this file: how many calls have ended */
static int ended;

static inline struct rpc_bytes bytes_of(const char *text)
{
	return (struct rpc_bytes){(const uint8_t *)text, strlen(text)};
}

static const struct rpc_bytes nothing;

static inline void on_echo(void *ctx, struct rpc_call *call)
{
	struct world *world = ctx;

	world->served++;
	rpc_call_reply(call, rpc_call_message(call), nothing);
}

static inline void on_hold(void *ctx, struct rpc_call *call)
{
	struct world *world = ctx;

	assert_true(world->nheld < HELD_MAX);
	world->held[world->nheld++] = call;
}

static inline void on_fail(void *ctx, struct rpc_call *call)
{
	(void)ctx;
	rpc_call_fail(call, EBUSY, "Is saving snapshot %d", 7);
}

static inline void on_large(void *ctx, struct rpc_call *call)
{
	struct world *world = ctx;

	rpc_call_reply(call, bytes_of("large"),
		(struct rpc_bytes){world->payload, world->payload_len});
}

static inline void on_who(void *ctx, struct rpc_call *call)
{
	(void)ctx;
	rpc_call_reply(call, bytes_of(rpc_call_peer(call)), nothing);
}

static const struct rpc_method methods[] = {
	{"test.Service", "echo", on_echo},
	{"test.Service", "hold", on_hold},
	{"test.Service", "fail", on_fail},
	{"test.Service", "large", on_large},
	{"test.Service", "who", on_who},
	{NULL, NULL, NULL},
};

/* UV_RUN_ONCE sleeps after it has run timers, so a condition met by one is seen a tick
 * later. */
static inline void on_tick(uv_timer_t *timer)
{
	struct world *world = timer->data;

	world->waited_ms += TICK_MS;
	if (world->waited_ms > PATIENCE_MS)
		fail_msg("waited %d ms in vain", PATIENCE_MS);
}

static inline void be_patient(struct world *world)
{
	world->waited_ms = 0;
	world->patience.data = world;
	assert_int_equal(uv_timer_start(&world->patience, on_tick, TICK_MS, TICK_MS), 0);
}

/* Runs the loop until *counter reaches value. */
static inline void run_until(struct world *world, const int *counter, int value)
{
	be_patient(world);
	while (*counter < value)
		(void)uv_run(&world->loop, UV_RUN_ONCE);
	(void)uv_timer_stop(&world->patience);
}

static inline void on_pause_over(uv_timer_t *timer)
{
	uv_stop(timer->loop);
}

/* Lets the loop turn for a moment, to see that nothing more happens. */
static inline void run_for(struct world *world, uint64_t ms)
{
	assert_int_equal(uv_timer_start(&world->patience, on_pause_over, ms, 0), 0);
	(void)uv_run(&world->loop, UV_RUN_DEFAULT);
	(void)uv_timer_stop(&world->patience);
}

static inline void open_server(struct world *world, const char *address)
{
	struct fault fault = {.code = 0};

	if (rpc_server_open(
		    &world->server, &world->loop, address, methods, world, &fault) != 0)
		fail_msg("%s", fault.text);
	(void)snprintf(world->address, sizeof(world->address), "%s", address);
	if (rpc_server_port(world->server) != 0)
		(void)snprintf(world->address, sizeof(world->address), "127.0.0.1:%u",
			rpc_server_port(world->server));
}

static inline void open_client(struct world *world, const char *address)
{
	struct fault fault = {.code = 0};

	if (rpc_client_open(&world->client, &world->loop, address, &fault) != 0)
		fail_msg("%s", fault.text);
}

static inline void close_server(struct world *world)
{
	rpc_server_close(world->server);
	world->server = NULL;
}

static inline void close_client(struct world *world)
{
	rpc_client_close(world->client);
	world->client = NULL;
}

static inline int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	assert_int_equal(uv_loop_init(&world->loop), 0);
	assert_int_equal(uv_timer_init(&world->loop, &world->patience), 0);
	assert_true(folder_make(world->dir, sizeof(world->dir), "rpc-test"));
	open_server(world, "127.0.0.1:0");
	open_client(world, world->address);
	ended = 0;
	*state = world;
	return 0;
}

static inline int tear_down(void **state)
{
	struct world *world = *state;

	if (world->client != NULL)
		close_client(world);
	if (world->server != NULL)
		close_server(world);
	uv_close((uv_handle_t *)&world->patience, NULL);
	(void)uv_run(&world->loop, UV_RUN_DEFAULT);
	/* proves that nothing is left open */
	assert_int_equal(uv_loop_close(&world->loop), 0);
	for (int i = 0; i < world->nheld; i++)
		rpc_call_fail(world->held[i], EINTR, "too late to matter");
	assert_int_equal(rmdir(world->dir), 0);
	free(world->payload);
	free(world);
	return 0;
}

static inline void on_done(void *ctx, const struct rpc_result *result)
{
	struct outcome *outcome = ctx;

	outcome->times++;
	outcome->order = ++ended;
	outcome->code = result->code;
	assert_non_null(result->text);
	(void)snprintf(outcome->text, sizeof(outcome->text), "%s", result->text);
	outcome->message_len = result->message.len;
	assert_true(result->message.len <= sizeof(outcome->message));
	if (result->message.len > 0)
		memcpy(outcome->message, result->message.data, result->message.len);
	outcome->attachment_len = result->attachment.len;
	if (result->attachment.len > 0) {
		outcome->attachment_first = result->attachment.data[0];
		outcome->attachment_last =
			result->attachment.data[result->attachment.len - 1];
	}
}

static inline void call(struct world *world, struct outcome *outcome, const char *method,
	const char *message, int timeout_ms)
{
	*outcome = (struct outcome){.world = world};
	rpc_client_call(world->client, "test.Service", method, bytes_of(message),
		timeout_ms, on_done, outcome);
	/* never from inside */
	assert_int_equal(outcome->times, 0);
}

static inline void call_and_wait(struct world *world, struct outcome *outcome,
	const char *method, const char *message)
{
	call(world, outcome, method, message, PATIENCE_MS);
	run_until(world, &outcome->times, 1);
}

static inline void expect_text(const struct outcome *outcome, const char *part)
{
	if (strstr(outcome->text, part) == NULL)
		fail_msg("'%s' does not mention '%s'", outcome->text, part);
}

static inline void on_handle(uv_handle_t *handle, void *count)
{
	*(int *)count += handle->type == UV_TCP || handle->type == UV_NAMED_PIPE;
}

/* The listener, and both ends of connections as far as they are in this loop. */
static inline int count_streams(struct world *world)
{
	int count = 0;

	uv_walk(&world->loop, on_handle, &count);
	return count;
}

static inline void wait_streams(struct world *world, int count)
{
	be_patient(world);
	while (count_streams(world) != count)
		(void)uv_run(&world->loop, UV_RUN_ONCE);
	(void)uv_timer_stop(&world->patience);
}

static inline int dial(struct world *world)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(rpc_server_port(world->server)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int before = count_streams(world);
	int on = 1;

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	/* what a test sends in pieces arrives in pieces, and at once */
	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
	wait_streams(world, before + 1);
	return fd;
}

static inline void send_bytes(int fd, const void *bytes, size_t len)
{
	assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

static inline size_t make_request(
	uint8_t **bytes, const char *service, const char *method, const char *message)
{
	struct frame frame = {
		.kind = FRAME_REQUEST,
		.correlation_id = 99,
		.message = (const uint8_t *)message,
		.message_len = strlen(message),
	};
	size_t len;

	(void)snprintf(frame.service, sizeof(frame.service), "%s", service);
	(void)snprintf(frame.method, sizeof(frame.method), "%s", method);
	assert_int_equal(frame_encode(&frame, bytes, &len), 0);
	return len;
}

#define STORY(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

#endif
