/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of the public header share: members of a group in one process, over TCP,
 * and how their calls end. */
#ifndef API_WORLD_H
#define API_WORLD_H

#include "api_member.h"
#include "tests/lib/folder.h"

enum { MEMBERS = 3, PATIENCE_MS = 20000 };

struct world {
	char dir[64];
	struct member members[MEMBERS];
};

/* A call and what became of it. */
struct outcome {
	_Atomic int times;
	int code;
	char text[400];
	int64_t term;
	bool success;
};

static inline void on_done(void *ctx, int code, const char *text)
{
	struct outcome *outcome = ctx;

	outcome->code = code;
	(void)snprintf(outcome->text, sizeof(outcome->text), "%s", text);
	atomic_fetch_add(&outcome->times, 1);
}

static inline void on_installed(
	void *ctx, int code, const char *text, int64_t response_term, bool success)
{
	struct outcome *outcome = ctx;

	outcome->term = response_term;
	outcome->success = success;
	on_done(ctx, code, text);
}

static inline void wait_for(const struct outcome *outcome)
{
	for (int ms = 0; atomic_load(&outcome->times) == 0; ms++) {
		if (ms > PATIENCE_MS)
			fail_msg("waited in vain for an answer");
		nap();
	}
	assert_int_equal(atomic_load(&outcome->times), 1);
}

/* Waits for an answer with that code whose text holds those words. */
static inline void expect(const struct outcome *outcome, int code, const char *words)
{
	wait_for(outcome);
	if (outcome->code != code || strstr(outcome->text, words) == NULL)
		fail_msg("got %d '%s', not %d '%s'", outcome->code, outcome->text, code,
			words);
}

/* ---- members */

static inline int try_start(
	struct member *member, const char *const *settings, struct snapline_error *error)
{
	const struct snapline_options options = {
		.store = member->store,
		.group = "g",
		.peer_id = member->peer_id,
		.settings = settings,
		.fsm = {member, fsm_applied, fsm_save, fsm_load, fsm_error},
		.log = {member, log_first, log_last, log_bytes_from, log_term_at,
			log_truncate, log_reset},
	};
	int err = snapline_open(&member->node, &options, error);

	if (err != 0)
		member->node = NULL;
	return err;
}

/* By hand only, unless the settings say otherwise: no timer between the steps of a
 * story. */
static const char *const by_hand[] = {"snapshot-interval-s=0", NULL};

/* The first start of a member finds it a port, on a loopback address that is this
 * process's alone: tests that run beside each other never take over a port that is free
 * for the moment of a restart. */
static inline void start(struct member *member, const char *const *settings)
{
	static int next_port = 21000;
	bool is_new = member->peer_id[0] == '\0';
	struct snapline_error error = {0};
	unsigned int pid = (unsigned int)getpid();
	int err;

	do {
		if (is_new)
			(void)snprintf(member->peer_id, sizeof(member->peer_id),
				"127.%u.%u.%u:%d:0", 1 + (pid >> 14) % 250,
				(pid >> 7) % 128, 1 + pid % 128, next_port++);
		err = try_start(member, settings == NULL ? by_hand : settings, &error);
	} while (is_new && err == -EADDRINUSE);
	if (err != 0)
		fail_msg("%s", error.text);
}

static inline void stop(struct member *member)
{
	snapline_close(member->node);
	member->node = NULL;
}

/* What a process loses when it dies: all but log and store. */
static inline void restart(struct member *member, const char *const *settings)
{
	if (member->node != NULL)
		stop(member);
	member->applied = 0;
	member->sum = 0;
	start(member, settings);
}

/* Commits and applies entries up to that index. */
static inline void append_to(struct member *member, int64_t index, int64_t term)
{
	(void)pthread_mutex_lock(&member->lock);
	assert_true(index < LOG_MAX);
	while (member->last < index) {
		member->last++;
		member->terms[member->last] = term;
	}
	while (member->applied < index)
		member->sum += ++member->applied;
	(void)pthread_mutex_unlock(&member->lock);
}

static inline struct snapline_status status_of(struct member *member)
{
	struct snapline_status status;

	snapline_get_status(member->node, &status);
	return status;
}

static inline void wait_state(struct member *member, enum snapline_state state)
{
	for (int ms = 0; status_of(member).state != state; ms++) {
		if (ms > PATIENCE_MS)
			fail_msg("%s never came to state %d", member->peer_id, state);
		nap();
	}
}

static inline void expect_snapshot(struct member *member, int64_t index, int64_t term)
{
	struct snapline_status status = status_of(member);

	assert_int_equal(status.last_index, index);
	assert_int_equal(status.last_term, term);
}

static inline void save(struct member *member)
{
	struct outcome outcome = {0};

	snapline_do_snapshot(member->node, on_done, &outcome);
	expect(&outcome, 0, "");
}

static inline void save_fails(struct member *member, int code, const char *words)
{
	struct outcome outcome = {0};

	snapline_do_snapshot(member->node, on_done, &outcome);
	expect(&outcome, code, words);
}

static inline void wait_held(struct member *member)
{
	bool is_held = false;

	for (int ms = 0; !is_held; ms++) {
		if (ms > PATIENCE_MS)
			fail_msg("on_snapshot_save was never called");
		nap();
		(void)pthread_mutex_lock(&member->lock);
		is_held = member->held != NULL;
		(void)pthread_mutex_unlock(&member->lock);
	}
}

static inline void release_held(struct member *member)
{
	struct snapline_save *held = member->held;

	member->held = NULL;
	end_save(member, member->held_writer, held);
}

static inline void offer(
	struct member *leader, struct snapline_reader **reader, char uri[static 128])
{
	struct snapline_error error = {0};

	if (snapline_reader_open(leader->node, reader, &error) != 0)
		fail_msg("%s", error.text);
	assert_int_equal(snapline_reader_uri(*reader, uri, 128), 0);
}

static inline void install(struct member *follower, const struct member *leader,
	const struct snapline_install *what, struct outcome *outcome)
{
	struct snapline_install install = *what;

	*outcome = (struct outcome){0};
	if (install.leader_id == NULL)
		install.leader_id = leader->peer_id;
	snapline_install_snapshot(follower->node, &install, on_installed, outcome);
}

/* Every byte of one member's newest snapshot is another's. */
static inline void expect_same_state(const struct member *a, const struct member *b)
{
	assert_int_equal(a->applied, b->applied);
	assert_int_equal(a->sum, b->sum);
}

/* Directories of snapshots, and temp, in the store. */
static inline int count_entries(const struct member *member)
{
	DIR *dir = opendir(member->store);
	const struct dirent *entry;
	int count = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		count += entry->d_name[0] != '.';
	(void)closedir(dir);
	return count;
}

static inline int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	assert_true(folder_make(world->dir, sizeof(world->dir), "api-test"));
	for (int i = 0; i < MEMBERS; i++) {
		struct member *member = &world->members[i];

		(void)snprintf(
			member->store, sizeof(member->store), "%s/%d", world->dir, i);
		(void)pthread_mutex_init(&member->lock, NULL);
		member->first = 1;
	}
	*state = world;
	return 0;
}

static inline int tear_down(void **state)
{
	struct world *world = *state;
	char command[96];

	for (int i = 0; i < MEMBERS; i++) {
		if (world->members[i].node != NULL)
			stop(&world->members[i]);
		(void)pthread_mutex_destroy(&world->members[i].lock);
	}
	(void)snprintf(command, sizeof(command), "rm -rf %s", world->dir);
	assert_int_equal(system(command), 0);
	free(world);
	return 0;
}

#define STORY(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

#endif
