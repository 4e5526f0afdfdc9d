/* SPDX-License-Identifier: BSD-3-Clause */
/* When a peer counts as silent, and when it is given up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataplane/watch.h"

static void five_seconds_without_a_packet_are_silence(void **state)
{
	struct watch watch;

	(void)state;
	watch_init(&watch, 7 * SEC);
	assert_false(watch.is_heard);
	assert_false(watch_is_silent(&watch, 12 * SEC - 1));
	assert_true(watch_is_silent(&watch, 12 * SEC));
	watch_on_heard(&watch, 11 * SEC);
	assert_true(watch.is_heard);
	assert_false(watch_is_silent(&watch, 16 * SEC - 1));
	assert_true(watch_silent_at(&watch) == 16 * SEC);
}

static void so_are_ten_questions_without_an_answer(void **state)
{
	struct watch watch;

	(void)state;
	watch_init(&watch, 0);
	watch.unanswered = WATCH_SUSPEND_AFTER - 1;
	assert_false(watch_is_silent(&watch, 1));
	watch.unanswered++;
	assert_true(watch_is_silent(&watch, 1));
	watch_on_heard(&watch, 2);
	assert_false(watch_is_silent(&watch, 3));
}

/* Over TCP, say: it is silent all the same. */
static void a_peer_heard_of_elsewhere_is_not_given_up(void **state)
{
	struct watch watch;

	(void)state;
	watch_init(&watch, 0);
	assert_true(watch_stalled_at(&watch, 30 * SEC) == 30 * SEC);
	watch.alive_at = 10 * SEC;
	assert_true(watch_stalled_at(&watch, 30 * SEC) == 40 * SEC);
	assert_true(watch_is_silent(&watch, 10 * SEC));
	watch_on_heard(&watch, 20 * SEC);
	assert_true(watch_stalled_at(&watch, 30 * SEC) == 50 * SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(five_seconds_without_a_packet_are_silence),
		cmocka_unit_test(so_are_ten_questions_without_an_answer),
		cmocka_unit_test(a_peer_heard_of_elsewhere_is_not_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
