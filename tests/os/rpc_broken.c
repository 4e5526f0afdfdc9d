/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls when something breaks: the peer, the connection, the bytes, the caller's
 * patience. */
#include <sys/socket.h>
#include <sys/un.h>

#include <poll.h>

#include "tests/os/rpc_world.h"

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

/* a label of more than 63 bytes: refused without asking any name server */
#define NO_HOST                                                                          \
	"no-such-host-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx:" \
	"80"

static void a_host_that_does_not_exist_is_said_so(void **state)
{
	struct world *world = *state;
	struct outcome outcome;

	close_client(world);
	open_client(world, NO_HOST);
	call_and_wait(world, &outcome, "echo", "");
	assert_int_equal(outcome.code, EHOSTDOWN);
	expect_text(&outcome, NO_HOST);
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
	for (int i = 0; i < 3; i++) {
		int others = count_streams(world);
		int fd = dial(world);

		send_bytes(fd, garbage[i], strlen(garbage[i]));
		wait_streams(world, others);
		assert_true(recv(fd, &byte, 1, MSG_DONTWAIT) <= 0);
		(void)close(fd);
	}
	call_and_wait(world, &outcome, "echo", "well");
	assert_int_equal(outcome.code, 0);
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
		wait_streams(world, 1);
	}
	free(bytes);
	call_and_wait(world, &outcome, "echo", "alive");
	assert_int_equal(outcome.code, 0);
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
	wait_streams(world, 1);
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
	wait_streams(world, 1);
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

static void an_answer_to_a_caller_that_left_has_no_effect(void **state)
{
	struct world *world = *state;
	struct outcome outcome;

	call(world, &outcome, "hold", "", RPC_NO_TIMEOUT);
	run_until(world, &world->nheld, 1);
	close_client(world);
	wait_streams(world, 1);
	rpc_call_reply(world->held[0], bytes_of("nobody"), nothing);
	world->nheld = 0;
}

static void an_answer_to_a_closed_pipe_does_not_kill_us(void **state)
{
	struct world *world = *state;
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	char address[160];
	uint8_t *bytes;
	size_t len = make_request(&bytes, "test.Service", "hold", "");
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	close_client(world);
	close_server(world);
	(void)snprintf(address, sizeof(address), "unix:%s/admin", world->dir);
	(void)snprintf(name.sun_path, sizeof(name.sun_path), "%s/admin", world->dir);
	open_server(world, address);
	assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	send_bytes(fd, bytes, len);
	free(bytes);
	run_until(world, &world->nheld, 1);
	(void)close(fd);
	/* before the loop can notice: the write itself finds nobody, which is SIGPIPE */
	rpc_call_reply(world->held[0], bytes_of("nobody"), nothing);
	world->nheld = 0;
	wait_streams(world, 1);
}

struct strange_server {
	int listener;
	int fd; /* the accepted connection */
};

static void open_strange_server(struct world *world, struct strange_server *server)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	char address[32];

	server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server->listener, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(server->listener, 1), 0);
	assert_int_equal(getsockname(server->listener, (struct sockaddr *)&at, &len), 0);
	(void)snprintf(address, sizeof(address), "127.0.0.1:%u", ntohs(at.sin_port));
	close_client(world);
	open_client(world, address);
}

/* Lets the client make its call with id 1, and answers it with these bytes. */
static void answer_strangely(struct world *world, struct strange_server *server,
	struct outcome *outcome, const void *bytes, size_t len)
{
	struct pollfd caller = {.fd = server->listener, .events = POLLIN};

	call(world, outcome, "echo", "", RPC_NO_TIMEOUT);
	/* accept blocks, and then nobody would run the loop that is to connect */
	do
		run_for(world, 20);
	while (poll(&caller, 1, 0) == 0);
	server->fd = accept(server->listener, NULL, NULL);
	assert_true(server->fd >= 0);
	send_bytes(server->fd, bytes, len);
}

static size_t make_response(uint8_t **bytes, int64_t id, const char *message)
{
	struct frame frame = {
		.kind = FRAME_RESPONSE,
		.correlation_id = id,
		.message = (const uint8_t *)message,
		.message_len = strlen(message),
	};
	size_t len;

	assert_int_equal(frame_encode(&frame, bytes, &len), 0);
	return len;
}

static void a_server_that_talks_nonsense_is_left(void **state)
{
	static const char *const nonsense[] = {"HTTP/1.1 400 Bad Request\r\n\r\n",
		"PRPC\x7f\xff\xff\xff\x01\x01\x01\x01"};
	struct world *world = *state;
	struct strange_server server;
	struct outcome outcome;

	open_strange_server(world, &server);
	for (int i = 0; i < 2; i++) {
		answer_strangely(
			world, &server, &outcome, nonsense[i], strlen(nonsense[i]));
		run_until(world, &outcome.times, 1);
		assert_int_equal(outcome.code, RPC_ERESPONSE);
		expect_text(&outcome, "is it the address of a node?");
		(void)close(server.fd);
	}
	(void)close(server.listener);
}

static void a_negative_code_is_no_code(void **state)
{
	struct world *world = *state;
	const struct frame frame = {
		.kind = FRAME_RESPONSE, .correlation_id = 1, .error_code = INT32_MIN};
	struct strange_server server;
	struct outcome outcome;
	uint8_t *bytes;
	size_t len;

	assert_int_equal(frame_encode(&frame, &bytes, &len), 0);
	open_strange_server(world, &server);
	answer_strangely(world, &server, &outcome, bytes, len);
	run_until(world, &outcome.times, 1);
	assert_int_equal(outcome.code, RPC_ERESPONSE);
	free(bytes);
	(void)close(server.fd);
	(void)close(server.listener);
}

static void an_answer_cut_at_any_byte_breaks_the_call(void **state)
{
	struct world *world = *state;
	struct strange_server server;
	struct outcome outcome;
	uint8_t *bytes;
	size_t len = make_response(&bytes, 1, "cut");

	open_strange_server(world, &server);
	for (size_t cut = 0; cut < len; cut += 5) {
		answer_strangely(world, &server, &outcome, bytes, cut);
		(void)close(server.fd);
		run_until(world, &outcome.times, 1);
		assert_int_equal(outcome.code, RPC_EFAILEDSOCKET);
	}
	free(bytes);
	(void)close(server.listener);
}

static void an_answer_to_nobody_is_skipped(void **state)
{
	struct world *world = *state;
	struct strange_server server;
	struct outcome outcome;
	uint8_t *bytes;
	size_t len = make_response(&bytes, 4711, "for somebody else");

	open_strange_server(world, &server);
	answer_strangely(world, &server, &outcome, bytes, len);
	free(bytes);
	run_for(world, 20);
	assert_int_equal(outcome.times, 0);
	len = make_response(&bytes, 1, "for you");
	send_bytes(server.fd, bytes, len);
	free(bytes);
	run_until(world, &outcome.times, 1);
	assert_int_equal(outcome.code, 0);
	assert_memory_equal(outcome.message, "for you", 7);
	(void)close(server.fd);
	(void)close(server.listener);
}

static void a_compressed_answer_is_an_error(void **state)
{
	/* response{0}, compress_type 2, correlation_id 1 */
	static const char bytes[] = "PRPC\x00\x00\x00\x09\x00\x00\x00\x08"
				    "\x12\x02\x08\x00\x18\x02\x20\x01x";
	struct world *world = *state;
	struct strange_server server;
	struct outcome outcome;

	open_strange_server(world, &server);
	answer_strangely(world, &server, &outcome, bytes, sizeof(bytes) - 1);
	run_until(world, &outcome.times, 1);
	assert_int_equal(outcome.code, RPC_ERESPONSE);
	expect_text(&outcome, "compressed");
	(void)close(server.fd);
	(void)close(server.listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_broken_connection_ends_the_calls_on_it),
		STORY(a_refused_connection_names_the_address),
		STORY(a_host_that_does_not_exist_is_said_so),
		STORY(a_timeout_ends_the_call_and_a_late_answer_is_dropped),
		STORY(timeouts_end_in_their_own_order),
		STORY(the_next_call_reconnects),
		STORY(garbage_closes_its_connection_only),
		STORY(a_caller_may_vanish_at_any_byte),
		STORY(a_peer_that_never_reads_is_cut_off),
		STORY(an_answer_nobody_asked_for_is_no_request),
		STORY(a_bad_attachment_size_is_answered),
		STORY(closing_the_client_ends_calls_without_a_word),
		STORY(a_callback_may_close_the_client),
		STORY(an_answer_to_a_caller_that_left_has_no_effect),
		STORY(an_answer_to_a_closed_pipe_does_not_kill_us),
		STORY(a_server_that_talks_nonsense_is_left),
		STORY(a_negative_code_is_no_code),
		STORY(an_answer_cut_at_any_byte_breaks_the_call),
		STORY(an_answer_to_nobody_is_skipped),
		STORY(a_compressed_answer_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
