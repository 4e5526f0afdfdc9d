/* SPDX-License-Identifier: BSD-3-Clause */
/* Saves, installs, retries, step-downs, failures, stops and deaths in any order, for many
 * lives of one follower. After every event: terms and indexes never fall, no call is
 * answered twice, and no committed entry is in neither snapshot nor log. Each story is
 * one seed; a failing one prints it, and SEED=n replays it alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/sim/world/follower.h"

enum { SEEDS = 1000, EVENTS = 2000 };

static void check_invariants(struct follower *f, const struct executor *before)
{
	const struct executor *now = &f->executor;
	bool is_copying = now->state == EXECUTOR_DOWNLOADING ||
			  now->state == EXECUTOR_CANCELLING ||
			  now->state == EXECUTOR_COMMITTING;
	bool is_saving =
		now->state == EXECUTOR_SAVING || now->state == EXECUTOR_SAVE_COMMITTING;

	f->tally->states[now->state]++;
	follower_expect(f, now->term >= before->term, "the term falls");
	follower_expect(f, now->last_index >= before->last_index, "the index falls");
	follower_expect(
		f, now->last_term >= before->last_term, "the snapshot's term falls");
	follower_expect(f, (f->copier != FOLLOWER_NO_JOB) == is_copying,
		"the copier is another's");
	follower_expect(
		f, (f->saver != FOLLOWER_NO_JOB) == is_saving, "the saver is stuck");
	follower_expect(
		f, f->is_loading == (now->state == EXECUTOR_LOADING), "loading is stuck");
	follower_expect(
		f, f->throttle.install_tasks == is_copying, "tasks are miscounted");
	follower_expect(
		f, f->store.index >= now->last_index, "the snapshot is not durable");
	follower_expect(f, f->log.first_index <= f->store.index + 1,
		"entries are in neither log nor snapshot");
	for (int64_t i = f->store.index + 1; i <= f->applied; i++)
		follower_expect(f, follower_logged(f, i) == f->term_of[i],
			"a committed entry is lost");
}

static void happen(struct follower *f)
{
	int64_t what = follower_below(f, 1000);

	if (what < 250)
		follower_make_progress(f);
	else if (what < 450)
		follower_append(f);
	else if (what < 600)
		follower_apply(f);
	else if (what < 790)
		follower_ask_install(f);
	else if (what < 920)
		follower_ask_save(f);
	else if (what < 980)
		follower_step_down(f);
	else if (what < 990 || f->executor.inactive != NULL)
		follower_stop(f);
	else
		follower_die(f);
	if (f->is_dying)
		follower_die(f);
	if (what >= 980 || f->is_dying)
		follower_live(f);
}

static void tell(uint64_t seed, struct follower_tally *tally)
{
	static struct follower f;

	follower_init(&f, seed, tally);
	for (f.event = 0; f.event < EVENTS; f.event++) {
		struct executor before = f.executor;

		happen(&f);
		check_invariants(&f, &before);
	}
	follower_stop(&f);
	tally->events += EVENTS;
}

static void any_order_of_events_keeps_every_promise(void **state)
{
	const char *only = getenv("SEED");
	struct follower_tally met = {0};

	(void)state;
	if (only != NULL) {
		tell(strtoull(only, NULL, 10), &met);
		return;
	}
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		tell(seed, &met);
	print_message("    %llu events, %llu answers (%llu successes), %llu lives, "
		      "%llu deaths, %llu node faults\n",
		(unsigned long long)met.events, (unsigned long long)met.answers,
		(unsigned long long)met.successes, (unsigned long long)met.lives,
		(unsigned long long)met.deaths, (unsigned long long)met.node_faults);
	assert_true(met.eintr > 0 && met.ebusy > 0 && met.ecanceled > 0);
	assert_true(met.estale > 0 && met.einval > 0 && met.ehostdown > 0);
	assert_true(met.eperm > 0 && met.node_faults > 0);
	for (size_t i = 0; i < ARRAY_LEN(met.actions); i++)
		assert_true(met.actions[i] > 0);
	for (size_t i = 0; i < ARRAY_LEN(met.states); i++)
		assert_true(met.states[i] > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_order_of_events_keeps_every_promise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
