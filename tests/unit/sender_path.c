/* SPDX-License-Identifier: BSD-3-Clause */
/* A sender whose way to the receiver, or whose receiver, fails. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/sender_world.h"

/* Ten timeouts: nothing is held, and a small PROBE goes out every 250 ms. */
static void a_silent_receiver_is_asked_slowly_and_costs_no_buffer(void **state)
{
	struct fixture *f = *state;
	uint64_t reads;
	nsec now = 0;

	assert_int_equal(serve(f, 0, 0), SLICES);
	while (f->sender.state == SENDER_RUNNING && now < STALL) {
		now = sender_deadline(&f->sender);
		while (next(f, now))
			;
	}
	assert_int_equal(f->sender.state, SENDER_SUSPENDED);
	assert_int_equal(f->sender.watch.unanswered, WATCH_SUSPEND_AFTER + 1);
	assert_int_equal(f->sender.path_changes, 5);
	assert_int_equal(f->sender.nblocks, 0);
	assert_int_equal(f->sender.inflight.count, 0);
	assert_true(sender_deadline(&f->sender) == now + WATCH_INTERVAL);
	assert_false(next(f, now + WATCH_INTERVAL - 1));
	assert_true(next(f, now + WATCH_INTERVAL));
	assert_int_equal(f->packet.header.type, WIRE_PROBE);
	assert_false(next(f, now + WATCH_INTERVAL));
	/* one packet, and it goes on where it was */
	reads = f->cache.reads;
	assert_int_equal(acknowledge(f, 0, 0, now + WATCH_INTERVAL), ACCEPTED);
	assert_int_equal(f->sender.state, SENDER_RUNNING);
	assert_true(next(f, now + WATCH_INTERVAL));
	assert_int_equal(f->packet.header.type, WIRE_DATA);
	assert_int_equal(f->packet.header.slice, 1);
	assert_true(f->cache.reads == reads);
}

/* The receiver is heard, but not one packet of data is acknowledged. */
static void data_that_never_arrives_is_an_error_of_size(void **state)
{
	struct fixture *f = *state;
	const struct wire_pull pull = {.credit = PLENTY};
	nsec now = 1;

	assert_int_equal(serve(f, 0, 0), SLICES);
	while (f->sender.state == SENDER_RUNNING && now < 2 * STALL) {
		now += 10 * MSEC;
		(void)hear_pull(f, &pull, now);
		while (next(f, now))
			;
	}
	assert_int_equal(f->sender.code, -EMSGSIZE);
	assert_in_range(now, STALL, STALL + SEC);
}

/* A limit holds it back as well: that is none. */
static void data_that_may_not_go_out_is_no_error(void **state)
{
	struct fixture *f = *state;
	const struct wire_pull pull = {.credit = PLENTY};

	assert_int_equal(serve(f, 0, 0), SLICES);
	f->sender.is_held = true;
	for (nsec now = 1; now < 4 * STALL; now += 10 * MSEC) {
		(void)hear_pull(f, &pull, now);
		while (next(f, now))
			assert_int_not_equal(f->packet.header.type, WIRE_DATA);
	}
	assert_int_equal(f->sender.state, SENDER_RUNNING);
}

/* It measures what others wait, and is no burden where nothing can be learnt. */
static void an_echo_is_asked_for_while_there_is_something_to_send(void **state)
{
	struct fixture *f = *state;

	sender_ask_echo(&f->sender);
	assert_false(next(f, 0));
	assert_int_equal(serve(f, 0, 0), SLICES);
	sender_ask_echo(&f->sender);
	sender_ask_echo(&f->sender);
	assert_true(next(f, 1));
	assert_int_equal(f->packet.header.type, WIRE_PROBE);
	assert_true(f->packet.header.flags & WIRE_ACK_NOW);
	assert_int_equal(f->packet.padding_len, 0);
	assert_false(next(f, 1));
	/* paused it is quiet */
	sender_set_paused(&f->sender, true);
	sender_ask_echo(&f->sender);
	assert_false(next(f, 2));
	sender_set_paused(&f->sender, false);
	/* where timeouts pass, PROBEs follow them */
	f->sender.inflight.probes = 1;
	sender_ask_echo(&f->sender);
	assert_false(next(f, 2));
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_silent_receiver_is_asked_slowly_and_costs_no_buffer),
		STORY(data_that_never_arrives_is_an_error_of_size),
		STORY(data_that_may_not_go_out_is_no_error),
		STORY(an_echo_is_asked_for_while_there_is_something_to_send),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
