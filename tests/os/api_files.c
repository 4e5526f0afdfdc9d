/* SPDX-License-Identifier: BSD-3-Clause */
/* What a snapshot consists of, written and read through the public header: names, metas,
 * references, members of the group. */
#include "api_world.h"

static void write_file(struct snapline_writer *writer, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", snapline_writer_path(writer), name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* The state machine's save stands still; this thread may use its writer. */
static struct snapline_writer *begin_save(struct member *member, struct outcome *outcome)
{
	append_to(member, member->applied + 10, 4);
	member->holds_saves = true;
	snapline_do_snapshot(member->node, on_done, outcome);
	wait_held(member);
	return member->held_writer;
}

static struct snapline_reader *open_newest(struct member *member)
{
	struct snapline_reader *reader = NULL;
	struct snapline_error error = {0};

	if (snapline_reader_open(member->node, &reader, &error) != 0)
		fail_msg("%s", error.text);
	return reader;
}

static void a_writer_keeps_the_list(void **state)
{
	struct world *world = *state;
	struct member *member = &world->members[0];
	struct outcome outcome = {0};
	struct snapline_writer *writer;
	struct snapline_reader *reader;
	char path[256];

	start(member, NULL);
	writer = begin_save(member, &outcome);
	(void)snprintf(path, sizeof(path), "%s/temp", member->store);
	assert_string_equal(snapline_writer_path(writer), path);
	(void)snprintf(path, sizeof(path), "%s/temp/sub", member->store);
	assert_int_equal(mkdir(path, 0755), 0);
	write_file(writer, "b", "b");
	write_file(writer, "sub/a", "a");
	write_file(writer, "gone", "gone");
	write_file(writer, "forgotten", "never listed");
	assert_int_equal(snapline_writer_add_file(writer, "sub/a", NULL), 0);
	assert_int_equal(snapline_writer_add_file(writer, "gone", NULL), 0);
	assert_int_equal(snapline_writer_add_file(writer, "b", NULL), 0);
	assert_int_equal(snapline_writer_add_file(writer, "b", NULL), -EEXIST);
	assert_int_equal(snapline_writer_add_file(writer, "../b", NULL), -EINVAL);
	assert_int_equal(snapline_writer_add_file(writer, "/etc/passwd", NULL), -EINVAL);
	assert_string_equal(snapline_writer_file(writer, 0), "b");
	assert_string_equal(snapline_writer_file(writer, 1), "gone");
	assert_string_equal(snapline_writer_file(writer, 2), "sub/a");
	assert_null(snapline_writer_file(writer, 3));
	assert_int_equal(snapline_writer_remove_file(writer, "gone"), 0);
	assert_int_equal(snapline_writer_remove_file(writer, "gone"), -ENOENT);
	release_held(member);
	expect(&outcome, 0, "");
	reader = open_newest(member);
	assert_string_equal(snapline_reader_file(reader, 0), "b");
	assert_string_equal(snapline_reader_file(reader, 1), "state");
	assert_string_equal(snapline_reader_file(reader, 2), "sub/a");
	assert_null(snapline_reader_file(reader, 3));
	(void)snprintf(path, sizeof(path), "%s/gone", snapline_reader_path(reader));
	assert_int_equal(access(path, F_OK), -1);
	(void)snprintf(path, sizeof(path), "%s/forgotten", snapline_reader_path(reader));
	assert_int_equal(access(path, F_OK), -1);
	snapline_reader_close(reader);
}

static void a_listed_file_that_nobody_wrote_fails_the_save(void **state)
{
	struct world *world = *state;
	struct member *member = &world->members[0];
	struct outcome outcome = {0};
	struct snapline_writer *writer;

	start(member, NULL);
	writer = begin_save(member, &outcome);
	assert_int_equal(snapline_writer_add_file(writer, "nobody", NULL), 0);
	release_held(member);
	expect(&outcome, ENOENT, "nobody");
	expect_snapshot(member, 0, 0);
}

static void add_with_meta(struct snapline_writer *writer)
{
	static const char bytes[] = {0, 1, 2, 0};
	struct snapline_file_meta meta = {
		.user_meta = bytes, .user_meta_len = sizeof(bytes), .checksum = "mine"};

	write_file(writer, "own", "own");
	assert_int_equal(snapline_writer_add_file(writer, "own", &meta), 0);
	write_file(writer, "plain", "123456789");
	assert_int_equal(snapline_writer_add_file(writer, "plain", NULL), 0);
	meta.source = 2;
	assert_int_equal(snapline_writer_add_file(writer, "no", &meta), -EINVAL);
}

static void expect_meta(struct member *member)
{
	struct snapline_reader *reader = open_newest(member);
	struct snapline_file_meta meta;

	assert_int_equal(snapline_reader_file_meta(reader, "own", &meta), 0);
	assert_int_equal(meta.user_meta_len, 4);
	assert_memory_equal(meta.user_meta, "\0\1\2\0", 4);
	assert_string_equal(meta.checksum, "mine");
	assert_int_equal(meta.source, 0);
	/* the CRC-32C of "123456789" that every text on CRCs gives */
	assert_int_equal(snapline_reader_file_meta(reader, "plain", &meta), 0);
	assert_string_equal(meta.checksum, "crc32c:e3069283");
	assert_null(meta.user_meta);
	assert_int_equal(snapline_reader_file_meta(reader, "other", &meta), -ENOENT);
	assert_int_equal(
		snapline_reader_file_meta(reader, "__snapline_manifest", &meta), -ENOENT);
	snapline_reader_close(reader);
}

static void a_file_meta_comes_back_here_and_at_a_follower(void **state)
{
	struct world *world = *state;
	struct member *leader = &world->members[0];
	struct member *follower = &world->members[1];
	struct outcome outcome = {0};

	start(leader, NULL);
	add_with_meta(begin_save(leader, &outcome));
	release_held(leader);
	expect(&outcome, 0, "");
	expect_meta(leader);
	start(follower, NULL);
	outcome = (struct outcome){0};
	snapline_send_snapshot(leader->node, follower->peer_id, on_done, &outcome);
	expect(&outcome, 0, "");
	expect_meta(follower);
}

/* The bytes are in another place, which the state machine knows. */
static void expect_reference(struct member *member)
{
	struct snapline_reader *reader = open_newest(member);
	struct snapline_file_meta meta;

	assert_int_equal(snapline_reader_file_meta(reader, "far", &meta), 0);
	assert_int_equal(meta.source, 1);
	assert_memory_equal(meta.user_meta, "bucket/7", 8);
	snapline_reader_close(reader);
}

static void a_reference_needs_no_file(void **state)
{
	const struct snapline_file_meta elsewhere = {
		.user_meta = "bucket/7", .user_meta_len = 8, .source = 1};
	struct world *world = *state;
	struct member *member = &world->members[0];
	struct member *follower = &world->members[1];
	struct outcome outcome = {0};
	struct snapline_writer *writer;

	start(member, NULL);
	writer = begin_save(member, &outcome);
	assert_int_equal(snapline_writer_add_file(writer, "far", &elsewhere), 0);
	release_held(member);
	expect(&outcome, 0, "");
	expect_reference(member);
	start(follower, NULL);
	outcome = (struct outcome){0};
	snapline_send_snapshot(member->node, follower->peer_id, on_done, &outcome);
	expect(&outcome, 0, "");
	expect_same_state(member, follower);
	expect_reference(follower); /* a stock peer would not be told */
}

/* A group in the midst of a change of its members. */
static void the_meta_holds_where_and_who(void **state)
{
	const char *peers[] = {"10.0.0.1:1:0:0", "10.0.0.2:1:0:1"};
	const char *old_peers[] = {"10.0.0.3:1:0:0"};
	struct snapline_meta meta = {.index = 10,
		.term = 4,
		.peers = peers,
		.npeers = 2,
		.old_peers = old_peers,
		.nold_peers = 1};
	struct world *world = *state;
	struct member *member = &world->members[0];
	struct outcome outcome = {0};
	struct snapline_writer *writer;
	struct snapline_reader *reader;
	char uri[128];

	start(member, NULL);
	writer = begin_save(member, &outcome);
	write_file(writer, "state", "10 55\n");
	assert_int_equal(snapline_writer_add_file(writer, "state", NULL), 0);
	meta.index = 0;
	assert_int_equal(snapline_writer_set_meta(writer, &meta), -EINVAL);
	meta.index = 10;
	assert_int_equal(snapline_writer_set_meta(writer, &meta), 0);
	snapline_save_done(member->held, 0, NULL);
	member->held = NULL;
	expect(&outcome, 0, "");
	restart(member, NULL);
	assert_int_equal(member->applied, 10);
	assert_int_equal(member->uri_result, -EPERM);
	reader = open_newest(member);
	memset(&meta, 0, sizeof(meta));
	snapline_reader_meta(reader, &meta);
	assert_int_equal(meta.index, 10);
	assert_int_equal(meta.term, 4);
	assert_int_equal(meta.npeers, 2);
	assert_string_equal(meta.peers[1], "10.0.0.2:1:0:1");
	assert_int_equal(meta.nold_peers, 1);
	assert_string_equal(meta.old_peers[0], "10.0.0.3:1:0:0");
	assert_int_equal(snapline_reader_uri(reader, uri, sizeof(uri)), 0);
	assert_memory_equal(uri, "remote://127.", 13);
	snapline_reader_close(reader);
}

/* Without a log there is nobody else who remembers the term. */
static void a_restart_without_a_log_knows_the_term(void **state)
{
	struct world *world = *state;
	struct member *member = &world->members[0];
	struct snapline_error error;
	struct snapline_options options = {.store = member->store, .group = "g"};

	start(member, NULL);
	append_to(member, 10, 4);
	save(member);
	stop(member);
	options.peer_id = member->peer_id;
	assert_int_equal(snapline_open(&member->node, &options, &error), 0);
	expect_snapshot(member, 10, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_writer_keeps_the_list),
		STORY(a_listed_file_that_nobody_wrote_fails_the_save),
		STORY(a_file_meta_comes_back_here_and_at_a_follower),
		STORY(a_reference_needs_no_file),
		STORY(the_meta_holds_where_and_who),
		STORY(a_restart_without_a_log_knows_the_term),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
