/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls between a server and a client: answers in any order, addresses, unix sockets. */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "dataplane/base/bytes.h"
#include "tests/os/rpc_world.h"

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

static void requests_may_be_cut_anywhere(void **state)
{
	struct world *world = *state;
	int fd = dial(world);
	uint8_t answer[256];
	struct frame frame;
	uint8_t bytes[512];
	uint8_t *request;
	size_t len = make_request(&request, "test.Service", "echo", "piecemeal");
	size_t size;

	assert_true(2 * len <= sizeof(bytes));
	memcpy(bytes, request, len);
	memcpy(bytes + len, request, len);
	free(request);
	for (size_t cut = 1; cut < 2 * len; cut++) {
		world->served = 0;
		send_bytes(fd, bytes, cut);
		while (world->served < (int)(cut / len))
			(void)uv_run(&world->loop, UV_RUN_NOWAIT);
		for (int i = 0; i < 3; i++)
			(void)uv_run(&world->loop, UV_RUN_NOWAIT);
		send_bytes(fd, bytes + cut, 2 * len - cut);
		run_until(world, &world->served, 2);
		for (int i = 0; i < 2; i++) {
			ssize_t got = recv(fd, answer, FRAME_HEADER_LEN, MSG_WAITALL);

			assert_int_equal(got, FRAME_HEADER_LEN);
			got += recv(fd, answer + got, get_be32(answer + 4), MSG_WAITALL);
			assert_int_equal(
				frame_parse(&frame, answer, (size_t)got, &size), 0);
			assert_int_equal(frame.correlation_id, 99);
			assert_int_equal(frame.message_len, 9);
			assert_memory_equal(frame.message, "piecemeal", 9);
		}
	}
	(void)close(fd);
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

static void on_gone(void *ctx)
{
	++*(int *)ctx;
}

/* What a caller has set shall not outlive it, however it ends: an answer changes nothing,
 * a second call neither. */
static void the_end_of_a_connection_is_heard_of_once(void **state)
{
	struct world *world = *state;
	struct outcome first, second, late;
	int gone = 0;

	call(world, &first, "hold", "", RPC_NO_TIMEOUT);
	call(world, &second, "hold", "", RPC_NO_TIMEOUT);
	run_until(world, &world->nheld, 2);
	for (int i = 0; i < 2; i++) {
		rpc_call_on_gone(world->held[i], on_gone, &gone);
		rpc_call_reply(world->held[i], nothing, nothing);
	}
	run_until(world, &ended, 2);
	call(world, &late, "hold", "", RPC_NO_TIMEOUT);
	run_until(world, &world->nheld, 3);
	assert_int_equal(gone, 0);
	close_client(world);
	run_until(world, &gone, 1);
	/* too late to wait for: it is over */
	rpc_call_on_gone(world->held[2], on_gone, &gone);
	assert_int_equal(gone, 2);
	rpc_call_reply(world->held[2], nothing, nothing);
	world->nheld = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_call_is_answered),
		STORY(calls_are_answered_in_any_order),
		STORY(an_unanswered_call_holds_nobody_up),
		STORY(a_failure_arrives_with_code_and_text),
		STORY(unknown_names_are_told_apart),
		STORY(a_host_name_is_looked_up),
		STORY(requests_may_be_cut_anywhere),
		STORY(large_attachments_arrive_whole),
		STORY(a_unix_socket_is_private_and_removed_at_the_end),
		STORY(a_stale_unix_socket_is_replaced_a_living_one_is_not),
		STORY(a_file_in_the_way_is_kept),
		STORY(addresses_that_cannot_work_are_explained),
		STORY(a_callback_may_call_again),
		STORY(an_answer_too_large_becomes_a_failure),
		STORY(a_request_too_large_fails_before_it_is_sent),
		STORY(the_end_of_a_connection_is_heard_of_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
