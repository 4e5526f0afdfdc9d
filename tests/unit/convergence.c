/* SPDX-License-Identifier: BSD-3-Clause */
/* A follower races the log: the verdict comes early, and the loop never does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "control/convergence.h"

#define TICK (100 * MSEC)

/* Rates are per second; the log is made of entries of 1 KiB. */
struct race {
	struct convergence convergence;
	nsec now;
	uint64_t rate;
	uint64_t log_rate;
	uint64_t total;
	uint64_t done;
	uint64_t log;
	uint32_t actions[CONVERGENCE_FAIL + 1];
	enum convergence_action last;
	nsec said_at; /* when NO was said first; NEVER: not yet */
};

static void start(struct race *race, uint64_t total, uint64_t rate, uint64_t log_rate)
{
	static const struct convergence_config config = {
		.soft = {.bytes = GIB, .entries = UINT64_MAX},
		.hard = {.bytes = 2 * GIB, .entries = UINT64_MAX},
	};

	memset(race, 0, sizeof(*race));
	race->total = total;
	race->rate = rate;
	race->log_rate = log_rate;
	race->said_at = NEVER;
	convergence_init(&race->convergence, &config);
}

static bool is_over(const struct race *race)
{
	return race->done >= race->total || race->last == CONVERGENCE_FAIL;
}

static void tick(struct race *race)
{
	enum convergence_action action;

	race->now += TICK;
	race->done = u64_min(race->total, race->done + race->rate / 10);
	race->log += race->log_rate / 10;
	convergence_on_progress(
		&race->convergence, race->done, race->total - race->done, race->now);
	convergence_on_log(&race->convergence, race->log, race->log / KIB, race->now);
	while ((action = convergence_poll(&race->convergence, race->now)) !=
		CONVERGENCE_NOTHING) {
		race->actions[action]++;
		race->last = action;
		if (action == CONVERGENCE_SAY && race->said_at == NEVER &&
			race->convergence.verdict == CONVERGENCE_NO)
			race->said_at = race->now;
	}
}

static void run(struct race *race, nsec span)
{
	nsec end = race->now + span;

	while (race->now < end && !is_over(race))
		tick(race);
}

static void assert_text(const struct race *race, const char *expected)
{
	char text[CONVERGENCE_TEXT_MAX];

	assert_string_equal(convergence_describe(&race->convergence, text), expected);
}

static void nothing_is_claimed_before_something_was_seen(void **state)
{
	struct race race;

	(void)state;
	start(&race, 10 * GIB, GIB, MIB);
	run(&race, 500 * MSEC);
	assert_text(&race, "measuring");
	assert_int_equal(race.actions[CONVERGENCE_SAY], 0);
}

static void a_fast_transfer_converges_and_the_margin_is_told(void **state)
{
	struct race race;

	(void)state;
	/* 8 GiB left at 1 GiB/s; 1022 MiB of log left at 64 MiB/s */
	start(&race, 10 * GIB, GIB, 64 * MIB);
	run(&race, 2 * SEC);
	assert_int_equal(race.convergence.verdict, CONVERGENCE_YES);
	assert_text(&race, "converging (margin 6.00 s)");
	run(&race, 60 * SEC);
	assert_int_equal(race.actions[CONVERGENCE_SAY], 1);
	assert_int_equal(race.actions[CONVERGENCE_RAISE], 0);
	assert_int_equal(race.actions[CONVERGENCE_PIN], 0);
	assert_int_equal(race.actions[CONVERGENCE_FAIL], 0);
}

static void a_log_that_rests_waits_for_any_transfer(void **state)
{
	struct race race;

	(void)state;
	start(&race, 1024 * GIB, MIB, 0);
	run(&race, 100 * SEC);
	assert_text(&race, "converging");
	assert_int_equal(race.actions[CONVERGENCE_RAISE], 0);
}

static void too_slow_a_link_is_told_within_five_seconds(void **state)
{
	struct race race;

	(void)state;
	/* a hundred seconds to go, ten of log */
	start(&race, 10 * GIB, 100 * MIB, 100 * MIB);
	run(&race, 1500 * MSEC);
	assert_true(race.said_at <= 5 * SEC);
	assert_text(
		&race, "will not converge: log horizon passes in 8.74 s, needs 1 m 41 s");
}

static void help_comes_in_order_and_ends_in_a_reason_not_in_a_loop(void **state)
{
	char reason[CONVERGENCE_REASON_MAX];
	struct race race;
	nsec raised_at;

	(void)state;
	start(&race, 10 * GIB, 100 * MIB, 100 * MIB);
	while (race.actions[CONVERGENCE_RAISE] == 0)
		tick(&race);
	raised_at = race.now;
	assert_int_equal(race.actions[CONVERGENCE_SAY], 1);
	assert_int_equal(race.actions[CONVERGENCE_PIN], 0);
	while (race.actions[CONVERGENCE_PIN] == 0)
		tick(&race);
	assert_true(race.now - raised_at >= SEC);
	assert_ptr_equal(
		convergence_limit(&race.convergence), &race.convergence.config.hard);
	run(&race, 60 * SEC);
	assert_int_equal(race.last, CONVERGENCE_FAIL);
	assert_true(race.log <= 2 * GIB + 10 * MIB);
	assert_text(&race, "did not converge: kept 2.0 GiB of log (2099200 entries), "
			   "which is the limit");
	assert_string_equal(convergence_reason(&race.convergence, reason),
		"did not converge: 2.0 GiB of log were kept for it, which is the limit; "
		"the log grew 100.0 MiB/s, the transfer moved 100.0 MiB/s: raise its "
		"rate or pin-log-max-mib, or lower the write load");
	race.last = CONVERGENCE_NOTHING;
	run(&race, 10 * SEC);
	assert_int_equal(race.actions[CONVERGENCE_FAIL], 1);
}

static void a_transfer_that_speeds_up_is_forgiven(void **state)
{
	struct race race;

	(void)state;
	start(&race, 10 * GIB, 100 * MIB, 100 * MIB);
	run(&race, 2 * SEC);
	assert_int_equal(race.convergence.verdict, CONVERGENCE_NO);
	race.rate = 2 * GIB;
	run(&race, 4 * SEC);
	assert_int_equal(race.convergence.verdict, CONVERGENCE_YES);
	run(&race, 60 * SEC);
	assert_true(race.done == race.total);
	assert_int_equal(race.actions[CONVERGENCE_FAIL], 0);
}

static void a_hiccup_does_not_turn_the_verdict(void **state)
{
	struct race race;

	(void)state;
	start(&race, 40 * GIB, GIB, 16 * MIB);
	run(&race, 5 * SEC);
	race.rate = 0;
	run(&race, 300 * MSEC);
	race.rate = GIB;
	run(&race, 60 * SEC);
	assert_int_equal(race.actions[CONVERGENCE_SAY], 1);
	assert_int_equal(race.convergence.verdict, CONVERGENCE_YES);
}

static void a_transfer_that_stands_still_does_not_converge(void **state)
{
	struct race race;

	(void)state;
	start(&race, 10 * GIB, 0, 10 * MIB);
	run(&race, 2 * SEC);
	assert_text(&race, "measuring"); /* the first chunk may be on its way */
	run(&race, 2 * SEC);
	assert_text(&race,
		"will not converge: log horizon passes in 1 m 38 s, needs for ever");
}

static void entries_count_where_bytes_are_not_known(void **state)
{
	const struct convergence_config config = {
		.soft = {.bytes = GIB, .entries = 1000},
		.hard = {.bytes = GIB, .entries = 2000},
	};
	struct convergence convergence;
	nsec now = 0;

	(void)state;
	convergence_init(&convergence, &config);
	for (uint64_t i = 0; i < 20; i++, now += TICK) {
		convergence_on_progress(&convergence, i, 1000 - i, now);
		convergence_on_log(&convergence, 0, 10 * i, now);
	}
	/* 810 entries at 100 a second; 981 bytes at 10 */
	(void)convergence_poll(&convergence, now);
	assert_int_equal(convergence.verdict, CONVERGENCE_NO);
	assert_true(convergence_horizon(&convergence) / SEC == 8);
	assert_true(convergence_need(&convergence) / SEC == 98);
}

/* What a broken transfer had left counts as there, not as speed. */
static void what_was_there_already_is_no_rate(void **state)
{
	struct race race;

	(void)state;
	start(&race, 10 * GIB, 100 * MIB, 100 * MIB);
	for (int i = 0; i < 20; i++) {
		race.now += TICK;
		race.log += 10 * MIB;
		race.done += 10 * MIB;
		/* after half a second 5 GiB turn out to be there */
		convergence_on_progress(&race.convergence, race.done,
			(i < 5 ? 10 : 5) * GIB - race.done, race.now);
		convergence_on_log(&race.convergence, race.log, 1, race.now);
		(void)convergence_poll(&race.convergence, race.now);
	}
	assert_int_equal(race.convergence.verdict, CONVERGENCE_NO);
	assert_true(convergence_need(&race.convergence) / SEC == 49);
}

static void a_log_that_begins_too_late_is_told_once(void **state)
{
	struct race race;

	(void)state;
	start(&race, 10 * GIB, GIB, MIB);
	convergence_on_missing(&race.convergence);
	convergence_on_missing(&race.convergence);
	run(&race, 3 * SEC);
	assert_int_equal(race.actions[CONVERGENCE_SAY], 1);
	assert_int_equal(race.actions[CONVERGENCE_FAIL], 0);
	assert_int_equal(convergence_margin(&race.convergence), 0);
	assert_text(&race, "will not converge: entries behind the snapshot are gone from "
			   "the log already");
}

static void limits_may_be_raised_on_the_way(void **state)
{
	const struct convergence_config more = {
		.soft = {.bytes = 100 * GIB, .entries = UINT64_MAX},
		.hard = {.bytes = 200 * GIB, .entries = UINT64_MAX},
	};
	struct race race;

	(void)state;
	start(&race, 10 * GIB, 100 * MIB, 100 * MIB);
	run(&race, 2 * SEC);
	assert_int_equal(race.convergence.verdict, CONVERGENCE_NO);
	convergence_set_config(&race.convergence, &more);
	run(&race, SEC);
	assert_int_equal(race.convergence.verdict, CONVERGENCE_YES);
	assert_true(convergence_margin(&race.convergence) > 100 * SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_claimed_before_something_was_seen),
		cmocka_unit_test(a_fast_transfer_converges_and_the_margin_is_told),
		cmocka_unit_test(a_log_that_rests_waits_for_any_transfer),
		cmocka_unit_test(too_slow_a_link_is_told_within_five_seconds),
		cmocka_unit_test(help_comes_in_order_and_ends_in_a_reason_not_in_a_loop),
		cmocka_unit_test(a_transfer_that_speeds_up_is_forgiven),
		cmocka_unit_test(a_hiccup_does_not_turn_the_verdict),
		cmocka_unit_test(a_transfer_that_stands_still_does_not_converge),
		cmocka_unit_test(entries_count_where_bytes_are_not_known),
		cmocka_unit_test(what_was_there_already_is_no_rate),
		cmocka_unit_test(a_log_that_begins_too_late_is_told_once),
		cmocka_unit_test(limits_may_be_raised_on_the_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
