/* SPDX-License-Identifier: BSD-3-Clause */
/* Installs that meet one another, a save, a newer term or a cap, while the bytes are on
 * their way. A rate that can be lifted keeps them there for as long as a story needs. */
#include "api_world.h"

enum { INSTALLS = 10, BALLAST = 4 << 20 };

static const char *const slow[] = {
	"snapshot-interval-s=0", "snapshot-throttle-rate=256KiB/s", NULL};

static struct member *leader_of(struct world *world)
{
	struct member *leader = &world->members[0];

	leader->ballast = BALLAST;
	start(leader, NULL);
	append_to(leader, 20, 1);
	save(leader);
	return leader;
}

static void lift(struct member *member)
{
	assert_int_equal(snapline_set_option(member->node, "snapshot-throttle-rate",
				 "unlimited", NULL),
		0);
}

static void wait_moving(struct member *follower)
{
	for (int ms = 0; status_of(follower).bytes_done == 0; ms++) {
		assert_true(ms < PATIENCE_MS);
		nap();
	}
}

struct caller {
	pthread_t thread;
	struct member *follower;
	const struct member *leader;
	const struct snapline_install *what;
	struct outcome outcome;
};

static void *call(void *arg)
{
	struct caller *caller = arg;

	install(caller->follower, caller->leader, caller->what, &caller->outcome);
	return NULL;
}

/* Ten calls at once for one index: one success, nine are told that they were replaced. */
static void install_ten_times(struct member *leader, struct member *follower)
{
	struct caller callers[INSTALLS] = {0};
	struct snapline_install what = {.term = 1, .index = 20};
	struct snapline_reader *reader;
	char uri[128];
	int nsuccesses = 0;

	offer(leader, &reader, uri);
	what.uri = uri;
	for (int i = 0; i < INSTALLS; i++) {
		callers[i].follower = follower;
		callers[i].leader = leader;
		callers[i].what = &what;
		assert_int_equal(
			pthread_create(&callers[i].thread, NULL, call, &callers[i]), 0);
	}
	for (int i = 0; i < INSTALLS; i++)
		assert_int_equal(pthread_join(callers[i].thread, NULL), 0);
	lift(follower);
	for (int i = 0; i < INSTALLS; i++) {
		wait_for(&callers[i].outcome);
		if (callers[i].outcome.code == 0)
			nsuccesses += callers[i].outcome.success;
		else
			expect(&callers[i].outcome, EINTR,
				"Interrupted by the retry InstallSnapshotRequest");
	}
	assert_int_equal(nsuccesses, 1);
	assert_int_equal(follower->loads, 1);
	expect_same_state(leader, follower);
	snapline_reader_close(reader);
}

static void retry_request(void **state)
{
	struct world *world = *state;
	struct member *leader = leader_of(world);

	start(&world->members[1], slow);
	install_ten_times(leader, &world->members[1]);
}

/* A copy that takes longer than the calls; the retry comes over braft's RPC. */
static void retry_install_snapshot(void **state)
{
	struct world *world = *state;
	struct member *leader = leader_of(world);
	struct member *follower = &world->members[1];
	struct snapline_install what = {.term = 1, .index = 20};
	struct outcome first, second = {0}, third = {0};
	struct snapline_reader *reader;
	char uri[128];

	start(follower, slow);
	offer(leader, &reader, uri);
	what.uri = uri;
	install(follower, leader, &what, &first);
	wait_moving(follower);
	/* the copy goes on from its first uri and answers the last call */
	snapline_send_snapshot(leader->node, follower->peer_id, on_done, &second);
	expect(&first, EINTR, "Interrupted by the retry");
	/* the leader itself never sends twice at once */
	snapline_send_snapshot(leader->node, follower->peer_id, on_done, &third);
	expect(&third, EBUSY, "up to date already");
	lift(follower);
	expect(&second, 0, "");
	assert_int_equal(follower->loads, 1);
	expect_same_state(leader, follower);
	snapline_reader_close(reader);
}

static void retry_request_with_throttle(void **state)
{
	static const char *const fast[] = {
		"snapshot-interval-s=0", "snapshot-throttle-rate=100MiB/s", NULL};
	struct world *world = *state;
	struct member *leader = &world->members[0];

	leader->ballast = BALLAST;
	start(leader, fast);
	append_to(leader, 20, 1);
	save(leader);
	start(&world->members[1], slow);
	install_ten_times(leader, &world->members[1]);
}

static void interrupt_installing(void **state)
{
	struct world *world = *state;
	struct member *leader = leader_of(world);
	struct member *follower = &world->members[1];
	struct outcome outcome = {0};

	start(follower, slow);
	snapline_send_snapshot(leader->node, follower->peer_id, on_done, &outcome);
	wait_moving(follower);
	snapline_step_down(follower->node, 9);
	expect(&outcome, ECANCELED, "interrupted by a newer term");
	assert_int_equal(status_of(follower).state, SNAPLINE_IDLE);
	assert_int_equal(status_of(follower).term, 9);
	assert_false(status_of(follower).is_in_error);
	expect_snapshot(follower, 0, 0);
	assert_int_equal(follower->loads, 0);
}

/* Leadership moves to another member in mid-copy; the new leader brings it home. */
static void Leader_step_down_during_install_snapshot(void **state)
{
	struct world *world = *state;
	struct member *leader = leader_of(world);
	struct member *follower = &world->members[1];
	struct member *next = &world->members[2];
	struct snapline_install what = {.term = 2, .index = 20};
	struct snapline_reader *reader;
	struct outcome first = {0}, second, third;
	char uri[128];

	next->ballast = BALLAST;
	start(next, NULL);
	append_to(next, 20, 1);
	save(next);
	offer(next, &reader, uri);
	what.uri = uri;
	start(follower, slow);
	snapline_send_snapshot(leader->node, follower->peer_id, on_done, &first);
	wait_moving(follower);
	lift(follower);
	install(follower, next, &what, &second);
	wait_for(&first);
	wait_for(&second);
	assert_int_not_equal(first.code, 0);
	if (second.code != 0) {
		install(follower, next, &what, &third);
		expect(&third, 0, "");
	}
	expect_same_state(next, follower);
	snapline_reader_close(reader);
}

static void older_and_newer_meet_a_download(void **state)
{
	struct world *world = *state;
	struct member *leader = leader_of(world);
	struct member *follower = &world->members[1];
	struct snapline_install what = {.term = 1, .uri = "remote://x"};
	struct outcome first = {0}, other;

	start(follower, slow);
	snapline_send_snapshot(leader->node, follower->peer_id, on_done, &first);
	wait_moving(follower);
	what.index = 10;
	install(follower, leader, &what, &other);
	expect(&other, EINVAL, "A newer snapshot is under installing");
	assert_int_equal(atomic_load(&first.times), 0);
	what.index = 30;
	install(follower, leader, &what, &other);
	expect(&other, EBUSY, "A former snapshot is under installing,  trying to cancel");
	expect(&first, ECANCELED, "");
	/* the next attempt finds the way free */
	lift(follower);
	first = (struct outcome){0};
	snapline_send_snapshot(leader->node, follower->peer_id, on_done, &first);
	expect(&first, 0, "");
	expect_same_state(leader, follower);
}

static void two_leaders_of_one_term_end_the_download(void **state)
{
	struct world *world = *state;
	struct member *leader = leader_of(world);
	struct member *follower = &world->members[1];
	struct snapline_install what = {.term = 1,
		.index = 20,
		.leader_id = "127.0.0.1:9:0",
		.uri = "remote://x"};
	struct outcome first = {0}, other;

	start(follower, slow);
	snapline_send_snapshot(leader->node, follower->peer_id, on_done, &first);
	wait_moving(follower);
	install(follower, leader, &what, &other);
	expect(&other, 0, "");
	assert_false(other.success);
	assert_int_equal(other.term, 2);
	expect(&first, ECANCELED, "");
}

static void a_save_keeps_installs_out(void **state)
{
	struct world *world = *state;
	struct member *leader = leader_of(world);
	struct member *follower = &world->members[1];
	struct outcome saved = {0}, installed = {0};

	start(follower, NULL);
	append_to(follower, 5, 1);
	follower->holds_saves = true;
	snapline_do_snapshot(follower->node, on_done, &saved);
	wait_held(follower);
	snapline_send_snapshot(leader->node, follower->peer_id, on_done, &installed);
	expect(&installed, EBUSY, "Is saving snapshot");
	release_held(follower);
	expect(&saved, 0, "");
	installed = (struct outcome){0};
	snapline_send_snapshot(leader->node, follower->peer_id, on_done, &installed);
	expect(&installed, 0, "");
	/* the follower's own, at 5, has made room for the leader's */
	expect_snapshot(follower, 20, 1);
	assert_int_equal(count_entries(follower), 1);
}

static void install_snapshot_exceed_max_task_num(void **state)
{
	static const char *const one[] = {"snapshot-interval-s=0",
		"snapshot-throttle-rate=256KiB/s", "max-install-snapshot-tasks-num=1",
		NULL};
	struct world *world = *state;
	struct member *leader = leader_of(world);
	struct snapline_install what = {.term = 1, .index = 20, .uri = "remote://x"};
	struct outcome outcomes[2] = {0};
	struct outcome refused;

	for (int i = 0; i < 2; i++) {
		struct member *follower = &world->members[i + 1];

		start(follower, one);
		snapline_send_snapshot(
			leader->node, follower->peer_id, on_done, &outcomes[i]);
		wait_moving(follower);
		install(follower, leader, &what, &refused);
		expect(&refused, EBUSY, "Fail to add install_snapshot tasks now");
	}
	for (int i = 0; i < 2; i++) {
		lift(&world->members[i + 1]);
		expect(&outcomes[i], 0, "");
		expect_same_state(leader, &world->members[i + 1]);
		/* the slot is free again */
		install(&world->members[i + 1], leader, &what, &refused);
		expect(&refused, 0, "");
	}
}

/* braft's name: the log's disk fails while a snapshot comes in; everything still stops.
 */
static void Report_error_during_install_snapshot(void **state)
{
	struct world *world = *state;
	struct member *leader = leader_of(world);
	struct member *follower = &world->members[1];
	struct outcome outcome = {0};

	start(follower, NULL);
	follower->log_result = -EIO;
	snapline_send_snapshot(leader->node, follower->peer_id, on_done, &outcome);
	wait_for(&outcome);
	for (int ms = 0; !status_of(follower).is_in_error; ms++) {
		assert_true(ms < PATIENCE_MS);
		nap();
	}
	assert_int_equal(follower->nerrors, 1);
	assert_int_equal(follower->error.code, -EIO);
	assert_non_null(strstr(follower->error.text, "the log cannot"));
	stop(follower);
	stop(leader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(retry_request),
		STORY(retry_install_snapshot),
		STORY(retry_request_with_throttle),
		STORY(interrupt_installing),
		STORY(Leader_step_down_during_install_snapshot),
		STORY(older_and_newer_meet_a_download),
		STORY(two_leaders_of_one_term_end_the_download),
		STORY(a_save_keeps_installs_out),
		STORY(install_snapshot_exceed_max_task_num),
		STORY(Report_error_during_install_snapshot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
