/* SPDX-License-Identifier: BSD-3-Clause */
/* Whose fault a loss is: what the trial decides, cut by cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataplane/loss_trial.h"

static struct loss_trial trial;
static nsec now;

static int start(void **state)
{
	(void)state;
	loss_trial_init(&trial);
	now = 1 * SEC;
	return 0;
}

/* Batches of ten packets, until there is something to do or so many have passed. */
static enum loss_trial_verdict pass(uint32_t packets, uint32_t permille)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < packets; i += 10) {
		enum loss_trial_verdict verdict;
		uint32_t nlost;

		sum += 10 * permille;
		nlost = sum / 1000;
		sum %= 1000;
		now += USEC;
		loss_trial_count(&trial, 10 - nlost, nlost, 0, now);
		verdict = loss_trial_judge(&trial);
		if (verdict != TRIAL_GO_ON)
			return verdict;
	}
	return TRIAL_GO_ON;
}

static void cut(void)
{
	loss_trial_cut(&trial, now);
}

static void a_little_loss_needs_no_trial(void **state)
{
	(void)state;
	assert_int_equal(pass(100000, 10), TRIAL_GO_ON);
	assert_in_range(trial.loss_ppm, 5000, 15000);
	assert_false(trial.is_running);
}

static void a_loss_that_a_cut_ends_was_ours(void **state)
{
	(void)state;
	assert_int_equal(pass(1000, 200), TRIAL_CUT);
	assert_int_equal(pass(10, 200), TRIAL_CUT); /* until it is done */
	cut();
	assert_int_equal(pass(LOSS_TRIAL_CLEAN, 0), TRIAL_GO_ON);
	assert_int_equal(pass(10, 0), TRIAL_GO_ON);
	assert_false(trial.is_running);
	assert_int_equal(trial.tolerance, LOSS_TRIAL_TOLERANCE);
	assert_true(trial.loss_ppm < 1000); /* what was before is over */
}

/* One cut shows nothing: it is not known what was lost before. The second does. */
static void a_loss_that_no_cut_changes_is_not_ours(void **state)
{
	(void)state;
	assert_int_equal(pass(1000, 200), TRIAL_CUT);
	cut();
	assert_int_equal(pass(LOSS_TRIAL_PACKETS - 10, 200), TRIAL_GO_ON);
	assert_int_equal(pass(20, 200), TRIAL_CUT);
	cut();
	assert_int_equal(pass(LOSS_TRIAL_PACKETS + 10, 200), TRIAL_UNDO);
	assert_false(trial.is_running);
	assert_in_range(trial.tolerance, 290000, 330000);
	assert_int_equal(pass(LOSS_TRIAL_AGAIN - 10, 200), TRIAL_GO_ON);
	assert_int_equal(pass(20, 200), TRIAL_CUT); /* it may have become ours */
}

/* Twice as much is sent as gets through: a cut to 0.7 leaves 2/7 of loss, and the next
 * none. */
static void a_flood_is_cut_until_it_fits(void **state)
{
	(void)state;
	assert_int_equal(pass(1000, 500), TRIAL_CUT);
	cut();
	assert_int_equal(pass(LOSS_TRIAL_PACKETS + 10, 286), TRIAL_CUT);
	cut();
	assert_int_equal(pass(LOSS_TRIAL_PACKETS + 10, 0), TRIAL_GO_ON);
	assert_false(trial.is_running);
}

/* Ten times as much: the share of loss hardly falls, what comes through is as much. */
static void a_large_flood_is_not_taken_for_a_bad_cable(void **state)
{
	uint32_t lost = 900;

	(void)state;
	assert_int_equal(pass(1000, lost), TRIAL_CUT);
	for (int i = 0; i < 6; i++) {
		cut();
		lost = 1000 - (1000 - lost) * 10 / 7;
		assert_int_equal(pass(LOSS_TRIAL_PACKETS + 10, lost), TRIAL_CUT);
	}
	cut();
	assert_int_equal(pass(LOSS_TRIAL_PACKETS + 10, 0), TRIAL_GO_ON);
}

static void what_was_sent_before_the_cut_does_not_count(void **state)
{
	(void)state;
	assert_int_equal(pass(1000, 200), TRIAL_CUT);
	loss_trial_cut(&trial, now + 1 * MSEC);
	assert_int_equal(pass(5000, 200), TRIAL_GO_ON);
	assert_int_equal(trial.nacked + trial.nlost, 0);
	now += 1 * MSEC;
	assert_int_equal(pass(LOSS_TRIAL_CLEAN, 0), TRIAL_GO_ON);
	assert_false(trial.is_running);
}

/* A loss that ends is forgotten: the next one is tried from the start. */
static void tolerance_ends_with_what_was_tolerated(void **state)
{
	(void)state;
	assert_int_equal(pass(1000, 200), TRIAL_CUT);
	cut();
	assert_int_equal(pass(LOSS_TRIAL_PACKETS + 10, 200), TRIAL_CUT);
	cut();
	assert_int_equal(pass(LOSS_TRIAL_PACKETS + 10, 200), TRIAL_UNDO);
	assert_int_equal(pass(5000, 0), TRIAL_GO_ON);
	assert_int_equal(trial.tolerance, LOSS_TRIAL_TOLERANCE);
	assert_int_equal(pass(1000, 200), TRIAL_CUT);
}

static void what_comes_late_was_not_lost(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++) {
		loss_trial_count(&trial, 1, 1, 1, now);
		assert_int_equal(loss_trial_judge(&trial), TRIAL_GO_ON);
	}
	assert_true(trial.loss_ppm < 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_little_loss_needs_no_trial, start),
		cmocka_unit_test_setup(a_loss_that_a_cut_ends_was_ours, start),
		cmocka_unit_test_setup(a_loss_that_no_cut_changes_is_not_ours, start),
		cmocka_unit_test_setup(a_flood_is_cut_until_it_fits, start),
		cmocka_unit_test_setup(a_large_flood_is_not_taken_for_a_bad_cable, start),
		cmocka_unit_test_setup(
			what_was_sent_before_the_cut_does_not_count, start),
		cmocka_unit_test_setup(tolerance_ends_with_what_was_tolerated, start),
		cmocka_unit_test_setup(what_comes_late_was_not_lost, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
