/* SPDX-License-Identifier: BSD-3-Clause */
/* Snapline under a libraft program of your own: two servers that count, over TCP. The
 * first one saves and cuts its log; the second one joins and gets the count by a
 * snapshot. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <raft.h>
#include <raft/uv.h>
#include <uv.h>

#include <snapline_raft.h>

enum { COUNT = 200, THRESHOLD = 64, TRAILING = 8, PATIENCE_MS = 30000, TEXT = 512 };

struct server {
	uv_loop_t *loop;
	struct raft_uv_transport transport;
	struct raft_io uv;
	struct raft raft;
	struct snapline_raft *snapline;
	long count;
	bool is_closed;
};

static int apply(void *ctx, const struct raft_buffer *entry, void **result)
{
	struct server *server = ctx;

	(void)entry;
	(void)result;
	server->count++;
	return 0;
}

static int freeze(void *ctx, void **frozen)
{
	long *count = malloc(sizeof(*count));

	if (count == NULL)
		return -1;
	*count = ((struct server *)ctx)->count;
	*frozen = count;
	return 0;
}

static int save(void *ctx, void *frozen, struct snapline_writer *writer)
{
	char path[TEXT];
	FILE *file;

	(void)ctx;
	(void)snprintf(path, sizeof(path), "%s/count", snapline_writer_path(writer));
	file = fopen(path, "w");
	if (file == NULL)
		return -1;
	(void)fprintf(file, "%ld\n", *(long *)frozen);
	(void)fclose(file);
	return snapline_writer_add_file(writer, "count", NULL);
}

static int load(void *ctx, const struct snapline_reader *reader, void **loaded)
{
	char path[TEXT];
	long *count = malloc(sizeof(*count));
	FILE *file;

	(void)ctx;
	(void)snprintf(path, sizeof(path), "%s/count", snapline_reader_path(reader));
	file = fopen(path, "r");
	if (count == NULL || file == NULL || fscanf(file, "%ld", count) != 1)
		exit(1);
	(void)fclose(file);
	*loaded = count;
	return 0;
}

static void adopt(void *ctx, void *loaded)
{
	((struct server *)ctx)->count = *(long *)loaded;
	free(loaded);
}

static void discard(void *ctx, void *state)
{
	(void)ctx;
	free(state);
}

static void check(int rv, const char *what, const char *why)
{
	if (rv == 0)
		return;
	(void)fprintf(stderr, "%s: %d %s\n", what, rv, why);
	exit(1);
}

static void address_of(int id, int base, char address[static TEXT])
{
	(void)snprintf(address, TEXT, "127.0.0.1:%d", base + 2 * id);
}

/* Everything that a libraft program does, and three calls. */
static void start(struct server *server, int id, int base, const char *dir)
{
	char log[TEXT], store[TEXT], address[TEXT], peer_id[TEXT];
	struct snapline_error error = {0};
	struct snapline_raft_options options = {
		.raft = &server->raft,
		.io = &server->uv,
		.loop = server->loop,
		.node = {.store = store, .group = "counters", .peer_id = peer_id},
		.fsm = {server, apply, freeze, save, discard, load, adopt, discard},
	};

	(void)snprintf(log, sizeof(log), "%s/log%d", dir, id);
	(void)snprintf(store, sizeof(store), "%s/store%d", dir, id);
	(void)snprintf(peer_id, sizeof(peer_id), "127.0.0.1:%d:0", base + 2 * id + 1);
	address_of(id, base, address);
	(void)mkdir(log, 0700);
	check(raft_uv_tcp_init(&server->transport, server->loop), "transport", "");
	check(raft_uv_init(&server->uv, server->loop, log, &server->transport), "uv",
		server->uv.errmsg);
	check(snapline_raft_open(&server->snapline, &options, &error), "snapline",
		error.text);
	check(raft_init(&server->raft, snapline_raft_io(server->snapline),
		      snapline_raft_fsm(server->snapline), (raft_id)id, address),
		"raft", raft_errmsg(&server->raft));
	snapline_raft_tune(server->snapline);
	raft_set_snapshot_threshold(&server->raft, THRESHOLD);
	raft_set_snapshot_trailing(&server->raft, TRAILING);
	if (id == 1) {
		struct raft_configuration members;

		raft_configuration_init(&members);
		check(raft_configuration_add(&members, 1, address, RAFT_VOTER), "add",
			"");
		check(raft_bootstrap(&server->raft, &members), "bootstrap", "");
		raft_configuration_close(&members);
	}
	check(raft_start(&server->raft), "start", raft_errmsg(&server->raft));
}

static void on_timer(uv_timer_t *timer)
{
	(*(int *)timer->data)++;
}

/* Turns the loop until the server has counted so far. */
static void wait_for(const struct server *server, long count)
{
	uv_timer_t timer;
	int ms = 0;

	(void)uv_timer_init(server->loop, &timer);
	timer.data = &ms;
	(void)uv_timer_start(&timer, on_timer, 1, 1);
	while (server->count < count && ms < PATIENCE_MS)
		(void)uv_run(server->loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&timer, NULL);
	(void)uv_run(server->loop, UV_RUN_NOWAIT);
	check(server->count != count, "count", "is not what it shall be");
}

static void on_applied(struct raft_apply *req, int status, void *result)
{
	(void)result;
	check(status, "apply", raft_strerror(status));
	free(req);
}

static void count_to(struct server *server, long count)
{
	for (long i = server->count; i < count; i++) {
		struct raft_apply *req = calloc(1, sizeof(*req));
		struct raft_buffer entry = {.base = raft_calloc(1, 8), .len = 8};

		check(raft_apply(&server->raft, req, &entry, 1, on_applied), "propose",
			raft_errmsg(&server->raft));
		wait_for(server, i + 1);
	}
}

static void on_step(struct raft_change *req, int status)
{
	check(status, "member", raft_strerror(status));
	*(bool *)req->data = true;
}

/* A member that receives the log and has no vote. */
static void add_member(struct server *server, int id, int base)
{
	char address[TEXT];
	bool is_done = false;
	struct raft_change req = {.data = &is_done};

	address_of(id, base, address);
	check(raft_add(&server->raft, &req, (raft_id)id, address, on_step), "add", "");
	while (!is_done)
		(void)uv_run(server->loop, UV_RUN_ONCE);
	is_done = false;
	check(raft_assign(&server->raft, &req, (raft_id)id, RAFT_STANDBY, on_step),
		"assign", "");
	while (!is_done)
		(void)uv_run(server->loop, UV_RUN_ONCE);
}

static void on_closed(struct raft *raft)
{
	struct server *server = raft->data;

	snapline_raft_close(server->snapline);
	raft_uv_close(&server->uv);
	raft_uv_tcp_close(&server->transport);
	server->is_closed = true;
}

static void stop(struct server *server)
{
	server->raft.data = server;
	raft_close(&server->raft, on_closed);
	while (!server->is_closed)
		(void)uv_run(server->loop, UV_RUN_ONCE);
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");
	char dir[64];
	int base = 20000 + getpid() % 12000;
	struct snapline_raft_status status;
	struct server servers[2] = {{0}};
	char command[128];
	uv_loop_t loop;

	(void)snprintf(dir, sizeof(dir), "%s/raft-XXXXXX", tmp ? tmp : "/tmp");
	if (mkdtemp(dir) == NULL || uv_loop_init(&loop) != 0)
		return 1;
	servers[0].loop = servers[1].loop = &loop;
	start(&servers[0], 1, base, dir);
	count_to(&servers[0], COUNT);
	snapline_raft_get_status(servers[0].snapline, &status);
	check(status.first_index < 2, "log", "was not cut");
	start(&servers[1], 2, base, dir);
	add_member(&servers[0], 2, base);
	wait_for(&servers[1], COUNT);
	snapline_raft_get_status(servers[1].snapline, &status);
	(void)printf("the log begins at %llu; the second server got the snapshot at %llu "
		     "and counts %ld\n",
		status.first_index, status.snapshot_index, servers[1].count);
	stop(&servers[1]);
	stop(&servers[0]);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	check(uv_loop_close(&loop), "loop", "has handles left");
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) != 0 || status.installs != 1;
}
