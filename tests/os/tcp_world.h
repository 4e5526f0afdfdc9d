/* SPDX-License-Identifier: BSD-3-Clause */
/* A leader and a follower in one loop, joined by real sockets: a snapshot is served from
 * one directory and copied into another. */
#ifndef TCP_WORLD_H
#define TCP_WORLD_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <uv.h>

#include "control/node/tcp_copy.h"
#include "control/node/tcp_read.h"
#include "control/node/tcp_serve.h"
#include "control/rpc/rpc.h"
#include "control/storage/build.h"
#include "control/storage/storage.h"
#include "control/throttle_braft.h"
#include "dataplane/base/bitmap.h"
#include "dataplane/file/store_file.h"
#include "tests/lib/scratch.h"

enum { READER = -77, PATIENCE_MS = 20000, TICK_MS = 5 };

struct world {
	uv_loop_t loop;
	uv_timer_t patience;
	int waited_ms;
	struct scratch scratch;
	struct rpc_server *server;
	struct tcp_serve *serve;
	int fail_code; /* not 0: get_file fails with it, whatever is asked */
	int nasked;    /* calls that came */
	char address[64];
	struct storage *from; /* the leader's store */
	struct storage *to;   /* the follower's */
	struct storage_reader *reader;
	uint8_t *table_bytes;
	size_t table_len;
	int nserved; /* sources added */
	int released;
	/* the follower */
	struct fetch_policy policy;
	struct tcp_copy *copy;
	struct tcp_result result;
	struct tcp_copy_stats stats;
	uint8_t *bytes; /* of a read to memory */
	size_t len;
	int ended;
};

/* ---- time */

static inline void on_tick(uv_timer_t *timer)
{
	struct world *world = timer->data;

	world->waited_ms += TICK_MS;
	if (world->waited_ms > PATIENCE_MS)
		fail_msg("waited %d ms in vain", PATIENCE_MS);
}

static inline void run_until(struct world *world, const int *counter, int value)
{
	world->waited_ms = 0;
	world->patience.data = world;
	assert_int_equal(uv_timer_start(&world->patience, on_tick, TICK_MS, TICK_MS), 0);
	while (*counter < value)
		(void)uv_run(&world->loop, UV_RUN_ONCE);
	(void)uv_timer_stop(&world->patience);
}

/* ---- the leader */

static inline void on_get_file(void *ctx, struct rpc_call *call)
{
	struct world *world = ctx;

	world->nasked++;
	if (world->fail_code != 0)
		rpc_call_fail(call, world->fail_code, "as the test wants it");
	else
		tcp_serve_get_file(world->serve, call);
}

static inline void open_server(struct world *world, const char *address)
{
	static const struct rpc_method methods[] = {
		{"braft.FileService", "get_file", on_get_file},
		{NULL, NULL, NULL},
	};
	struct fault fault = {0};

	if (rpc_server_open(
		    &world->server, &world->loop, address, methods, world, &fault) != 0)
		fail_msg("%s", fault.text);
	(void)snprintf(world->address, sizeof(world->address), "127.0.0.1:%u",
		rpc_server_port(world->server));
}

static inline void open_serve(struct world *world, bool check_hole)
{
	const struct tcp_serve_options options = {
		.loop = &world->loop,
		.check_hole = check_hole,
	};

	if (world->serve != NULL)
		tcp_serve_close(world->serve);
	assert_int_equal(tcp_serve_open(&world->serve, &options, NULL), 0);
}

static inline void on_released(void *ctx)
{
	((struct world *)ctx)->released++;
}

/* Serves files of a directory by this table. */
static inline void serve_directory(
	struct world *world, const char *path, const struct table *table)
{
	struct tcp_source source = {
		.reader_id = READER,
		.path = path,
		.table = table,
		.released = on_released,
		.ctx = world,
	};

	free(world->table_bytes);
	assert_int_equal(
		table_encode(table, true, &world->table_bytes, &world->table_len), 0);
	source.table_bytes = world->table_bytes;
	source.table_len = world->table_len;
	assert_int_equal(tcp_serve_add(world->serve, &source), 0);
	assert_int_equal(tcp_serve_add(world->serve, &source), -EEXIST);
	world->nserved++;
}

/* The table may go only when a read under way has let go of it. */
static inline void withdraw(struct world *world)
{
	tcp_serve_remove(world->serve, READER);
	run_until(world, &world->released, world->nserved);
}

/* Makes a snapshot of what is below the scratch directory's "data" and serves it. */
static inline void serve_snapshot(struct world *world)
{
	const char *path = scratch_path(&world->scratch, "data");
	const struct build_options options = {
		.from = path,
		.index = 7,
		.term = 3,
		.chunk_size = MANIFEST_CHUNK_MIN,
	};
	struct build_result result;
	struct fault fault = {0};

	if (build_snapshot(world->from, &options, &result, &fault) != 0 ||
		storage_open_newest(world->from, &world->reader, &fault) != 0)
		fail_msg("%s", fault.text);
	serve_directory(world, world->reader->path, &world->reader->table);
}

/* ---- the follower */

static inline void on_copied(void *ctx, const struct tcp_result *result)
{
	struct world *world = ctx;

	world->result = *result;
	tcp_copy_get_stats(world->copy, &world->stats);
	tcp_copy_destroy(world->copy);
	world->copy = NULL;
	world->ended++;
}

static inline void start(struct world *world, struct tcp_copy_options *options)
{
	struct fault fault = {0};

	options->loop = &world->loop;
	options->address = world->address;
	options->reader_id = READER;
	options->policy = world->policy;
	options->on_end = on_copied;
	options->ctx = world;
	world->ended = 0;
	if (tcp_copy_start(&world->copy, options, &fault) != 0)
		fail_msg("%s", fault.text);
	assert_int_equal(world->ended, 0); /* never from inside */
}

/* Copies as from a stock leader, into the scratch directory's "copy". */
static inline void copy_by_table(struct world *world, const struct table *table)
{
	char path[128]; /* borrowed by the copy until its end */
	struct tcp_copy_options options = {.table = table, .path = path};

	(void)snprintf(path, sizeof(path), "%s/copy", world->scratch.path);
	(void)mkdir(path, 0755);
	start(world, &options);
	run_until(world, &world->ended, 1);
}

static inline void on_read(
	void *ctx, const struct tcp_result *result, uint8_t *bytes, size_t len)
{
	struct world *world = ctx;

	world->result = *result;
	world->bytes = bytes;
	world->len = len;
	world->ended++;
}

static inline void read_to_memory(struct world *world, const char *name, size_t max)
{
	const struct tcp_read_options options = {
		.loop = &world->loop,
		.address = world->address,
		.reader_id = READER,
		.name = name,
		.max = max,
		.policy = world->policy,
		.on_end = on_read,
		.ctx = world,
	};
	struct tcp_read *read;

	free(world->bytes);
	world->bytes = NULL;
	world->ended = 0;
	assert_int_equal(tcp_read_start(&read, &options, NULL), 0);
	assert_int_equal(world->ended, 0);
	run_until(world, &world->ended, 1);
}

static inline void expect_ok(const struct world *world)
{
	if (world->result.fault.code != 0)
		fail_msg("%d: %s", world->result.fault.code, world->result.fault.text);
	assert_int_equal(world->result.origin, TCP_ORIGIN_NONE);
}

static inline void expect_failed(
	const struct world *world, enum tcp_origin origin, int code)
{
	if (world->result.fault.code != code)
		fail_msg("%d: %s", world->result.fault.code, world->result.fault.text);
	assert_int_equal(world->result.origin, origin);
	assert_true(world->result.fault.text[0] != '\0');
}

/* Both directories have this file, with the same bytes. */
static inline void expect_same_file(
	const struct world *world, const char *from, const char *to, const char *name)
{
	char path[4200];
	uint8_t *left, *right;
	size_t left_len, right_len;

	(void)snprintf(path, sizeof(path), "%s/%s", from, name);
	left = scratch_read(&world->scratch, path, &left_len);
	(void)snprintf(path, sizeof(path), "%s/%s", to, name);
	right = scratch_read(&world->scratch, path, &right_len);
	assert_int_equal(left_len, right_len);
	assert_memory_equal(left, right, left_len);
	free(left);
	free(right);
}

/* ---- the world */

static inline int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	struct fault fault = {0};

	assert_non_null(world);
	scratch_open(&world->scratch);
	assert_int_equal(uv_loop_init(&world->loop), 0);
	assert_int_equal(uv_timer_init(&world->loop, &world->patience), 0);
	open_server(world, "127.0.0.1:0");
	open_serve(world, false);
	if (storage_open(&world->from, scratch_path(&world->scratch, "from"), true,
		    &fault) != 0 ||
		storage_open(&world->to, scratch_path(&world->scratch, "to"), true,
			&fault) != 0)
		fail_msg("%s", fault.text);
	world->policy = fetch_policy_default();
	world->policy.retry_interval = 10 * MSEC;
	*state = world;
	return 0;
}

static inline int tear_down(void **state)
{
	struct world *world = *state;

	if (world->serve != NULL)
		tcp_serve_close(world->serve);
	if (world->server != NULL)
		rpc_server_close(world->server);
	uv_close((uv_handle_t *)&world->patience, NULL);
	(void)uv_run(&world->loop, UV_RUN_DEFAULT);
	/* proves that nothing is left open */
	assert_int_equal(uv_loop_close(&world->loop), 0);
	if (world->reader != NULL)
		storage_reader_close(world->from, world->reader);
	storage_close(world->from);
	storage_close(world->to);
	scratch_close(&world->scratch);
	free(world->table_bytes);
	free(world->bytes);
	free(world);
	return 0;
}

#define STORY(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

#endif
