/* SPDX-License-Identifier: BSD-3-Clause */
/* A follower's entries reach its disk after a new term has begun that has no leader yet:
 * libraft 0.15 then answers to nobody, without an address, and raft_uv would crash. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <raft.h>
#include <raft/uv.h>
#include <uv.h>

#include <snapline_raft.h>

#include "tests/lib/folder.h"

enum { TEXT = 512 };

static void on_sent(struct raft_io_send *req, int status)
{
	(void)req;
	(void)status;
}

/* Returns what the send returns. */
static int answer_nobody(struct raft_io *io)
{
	struct raft_io_send req = {0};
	const struct raft_message answer = {
		.type = RAFT_IO_APPEND_ENTRIES_RESULT,
		.server_id = 0,
		.server_address = NULL,
	};

	return io->send(io, &req, &answer, on_sent);
}

static int run(const char *dir, uv_loop_t *loop)
{
	struct raft_uv_transport transport = {0};
	struct snapline_raft *snapline;
	struct snapline_error error;
	struct raft_io uv = {0};
	struct raft raft = {0};
	char store[TEXT], peer_id[TEXT];
	struct snapline_raft_options options = {
		.raft = &raft,
		.io = &uv,
		.loop = loop,
		.node = {.store = store, .group = "g", .peer_id = peer_id},
	};
	int rv;

	(void)snprintf(store, sizeof(store), "%s/store", dir);
	(void)snprintf(
		peer_id, sizeof(peer_id), "127.0.0.1:%d:0", 20000 + getpid() % 12000);
	if (raft_uv_tcp_init(&transport, loop) != 0 ||
		raft_uv_init(&uv, loop, dir, &transport) != 0 ||
		snapline_raft_open(&snapline, &options, &error) != 0)
		return 1;
	rv = answer_nobody(snapline_raft_io(snapline));
	(void)printf("an answer to nobody: %s\n", raft_strerror(rv));
	snapline_raft_close(snapline);
	raft_uv_close(&uv);
	raft_uv_tcp_close(&transport);
	return rv != RAFT_NOCONNECTION;
}

int main(void)
{
	char dir[64];
	char command[128];
	uv_loop_t loop;
	int rv;

	if (!folder_make(dir, sizeof(dir), "snapline-raft") || uv_loop_init(&loop) != 0)
		return 1;
	rv = run(dir, &loop);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) != 0 || uv_loop_close(&loop) != 0 || rv != 0;
}
