/* SPDX-License-Identifier: BSD-3-Clause */
/* Closing a node in the midst of things: every call is answered once, nobody hangs, and
 * what was committed stays. */
#include "api_world.h"

enum { CALLS = 40, BALLAST = 4 << 20 };

static const char *const slow[] = {
	"snapshot-interval-s=0", "snapshot-throttle-rate=256KiB/s", NULL};

static void *close_node(void *arg)
{
	stop(arg);
	return NULL;
}

static void a_save_under_way_is_waited_for(void **state)
{
	struct world *world = *state;
	struct member *member = &world->members[0];
	struct outcome saved = {0};
	pthread_t thread;

	start(member, NULL);
	append_to(member, 10, 1);
	member->holds_saves = true;
	snapline_do_snapshot(member->node, on_done, &saved);
	wait_held(member);
	assert_int_equal(pthread_create(&thread, NULL, close_node, member), 0);
	for (int i = 0; i < 50; i++)
		nap();
	assert_int_equal(atomic_load(&saved.times), 0);
	release_held(member);
	assert_int_equal(pthread_join(thread, NULL), 0);
	expect(&saved, 0, "");
	restart(member, NULL);
	assert_int_equal(member->applied, 10);
}

static void send_slowly(struct world *world, struct outcome *outcome)
{
	struct member *leader = &world->members[0];
	struct member *follower = &world->members[1];

	leader->ballast = BALLAST;
	start(leader, NULL);
	append_to(leader, 20, 1);
	save(leader);
	start(follower, slow);
	snapline_send_snapshot(leader->node, follower->peer_id, on_done, outcome);
	for (int ms = 0; status_of(follower).bytes_done == 0; ms++) {
		assert_true(ms < PATIENCE_MS);
		nap();
	}
}

static void a_follower_that_stops_tells_its_leader(void **state)
{
	struct world *world = *state;
	struct outcome outcome = {0};

	send_slowly(world, &outcome);
	stop(&world->members[1]);
	expect(&outcome, ECANCELED, "the follower is being stopped");
	restart(&world->members[1], NULL);
	expect_snapshot(&world->members[1], 0, 0);
	assert_int_equal(count_entries(&world->members[1]), 1); /* temp, to go on from */
}

static void a_leader_that_stops_answers_its_engine(void **state)
{
	struct world *world = *state;
	struct member *follower = &world->members[1];
	struct outcome outcome = {0};

	send_slowly(world, &outcome);
	stop(&world->members[0]);
	expect(&outcome, ECANCELED, "the leader was stopped");
	/* a follower lets the leader's end be the leader's */
	assert_int_equal(
		snapline_set_option(follower->node, "copy-max-retry", "0", NULL), 0);
	wait_state(follower, SNAPLINE_IDLE);
	assert_false(status_of(follower).is_in_error);
	expect_snapshot(follower, 0, 0);
	/* started again, it brings the follower up to date */
	restart(&world->members[0], NULL);
	assert_int_equal(snapline_set_option(follower->node, "snapshot-throttle-rate",
				 "unlimited", NULL),
		0);
	outcome = (struct outcome){0};
	snapline_send_snapshot(
		world->members[0].node, follower->peer_id, on_done, &outcome);
	expect(&outcome, 0, "");
	expect_same_state(&world->members[0], follower);
}

static void an_offer_nobody_took_is_no_hindrance(void **state)
{
	struct world *world = *state;
	struct member *leader = &world->members[0];
	struct snapline_reader *readers[2];
	char uri[128];

	start(leader, NULL);
	append_to(leader, 20, 1);
	save(leader);
	offer(leader, &readers[0], uri);
	offer(leader, &readers[1], uri);
	snapline_reader_close(readers[0]);
	snapline_reader_close(readers[1]);
	stop(leader);
}

static void a_reader_closed_in_mid_copy_ends_the_copy(void **state)
{
	struct world *world = *state;
	struct member *leader = &world->members[0];
	struct member *follower = &world->members[1];
	struct snapline_install what = {.term = 1, .index = 20};
	struct snapline_reader *reader;
	struct outcome outcome;
	char uri[128];

	leader->ballast = BALLAST;
	start(leader, NULL);
	append_to(leader, 20, 1);
	save(leader);
	start(follower, slow);
	offer(leader, &reader, uri);
	what.uri = uri;
	install(follower, leader, &what, &outcome);
	for (int ms = 0; status_of(follower).bytes_done == 0; ms++) {
		assert_true(ms < PATIENCE_MS);
		nap();
	}
	snapline_reader_close(reader);
	wait_for(&outcome);
	assert_int_not_equal(outcome.code, 0);
	assert_non_null(strstr(outcome.text, "leader"));
	assert_false(status_of(follower).is_in_error);
	assert_int_equal(count_entries(follower), 1); /* temp, to go on from */
	/* another try, another uri */
	assert_int_equal(snapline_set_option(follower->node, "snapshot-throttle-rate",
				 "unlimited", NULL),
		0);
	offer(leader, &reader, uri);
	install(follower, leader, &what, &outcome);
	expect(&outcome, 0, "");
	expect_same_state(leader, follower);
	snapline_reader_close(reader);
}

static void whatever_was_asked_is_answered_once(void **state)
{
	struct world *world = *state;
	struct member *member = &world->members[0];
	struct snapline_install what = {
		.term = 1, .leader_id = "127.0.0.1:9:0", .uri = "remote://127.0.0.1:9/7"};
	static struct outcome saves[CALLS], installs[CALLS], sends[CALLS];

	start(member, NULL);
	for (int round = 0; round < 4; round++) {
		memset(saves, 0, sizeof(saves));
		memset(installs, 0, sizeof(installs));
		memset(sends, 0, sizeof(sends));
		append_to(member, 20 * (round + 1), 1);
		for (int i = 0; i < CALLS; i++) {
			what.index = 100 + i / 2;
			snapline_do_snapshot(member->node, on_done, &saves[i]);
			install(member, member, &what, &installs[i]);
			snapline_send_snapshot(
				member->node, "127.0.0.1:9:0", on_done, &sends[i]);
			if (i % 8 == 0)
				snapline_step_down(member->node, i);
		}
		stop(member);
		/* at the latest now, and none of them twice */
		for (int i = 0; i < CALLS; i++) {
			assert_int_equal(atomic_load(&saves[i].times), 1);
			assert_int_equal(atomic_load(&installs[i].times), 1);
			assert_int_equal(atomic_load(&sends[i].times), 1);
			assert_false(installs[i].code == 0 && installs[i].success);
			assert_int_not_equal(sends[i].code, 0);
		}
		restart(member, NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_save_under_way_is_waited_for),
		STORY(a_follower_that_stops_tells_its_leader),
		STORY(a_leader_that_stops_answers_its_engine),
		STORY(an_offer_nobody_took_is_no_hindrance),
		STORY(a_reader_closed_in_mid_copy_ends_the_copy),
		STORY(whatever_was_asked_is_answered_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
