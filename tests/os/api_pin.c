/* SPDX-License-Identifier: BSD-3-Clause */
/* The log a follower in flight will need is kept for it, up to a budget; what becomes of
 * it is told, and never tried for ever. A rate that can be lifted keeps it in flight. */
#include "api_world.h"

enum { BALLAST = 4 << 20 };

static const char *const slow[] = {
	"snapshot-interval-s=0", "snapshot-throttle-rate=256KiB/s", NULL};
static const char *const no_linger[] = {
	"snapshot-interval-s=0", "pin-log-linger-s=0", NULL};
static const char *const small[] = {
	"snapshot-interval-s=0", "pin-log-entries=100", "pin-log-max-entries=200", NULL};

static int64_t first_of(struct member *member)
{
	return log_first(member);
}

static void save_at(struct member *member, int64_t index)
{
	append_to(member, index, 1);
	save(member);
}

/* A snapshot at 20 is on its way to a follower that takes its time. */
static void serve(struct world *world, const char *const *settings, struct outcome *sent)
{
	struct member *leader = &world->members[0];
	struct member *follower = &world->members[1];

	leader->ballast = BALLAST;
	start(leader, settings);
	save_at(leader, 10);
	save_at(leader, 20);
	start(follower, slow);
	snapline_send_snapshot(leader->node, follower->peer_id, on_done, sent);
	for (int ms = 0; status_of(follower).bytes_done == 0; ms++) {
		assert_true(ms < PATIENCE_MS);
		nap();
	}
}

static void lift(struct member *follower)
{
	assert_int_equal(snapline_set_option(follower->node, "snapshot-throttle-rate",
				 "unlimited", NULL),
		0);
}

static void wait_first(struct member *member, int64_t first)
{
	for (int ms = 0; first_of(member) != first; ms++) {
		if (ms > PATIENCE_MS)
			fail_msg("the log begins at %" PRId64 ", not %" PRId64,
				first_of(member), first);
		nap();
	}
}

static void entries_behind_the_snapshot_in_flight_stay(void **state)
{
	struct world *world = *state;
	struct member *leader = &world->members[0];
	struct outcome sent = {0};

	serve(world, no_linger, &sent);
	assert_int_equal(snapline_get_pin(leader->node), 21);
	for (int64_t index = 30; index <= 60; index += 10)
		save_at(leader, index);
	/* the rule of two snapshots back would have kept 51 */
	assert_int_equal(first_of(leader), 21);
	assert_int_equal(status_of(leader).convergence.pinned_from, 21);
	lift(&world->members[1]);
	expect(&sent, 0, "");
	/* what was held back goes without another save */
	wait_first(leader, 51);
	assert_true(snapline_get_pin(leader->node) == INT64_MAX);
	assert_int_equal(status_of(leader).convergence.pinned_from, 0);
}

static void a_follower_that_has_its_snapshot_may_fetch_the_rest(void **state)
{
	struct world *world = *state;
	struct member *leader = &world->members[0];
	struct outcome sent = {0};

	serve(world, NULL, &sent);
	lift(&world->members[1]);
	expect(&sent, 0, "");
	for (int64_t index = 30; index <= 60; index += 10)
		save_at(leader, index);
	assert_int_equal(first_of(leader), 21);
	/* past the budget it is no longer worth it */
	assert_int_equal(
		snapline_set_option(leader->node, "pin-log-entries", "5", NULL), 0);
	assert_int_equal(
		snapline_set_option(leader->node, "pin-log-max-entries", "30", NULL), 0);
	wait_first(leader, 51);
}

static void an_aborted_transfer_keeps_nothing(void **state)
{
	struct world *world = *state;
	struct member *leader = &world->members[0];
	struct outcome sent = {0};

	serve(world, NULL, &sent);
	for (int64_t index = 30; index <= 60; index += 10)
		save_at(leader, index);
	assert_int_equal(first_of(leader), 21);
	stop(&world->members[1]);
	wait_for(&sent);
	assert_int_not_equal(sent.code, 0);
	wait_first(leader, 51);
}

/* Writes go on while the follower takes a second for 256 KiB. */
static void write_until(struct member *leader, const struct outcome *sent, int64_t last)
{
	for (int64_t index = leader->last + 1;
		index <= last && atomic_load(&sent->times) == 0; index++) {
		append_to(leader, index, 1);
		for (int i = 0; i < 10; i++)
			nap();
	}
}

static void past_the_budget_it_is_given_up_with_the_reason(void **state)
{
	struct world *world = *state;
	struct member *leader = &world->members[0];
	struct member *follower = &world->members[1];
	struct outcome sent = {0}, again = {0};

	serve(world, small, &sent);
	for (int64_t index = 30; index <= 60; index += 10)
		save_at(leader, index);
	write_until(leader, &sent, LOG_MAX - 100);
	expect(&sent, ESTALE, "did not converge: ");
	assert_non_null(
		strstr(sent.text, " entries of log were kept for it, which is the "
				  "limit; the log grew "));
	assert_non_null(
		strstr(sent.text, "raise its rate or pin-log-max-entries, or lower "
				  "the write load"));
	assert_in_range(leader->last, 20 + 200, 20 + 200 + 400);
	wait_first(leader, 51); /* nothing is held back any more */
	wait_state(follower, SNAPLINE_IDLE);
	assert_int_equal(count_entries(follower), 1); /* temp: what came is kept */
	/* no loop: the next attempt is refused at once, for a while */
	snapline_send_snapshot(leader->node, follower->peer_id, on_done, &again);
	expect(&again, ESTALE, "Not served again for ");
}

static void the_verdict_is_known_before_it_comes_true(void **state)
{
	static const char *const wide[] = {"snapshot-interval-s=0", "pin-log-entries=500",
		"pin-log-max-entries=100000", NULL};
	struct world *world = *state;
	struct member *leader = &world->members[0];
	struct snapline_convergence found = {0};
	struct outcome sent = {0};

	serve(world, wide, &sent);
	for (int i = 0; i < 80 && found.verdict != SNAPLINE_WILL_NOT_CONVERGE; i++) {
		write_until(leader, &sent, leader->last + 10);
		found = status_of(leader).convergence;
	}
	assert_int_equal(found.verdict, SNAPLINE_WILL_NOT_CONVERGE);
	assert_true(found.need_ms > found.horizon_ms);
	assert_int_equal(found.margin_ms, 0);
	assert_true(found.pinned_entries > 10);
	assert_int_equal(found.pinned_bytes, found.pinned_entries * 100);
	assert_non_null(strstr(found.text, "will not converge: log horizon passes in "));
	/* twenty times the log: no longer a problem */
	assert_int_equal(
		snapline_set_option(leader->node, "pin-log-entries", "100000", NULL), 0);
	for (int i = 0; found.verdict != SNAPLINE_CONVERGING; i++) {
		assert_true(i < 50);
		write_until(leader, &sent, leader->last + 5);
		found = status_of(leader).convergence;
	}
	lift(&world->members[1]);
	expect(&sent, 0, "");
	assert_int_equal(status_of(leader).convergence.verdict, SNAPLINE_NOBODY);
}

/* An engine that cuts its log by itself lets Snapline look, and asks. */
static void an_engine_that_cuts_by_itself_asks_for_the_pin(void **state)
{
	struct world *world = *state;
	struct member *leader = &world->members[0];
	struct member *follower = &world->members[1];
	struct snapline_options options = {
		.store = leader->store,
		.group = "g",
		.settings = no_linger,
		.fsm = {leader, fsm_applied, fsm_save, fsm_load, fsm_error},
		.log = {.ctx = leader, .first_index = log_first, .last_index = log_last},
	};
	struct snapline_error error = {0};
	struct outcome sent = {0};

	start(leader, NULL); /* finds a port */
	stop(leader);
	options.peer_id = leader->peer_id;
	leader->ballast = BALLAST;
	assert_int_equal(snapline_open(&leader->node, &options, &error), 0);
	assert_true(snapline_get_pin(leader->node) == INT64_MAX);
	save_at(leader, 20);
	start(follower, slow);
	snapline_send_snapshot(leader->node, follower->peer_id, on_done, &sent);
	for (int ms = 0; snapline_get_pin(leader->node) != 21; ms++) {
		assert_true(ms < PATIENCE_MS);
		nap();
	}
	append_to(leader, 90, 1);
	for (int ms = 0; status_of(leader).convergence.pinned_entries != 70; ms++) {
		assert_true(ms < PATIENCE_MS);
		nap();
	}
	lift(follower);
	expect(&sent, 0, "");
	assert_int_equal(first_of(leader), 1);
	stop(leader);
	options.log.term_at = log_term_at;
	assert_int_equal(snapline_open(&leader->node, &options, &error), -EINVAL);
	assert_non_null(strstr(error.text, "log: give all functions"));
	leader->node = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(entries_behind_the_snapshot_in_flight_stay),
		STORY(a_follower_that_has_its_snapshot_may_fetch_the_rest),
		STORY(an_aborted_transfer_keeps_nothing),
		STORY(past_the_budget_it_is_given_up_with_the_reason),
		STORY(the_verdict_is_known_before_it_comes_true),
		STORY(an_engine_that_cuts_by_itself_asks_for_the_pin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
