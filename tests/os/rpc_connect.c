/* SPDX-License-Identifier: BSD-3-Clause */
/* A host that swallows packets: connecting is bounded apart from the answer, which may
 * take hours. */
#include "rpc_world.h"
#include "wall.h"

enum { BOUND_MS = 100 };

static void climb(struct world *world, struct wall *wall)
{
	build_wall(wall);
	close_client(world);
	open_client(world, wall->address);
	rpc_client_set_connect_timeout(world->client, BOUND_MS);
}

static void a_host_that_swallows_packets_is_given_up(void **state)
{
	struct world *world = *state;
	struct outcome first, second;
	struct wall wall;
	uint64_t began = uv_hrtime();

	climb(world, &wall);
	began = uv_hrtime();
	call(world, &first, "echo", "one", RPC_NO_TIMEOUT);
	call(world, &second, "echo", "two", RPC_NO_TIMEOUT);
	run_until(world, &second.times, 1);
	assert_int_equal(first.times, 1);
	assert_int_equal(first.code, EHOSTDOWN);
	expect_text(&first, wall.address);
	expect_text(&first, "connection timed out");
	assert_int_equal(second.code, EHOSTDOWN);
	assert_true(uv_hrtime() - began >= (BOUND_MS - 1) * 1000000ULL);
	/* and every time anew */
	call(world, &first, "echo", "three", RPC_NO_TIMEOUT);
	run_until(world, &first.times, 1);
	assert_int_equal(first.code, EHOSTDOWN);
	pull_down(&wall);
}

static void a_call_may_have_less_patience_still(void **state)
{
	struct world *world = *state;
	struct outcome outcome;
	struct wall wall;

	climb(world, &wall);
	rpc_client_set_connect_timeout(world->client, PATIENCE_MS);
	call(world, &outcome, "echo", "one", 20);
	run_until(world, &outcome.times, 1);
	assert_int_equal(outcome.code, RPC_ERPCTIMEDOUT);
	pull_down(&wall);
}

static void the_bound_is_not_the_answers(void **state)
{
	struct world *world = *state;
	struct outcome outcome;

	rpc_client_set_connect_timeout(world->client, BOUND_MS);
	call(world, &outcome, "hold", "", RPC_NO_TIMEOUT);
	run_until(world, &world->nheld, 1);
	run_for(world, 2 * BOUND_MS);
	assert_int_equal(outcome.times, 0);
	rpc_call_reply(world->held[--world->nheld], bytes_of("late"), nothing);
	run_until(world, &outcome.times, 1);
	assert_int_equal(outcome.code, 0);
}

static void closing_ends_the_wait(void **state)
{
	struct world *world = *state;
	struct outcome outcome;
	struct wall wall;

	climb(world, &wall);
	call(world, &outcome, "echo", "one", RPC_NO_TIMEOUT);
	run_for(world, BOUND_MS / 4);
	close_client(world);
	run_for(world, 2 * BOUND_MS);
	assert_int_equal(outcome.times, 0);
	pull_down(&wall);
}

static void what_opens_again_is_reached_again(void **state)
{
	struct world *world = *state;
	struct outcome outcome;
	struct wall wall;
	char address[sizeof(world->address)];

	climb(world, &wall);
	call(world, &outcome, "echo", "one", RPC_NO_TIMEOUT);
	run_until(world, &outcome.times, 1);
	assert_int_equal(outcome.code, EHOSTDOWN);
	(void)snprintf(address, sizeof(address), "%s", wall.address);
	pull_down(&wall);
	close_server(world);
	open_server(world, address);
	rpc_client_set_connect_timeout(world->client, PATIENCE_MS);
	call_and_wait(world, &outcome, "echo", "two");
	if (outcome.code != 0)
		fail_msg("%s", outcome.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_host_that_swallows_packets_is_given_up),
		STORY(a_call_may_have_less_patience_still),
		STORY(the_bound_is_not_the_answers),
		STORY(closing_ends_the_wait),
		STORY(what_opens_again_is_reached_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
