/* SPDX-License-Identifier: BSD-3-Clause */
/* get_file between real sockets and files: the cases of braft's test_file_service.cpp and
 * of test_snapshot.cpp's copy, under their names, and the defects of braft's. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "control/uri.h"
#include "tests/os/tcp_world.h"

static void write_noise(
	const struct world *world, const char *name, size_t len, uint64_t seed)
{
	uint8_t *bytes = scratch_noise(len, seed);

	scratch_write(&world->scratch, name, bytes, len);
	free(bytes);
}

/* A table of these names, sound or not. */
static void make_table(struct table *table, const char *const names[])
{
	table_init(table);
	table->has_meta = true;
	table->meta.index = 7;
	table->meta.term = 3;
	for (size_t i = 0; names[i] != NULL; i++)
		assert_int_equal(table_add_file(table, names[i], NULL), 0);
}

static void serve_names(
	struct world *world, struct table *table, const char *const names[])
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/data", world->scratch.path);
	make_table(table, names);
	serve_directory(world, path, table);
}

/* ---- test_file_service.cpp */

/* Root may read everything: be somebody else for a moment. Returns whether it worked. */
static bool read_as_nobody(struct world *world, const char *name)
{
	bool is_root = geteuid() == 0;

	assert_int_equal(chmod(world->scratch.path, 0755), 0);
	if (is_root && seteuid(65534) != 0)
		return false;
	read_to_memory(world, name, 1000);
	if (is_root)
		assert_int_equal(seteuid(0), 0);
	return true;
}

static void sanity(void **state)
{
	static const char *const names[] = {
		"dir", "file", "missing", "secret", "sub/file", NULL};
	static const char *const bad[] = {"local://127.0.0.1:80/1",
		"remote://127.0.0.1/1", "remote://127.0.0.1:80//1",
		"remote://127.0.0.1:80", NULL};
	struct world *world = *state;
	struct table table;
	struct uri uri;

	for (int i = 0; bad[i] != NULL; i++)
		assert_int_equal(uri_parse(&uri, bad[i], NULL), -EINVAL);
	write_noise(world, "data/file", 300000, 1);
	write_noise(world, "data/sub/file", 10, 2);
	write_noise(world, "data/secret", 10, 3);
	write_noise(world, "data/not-listed", 10, 3);
	scratch_mkdir(&world->scratch, "data/dir");
	serve_names(world, &table, names);

	read_to_memory(world, "file", 1 << 20);
	expect_ok(world);
	assert_int_equal(world->len, 300000);
	read_to_memory(world, TABLE_NAME, 1 << 20);
	expect_ok(world);
	assert_int_equal(world->len, world->table_len);
	assert_memory_equal(world->bytes, world->table_bytes, world->len);
	read_to_memory(world, "dir", 1000);
	expect_failed(world, TCP_ORIGIN_REMOTE, -EINVAL);
	read_to_memory(world, "missing", 1000);
	expect_failed(world, TCP_ORIGIN_REMOTE, -ENOENT);
	read_to_memory(world, "not-listed", 1000);
	expect_failed(world, TCP_ORIGIN_REMOTE, -EPERM);
	read_to_memory(world, "../data/file", 1000);
	expect_failed(world, TCP_ORIGIN_REMOTE, -EPERM);
	assert_int_equal(fchmodat(world->scratch.fd, "data/secret", 0000, 0), 0);
	if (read_as_nobody(world, "secret"))
		expect_failed(world, TCP_ORIGIN_REMOTE, -EACCES);
	/* none of it has left the reader stuck */
	read_to_memory(world, "sub/file", 10);
	expect_ok(world);
	read_to_memory(world, "sub/file", 9);
	expect_failed(world, TCP_ORIGIN_REMOTE, -EFBIG);

	assert_int_equal(world->released, 0);
	tcp_serve_remove(world->serve, READER);
	assert_int_equal(world->released, 1);
	world->nasked = 0;
	read_to_memory(world, "file", 1000);
	expect_failed(world, TCP_ORIGIN_REMOTE, -ENOENT);
	assert_non_null(strstr(world->result.fault.text, "Fail to find reader=-77"));
	assert_int_equal(world->nasked, 4); /* braft asks 16 times */
	table_fini(&table);
}

/* Writes some data far apart into a file of 125 MiB. */
static void write_sparse(const struct world *world, const char *path)
{
	const off_t size = 125 << 20;
	uint8_t *noise = scratch_noise(9000, 1);
	int fd = openat(world->scratch.fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	for (off_t at = 100; at < size - (20 << 20); at += 7654321)
		assert_int_equal(pwrite(fd, noise, 9000, at), 9000);
	assert_int_equal(close(fd), 0);
	free(noise);
}

static void hole_file(void **state)
{
	static const char *const names[] = {"sparse", NULL};
	struct world *world = *state;
	struct stat status;
	struct table table;

	scratch_mkdir(&world->scratch, "data");
	write_sparse(world, "data/sparse");
	for (int check_hole = 0; check_hole <= 1; check_hole++) {
		open_serve(world, check_hole == 1);
		serve_names(world, &table, names);
		world->policy.max_count = 1 << 20; /* in good time */
		copy_by_table(world, &table);
		expect_ok(world);
		expect_same_file(world, "data", "copy", "sparse");
		assert_int_equal(
			fstatat(world->scratch.fd, "copy/sparse", &status, 0), 0);
		if (check_hole == 1) /* and it is sparse */
			assert_true(status.st_blocks < (8 << 20) / 512);
		tcp_serve_remove(world->serve, READER);
		table_fini(&table);
	}
}

/* braft's copy ends where the last byte that is not zero does. */
static void a_trailing_hole_keeps_the_length(void **state)
{
	static const char *const names[] = {"data", "zeros", NULL};
	struct world *world = *state;
	uint8_t *bytes = scratch_noise(1536 << 10, 1);
	struct table table;

	memset(bytes + (512 << 10), 0, 1 << 20);
	scratch_write(&world->scratch, "data/data", bytes, 1536 << 10);
	memset(bytes, 0, 100000);
	scratch_write(&world->scratch, "data/zeros", bytes, 100000);
	free(bytes);
	open_serve(world, true);
	serve_names(world, &table, names);
	copy_by_table(world, &table);
	expect_ok(world);
	expect_same_file(world, "data", "copy", "data");
	expect_same_file(world, "data", "copy", "zeros");
	table_fini(&table);
}

/* ---- test_snapshot.cpp: copy */

static void write_tree(const struct world *world, int count)
{
	char name[64];

	for (int i = 0; i < count; i++) {
		(void)snprintf(name, sizeof(name), "data/%02d/%04d", i % 30, i);
		scratch_write(&world->scratch, name, name, (size_t)i % 60);
	}
	write_noise(world, "data/large", 3 * MANIFEST_CHUNK_MIN + 17, 1);
}

/* Copies with the manifest and commits. have as of struct tcp_copy_options. */
static void copy_by_manifest(struct world *world, uint32_t depth, const uint64_t *have)
{
	struct tcp_copy_options options = {
		.manifest = &world->reader->manifest,
		.have = have,
		.depth = depth,
	};
	struct storage_writer *writer;
	struct fault fault = {0};

	if (storage_create(world->to, &writer, &fault) != 0 ||
		storage_prepare(writer, options.manifest, &fault) != 0 ||
		store_object_open(
			&options.object, writer->path, options.manifest, &fault) != 0)
		fail_msg("%s", fault.text);
	start(world, &options);
	run_until(world, &world->ended, 1);
	store_object_close(options.object);
	if (world->result.origin != TCP_ORIGIN_NONE || have != NULL)
		storage_abort(writer);
	else if (storage_commit(writer, &world->reader->table, world->bytes, world->len,
			 &fault) != 0)
		fail_msg("%s", fault.text);
}

static void expect_same_tree(const struct world *world, const char *to)
{
	const struct manifest *manifest = &world->reader->manifest;

	for (uint32_t i = 0; i < manifest->nfiles; i++)
		expect_same_file(world, "data", to, manifest->files[i].name);
}

/* Two thousand small files and a large one, as from a stock leader. */
static void copy(void **state)
{
	struct world *world = *state;
	char path[128];
	char name[32];
	struct table table;

	write_tree(world, 2000);
	table_init(&table);
	for (int i = 0; i < 2000; i++) {
		(void)snprintf(name, sizeof(name), "%02d/%04d", i % 30, i);
		assert_int_equal(table_add_file(&table, name, NULL), 0);
	}
	assert_int_equal(table_add_file(&table, "large", NULL), 0);
	(void)snprintf(path, sizeof(path), "%s/data", world->scratch.path);
	serve_directory(world, path, &table);
	copy_by_table(world, &table);
	expect_ok(world);
	for (size_t i = 0; i < table.nfiles; i++)
		expect_same_file(world, "data", "copy", table.files[i].name);
	assert_int_equal(world->stats.refusals, 0);
	table_fini(&table);
}

/* The manifest is one of the files of the table. */
static void copy_of_our_snapshot_by_a_stock_follower(void **state)
{
	struct world *world = *state;

	write_tree(world, 50);
	serve_snapshot(world);
	copy_by_table(world, &world->reader->table);
	expect_ok(world);
	expect_same_tree(world, "copy");
	assert_true(scratch_exists(&world->scratch, "copy/" MANIFEST_NAME));
}

static void copy_with_a_manifest(void **state)
{
	struct world *world = *state;
	struct tcp_serve_stats served;

	write_tree(world, 100);
	serve_snapshot(world);
	read_to_memory(world, MANIFEST_NAME, 1 << 20);
	expect_ok(world);
	tcp_serve_set_any_order(world->serve, READER, 16);
	copy_by_manifest(world, 16, NULL);
	expect_ok(world);
	expect_same_tree(world, "to/snapshot_00000000000000000007");
	assert_int_equal(world->stats.bytes_done, world->reader->manifest.bytes);
	assert_int_equal(world->stats.refusals, 0);
	assert_true(tcp_serve_get_stats(world->serve, READER, &served));
	assert_int_equal(served.bytes, world->reader->manifest.bytes + world->len);
	assert_int_equal(served.calls, world->stats.calls + 1);
	assert_false(tcp_serve_get_stats(world->serve, READER + 1, &served));
}

/* The manifest is there, but the leader keeps braft's order. */
static void copy_with_a_manifest_from_a_stock_leader(void **state)
{
	struct world *world = *state;

	write_tree(world, 100);
	serve_snapshot(world);
	read_to_memory(world, MANIFEST_NAME, 1 << 20);
	copy_by_manifest(world, 0, NULL);
	expect_ok(world);
	expect_same_tree(world, "to/snapshot_00000000000000000007");
	assert_int_equal(world->stats.refusals, 0);
}

static void what_is_here_is_not_sent(void **state)
{
	struct world *world = *state;
	struct tcp_serve_stats served;
	uint64_t have = 0;

	write_noise(world, "data/a", 4 * MANIFEST_CHUNK_MIN, 1);
	write_noise(world, "data/b", 4 * MANIFEST_CHUNK_MIN, 2);
	serve_snapshot(world);
	for (int i = 0; i < 8; i += 2)
		bitmap_set(&have, (uint32_t)i);
	copy_by_manifest(world, 0, &have);
	expect_ok(world);
	assert_int_equal(world->stats.bytes_reused, 4 * MANIFEST_CHUNK_MIN);
	assert_int_equal(world->stats.bytes_done, 4 * MANIFEST_CHUNK_MIN);
	assert_true(tcp_serve_get_stats(world->serve, READER, &served));
	assert_in_range(served.bytes, 4 * MANIFEST_CHUNK_MIN, 4 * MANIFEST_CHUNK_MIN + 2);
	have = 0xff;
	copy_by_manifest(world, 0, &have);
	expect_ok(world);
	assert_int_equal(world->stats.bytes_done, 0);
}

/* What a hard link shares with the follower's old snapshot is not written over. */
static void a_file_that_is_there_is_replaced(void **state)
{
	static const char *const names[] = {"file", NULL};
	struct world *world = *state;
	struct table table;
	uint8_t *old;
	size_t len;

	write_noise(world, "data/file", 100, 1);
	write_noise(world, "old/file", 5000, 2);
	scratch_mkdir(&world->scratch, "copy");
	assert_int_equal(
		linkat(world->scratch.fd, "old/file", world->scratch.fd, "copy/file", 0),
		0);
	serve_names(world, &table, names);
	copy_by_table(world, &table);
	expect_ok(world);
	expect_same_file(world, "data", "copy", "file");
	old = scratch_read(&world->scratch, "old/file", &len);
	assert_int_equal(len, 5000);
	free(old);
	table_fini(&table);
}

/* ---- on the wire */

/* What the stock copier sends first, as captured: get_file of the table from reader 77,
 * count UINT_MAX, read_partly. */
static const char stock_request[] = "PRPC\0\0\0\x4a\0\0\0\x28"
				    "\x0a\x1d\x0a\x11"
				    "braft.FileService"
				    "\x12\x08"
				    "get_file"
				    "\x18\0\x20\x82\x80\x80\x80\x90\x20"
				    "\x08\x4d\x12\x14"
				    "__raft_snapshot_meta"
				    "\x18\xff\xff\xff\xff\x0f\x20\0\x28\x01";

/* And the frame, meta and message that a stock leader answers with, before a segment
 * header and a table of 14 bytes. */
static const char stock_answer[] = "PRPC\0\0\0\x2d\0\0\0\x0f"
				   "\x12\x02\x08\0\x18\0\x20\x82\x80\x80\x80\x90\x20"
				   "\x28\x1a"
				   "\x08\x01\x10\x0e"
				   "\0\0\0\0\0\0\0\0\0\0\0\x0e";

static int dial(const struct world *world)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(rpc_server_port(world->server)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void a_stock_copier_is_answered_byte_for_byte(void **state)
{
	static const char *const names[] = {"data", NULL};
	enum { HEAD = sizeof(stock_answer) - 1, TABLE = 14 };
	struct world *world = *state;
	struct tcp_source source = {.reader_id = 77, .path = world->scratch.path};
	uint8_t answer[256];
	struct table table;
	size_t len = 0;
	const struct timeval patience = {.tv_sec = 5};
	int fd = dial(world);

	assert_int_equal(
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	make_table(&table, names);
	source.table = &table;
	source.table_bytes = (const uint8_t *)"fourteen bytes";
	source.table_len = TABLE;
	assert_int_equal(tcp_serve_add(world->serve, &source), 0);
	assert_int_equal(send(fd, stock_request, sizeof(stock_request) - 1, 0),
		sizeof(stock_request) - 1);
	run_until(world, &world->nasked, 1);
	(void)uv_run(&world->loop, UV_RUN_NOWAIT);
	for (ssize_t count = 1; len < HEAD + TABLE && count > 0; len += (size_t)count) {
		count = recv(fd, answer + len, sizeof(answer) - len, 0);
		assert_true(count > 0);
	}
	assert_int_equal(len, HEAD + TABLE);
	assert_memory_equal(answer, stock_answer, HEAD);
	assert_memory_equal(answer + HEAD, "fourteen bytes", TABLE);
	close(fd);
	table_fini(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(sanity),
		STORY(hole_file),
		STORY(a_trailing_hole_keeps_the_length),
		STORY(copy),
		STORY(copy_of_our_snapshot_by_a_stock_follower),
		STORY(copy_with_a_manifest),
		STORY(copy_with_a_manifest_from_a_stock_leader),
		STORY(what_is_here_is_not_sent),
		STORY(a_file_that_is_there_is_replaced),
		STORY(a_stock_copier_is_answered_byte_for_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
