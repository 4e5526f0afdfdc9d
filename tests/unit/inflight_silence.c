/* SPDX-License-Identifier: BSD-3-Clause */
/* When nothing is heard of what was sent: what is overdue, and what a lost ACK proves. */
#include "tests/unit/inflight_world.h"

/* A packet that came, while the ACKs did not, was not late: no reason for patience. */
static void a_lost_ack_is_no_reordering(void **state)
{
	(void)state;
	send_many(100, 0);
	assert_true(inflight_on_timer(&inflight, &outcome, inflight_deadline(&inflight)));
	assert_int_equal(outcome.nlost, 1);
	assert_true(hear(0, 99, 0, 50 * MSEC));
	assert_int_equal(outcome.nspurious, 1);
	assert_int_equal(inflight.spurious, 1);
	assert_int_equal(inflight.reorder, INFLIGHT_REORDER_MIN);
	assert_int_equal(inflight.late, 0);
}

/* Round trips of 1 ms without any deviation: what is older by an eighth weighs nothing.
 */
static nsec settle_round_trip(void)
{
	for (int i = 0; i < 100; i++) {
		uint64_t pn = send(i * MSEC);

		assert_true(hear(pn, pn, i * MSEC, (i + 1) * MSEC));
	}
	assert_true(inflight.rttvar < 10 * USEC);
	return 100 * MSEC;
}

static void what_is_overdue_does_not_fill_the_window(void **state)
{
	nsec now = settle_round_trip();
	uint64_t first = inflight.next_pn;

	(void)state;
	send_many(10, now);
	inflight_age(&inflight, now + 1 * MSEC);
	assert_int_equal(inflight_load(&inflight), 10);
	assert_in_range(
		inflight_overdue_at(&inflight), now + 1100 * USEC, now + 1200 * USEC);
	now = inflight_overdue_at(&inflight);
	inflight_age(&inflight, now);
	assert_int_equal(inflight_load(&inflight), 0);
	assert_int_equal(inflight.count, 10); /* nobody knows yet */
	assert_int_equal(outcome.nlost, 0);
	assert_true(inflight_overdue_at(&inflight) == NEVER);
	send_many(4, now);
	assert_int_equal(inflight_load(&inflight), 4);
	/* an ACK tells: five came, five did not */
	assert_true(hear(first, first + 4, 0, now));
	assert_int_equal(inflight.overdue, 5);
	assert_true(hear(first + 10, first + 13, now, now + 1 * MSEC));
	assert_int_equal(outcome.nlost, 5);
	assert_int_equal(inflight_load(&inflight), 0);
	assert_int_equal(inflight.overdue, 0);
}

/* So that into a network that is gone no more is sent than a probe timeout bears. */
static void so_many_overdue_are_forgotten_and_no_more(void **state)
{
	nsec now = settle_round_trip();

	(void)state;
	for (uint32_t i = 0; i < INFLIGHT_OVERDUE_MAX + 10; i++) {
		send_many(1, now);
		now += 2 * MSEC;
		inflight_age(&inflight, now);
		assert_int_equal(inflight_load(&inflight),
			i < INFLIGHT_OVERDUE_MAX ? 0 : i + 1 - INFLIGHT_OVERDUE_MAX);
	}
	assert_true(inflight_overdue_at(&inflight) == NEVER);
	inflight_give_up(&inflight, now);
	assert_int_equal(inflight_load(&inflight), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_lost_ack_is_no_reordering, start),
		cmocka_unit_test_setup(what_is_overdue_does_not_fill_the_window, start),
		cmocka_unit_test_setup(so_many_overdue_are_forgotten_and_no_more, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
