/* SPDX-License-Identifier: BSD-3-Clause */
/* What a follower does with InstallSnapshot while the snapshot is on its way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "control/hold.h"

enum { TERM = 3, INDEX = 1000, BEHIND = 40 };

static void the_message_waits_for_its_snapshot(void **state)
{
	struct hold hold = {.state = HOLD_IDLE};

	(void)state;
	assert_int_equal(hold_on_install(&hold, TERM, INDEX, BEHIND), HOLD_START);
	assert_int_equal(hold.state, HOLD_PULLING);
	assert_int_equal(hold_on_pulled(&hold, true), HOLD_PASS);
	assert_int_equal(hold.state, HOLD_IDLE);
}

static void what_is_committed_here_needs_no_snapshot(void **state)
{
	struct hold hold = {.state = HOLD_IDLE};

	(void)state;
	assert_int_equal(hold_on_install(&hold, TERM, INDEX, INDEX), HOLD_PASS);
	assert_int_equal(hold.state, HOLD_IDLE);
}

static void a_leader_that_repeats_itself_joins(void **state)
{
	struct hold hold = {.state = HOLD_IDLE};

	(void)state;
	(void)hold_on_install(&hold, TERM, INDEX, BEHIND);
	for (int i = 0; i < 100; i++)
		assert_int_equal(hold_on_install(&hold, TERM, INDEX, BEHIND), HOLD_JOIN);
	assert_int_equal(hold_on_pulled(&hold, true), HOLD_PASS);
}

/* Under steady writes there is a newer snapshot every few seconds: a follower that always
 * began anew would never end. */
static void a_newer_snapshot_does_not_begin_anew(void **state)
{
	struct hold hold = {.state = HOLD_IDLE};

	(void)state;
	(void)hold_on_install(&hold, TERM, INDEX, BEHIND);
	assert_int_equal(hold_on_install(&hold, TERM, INDEX + 500, BEHIND), HOLD_JOIN);
	assert_int_equal(hold.index, INDEX);
	assert_int_equal(hold_on_pulled(&hold, true), HOLD_PASS);
	assert_int_equal(hold_on_install(&hold, TERM, INDEX + 500, INDEX), HOLD_START);
}

static void a_newer_leader_takes_over(void **state)
{
	struct hold hold = {.state = HOLD_IDLE};

	(void)state;
	(void)hold_on_install(&hold, TERM, INDEX, BEHIND);
	assert_int_equal(hold_on_install(&hold, TERM + 1, INDEX, BEHIND), HOLD_REPLACE);
	assert_int_equal(hold.state, HOLD_CANCELLING);
	/* both leaders go on sending until the cancelled pull has ended */
	assert_int_equal(hold_on_install(&hold, TERM + 1, INDEX, BEHIND), HOLD_JOIN);
	assert_int_equal(hold_on_install(&hold, TERM, INDEX, BEHIND), HOLD_JOIN);
	assert_int_equal(hold_on_pulled(&hold, false), HOLD_START);
	assert_int_equal(hold.state, HOLD_PULLING);
	assert_int_equal(hold_on_pulled(&hold, true), HOLD_PASS);
}

/* The cancel came too late: the snapshot is here, and the new leader's message finds it.
 */
static void a_pull_that_ends_before_it_hears_of_the_cancel(void **state)
{
	struct hold hold = {.state = HOLD_IDLE};

	(void)state;
	(void)hold_on_install(&hold, TERM, INDEX, BEHIND);
	(void)hold_on_install(&hold, TERM + 1, INDEX, BEHIND);
	assert_int_equal(hold_on_pulled(&hold, true), HOLD_START);
}

static void a_newer_leaders_heartbeat_cancels_once(void **state)
{
	struct hold hold = {.state = HOLD_IDLE};

	(void)state;
	assert_false(hold_on_leader(&hold, TERM));
	(void)hold_on_install(&hold, TERM, INDEX, BEHIND);
	assert_false(hold_on_leader(&hold, TERM));
	assert_false(hold_on_leader(&hold, TERM - 1));
	assert_true(hold_on_leader(&hold, TERM + 1));
	assert_false(hold_on_leader(&hold, TERM + 1));
	/* its message would be of an older term: the engine would refuse it */
	assert_int_equal(hold_on_pulled(&hold, true), HOLD_DROP);
	assert_int_equal(hold_on_install(&hold, TERM + 1, INDEX, BEHIND), HOLD_START);
}

/* A new leader's heartbeat comes first, and its InstallSnapshot right behind. */
static void the_message_of_whoever_cancelled_waits_its_turn(void **state)
{
	struct hold hold = {.state = HOLD_IDLE};

	(void)state;
	(void)hold_on_install(&hold, TERM, INDEX, BEHIND);
	assert_true(hold_on_leader(&hold, TERM + 1));
	assert_int_equal(hold_on_install(&hold, TERM, INDEX, BEHIND), HOLD_JOIN);
	assert_int_equal(hold_on_install(&hold, TERM + 1, INDEX, BEHIND), HOLD_REPLACE);
	assert_int_equal(hold_on_install(&hold, TERM + 1, INDEX, BEHIND), HOLD_JOIN);
	assert_int_equal(hold_on_pulled(&hold, false), HOLD_START);
}

static void a_third_leader_while_the_first_is_being_cancelled(void **state)
{
	struct hold hold = {.state = HOLD_IDLE};

	(void)state;
	(void)hold_on_install(&hold, TERM, INDEX, BEHIND);
	(void)hold_on_install(&hold, TERM + 1, INDEX, BEHIND);
	assert_int_equal(
		hold_on_install(&hold, TERM + 2, INDEX + 7, BEHIND), HOLD_REPLACE);
	assert_int_equal(hold_on_pulled(&hold, false), HOLD_START);
	assert_int_equal(hold.index, INDEX + 7);
}

static void a_failed_pull_is_forgotten_until_the_leader_repeats(void **state)
{
	struct hold hold = {.state = HOLD_IDLE};

	(void)state;
	(void)hold_on_install(&hold, TERM, INDEX, BEHIND);
	assert_int_equal(hold_on_pulled(&hold, false), HOLD_DROP);
	assert_int_equal(hold_on_install(&hold, TERM, INDEX, BEHIND), HOLD_START);
}

static void after_a_stop_nothing_is_passed_or_started(void **state)
{
	struct hold hold = {.state = HOLD_IDLE};

	(void)state;
	(void)hold_on_install(&hold, TERM, INDEX, BEHIND);
	(void)hold_on_install(&hold, TERM + 1, INDEX, BEHIND);
	assert_false(hold_on_stop(&hold)); /* being cancelled already */
	assert_int_equal(hold_on_pulled(&hold, true), HOLD_DROP);
	assert_int_equal(hold_on_install(&hold, TERM + 1, INDEX, BEHIND), HOLD_JOIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_message_waits_for_its_snapshot),
		cmocka_unit_test(what_is_committed_here_needs_no_snapshot),
		cmocka_unit_test(a_leader_that_repeats_itself_joins),
		cmocka_unit_test(a_newer_snapshot_does_not_begin_anew),
		cmocka_unit_test(a_newer_leader_takes_over),
		cmocka_unit_test(a_pull_that_ends_before_it_hears_of_the_cancel),
		cmocka_unit_test(a_newer_leaders_heartbeat_cancels_once),
		cmocka_unit_test(the_message_of_whoever_cancelled_waits_its_turn),
		cmocka_unit_test(a_third_leader_while_the_first_is_being_cancelled),
		cmocka_unit_test(a_failed_pull_is_forgotten_until_the_leader_repeats),
		cmocka_unit_test(after_a_stop_nothing_is_passed_or_started),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
