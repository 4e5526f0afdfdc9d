/* SPDX-License-Identifier: BSD-3-Clause */
/* Which round trips say how long others wait, and which only that an end was away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataplane/delay.h"

/* A way of 100 us that is known. */
static struct delay begin(void)
{
	const struct delay_sample first = {.rtt = 100 * USEC, .at = 1};
	const struct delay_sample none = {.at = 2};
	struct delay delay;

	delay_init(&delay);
	delay_on_ack(&delay, &first, NULL);
	delay_on_ack(&delay, &none, NULL);
	delay_restart(&delay);
	return delay;
}

/* The sample, and the ACK after it. */
static void take(struct delay *delay, struct delay_sample sample, nsec away_next)
{
	const struct delay_sample next = {.away = away_next, .at = SEC + 1};

	sample.at = SEC;
	delay_on_ack(delay, &sample, NULL);
	assert_int_equal(delay->nsamples, 0);
	delay_on_ack(delay, &next, NULL);
}

static void a_round_trip_of_ends_that_were_there_counts(void **state)
{
	struct delay delay = begin();

	(void)state;
	take(&delay, (struct delay_sample){.rtt = 900 * USEC, .waited = 300 * USEC}, 0);
	assert_int_equal(delay.nsamples, 1);
	assert_true(delay_added(&delay) == 800 * USEC);
	assert_true(delay_proven(&delay) == 500 * USEC);
}

/* Away when the packet or its ACK came, or when one of them was to go out. */
static void of_an_end_that_was_away_only_the_rest_is_proven(void **state)
{
	static const struct {
		struct delay_sample sample;
		nsec away_next;
	} rows[] = {
		{{.rtt = 5 * MSEC, .sent = 3 * MSEC}, 0},
		{{.rtt = 5 * MSEC, .waited = 3 * MSEC}, 0},
		{{.rtt = 5 * MSEC, .away = 3 * MSEC}, 0},
		{{.rtt = 5 * MSEC}, 3 * MSEC},
		{{.rtt = 5 * MSEC, .sent = MSEC, .waited = MSEC, .away = MSEC}, MSEC},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct delay delay = begin();

		take(&delay, rows[i].sample, rows[i].away_next);
		assert_int_equal(delay.nsamples, 0);
		assert_int_equal(delay.nunsure, 1);
		assert_true(delay_proven(&delay) == 2 * MSEC - 100 * USEC);
	}
}

static void a_short_round_trip_is_short_whoever_was_away(void **state)
{
	struct delay delay = begin();

	(void)state;
	take(&delay, (struct delay_sample){.rtt = 150 * USEC, .waited = 5 * MSEC}, 0);
	assert_int_equal(delay.nsamples, 1);
	assert_true(delay_added(&delay) == 50 * USEC);
}

/* The clock was read before the CPU was taken, and the ACK came in between. */
static void a_clock_of_long_ago_makes_no_way_short(void **state)
{
	const struct delay_sample early = {.rtt = USEC, .at = SEC};
	const struct delay_sample next = {.at = SEC + 3 * MSEC};
	struct turns turns = {.began = SEC, .was_busy = true};
	struct delay delay = begin();

	(void)state;
	delay_on_ack(&delay, &early, &turns);
	turns_begin(&turns, next.at);
	delay_on_ack(&delay, &next, &turns);
	assert_int_equal(delay.nsamples, 0);
	assert_true(delay.base == 100 * USEC);
}

static void a_new_way_is_learnt_anew(void **state)
{
	struct delay delay = begin();

	(void)state;
	delay_forget(&delay);
	take(&delay, (struct delay_sample){.rtt = 4 * MSEC}, 0);
	assert_true(delay.base == 4 * MSEC);
	assert_true(delay_added(&delay) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_round_trip_of_ends_that_were_there_counts),
		cmocka_unit_test(of_an_end_that_was_away_only_the_rest_is_proven),
		cmocka_unit_test(a_short_round_trip_is_short_whoever_was_away),
		cmocka_unit_test(a_clock_of_long_ago_makes_no_way_short),
		cmocka_unit_test(a_new_way_is_learnt_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
