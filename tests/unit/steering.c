/* SPDX-License-Identifier: BSD-3-Clause */
/* When the source port is varied until packets land on the right queue, and when not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataplane/steering.h"

enum { WANTED = 3, PORT = 49152 };

static struct steering fresh(void)
{
	struct steering steering;

	steering_init(&steering, WANTED, PORT);
	return steering;
}

static void a_port_that_lands_right_is_kept(void **state)
{
	struct steering steering = fresh();

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_false(steering_on_hint(&steering, steering_hint(WANTED, PORT)));
	assert_true(steering.is_settled);
	assert_int_equal(steering.ntries, 0);
}

static void a_port_that_lands_wrong_is_left_at_once(void **state)
{
	struct steering steering = fresh();

	(void)state;
	assert_true(steering_on_hint(&steering, steering_hint(WANTED + 1, PORT)));
	steering_on_port(&steering, PORT + 1);
	assert_true(steering_on_hint(&steering, steering_hint(0, PORT + 1)));
	steering_on_port(&steering, PORT + 2);
	assert_false(steering_on_hint(&steering, steering_hint(WANTED, PORT + 2)));
	assert_true(steering.is_settled);
}

/* The answers to what was sent before the change are still on their way. */
static void what_is_said_of_an_earlier_port_does_not_count(void **state)
{
	struct steering steering = fresh();

	(void)state;
	assert_true(steering_on_hint(&steering, steering_hint(0, PORT)));
	steering_on_port(&steering, PORT + 1);
	for (int i = 0; i < 100; i++)
		assert_false(steering_on_hint(&steering, steering_hint(0, PORT)));
	assert_false(steering_on_hint(&steering, steering_hint(WANTED, PORT)));
	assert_false(steering.is_settled);
}

static void a_peer_that_says_nothing_changes_nothing(void **state)
{
	struct steering steering = fresh();

	(void)state;
	for (uint32_t hint = 0; hint < 0x80; hint++)
		assert_false(steering_on_hint(&steering, (uint8_t)hint));
	assert_false(steering.is_settled);
}

/* A full queue lets packets roll over: that is no reason to leave the port. */
static void single_misses_of_a_right_port_are_forgiven(void **state)
{
	struct steering steering = fresh();
	int changes = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		uint32_t queue = i % 5 == 0 ? WANTED : 0;

		changes += steering_on_hint(&steering, steering_hint(queue, PORT));
	}
	assert_int_equal(changes, 0);
	/* but when it lands elsewhere for good, another one is looked for */
	for (int i = 0; i < STEERING_PATIENCE && changes == 0; i++)
		changes += steering_on_hint(&steering, steering_hint(0, PORT));
	assert_int_equal(changes, 1);
}

static void a_device_that_knows_one_queue_is_not_tried_for_ever(void **state)
{
	struct steering steering = fresh();
	uint16_t port = PORT;
	int changes = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		if (!steering_on_hint(&steering, steering_hint(0, port)))
			continue;
		changes++;
		steering_on_port(&steering, ++port);
	}
	assert_int_equal(changes, STEERING_TRIES);
	assert_false(steering.is_settled);
}

static void every_queue_can_be_named(void **state)
{
	(void)state;
	for (uint32_t queue = 0; queue < STEERING_QUEUES_MAX; queue++) {
		struct steering steering;

		steering_init(&steering, queue, UINT16_MAX);
		assert_int_not_equal(steering_hint(queue, 0), 0);
		assert_false(
			steering_on_hint(&steering, steering_hint(queue, UINT16_MAX)));
		assert_true(steering.is_settled);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_that_lands_right_is_kept),
		cmocka_unit_test(a_port_that_lands_wrong_is_left_at_once),
		cmocka_unit_test(what_is_said_of_an_earlier_port_does_not_count),
		cmocka_unit_test(a_peer_that_says_nothing_changes_nothing),
		cmocka_unit_test(single_misses_of_a_right_port_are_forgiven),
		cmocka_unit_test(a_device_that_knows_one_queue_is_not_tried_for_ever),
		cmocka_unit_test(every_queue_can_be_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
