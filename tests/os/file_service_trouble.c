/* SPDX-License-Identifier: BSD-3-Clause */
/* get_file under throttles, and when leader, disk or operator end it: the throttle cases
 * of braft's test_snapshot.cpp under their names, and the defects of braft's. */
#include "tests/os/tcp_world.h"

static void serve_file(struct world *world, struct table *table, size_t len)
{
	uint8_t *bytes = scratch_noise(len, 1);
	char path[128];

	scratch_write(&world->scratch, "data/file", bytes, len);
	free(bytes);
	table_init(table);
	assert_int_equal(table_add_file(table, "file", NULL), 0);
	(void)snprintf(path, sizeof(path), "%s/data", world->scratch.path);
	serve_directory(world, path, table);
}

static struct throttle *make_throttle(
	struct throttle_braft *throttle, uint64_t bytes_per_s, bool is_enabled)
{
	struct throttle_limits limits;

	throttle_limits_default(&limits);
	limits.bytes_per_s = bytes_per_s;
	limits.is_enabled = is_enabled;
	throttle_braft_init(throttle, &limits, (nsec)uv_hrtime());
	return &throttle->port;
}

static void copy_throttled(struct world *world, size_t len, struct throttle *leader,
	struct throttle *follower)
{
	struct table table;

	serve_file(world, &table, len);
	tcp_serve_set_throttle(world->serve, leader);
	world->policy.throttle = follower;
	copy_by_table(world, &table);
	expect_ok(world);
	expect_same_file(world, "data", "copy", "file");
	withdraw(world);
	table_fini(&table);
}

/* ---- test_snapshot.cpp */

static void snapshot_throttle_for_reading(void **state)
{
	struct world *world = *state;
	struct throttle_braft throttle;

	copy_throttled(world, 30, make_throttle(&throttle, 60, true), NULL);
	assert_true(world->stats.calls >= 5); /* 6 bytes a cycle */
	assert_true(world->stats.refusals > 0);
}

static void snapshot_throttle_for_writing(void **state)
{
	struct world *world = *state;
	struct throttle_braft throttle;

	copy_throttled(world, 8, NULL, make_throttle(&throttle, 20, true));
	assert_int_equal(world->stats.calls, 4); /* 2 bytes a cycle */
	assert_int_equal(world->stats.refusals, 0);
}

static void snapshot_throttle_for_reading_without_enable_throttle(void **state)
{
	struct world *world = *state;
	struct throttle_braft throttle;

	copy_throttled(world, 100000, make_throttle(&throttle, 60, false), NULL);
	assert_int_equal(world->stats.calls, 1);
}

static void snapshot_throttle_for_writing_without_enable_throttle(void **state)
{
	struct world *world = *state;
	struct throttle_braft throttle;

	copy_throttled(world, 100000, NULL, make_throttle(&throttle, 20, false));
	assert_int_equal(world->stats.calls, 1);
}

static void on_lift(uv_timer_t *timer)
{
	struct throttle_braft *throttle = timer->data;
	struct throttle_limits limits = throttle->limits;

	limits.floor_bytes_per_s = 10 * MIB;
	throttle_braft_set_limits(throttle, &limits);
	uv_close((uv_handle_t *)timer, NULL);
}

/* At 10 B/s it would take hours. */
static void dynamically_change_throttle_threshold(void **state)
{
	struct world *world = *state;
	struct throttle_braft throttle;
	uv_timer_t lift = {.data = &throttle};

	assert_int_equal(uv_timer_init(&world->loop, &lift), 0);
	assert_int_equal(uv_timer_start(&lift, on_lift, 20, 0), 0);
	copy_throttled(world, 400000, NULL, make_throttle(&throttle, 10, true));
}

/* 4 MiB at 10 MiB/s, ten cycles a second. braft needs a second for each cycle but the
 * first. */
static void a_leader_only_throttle_does_not_stall(void **state)
{
	struct world *world = *state;
	struct throttle_braft throttle;
	uint64_t before = uv_hrtime();

	copy_throttled(world, 4 << 20, make_throttle(&throttle, 10 * MIB, true), NULL);
	assert_true(uv_hrtime() - before < 2 * (uint64_t)SEC);
	assert_true(world->stats.refusals > 0);
}

/* ---- failures */

/* In braft, EIO from the leader puts the follower into STATE_ERROR for good. */
static void a_remote_eio_does_not_kill_the_follower(void **state)
{
	struct world *world = *state;
	struct table table;

	serve_file(world, &table, 100);
	world->fail_code = EIO;
	copy_by_table(world, &table);
	expect_failed(world, TCP_ORIGIN_REMOTE, -EIO);
	assert_int_equal(world->nasked, 4);
	read_to_memory(world, TABLE_NAME, 1000);
	expect_failed(world, TCP_ORIGIN_REMOTE, -EIO);
	world->fail_code = 0;
	copy_by_table(world, &table);
	expect_ok(world);
	withdraw(world);
	table_fini(&table);
}

static void a_local_error_is_local(void **state)
{
	struct world *world = *state;
	struct table table;
	char path[128];

	/* a file where a directory must be */
	scratch_write(&world->scratch, "data/a/b", "x", 1);
	scratch_write(&world->scratch, "copy/a", "x", 1);
	table_init(&table);
	assert_int_equal(table_add_file(&table, "a/b", NULL), 0);
	(void)snprintf(path, sizeof(path), "%s/data", world->scratch.path);
	serve_directory(world, path, &table);
	copy_by_table(world, &table);
	expect_failed(world, TCP_ORIGIN_LOCAL, -ENOTDIR);
	assert_non_null(strstr(world->result.fault.text, "/copy"));
	withdraw(world);
	table_fini(&table);
}

/* Somebody else's file of another size lies where a chunk belongs. */
static void a_chunk_that_cannot_be_written_is_local(void **state)
{
	struct world *world = *state;
	struct tcp_copy_options options = {0};
	uint8_t *bytes = scratch_noise(3 * MANIFEST_CHUNK_MIN, 1);

	scratch_write(&world->scratch, "data/file", bytes, 3 * MANIFEST_CHUNK_MIN);
	scratch_write(&world->scratch, "copy/file", bytes, 3 * MANIFEST_CHUNK_MIN - 1);
	free(bytes);
	serve_snapshot(world);
	options.manifest = &world->reader->manifest;
	assert_int_equal(
		store_object_open(&options.object, scratch_path(&world->scratch, "copy"),
			options.manifest, NULL),
		0);
	start(world, &options);
	run_until(world, &world->ended, 1);
	store_object_close(options.object);
	expect_failed(world, TCP_ORIGIN_LOCAL, -EBADMSG);
}

static void content_that_is_not_the_manifests_is_refused(void **state)
{
	struct world *world = *state;
	struct tcp_copy_options options = {0};
	uint8_t *bytes = scratch_noise(3 * MANIFEST_CHUNK_MIN, 1);

	scratch_write(&world->scratch, "data/file", bytes, 3 * MANIFEST_CHUNK_MIN);
	serve_snapshot(world);
	bytes[2 * MANIFEST_CHUNK_MIN + 7] ^= 1; /* behind the manifest's back */
	scratch_write(&world->scratch, "from/snapshot_00000000000000000007/file", bytes,
		3 * MANIFEST_CHUNK_MIN);
	scratch_write(&world->scratch, "copy/file", bytes, 3 * MANIFEST_CHUNK_MIN);
	free(bytes);
	options.manifest = &world->reader->manifest;
	options.depth = 4;
	tcp_serve_set_any_order(world->serve, READER, 4);
	assert_int_equal(
		store_object_open(&options.object, scratch_path(&world->scratch, "copy"),
			options.manifest, NULL),
		0);
	start(world, &options);
	run_until(world, &world->ended, 1);
	store_object_close(options.object);
	expect_failed(world, TCP_ORIGIN_REMOTE, -EBADMSG);
	assert_non_null(strstr(world->result.fault.text, "chunk 2"));
	assert_int_equal(world->stats.bytes_resent, 4 * MANIFEST_CHUNK_MIN);
}

static void a_leader_that_is_gone_ends_the_copy(void **state)
{
	struct world *world = *state;
	struct table table;

	serve_file(world, &table, 100);
	rpc_server_close(world->server);
	world->server = NULL;
	copy_by_table(world, &table);
	expect_failed(world, TCP_ORIGIN_REMOTE, -EHOSTDOWN);
	withdraw(world);
	table_fini(&table);
}

/* The first call finds nobody, the second one the leader that has come back. */
static void a_leader_that_comes_back_goes_on(void **state)
{
	struct world *world = *state;
	struct tcp_copy_options options = {0};
	struct table table;
	char path[128];
	int asked;

	serve_file(world, &table, 3 << 20);
	(void)snprintf(path, sizeof(path), "%s/copy", world->scratch.path);
	assert_int_equal(mkdir(path, 0755), 0);
	options.table = &table;
	options.path = path;
	world->policy.retry_interval = 100 * MSEC;
	start(world, &options);
	run_until(world, &world->nasked, 5);
	rpc_server_close(world->server);
	(void)uv_run(&world->loop, UV_RUN_NOWAIT);
	asked = world->nasked;
	(void)snprintf(path, sizeof(path), "%s", world->address);
	open_server(world, path);
	(void)snprintf(path, sizeof(path), "%s/copy", world->scratch.path);
	run_until(world, &world->ended, 1);
	expect_ok(world);
	assert_true(world->nasked > asked);
	expect_same_file(world, "data", "copy", "file");
	withdraw(world);
	table_fini(&table);
}

/* ---- the end */

static void a_copy_is_cancelled_at_once(void **state)
{
	struct world *world = *state;
	struct throttle_braft throttle;
	struct tcp_copy_options options = {0};
	struct table table;
	char path[128];

	serve_file(world, &table, 3 << 20);
	(void)snprintf(path, sizeof(path), "%s/copy", world->scratch.path);
	assert_int_equal(mkdir(path, 0755), 0);
	options.table = &table;
	options.path = path;
	/* the leader is paused: only a cancel ends it */
	tcp_serve_set_throttle(world->serve, make_throttle(&throttle, 0, true));
	start(world, &options);
	run_until(world, &world->nasked, 3);
	tcp_copy_cancel(world->copy, "the term has changed");
	assert_int_equal(world->ended, 0); /* never from inside */
	tcp_copy_cancel(world->copy, "again");
	run_until(world, &world->ended, 1);
	expect_failed(world, TCP_ORIGIN_CANCEL, -ECANCELED);
	assert_string_equal(world->result.fault.text, "the term has changed");
	/* while writes are under way, too */
	tcp_serve_set_throttle(world->serve, NULL);
	for (int i = 1; i < 10; i++) {
		world->nasked = 0;
		withdraw(world);
		serve_directory(world, scratch_path(&world->scratch, "data"), &table);
		start(world, &options);
		run_until(world, &world->nasked, i);
		tcp_copy_cancel(world->copy, "again");
		run_until(world, &world->ended, 1);
		expect_failed(world, TCP_ORIGIN_CANCEL, -ECANCELED);
	}
	withdraw(world);
	table_fini(&table);
}

/* A read under way is answered; the snapshot is let go after it, not before. */
static void a_source_is_released_after_its_last_read(void **state)
{
	struct world *world = *state;
	struct tcp_read_options options = {
		.loop = &world->loop,
		.address = world->address,
		.reader_id = READER,
		.name = "file",
		.max = 100,
		.policy = world->policy,
		.on_end = on_read,
		.ctx = world,
	};
	struct tcp_read *read;
	struct table table;

	serve_file(world, &table, 100);
	assert_int_equal(tcp_read_start(&read, &options, NULL), 0);
	run_until(world, &world->nasked, 1);
	tcp_serve_remove(world->serve, READER);
	assert_int_equal(world->released, 0);
	run_until(world, &world->released, 1);
	run_until(world, &world->ended, 1);
	expect_ok(world);
	assert_int_equal(world->len, 100);
	/* and when all of it is closed with a read under way */
	serve_directory(world, scratch_path(&world->scratch, "data"), &table);
	world->nasked = 0;
	free(world->bytes);
	assert_int_equal(tcp_read_start(&read, &options, NULL), 0);
	run_until(world, &world->nasked, 1);
	tcp_serve_close(world->serve);
	world->serve = NULL;
	world->fail_code = EHOSTDOWN;
	run_until(world, &world->released, 2);
	run_until(world, &world->ended, 2);
	table_fini(&table);
}

static void on_garbage_answered(void *ctx, const struct rpc_result *result)
{
	struct world *world = ctx;

	assert_int_equal(result->code, RPC_EREQUEST);
	world->ended++;
}

static void a_malformed_request_is_erequest(void **state)
{
	static const char *const requests[] = {"", "\xff\xff\xff", "\x08\x01\x12\x7f"};
	struct world *world = *state;
	struct rpc_client *client;

	assert_int_equal(rpc_client_open(&client, &world->loop, world->address, NULL), 0);
	for (int i = 0; i < (int)ARRAY_LEN(requests); i++) {
		const struct rpc_bytes message = {
			(const uint8_t *)requests[i], strlen(requests[i])};

		rpc_client_call(client, "braft.FileService", "get_file", message, 5000,
			on_garbage_answered, world);
		run_until(world, &world->ended, i + 1);
	}
	rpc_client_close(client);
}

static void nonsense_is_refused(void **state)
{
	struct world *world = *state;
	struct fault fault = {0};
	struct tcp_copy_options options = {
		.loop = &world->loop,
		.address = "not an address",
		.policy = world->policy,
		.path = world->scratch.path,
	};
	struct table table;

	table_init(&table);
	options.table = &table;
	assert_int_equal(tcp_copy_start(&world->copy, &options, &fault), -EINVAL);
	options.address = world->address;
	options.path = scratch_path(&world->scratch, "nowhere");
	fault = (struct fault){0};
	assert_int_equal(tcp_copy_start(&world->copy, &options, &fault), -ENOENT);
	assert_non_null(strstr(fault.text, "nowhere"));
	withdraw(world);
	table_fini(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(snapshot_throttle_for_reading),
		STORY(snapshot_throttle_for_writing),
		STORY(snapshot_throttle_for_reading_without_enable_throttle),
		STORY(snapshot_throttle_for_writing_without_enable_throttle),
		STORY(dynamically_change_throttle_threshold),
		STORY(a_leader_only_throttle_does_not_stall),
		STORY(a_remote_eio_does_not_kill_the_follower),
		STORY(a_local_error_is_local),
		STORY(a_chunk_that_cannot_be_written_is_local),
		STORY(content_that_is_not_the_manifests_is_refused),
		STORY(a_leader_that_is_gone_ends_the_copy),
		STORY(a_leader_that_comes_back_goes_on),
		STORY(a_copy_is_cancelled_at_once),
		STORY(a_source_is_released_after_its_last_read),
		STORY(a_malformed_request_is_erequest),
		STORY(nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
