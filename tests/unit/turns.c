/* SPDX-License-Identifier: BSD-3-Clause */
/* When a worker was away: what it alone may have added to a delay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataplane/turns.h"

static void pass(struct turns *turns, nsec now, bool is_busy)
{
	turns_begin(turns, now);
	turns->was_busy = is_busy;
	turns->emptied_at = now;
}

static void a_long_turn_is_remembered_by_its_beginning(void **state)
{
	struct turns turns = {0};

	(void)state;
	pass(&turns, SEC, true);
	pass(&turns, SEC + 20 * USEC, true); /* as long as turns are */
	pass(&turns, SEC + 3 * MSEC, true);
	assert_true(turns_took(&turns, SEC) == 0);
	assert_true(turns_took(&turns, SEC + 20 * USEC) == 3 * MSEC - 20 * USEC);
	/* a time on the wire is a little less precise */
	assert_true(turns_took(&turns, SEC + 20 * USEC - 62) > 0);
	assert_true(turns_took(&turns, SEC + 22 * USEC) == 0);
}

/* Nothing went out in it, and the thread may have slept. */
static void a_turn_without_work_is_never_long(void **state)
{
	struct turns turns = {0};

	(void)state;
	pass(&turns, SEC, false);
	pass(&turns, 2 * SEC, true);
	assert_true(turns_took(&turns, SEC) == 0);
	assert_true(turns_took(NULL, SEC) == 0);
}

/* The nic had no room, and the worker was away twice before it had. */
static void what_the_nic_did_not_take_is_late_by_all_long_turns(void **state)
{
	struct turns turns = {0};

	(void)state;
	pass(&turns, SEC, true);
	pass(&turns, SEC + 10 * USEC, true);
	pass(&turns, SEC + 2 * MSEC, true);
	pass(&turns, SEC + 5 * MSEC, true);
	pass(&turns, SEC + 5 * MSEC + 10 * USEC, true);
	assert_true(turns_away(&turns, SEC) == 5 * MSEC - 10 * USEC);
	assert_true(turns_away(&turns, SEC + 2 * MSEC) == 3 * MSEC);
	assert_true(turns_away(&turns, SEC + 5 * MSEC) == 0);
	assert_true(turns_away(NULL, SEC) == 0);
}

static void a_frame_came_after_the_last_look(void **state)
{
	struct turns turns = {0};

	(void)state;
	pass(&turns, SEC, true);
	turns_begin(&turns, SEC + 5 * MSEC);
	assert_true(turns_waited(&turns, SEC + 5 * MSEC) == 5 * MSEC);
	/* there was more than one turn could take: what is left came as early */
	turns_begin(&turns, SEC + 6 * MSEC);
	assert_true(turns_waited(&turns, SEC + 6 * MSEC) == 6 * MSEC);
	turns.emptied_at = SEC + 6 * MSEC;
	assert_true(turns_waited(&turns, SEC + 7 * MSEC) == MSEC);
	assert_true(turns_waited(NULL, SEC) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_long_turn_is_remembered_by_its_beginning),
		cmocka_unit_test(a_turn_without_work_is_never_long),
		cmocka_unit_test(what_the_nic_did_not_take_is_late_by_all_long_turns),
		cmocka_unit_test(a_frame_came_after_the_last_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
