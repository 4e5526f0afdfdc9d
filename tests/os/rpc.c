/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls between a server and clients in one loop, and everything that can break between
 * them. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>
#include <cmocka.h>

#include "control/frame.h"
#include "control/rpc/rpc.h"
#include "dataplane/base/bytes.h"

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
	uint64_t gone;    /* the last connection that ended */
	uint64_t seen;    /* the connection of the last call */
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

static int ended;

static struct rpc_bytes bytes_of(const char *text)
{
	return (struct rpc_bytes){(const uint8_t *)text, strlen(text)};
}

static const struct rpc_bytes nothing;

/* ---- what the server does */

static void on_echo(void *ctx, struct rpc_call *call)
{
	struct world *world = ctx;

	world->served++;
	world->seen = rpc_call_connection(call);
	rpc_call_reply(call, rpc_call_message(call), rpc_call_attachment(call));
}

static void on_hold(void *ctx, struct rpc_call *call)
{
	struct world *world = ctx;

	assert_true(world->nheld < HELD_MAX);
	world->seen = rpc_call_connection(call);
	world->held[world->nheld++] = call;
}

static void on_fail(void *ctx, struct rpc_call *call)
{
	(void)ctx;
	rpc_call_fail(call, EBUSY, "Is saving snapshot %d", 7);
}

static void on_large(void *ctx, struct rpc_call *call)
{
	struct world *world = ctx;

	rpc_call_reply(call, bytes_of("large"),
		(struct rpc_bytes){world->payload, world->payload_len});
}

static void on_who(void *ctx, struct rpc_call *call)
{
	(void)ctx;
	rpc_call_reply(call, bytes_of(rpc_call_peer(call)), nothing);
}

static void on_gone(void *ctx, uint64_t connection)
{
	((struct world *)ctx)->gone = connection;
}

static const struct rpc_method methods[] = {
	{"test.Service", "echo", on_echo},
	{"test.Service", "hold", on_hold},
	{"test.Service", "fail", on_fail},
	{"test.Service", "large", on_large},
	{"test.Service", "who", on_who},
	{NULL, NULL, NULL},
};

/* ---- the world */

/* UV_RUN_ONCE sleeps after it has run timers, so a condition met by one is seen a tick
 * later. */
static void on_tick(uv_timer_t *timer)
{
	struct world *world = timer->data;

	world->waited_ms += TICK_MS;
	if (world->waited_ms > PATIENCE_MS)
		fail_msg("waited %d ms in vain", PATIENCE_MS);
}

static void be_patient(struct world *world)
{
	world->waited_ms = 0;
	world->patience.data = world;
	assert_int_equal(uv_timer_start(&world->patience, on_tick, TICK_MS, TICK_MS), 0);
}

/* Runs the loop until *counter reaches value. */
static void run_until(struct world *world, const int *counter, int value)
{
	be_patient(world);
	while (*counter < value)
		(void)uv_run(&world->loop, UV_RUN_ONCE);
	(void)uv_timer_stop(&world->patience);
}

static void on_pause_over(uv_timer_t *timer)
{
	uv_stop(timer->loop);
}

/* Lets the loop turn for a moment, to see that nothing more happens. */
static void run_for(struct world *world, uint64_t ms)
{
	assert_int_equal(uv_timer_start(&world->patience, on_pause_over, ms, 0), 0);
	(void)uv_run(&world->loop, UV_RUN_DEFAULT);
	(void)uv_timer_stop(&world->patience);
}

static void open_server(struct world *world, const char *address)
{
	struct fault fault = {.code = 0};

	if (rpc_server_open(
		    &world->server, &world->loop, address, methods, world, &fault) != 0)
		fail_msg("%s", fault.text);
	rpc_server_on_disconnect(world->server, on_gone);
	(void)snprintf(world->address, sizeof(world->address), "%s", address);
	if (rpc_server_port(world->server) != 0)
		(void)snprintf(world->address, sizeof(world->address), "127.0.0.1:%u",
			rpc_server_port(world->server));
}

static void open_client(struct world *world, const char *address)
{
	struct fault fault = {.code = 0};

	if (rpc_client_open(&world->client, &world->loop, address, &fault) != 0)
		fail_msg("%s", fault.text);
}

static void close_server(struct world *world)
{
	rpc_server_close(world->server);
	world->server = NULL;
}

static void close_client(struct world *world)
{
	rpc_client_close(world->client);
	world->client = NULL;
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	assert_int_equal(uv_loop_init(&world->loop), 0);
	assert_int_equal(uv_timer_init(&world->loop, &world->patience), 0);
	(void)snprintf(world->dir, sizeof(world->dir), "/tmp/rpc-test-XXXXXX");
	assert_non_null(mkdtemp(world->dir));
	open_server(world, "127.0.0.1:0");
	open_client(world, world->address);
	ended = 0;
	*state = world;
	return 0;
}

static int tear_down(void **state)
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

/* ---- calls */

static void on_done(void *ctx, const struct rpc_result *result)
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

static void call(struct world *world, struct outcome *outcome, const char *method,
	const char *message, int timeout_ms)
{
	*outcome = (struct outcome){.world = world};
	rpc_client_call(world->client, "test.Service", method, bytes_of(message),
		timeout_ms, on_done, outcome);
	/* never from inside */
	assert_int_equal(outcome->times, 0);
}

static void call_and_wait(struct world *world, struct outcome *outcome,
	const char *method, const char *message)
{
	call(world, outcome, method, message, PATIENCE_MS);
	run_until(world, &outcome->times, 1);
}

static void expect_text(const struct outcome *outcome, const char *part)
{
	if (strstr(outcome->text, part) == NULL)
		fail_msg("'%s' does not mention '%s'", outcome->text, part);
}

/* ---- a peer that is not our client: a plain blocking socket */

static int dial(struct world *world)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(rpc_server_port(world->server)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void wait_gone(struct world *world, uint64_t connection)
{
	be_patient(world);
	while (world->gone != connection)
		(void)uv_run(&world->loop, UV_RUN_ONCE);
	(void)uv_timer_stop(&world->patience);
}

static void send_bytes(int fd, const void *bytes, size_t len)
{
	assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

static size_t make_request(
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

/* ---- the stories */

static void a_call_is_answered(void **state)
{
	struct outcome outcome;

	call_and_wait(*state, &outcome, "echo", "hello");
	assert_int_equal(outcome.code, 0);
	assert_string_equal(outcome.text, "");
	assert_int_equal(outcome.message_len, 5);
	assert_memory_equal(outcome.message, "hello", 5);
	call_and_wait(*state, &outcome, "echo", "");
	assert_int_equal(outcome.message_len, 0);
	call_and_wait(*state, &outcome, "who", "");
	assert_memory_equal(outcome.message, "127.0.0.1:", 10);
}

static void calls_are_answered_in_any_order(void **state)
{
	struct world *world = *state;
	static struct outcome outcomes[HELD_MAX];
	char text[16];

	for (int i = 0; i < HELD_MAX; i++) {
		(void)snprintf(text, sizeof(text), "%d", i);
		call(world, &outcomes[i], "hold", text, PATIENCE_MS);
	}
	run_until(world, &world->nheld, HELD_MAX);
	for (int i = HELD_MAX - 1; i >= 0; i--)
		rpc_call_reply(world->held[i], rpc_call_message(world->held[i]), nothing);
	world->nheld = 0;
	run_until(world, &ended, HELD_MAX);
	for (int i = 0; i < HELD_MAX; i++) {
		(void)snprintf(text, sizeof(text), "%d", i);
		assert_int_equal(outcomes[i].times, 1);
		assert_int_equal(outcomes[i].code, 0);
		assert_int_equal(outcomes[i].order, HELD_MAX - i);
		assert_int_equal(outcomes[i].message_len, strlen(text));
		assert_memory_equal(outcomes[i].message, text, strlen(text));
	}
}

static void an_unanswered_call_holds_nobody_up(void **state)
{
	struct world *world = *state;
	struct outcome waiting;
	struct outcome passing;

	call(world, &waiting, "hold", "install", RPC_NO_TIMEOUT);
	run_until(world, &world->nheld, 1);
	for (int i = 0; i < 50; i++) {
		call_and_wait(world, &passing, "echo", "heartbeat");
		assert_int_equal(passing.code, 0);
	}
	assert_int_equal(waiting.times, 0);
	assert_true(rpc_call_connection(world->held[0]) == world->seen);
	rpc_call_reply(world->held[0], bytes_of("done"), nothing);
	world->nheld = 0;
	run_until(world, &waiting.times, 1);
	assert_int_equal(waiting.code, 0);
}

static void a_failure_arrives_with_code_and_text(void **state)
{
	struct world *world = *state;
	struct outcome outcome;

	call_and_wait(world, &outcome, "fail", "");
	assert_int_equal(outcome.code, EBUSY);
	expect_text(&outcome, "Is saving snapshot 7");
	expect_text(&outcome, world->address);
	assert_int_equal(outcome.message_len, 0);
}

static void unknown_names_are_told_apart(void **state)
{
	struct world *world = *state;
	struct outcome outcome = {.world = world};

	call_and_wait(world, &outcome, "nonsense", "");
	assert_int_equal(outcome.code, RPC_ENOMETHOD);
	expect_text(&outcome, "test.Service.nonsense");
	outcome.times = 0;
	rpc_client_call(world->client, "no.Service", "echo", nothing, PATIENCE_MS,
		on_done, &outcome);
	run_until(world, &outcome.times, 1);
	assert_int_equal(outcome.code, RPC_ENOSERVICE);
	expect_text(&outcome, "no.Service");
	/* the short name is known too */
	outcome.times = 0;
	rpc_client_call(world->client, "Service", "echo", nothing, PATIENCE_MS, on_done,
		&outcome);
	run_until(world, &outcome.times, 1);
	assert_int_equal(outcome.code, 0);
}

static void a_broken_connection_ends_the_calls_on_it(void **state)
{
	struct world *world = *state;
	struct outcome first;
	struct outcome second;

	call(world, &first, "hold", "", RPC_NO_TIMEOUT);
	call(world, &second, "hold", "", PATIENCE_MS);
	run_until(world, &world->nheld, 2);
	close_server(world);
	run_until(world, &ended, 2);
	assert_int_equal(first.code, RPC_EFAILEDSOCKET);
	assert_int_equal(second.code, RPC_EFAILEDSOCKET);
	expect_text(&first, world->address);
	expect_text(&first, "test.Service.hold");
	/* the handler may still answer; nobody hears it */
	rpc_call_reply(world->held[0], bytes_of("late"), nothing);
	rpc_call_fail(world->held[1], EINTR, "late");
	world->nheld = 0;
}

static void a_refused_connection_names_the_address(void **state)
{
	struct world *world = *state;
	struct outcome first;
	struct outcome second;

	close_server(world);
	call(world, &first, "echo", "", RPC_NO_TIMEOUT);
	call(world, &second, "echo", "", PATIENCE_MS);
	run_until(world, &ended, 2);
	assert_int_equal(first.code, EHOSTDOWN);
	assert_int_equal(second.code, EHOSTDOWN);
	expect_text(&first, world->address);
	expect_text(&first, "refused");
}

static void a_host_that_does_not_exist_is_said_so(void **state)
{
	struct world *world = *state;
	struct outcome outcome;

	close_client(world);
	open_client(world, "no-such-host.invalid:80");
	call_and_wait(world, &outcome, "echo", "");
	assert_int_equal(outcome.code, EHOSTDOWN);
	expect_text(&outcome, "no-such-host.invalid:80");
}

static void a_host_name_is_looked_up(void **state)
{
	struct world *world = *state;
	struct outcome outcome;
	char address[32];

	/* where it also means ::1, that one refuses and the next is tried */
	(void)snprintf(
		address, sizeof(address), "localhost:%u", rpc_server_port(world->server));
	close_client(world);
	open_client(world, address);
	call_and_wait(world, &outcome, "echo", "hi");
	assert_int_equal(outcome.code, 0);
}

static void a_timeout_ends_the_call_and_a_late_answer_is_dropped(void **state)
{
	struct world *world = *state;
	struct outcome slow;
	struct outcome next;

	call(world, &slow, "hold", "", 20);
	run_until(world, &slow.times, 1);
	assert_int_equal(slow.code, RPC_ERPCTIMEDOUT);
	expect_text(&slow, world->address);
	expect_text(&slow, "20 ms");
	assert_int_equal(world->nheld, 1);
	rpc_call_reply(world->held[0], bytes_of("late"), nothing);
	world->nheld = 0;
	call_and_wait(world, &next, "echo", "next");
	assert_int_equal(next.code, 0);
	assert_memory_equal(next.message, "next", 4);
	assert_int_equal(slow.times, 1);
}

static void timeouts_end_in_their_own_order(void **state)
{
	struct world *world = *state;
	struct outcome late;
	struct outcome early;
	struct outcome now;

	call(world, &late, "hold", "", 60);
	call(world, &early, "hold", "", 20);
	call(world, &now, "hold", "", 0);
	run_until(world, &ended, 3);
	assert_int_equal(now.order, 1);
	assert_int_equal(early.order, 2);
	assert_int_equal(late.order, 3);
	assert_int_equal(late.code, RPC_ERPCTIMEDOUT);
}

static void the_next_call_reconnects(void **state)
{
	struct world *world = *state;
	struct outcome outcome;
	char address[160];

	memcpy(address, world->address, sizeof(address));
	call_and_wait(world, &outcome, "echo", "");
	assert_int_equal(outcome.code, 0);
	close_server(world);
	run_for(world, 20);
	call_and_wait(world, &outcome, "echo", "");
	assert_int_equal(outcome.code, EHOSTDOWN);
	open_server(world, address);
	call_and_wait(world, &outcome, "echo", "back");
	assert_int_equal(outcome.code, 0);
	assert_int_equal(world->served, 2);
}

static void garbage_closes_its_connection_only(void **state)
{
	static const char *const garbage[] = {
		"GET / HTTP/1.1\r\n\r\n",
		"PRPC\xff\xff\xff\xff\xff\xff\xff\xff",
		"PRPC\x01\x01\x01\x01\x7f\x01\x01\x01",
	};
	struct world *world = *state;
	struct outcome outcome;
	char byte;

	call_and_wait(world, &outcome, "echo", "");
	for (uint64_t i = 0; i < 3; i++) {
		int fd = dial(world);

		send_bytes(fd, garbage[i], strlen(garbage[i]));
		wait_gone(world, world->seen + i + 1);
		assert_true(recv(fd, &byte, 1, MSG_DONTWAIT) <= 0);
		(void)close(fd);
	}
	call_and_wait(world, &outcome, "echo", "well");
	assert_int_equal(outcome.code, 0);
}

static void a_request_may_arrive_byte_by_byte(void **state)
{
	struct world *world = *state;
	int fd = dial(world);
	uint8_t answer[256];
	struct frame frame;
	uint8_t *bytes;
	size_t len = make_request(&bytes, "test.Service", "echo", "piecemeal");
	size_t size;
	ssize_t got;

	for (size_t i = 0; i < len; i++) {
		send_bytes(fd, bytes + i, 1);
		(void)uv_run(&world->loop, UV_RUN_NOWAIT);
	}
	run_until(world, &world->served, 1);
	run_for(world, 10);
	got = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);
	assert_true(got > 0);
	assert_int_equal(frame_parse(&frame, answer, (size_t)got, &size), 0);
	assert_int_equal(frame.correlation_id, 99);
	assert_memory_equal(frame.message, "piecemeal", 9);
	free(bytes);
	(void)close(fd);
}

static void a_caller_may_vanish_at_any_byte(void **state)
{
	struct world *world = *state;
	struct outcome outcome;
	uint8_t *bytes;
	size_t len = make_request(&bytes, "test.Service", "large", "");
	struct linger reset = {.l_onoff = 1};

	world->payload_len = 4 << 20;
	world->payload = calloc(1, world->payload_len);
	assert_non_null(world->payload);
	for (size_t cut = 0; cut <= len; cut++) {
		int fd = dial(world);

		send_bytes(fd, bytes, cut);
		(void)uv_run(&world->loop, UV_RUN_NOWAIT);
		/* every other one ends with a reset, in the middle of our answer too */
		if (cut % 2 == 0)
			(void)setsockopt(
				fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		(void)close(fd);
		wait_gone(world, cut + 1);
	}
	free(bytes);
	call_and_wait(world, &outcome, "echo", "alive");
	assert_int_equal(outcome.code, 0);
}

static void large_attachments_arrive_whole(void **state)
{
	struct world *world = *state;
	struct outcome outcomes[3];

	world->payload_len = 16 << 20;
	world->payload = malloc(world->payload_len);
	assert_non_null(world->payload);
	memset(world->payload, 0x5a, world->payload_len);
	world->payload[0] = 1;
	world->payload[world->payload_len - 1] = 2;
	for (int i = 0; i < 3; i++)
		call(world, &outcomes[i], "large", "", PATIENCE_MS);
	run_until(world, &ended, 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(outcomes[i].code, 0);
		assert_memory_equal(outcomes[i].message, "large", 5);
		assert_int_equal(outcomes[i].attachment_len, 16 << 20);
		assert_int_equal(outcomes[i].attachment_first, 1);
		assert_int_equal(outcomes[i].attachment_last, 2);
	}
}

static void an_answer_too_large_becomes_a_failure(void **state)
{
	struct world *world = *state;
	struct outcome outcome;

	/* never written to, so it costs no memory */
	world->payload_len = FRAME_BODY_MAX;
	world->payload = calloc(1, world->payload_len);
	assert_non_null(world->payload);
	call_and_wait(world, &outcome, "large", "");
	assert_int_equal(outcome.code, RPC_EINTERNAL);
	expect_text(&outcome, "larger");
}

static void a_request_too_large_fails_before_it_is_sent(void **state)
{
	struct world *world = *state;
	struct outcome outcome = {.world = world};
	uint8_t byte = 0;

	rpc_client_call(world->client, "test.Service", "echo",
		(struct rpc_bytes){&byte, FRAME_BODY_MAX + 1}, RPC_NO_TIMEOUT, on_done,
		&outcome);
	assert_int_equal(outcome.times, 0);
	run_until(world, &outcome.times, 1);
	assert_int_equal(outcome.code, RPC_EREQUEST);
}

static void a_peer_that_never_reads_is_cut_off(void **state)
{
	struct world *world = *state;
	uint8_t *bytes;
	size_t len = make_request(&bytes, "test.Service", "large", "");
	int fd = dial(world);

	world->payload_len = 60 << 20;
	world->payload = calloc(1, world->payload_len);
	assert_non_null(world->payload);
	for (int i = 0; i < 6; i++)
		send_bytes(fd, bytes, len);
	wait_gone(world, 1);
	free(bytes);
	(void)close(fd);
}

static void an_answer_nobody_asked_for_is_no_request(void **state)
{
	struct world *world = *state;
	int fd = dial(world);
	struct frame frame = {.kind = FRAME_RESPONSE, .correlation_id = 1};
	uint8_t *bytes;
	size_t len;

	assert_int_equal(frame_encode(&frame, &bytes, &len), 0);
	send_bytes(fd, bytes, len);
	wait_gone(world, 1);
	free(bytes);
	(void)close(fd);
}

static void a_bad_attachment_size_is_answered(void **state)
{
	/* request{Service, echo}, correlation_id 9, attachment_size 5, payload 1 byte */
	static const char bytes[] = "PRPC\x00\x00\x00\x16\x00\x00\x00\x15"
				    "\x0a\x0f\x0a\x07Service\x12\x04"
				    "echo\x20\x09\x28\x05x";
	struct world *world = *state;
	int fd = dial(world);
	uint8_t answer[256];
	struct frame frame;
	size_t size;
	ssize_t got;

	send_bytes(fd, bytes, sizeof(bytes) - 1);
	run_for(world, 20);
	got = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);
	assert_true(got > 0);
	assert_int_equal(frame_parse(&frame, answer, (size_t)got, &size), 0);
	assert_int_equal(frame.error_code, RPC_EREQUEST);
	assert_int_equal(frame.correlation_id, 9);
	(void)close(fd);
}

static void a_unix_socket_is_private_and_removed_at_the_end(void **state)
{
	struct world *world = *state;
	struct outcome outcome;
	struct stat info;
	char address[160];

	close_client(world);
	close_server(world);
	(void)snprintf(address, sizeof(address), "unix:%s/admin", world->dir);
	open_server(world, address);
	assert_int_equal(stat(address + 5, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);
	open_client(world, address);
	call_and_wait(world, &outcome, "who", "");
	assert_int_equal(outcome.code, 0);
	assert_memory_equal(outcome.message, "unix", 4);
	close_server(world);
	assert_int_equal(stat(address + 5, &info), -1);
	run_for(world, 10);
	call_and_wait(world, &outcome, "who", "");
	assert_int_equal(outcome.code, EHOSTDOWN);
	expect_text(&outcome, address);
}

static void a_stale_unix_socket_is_replaced_a_living_one_is_not(void **state)
{
	struct world *world = *state;
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	struct fault fault = {.code = 0};
	struct rpc_server *second;
	struct outcome outcome;
	char address[160];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	close_client(world);
	close_server(world);
	(void)snprintf(address, sizeof(address), "unix:%s/admin", world->dir);
	(void)snprintf(name.sun_path, sizeof(name.sun_path), "%s/admin", world->dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	(void)close(fd); /* what a killed process leaves behind */
	open_server(world, address);
	assert_int_equal(
		rpc_server_open(&second, &world->loop, address, methods, world, &fault),
		-EADDRINUSE);
	assert_non_null(strstr(fault.text, address));
	assert_non_null(strstr(fault.text, "choose another path"));
	open_client(world, address);
	call_and_wait(world, &outcome, "echo", "");
	assert_int_equal(outcome.code, 0);
}

static void a_file_in_the_way_is_kept(void **state)
{
	struct world *world = *state;
	struct fault fault = {.code = 0};
	struct rpc_server *server;
	char address[160];
	int fd;

	(void)snprintf(address, sizeof(address), "unix:%s/precious", world->dir);
	fd = open(address + 5, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(
		rpc_server_open(&server, &world->loop, address, methods, world, &fault),
		-EADDRINUSE);
	assert_non_null(strstr(fault.text, "not a socket"));
	assert_int_equal(unlink(address + 5), 0);
}

static void addresses_that_cannot_work_are_explained(void **state)
{
	static const struct {
		const char *address;
		int code;
		const char *says;
	} examples[] = {
		{"", -EINVAL, "HOST:PORT"},
		{"127.0.0.1", -EINVAL, "HOST:PORT"},
		{":80", -EINVAL, "HOST:PORT"},
		{"127.0.0.1:", -EINVAL, "port"},
		{"127.0.0.1:x", -EINVAL, "port"},
		{"127.0.0.1:65536", -EINVAL, "port"},
		{"::1:80", -EINVAL, "brackets"},
		{"unix:", -EINVAL, "path"},
		{"unix:/0123456789012345678901234567890123456789012345678901234567890123"
		 "456789012345678901234567890123456789012345678",
			-EINVAL, "shorter"},
		{"unix:/nonexistent/admin", -ENOENT, "does not exist"},
		{"192.0.2.1:0", -EADDRNOTAVAIL, "no interface"},
	};
	struct world *world = *state;
	struct rpc_server *server;
	struct rpc_client *client;
	struct fault fault;

	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		fault.code = 0;
		assert_int_equal(rpc_server_open(&server, &world->loop,
					 examples[i].address, methods, world, &fault),
			examples[i].code);
		if (strstr(fault.text, examples[i].says) == NULL)
			fail_msg("'%s'", fault.text);
	}
	fault.code = 0;
	assert_int_equal(rpc_server_open(&server, &world->loop, world->address, methods,
				 world, &fault),
		-EADDRINUSE);
	assert_non_null(strstr(fault.text, world->address));
	assert_int_equal(
		rpc_client_open(&client, &world->loop, "127.0.0.1:0", NULL), -EINVAL);
}

static void closing_the_client_ends_calls_without_a_word(void **state)
{
	struct world *world = *state;
	struct outcome sent;
	struct outcome unsent;

	call(world, &sent, "hold", "", RPC_NO_TIMEOUT);
	run_until(world, &world->nheld, 1);
	call(world, &unsent, "hold", "", PATIENCE_MS);
	close_client(world);
	run_for(world, 20);
	assert_int_equal(sent.times + unsent.times, 0);
	open_client(world, world->address);
	call(world, &unsent, "hold", "", PATIENCE_MS);
	close_client(world); /* while the name is looked up */
	run_for(world, 20);
	assert_int_equal(unsent.times, 0);
}

static void close_inside(void *ctx, const struct rpc_result *result)
{
	struct outcome *outcome = ctx;

	on_done(ctx, result);
	close_client(outcome->world);
}

static void a_callback_may_close_the_client(void **state)
{
	struct world *world = *state;
	struct outcome first = {.world = world};
	struct outcome second;

	rpc_client_call(world->client, "test.Service", "echo", nothing, PATIENCE_MS,
		close_inside, &first);
	call(world, &second, "echo", "", PATIENCE_MS);
	run_until(world, &first.times, 1);
	run_for(world, 20);
	assert_int_equal(second.times, 0);
	/* and while all calls of a broken connection end */
	open_client(world, world->address);
	first = (struct outcome){.world = world};
	rpc_client_call(world->client, "test.Service", "hold", nothing, PATIENCE_MS,
		close_inside, &first);
	call(world, &second, "hold", "", PATIENCE_MS);
	run_until(world, &world->nheld, 2);
	close_server(world);
	run_until(world, &first.times, 1);
	run_for(world, 20);
	assert_int_equal(first.code, RPC_EFAILEDSOCKET);
	assert_int_equal(second.times, 0);
}

static void call_again(void *ctx, const struct rpc_result *result)
{
	struct outcome *outcome = ctx;

	on_done(ctx, result);
	if (outcome->times < 3)
		rpc_client_call(outcome->world->client, "test.Service", "echo", nothing,
			PATIENCE_MS, call_again, outcome);
}

static void a_callback_may_call_again(void **state)
{
	struct world *world = *state;
	struct outcome outcome = {.world = world};

	rpc_client_call(world->client, "test.Service", "echo", nothing, PATIENCE_MS,
		call_again, &outcome);
	run_until(world, &outcome.times, 3);
	assert_int_equal(outcome.code, 0);
	/* after a refusal as well: each is an attempt of its own */
	close_server(world);
	run_for(world, 20);
	outcome.times = 0;
	rpc_client_call(world->client, "test.Service", "echo", nothing, PATIENCE_MS,
		call_again, &outcome);
	run_until(world, &outcome.times, 3);
	assert_int_equal(outcome.code, EHOSTDOWN);
}

static void the_server_hears_of_a_callers_end(void **state)
{
	struct world *world = *state;
	struct outcome outcome;
	uint64_t connection;

	call(world, &outcome, "hold", "", RPC_NO_TIMEOUT);
	run_until(world, &world->nheld, 1);
	connection = world->seen;
	close_client(world);
	wait_gone(world, connection);
	rpc_call_reply(world->held[0], bytes_of("nobody"), nothing);
	world->nheld = 0;
}

#define STORY(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_call_is_answered),
		STORY(calls_are_answered_in_any_order),
		STORY(an_unanswered_call_holds_nobody_up),
		STORY(a_failure_arrives_with_code_and_text),
		STORY(unknown_names_are_told_apart),
		STORY(a_broken_connection_ends_the_calls_on_it),
		STORY(a_refused_connection_names_the_address),
		STORY(a_host_that_does_not_exist_is_said_so),
		STORY(a_host_name_is_looked_up),
		STORY(a_timeout_ends_the_call_and_a_late_answer_is_dropped),
		STORY(timeouts_end_in_their_own_order),
		STORY(the_next_call_reconnects),
		STORY(garbage_closes_its_connection_only),
		STORY(a_request_may_arrive_byte_by_byte),
		STORY(a_caller_may_vanish_at_any_byte),
		STORY(large_attachments_arrive_whole),
		STORY(an_answer_too_large_becomes_a_failure),
		STORY(a_request_too_large_fails_before_it_is_sent),
		STORY(a_peer_that_never_reads_is_cut_off),
		STORY(an_answer_nobody_asked_for_is_no_request),
		STORY(a_bad_attachment_size_is_answered),
		STORY(a_unix_socket_is_private_and_removed_at_the_end),
		STORY(a_stale_unix_socket_is_replaced_a_living_one_is_not),
		STORY(a_file_in_the_way_is_kept),
		STORY(addresses_that_cannot_work_are_explained),
		STORY(closing_the_client_ends_calls_without_a_word),
		STORY(a_callback_may_close_the_client),
		STORY(a_callback_may_call_again),
		STORY(the_server_hears_of_a_callers_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
