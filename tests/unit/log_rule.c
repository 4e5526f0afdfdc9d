/* SPDX-License-Identifier: BSD-3-Clause */
/* A snapshot lets the log be cut, one snapshot late. set_snapshot, check_consistency,
 * truncate_suffix_to_last_snapshot and set_snapshot_and_get_log_term are the cases of
 * braft's test_log_manager.cpp as far as they concern snapshots. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "control/log_rule.h"

/* A log that obeys the rule. */
static struct log_rule rule;
static struct log_range range;
static int64_t terms[1024];

static void start(void)
{
	log_rule_init(&rule);
	range = (struct log_range){.first_index = 1, .last_index = 0};
}

static void append(int64_t term, int64_t to)
{
	while (range.last_index < to)
		terms[++range.last_index] = term;
}

static int64_t term_in_log(int64_t index)
{
	return index >= range.first_index && index <= range.last_index ? terms[index] : 0;
}

static void obey(struct log_update update)
{
	switch (update.action) {
	case LOG_KEEP:
		break;
	case LOG_TRUNCATE_PREFIX:
		assert_true(update.index > range.first_index);
		assert_true(update.index <= range.last_index + 1);
		range.first_index = update.index;
		break;
	case LOG_VIRTUAL_FIRST:
		range.first_index = update.index;
		if (range.last_index < update.index)
			range.last_index = update.index - 1;
		break;
	case LOG_RESET:
		range.first_index = update.index;
		range.last_index = update.index - 1;
		break;
	}
}

static enum log_action snapshot(int64_t index, int64_t term)
{
	const struct log_id id = {index, term};
	struct log_update update =
		log_rule_on_snapshot(&rule, id, range, term_in_log(index));

	obey(update);
	return update.action;
}

static enum log_action idle(void)
{
	struct log_update update = log_rule_on_idle(&rule, range);

	obey(update);
	return update.action;
}

static void two_snapshots_back(void **state)
{
	(void)state;
	start();
	append(1, 11);
	assert_int_equal(idle(), LOG_KEEP); /* no snapshot, nothing to cut */
	assert_int_equal(snapshot(11, 1), LOG_KEEP);
	assert_int_equal(range.first_index, 1);
	append(1, 21);
	assert_int_equal(snapshot(21, 1), LOG_TRUNCATE_PREFIX);
	assert_int_equal(range.first_index, 12);
	append(2, 31);
	assert_int_equal(snapshot(31, 2), LOG_TRUNCATE_PREFIX);
	assert_int_equal(range.first_index, 22);
	assert_int_equal(idle(), LOG_TRUNCATE_PREFIX);
	assert_int_equal(range.first_index, 32);
	assert_int_equal(idle(), LOG_KEEP); /* the next tick finds nothing more */
}

/* After two snapshots, entry 5 is gone and 12 is still there. */
static void read_committed_user_log(void **state)
{
	(void)state;
	start();
	append(1, 11);
	(void)snapshot(11, 1);
	assert_int_equal(term_in_log(5), 1);
	append(1, 21);
	(void)snapshot(21, 1);
	assert_int_equal(term_in_log(5), 0);
	assert_int_equal(term_in_log(12), 1);
}

static void load_at_start_cuts_nothing_but_the_first_save_does(void **state)
{
	(void)state;
	start();
	append(3, 40);
	range.first_index = 12;
	assert_int_equal(snapshot(20, 3), LOG_KEEP); /* loaded */
	assert_int_equal(snapshot(40, 3), LOG_TRUNCATE_PREFIX);
	assert_int_equal(range.first_index, 21);
}

static void set_snapshot(void **state)
{
	(void)state;
	start();
	assert_int_equal(snapshot(1000, 2), LOG_VIRTUAL_FIRST); /* of an empty log */
	assert_int_equal(range.first_index, 1001);
	assert_int_equal(range.last_index, 1000);
	assert_int_equal(rule.newest.term, 2); /* the last log id is the snapshot's */
}

static void snapshot_beyond_the_log_drops_all_of_it(void **state)
{
	(void)state;
	start();
	append(1, 20);
	assert_int_equal(snapshot(21, 1), LOG_VIRTUAL_FIRST);
	assert_int_equal(range.first_index, 22);
	assert_int_equal(range.last_index, 21);
	append(1, 30);
	assert_int_equal(rule.newest.term, 1);
}

/* Restarted after an idle tick: the log begins right after the snapshot, and stays. */
static void snapshot_before_the_log_drops_none_of_it(void **state)
{
	(void)state;
	start();
	append(1, 40);
	range.first_index = 32;
	assert_int_equal(snapshot(31, 1), LOG_VIRTUAL_FIRST);
	assert_int_equal(range.first_index, 32);
	assert_int_equal(range.last_index, 40);
	assert_int_equal(rule.newest.term, 1);
}

static void snapshot_of_another_term_resets_the_log(void **state)
{
	(void)state;
	start();
	append(1, 20);
	assert_int_equal(snapshot(10, 2), LOG_RESET);
	assert_int_equal(range.first_index, 11);
	assert_int_equal(range.last_index, 10);
}

static void snapshot_no_newer_than_the_newest_changes_nothing(void **state)
{
	(void)state;
	start();
	append(1, 20);
	(void)snapshot(10, 1);
	assert_int_equal(snapshot(10, 9), LOG_KEEP);
	assert_int_equal(snapshot(3, 9), LOG_KEEP);
	assert_int_equal(rule.newest.term, 1);
	assert_int_equal(rule.before.index, 0);
}

static void check_consistency(void **state)
{
	struct fault fault = {0};

	(void)state;
	start();
	assert_int_equal(log_rule_check(&rule, range, &fault), 0);
	append(1, 10);
	(void)snapshot(10, 1);
	assert_int_equal(log_rule_check(&rule, range, &fault), 0);
	(void)idle();
	assert_int_equal(range.first_index, 11);
	assert_int_equal(log_rule_check(&rule, range, &fault), 0);

	/* started again, and nobody told of the snapshot */
	log_rule_init(&rule);
	assert_int_equal(log_rule_check(&rule, range, &fault), -EIO);
	assert_string_equal(fault.text,
		"the log begins at index 11 and there is no snapshot: entries 1 to 10 "
		"are missing; restore a snapshot of at least index 10, or wipe this "
		"node and let the leader install one");
}

/* braft looks after the log was adapted to the snapshot, and so sees nothing. */
static void start_is_refused_when_entries_are_in_neither(void **state)
{
	struct fault fault = {0};

	(void)state;
	assert_int_equal(log_rule_check_start(11, (struct log_range){12, 31}, &fault), 0);
	assert_int_equal(log_rule_check_start(11, (struct log_range){1, 5}, &fault), 0);
	assert_int_equal(log_rule_check_start(0, (struct log_range){1, 0}, &fault), 0);
	assert_int_equal(
		log_rule_check_start(11, (struct log_range){22, 31}, &fault), -EIO);
	assert_string_equal(fault.text,
		"the log begins at index 22 but the newest snapshot ends at 11: entries "
		"12 to 21 are missing; restore a newer snapshot, or wipe this node and "
		"let the leader install one");
	assert_int_equal(log_rule_check_start(0, (struct log_range){2, 31}, NULL), -EIO);
}

static void snapshot_beyond_the_log_is_told(void **state)
{
	struct fault fault = {0};

	(void)state;
	start();
	append(1, 10);
	rule.newest = (struct log_id){12, 1};
	assert_int_equal(log_rule_check(&rule, range, &fault), -EIO);
	assert_non_null(strstr(fault.text, "ends at index 10"));
	assert_non_null(strstr(fault.text, "snapshot at 12"));
}

/* A leader's entries that contradict ours make us cut the end of the log; the snapshot
 * must still say which term its last entry had. */
static void truncate_suffix_to_last_snapshot(void **state)
{
	(void)state;
	start();
	append(1, 100);
	(void)snapshot(50, 1);
	(void)idle();
	assert_int_equal(range.first_index, 51);
	range.last_index = 50; /* all after the snapshot was in conflict */
	assert_int_equal(rule.newest.term, 1);
	append(2, 60);
	assert_int_equal(rule.newest.term, 1);
	assert_int_equal(log_rule_check(&rule, range, NULL), 0);
}

static void set_snapshot_and_get_log_term(void **state)
{
	(void)state;
	start();
	append(1, 20);
	assert_int_equal(snapshot(10, 1), LOG_KEEP);
	assert_int_equal(snapshot(10, 1), LOG_KEEP);
	assert_int_equal(range.first_index, 1);
	(void)idle();
	assert_int_equal(term_in_log(10), 0);
	assert_int_equal(rule.newest.index, 10);
	assert_int_equal(rule.newest.term, 1); /* known although it is not in the log */
}

static void largest_index_does_not_overflow(void **state)
{
	const struct log_id id = {INT64_MAX, 1};
	struct log_update update;

	(void)state;
	start();
	update = log_rule_on_snapshot(&rule, id, range, 0);
	assert_int_equal(update.action, LOG_VIRTUAL_FIRST);
	assert_int_equal(update.index, INT64_MAX);
	assert_string_equal(log_action_name(update.action), "virtual-first");
}

/* A snapshot while entries from `pin` on are kept for somebody. */
static enum log_action snapshot_pinned(int64_t index, int64_t pin)
{
	const struct log_id id = {index, 1};
	struct log_update update =
		log_rule_on_snapshot(&rule, id, range, term_in_log(index));

	update = log_rule_hold(&rule, update, range, pin);
	obey(update);
	return update.action;
}

static enum log_action move_pin(int64_t pin)
{
	struct log_update update = log_rule_on_pin(&rule, range, pin);

	obey(update);
	return update.action;
}

static void a_pin_keeps_what_a_follower_in_flight_will_need(void **state)
{
	(void)state;
	start();
	append(1, 50);
	(void)snapshot(10, 1);
	/* the one at 10 is on its way: entries from 11 on */
	assert_int_equal(snapshot_pinned(20, 11), LOG_TRUNCATE_PREFIX);
	assert_int_equal(range.first_index, 11);
	assert_int_equal(snapshot_pinned(30, 11), LOG_KEEP);
	assert_int_equal(snapshot_pinned(40, 11), LOG_KEEP);
	assert_int_equal(range.first_index, 11);
	/* another follower is served from 20 on when the first has all it needs */
	assert_int_equal(move_pin(21), LOG_TRUNCATE_PREFIX);
	assert_int_equal(range.first_index, 21);
	assert_int_equal(move_pin(21), LOG_KEEP);
	/* no more is cut than the rule had wanted */
	assert_int_equal(move_pin(LOG_NO_PIN), LOG_TRUNCATE_PREFIX);
	assert_int_equal(range.first_index, 31);
	assert_int_equal(move_pin(LOG_NO_PIN), LOG_KEEP);
}

static void a_pin_ahead_of_the_cut_changes_nothing(void **state)
{
	(void)state;
	start();
	append(1, 50);
	(void)snapshot(10, 1);
	assert_int_equal(snapshot_pinned(20, 21), LOG_TRUNCATE_PREFIX);
	assert_int_equal(range.first_index, 11);
	assert_int_equal(move_pin(LOG_NO_PIN), LOG_KEEP);
}

static void an_installed_snapshot_replaces_a_pinned_log(void **state)
{
	(void)state;
	start();
	append(1, 50);
	(void)snapshot(10, 1);
	assert_int_equal(snapshot_pinned(20, 1), LOG_KEEP);
	assert_int_equal(snapshot_pinned(90, 1), LOG_VIRTUAL_FIRST);
	assert_int_equal(range.first_index, 91);
	assert_int_equal(move_pin(LOG_NO_PIN), LOG_KEEP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_snapshots_back),
		cmocka_unit_test(read_committed_user_log),
		cmocka_unit_test(load_at_start_cuts_nothing_but_the_first_save_does),
		cmocka_unit_test(set_snapshot),
		cmocka_unit_test(snapshot_beyond_the_log_drops_all_of_it),
		cmocka_unit_test(snapshot_before_the_log_drops_none_of_it),
		cmocka_unit_test(snapshot_of_another_term_resets_the_log),
		cmocka_unit_test(snapshot_no_newer_than_the_newest_changes_nothing),
		cmocka_unit_test(check_consistency),
		cmocka_unit_test(start_is_refused_when_entries_are_in_neither),
		cmocka_unit_test(snapshot_beyond_the_log_is_told),
		cmocka_unit_test(truncate_suffix_to_last_snapshot),
		cmocka_unit_test(set_snapshot_and_get_log_term),
		cmocka_unit_test(largest_index_does_not_overflow),
		cmocka_unit_test(a_pin_keeps_what_a_follower_in_flight_will_need),
		cmocka_unit_test(a_pin_ahead_of_the_cut_changes_nothing),
		cmocka_unit_test(an_installed_snapshot_replaces_a_pinned_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
