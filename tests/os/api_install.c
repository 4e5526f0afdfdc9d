/* SPDX-License-Identifier: BSD-3-Clause */
/* Installing a leader's snapshot through the public header, over either transport, and
 * what it does to the follower's log. */
#include "api_world.h"
#include "wall.h"

static void prepare_leader(struct member *leader, int64_t index, int64_t term)
{
	start(leader, NULL);
	append_to(leader, index, term);
	save(leader);
}

static void send_to(struct member *leader, const struct member *follower)
{
	struct outcome outcome = {0};

	snapline_send_snapshot(leader->node, follower->peer_id, on_done, &outcome);
	expect(&outcome, 0, "");
}

/* The follower was away while the leader's log was cut off twice. */
static void InstallSnapshot(void **state)
{
	struct world *world = *state;
	struct member *leader = &world->members[0];
	struct member *follower = &world->members[1];

	prepare_leader(leader, 10, 1);
	append_to(leader, 20, 1);
	leader->ballast = 3 << 20;
	save(leader);
	start(follower, NULL);
	append_to(follower, 5, 1);
	send_to(leader, follower);
	expect_same_state(leader, follower);
	expect_snapshot(follower, 20, 1);
	assert_int_equal(follower->loads, 1);
	/* beyond the follower's log: that goes on after the snapshot */
	assert_int_equal(follower->first, 21);
	assert_int_equal(log_last(follower), 0);
	append_to(follower, 25, 1);
	append_to(leader, 25, 1);
	expect_same_state(leader, follower);
	restart(follower, NULL);
	assert_int_equal(follower->applied, 20);
	assert_int_equal(status_of(follower).last_term, 1);
}

static void a_log_of_another_history_is_reset(void **state)
{
	struct world *world = *state;
	struct member *leader = &world->members[0];
	struct member *follower = &world->members[1];

	prepare_leader(leader, 15, 2);
	start(follower, NULL);
	append_to(follower, 5, 1);
	follower->last = 20; /* in the log, never committed */
	for (int64_t index = 6; index <= 20; index++)
		follower->terms[index] = 1;
	send_to(leader, follower);
	assert_int_equal(follower->resets, 1);
	assert_int_equal(follower->first, 16);
	assert_int_equal(follower->last, 15);
	expect_same_state(leader, follower);
}

static void a_log_that_has_the_entry_is_kept(void **state)
{
	struct world *world = *state;
	struct member *leader = &world->members[0];
	struct member *follower = &world->members[1];

	prepare_leader(leader, 15, 1);
	start(follower, NULL);
	append_to(follower, 5, 1);
	follower->last = 20;
	for (int64_t index = 6; index <= 20; index++)
		follower->terms[index] = 1;
	send_to(leader, follower);
	assert_int_equal(follower->resets, 0);
	assert_int_equal(follower->first, 1);
	assert_int_equal(follower->last, 20);
}

static void expect_success(struct outcome *outcome, int64_t term)
{
	expect(outcome, 0, "");
	assert_true(outcome->success);
	assert_int_equal(outcome->term, term);
}

/* An engine with a transport of its own; one reader for all followers, which stays what
 * it was while the leader goes on. */
static void one_uri_serves_follower_after_follower(void **state)
{
	struct world *world = *state;
	struct member *leader = &world->members[0];
	struct snapline_install what = {.term = 3, .index = 10};
	struct snapline_reader *reader;
	struct outcome outcome;
	char uri[128], again[128];

	leader->ballast = 2 << 20;
	prepare_leader(leader, 10, 2);
	offer(leader, &reader, uri);
	assert_int_equal(snapline_reader_uri(reader, again, sizeof(again)), 0);
	assert_string_equal(uri, again);
	assert_int_equal(snapline_reader_uri(reader, again, 8), -ENOSPC);
	append_to(leader, 20, 2);
	save(leader);
	what.uri = uri;
	for (int i = 1; i < MEMBERS; i++) {
		struct member *follower = &world->members[i];

		start(follower, NULL);
		install(follower, leader, &what, &outcome);
		expect_success(&outcome, 3);
		expect_snapshot(follower, 10, 2);
		assert_int_equal(follower->applied, 10);
		assert_int_equal(status_of(follower).term, 3);
	}
	/* the held snapshot and the newest */
	assert_int_equal(count_entries(leader), 2);
	snapline_reader_close(reader);
	for (int ms = 0; count_entries(leader) != 1; ms++) {
		assert_true(ms < PATIENCE_MS);
		nap();
	}
}

static void a_closed_reader_says_so(void **state)
{
	struct world *world = *state;
	struct member *leader = &world->members[0];
	struct member *follower = &world->members[1];
	struct snapline_install what = {.term = 2, .index = 10};
	struct snapline_reader *reader;
	struct outcome outcome;
	char uri[128];

	prepare_leader(leader, 10, 2);
	start(follower, NULL);
	offer(leader, &reader, uri);
	snapline_reader_close(reader);
	what.uri = uri;
	install(follower, leader, &what, &outcome);
	expect(&outcome, ENOENT, "reader");
	assert_int_equal(status_of(follower).state, SNAPLINE_IDLE);
	assert_false(status_of(follower).is_in_error);
	what.uri = "local://nowhere";
	install(follower, leader, &what, &outcome);
	expect(&outcome, EINVAL, "Fail to copy from , local://nowhere");
	expect_snapshot(follower, 0, 0);
}

static void what_a_follower_has_is_a_success_at_once(void **state)
{
	struct world *world = *state;
	struct member *leader = &world->members[0];
	struct member *follower = &world->members[1];
	struct snapline_install what = {.term = 2, .index = 10, .uri = "nobody looks"};
	struct outcome outcome;

	prepare_leader(leader, 10, 2);
	start(follower, NULL);
	send_to(leader, follower);
	send_to(leader, follower);
	assert_int_equal(follower->loads, 1);
	install(follower, leader, &what, &outcome);
	expect_success(&outcome, 2);
	what.index = 3;
	install(follower, leader, &what, &outcome);
	expect_success(&outcome, 2);
	assert_int_equal(follower->loads, 1);
}

static void terms_and_leaders_are_checked(void **state)
{
	struct world *world = *state;
	struct member *leader = &world->members[0];
	struct member *follower = &world->members[1];
	struct snapline_install what = {.term = 5, .index = 10, .uri = "remote://x"};
	struct outcome outcome;

	prepare_leader(leader, 10, 2);
	start(follower, NULL);
	snapline_step_down(follower->node, 6);
	install(follower, leader, &what, &outcome);
	expect(&outcome, 0, "");
	assert_false(outcome.success);
	assert_int_equal(outcome.term, 6);
	what.term = 6;
	install(follower, leader, &what, &outcome);
	expect(&outcome, EINVAL, "Fail to copy from");
	/* two leaders in one term: neither is believed */
	what.leader_id = "127.0.0.1:9:0";
	install(follower, leader, &what, &outcome);
	expect(&outcome, 0, "");
	assert_false(outcome.success);
	assert_int_equal(outcome.term, 7);
	what.leader_id = "nonsense";
	install(follower, leader, &what, &outcome);
	expect(&outcome, 1003, "server_id");
}

static void a_state_machine_that_cannot_load_is_in_error(void **state)
{
	struct world *world = *state;
	struct member *leader = &world->members[0];
	struct member *follower = &world->members[1];
	struct outcome outcome = {0};

	prepare_leader(leader, 10, 2);
	start(follower, NULL);
	follower->load_result = -ENOTRECOVERABLE;
	snapline_send_snapshot(leader->node, follower->peer_id, on_done, &outcome);
	expect(&outcome, ENOTRECOVERABLE, "could not load");
	assert_true(status_of(follower).is_in_error);
	assert_int_equal(follower->nerrors, 1);
	assert_false(status_of(leader).is_in_error);
}

static void status_names_what_is_under_way(void **state)
{
	static const char *const slow[] = {
		"snapshot-interval-s=0", "snapshot-throttle-rate=256KiB/s", NULL};
	struct world *world = *state;
	struct member *leader = &world->members[0];
	struct member *follower = &world->members[1];
	struct outcome outcome = {0};
	struct snapline_status status;

	leader->ballast = 4 << 20;
	prepare_leader(leader, 10, 2);
	start(follower, slow);
	follower->is_blocked = true;
	snapline_send_snapshot(leader->node, follower->peer_id, on_done, &outcome);
	for (int ms = 0; status_of(follower).bytes_done == 0; ms++) {
		assert_true(ms < PATIENCE_MS);
		nap();
	}
	status = status_of(follower);
	assert_int_equal(status.state, SNAPLINE_DOWNLOADING);
	assert_int_equal(status.downloading_index, 10);
	assert_true(status.bytes_total > leader->ballast);
	assert_true(status.bytes_done < status.bytes_total);
	save_fails(follower, EBUSY, "Is loading another snapshot");
	assert_int_equal(snapline_set_option(follower->node, "snapshot-throttle-rate",
				 "unlimited", NULL),
		0);
	wait_state(follower, SNAPLINE_LOADING);
	assert_int_equal(status_of(follower).downloading_index, 10);
	save_fails(follower, EBUSY, "Is loading another snapshot");
	(void)pthread_mutex_lock(&follower->lock);
	follower->is_blocked = false;
	(void)pthread_mutex_unlock(&follower->lock);
	expect(&outcome, 0, "");
	assert_int_equal(status_of(follower).state, SNAPLINE_IDLE);
	assert_int_equal(status_of(follower).downloading_index, 0);
}

/* Who knows that a follower can wait says so; it changes nothing for one alone. */
static void a_snapshot_may_be_sent_behind_others(void **state)
{
	static const struct snapline_rank behind = {SNAPLINE_REBALANCE, 1};
	static const struct snapline_rank wrong[] = {
		{SNAPLINE_RECOVERY, 101}, {(enum snapline_class)3, 1}};
	struct world *world = *state;
	struct member *leader = &world->members[0];
	struct member *follower = &world->members[1];
	struct outcome outcome = {0};

	prepare_leader(leader, 10, 2);
	start(follower, NULL);
	for (size_t i = 0; i < 2; i++) {
		struct outcome refused = {0};

		snapline_send_snapshot_ranked(
			leader->node, follower->peer_id, &wrong[i], on_done, &refused);
		expect(&refused, EINVAL, "with a weight from 1 to 100");
	}
	snapline_send_snapshot_ranked(
		leader->node, follower->peer_id, &behind, on_done, &outcome);
	expect(&outcome, 0, "");
	expect_same_state(leader, follower);
}

/* It votes and keeps no state: the meta is all it wants. */
static void a_witness_takes_the_meta_alone(void **state)
{
	static const char *const witness[] = {"copy-file=false", NULL};
	struct world *world = *state;
	struct member *leader = &world->members[0];
	struct member *follower = &world->members[1];
	struct snapline_error error;
	struct snapline_reader *reader;
	struct snapline_meta meta;
	struct snapline_options options = {
		.store = follower->store, .group = "g", .settings = witness};

	leader->ballast = 2 << 20;
	prepare_leader(leader, 10, 2);
	start(follower, NULL); /* finds a port */
	stop(follower);
	options.peer_id = follower->peer_id;
	assert_int_equal(snapline_open(&follower->node, &options, &error), 0);
	send_to(leader, follower);
	expect_snapshot(follower, 10, 2);
	assert_int_equal(snapline_reader_open(follower->node, &reader, &error), 0);
	assert_null(snapline_reader_file(reader, 0));
	snapline_reader_meta(reader, &meta);
	assert_int_equal(meta.npeers, 2);
	snapline_reader_close(reader);
}

/* InstallSnapshot has no timeout: only connecting has one. */
static void a_follower_out_of_reach_is_given_up_soon(void **state)
{
	struct world *world = *state;
	struct member *member = &world->members[0];
	struct snapline_install what = {.term = 1, .index = 20};
	struct outcome outcome = {0};
	char text[64];
	struct wall wall;

	prepare_leader(member, 10, 1);
	build_wall(&wall);
	(void)snprintf(text, sizeof(text), "%s:0", wall.address);
	snapline_send_snapshot(member->node, text, on_done, &outcome);
	expect(&outcome, EHOSTDOWN, "connection timed out");
	/* nor does a follower wait for a leader out of reach */
	(void)snprintf(text, sizeof(text), "remote://%s/7", wall.address);
	what.uri = text;
	install(member, member, &what, &outcome);
	expect(&outcome, EHOSTDOWN, "connection timed out");
	pull_down(&wall);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(InstallSnapshot),
		STORY(a_log_of_another_history_is_reset),
		STORY(a_log_that_has_the_entry_is_kept),
		STORY(one_uri_serves_follower_after_follower),
		STORY(a_closed_reader_says_so),
		STORY(what_a_follower_has_is_a_success_at_once),
		STORY(terms_and_leaders_are_checked),
		STORY(a_state_machine_that_cannot_load_is_in_error),
		STORY(status_names_what_is_under_way),
		STORY(a_snapshot_may_be_sent_behind_others),
		STORY(a_witness_takes_the_meta_alone),
		STORY(a_follower_out_of_reach_is_given_up_soon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
