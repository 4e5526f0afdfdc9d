/* SPDX-License-Identifier: BSD-3-Clause */
/* Snapline in a program of your own: a counter as the state machine, an array as the log.
 * Saves, restarts from the snapshot, and brings a second node up to date over TCP. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <snapline.h>

struct counter {
	int64_t applied; /* index of the last entry; the state is their number */
	int64_t first;   /* of the log */
};

static int64_t last_applied(void *ctx)
{
	return ((struct counter *)ctx)->applied;
}

static void save(void *ctx, struct snapline_writer *writer, struct snapline_save *save)
{
	const struct snapline_meta meta = {
		.index = ((struct counter *)ctx)->applied, .term = 1};
	char path[512];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/counter", snapline_writer_path(writer));
	file = fopen(path, "w");
	if (file == NULL || fprintf(file, "%" PRId64 "\n", meta.index) < 0 ||
		fclose(file) != 0) {
		snapline_save_done(save, -errno, "cannot write the counter");
		return;
	}
	(void)snapline_writer_add_file(writer, "counter", NULL);
	(void)snapline_writer_set_meta(writer, &meta);
	snapline_save_done(save, 0, NULL); /* or later, from another thread */
}

static int load(void *ctx, const struct snapline_reader *reader)
{
	struct counter *counter = ctx;
	char path[512];
	FILE *file;
	int found;

	(void)snprintf(path, sizeof(path), "%s/counter", snapline_reader_path(reader));
	file = fopen(path, "r");
	if (file == NULL)
		return -errno;
	found = fscanf(file, "%" SCNd64, &counter->applied);
	(void)fclose(file);
	return found == 1 ? 0 : -EBADMSG;
}

static int64_t first_index(void *ctx)
{
	return ((struct counter *)ctx)->first;
}

static int64_t term_at(void *ctx, int64_t index)
{
	const struct counter *counter = ctx;

	return index >= counter->first && index <= counter->applied;
}

static int truncate_prefix(void *ctx, int64_t first_kept)
{
	((struct counter *)ctx)->first = first_kept;
	return 0;
}

static void done(void *ctx, int code, const char *text)
{
	if (code != 0)
		(void)fprintf(stderr, "failed: %s\n", text);
	*(volatile int *)ctx = code == 0 ? 1 : -1;
}

static int wait_for(const volatile int *flag)
{
	while (*flag == 0)
		(void)usleep(1000);
	return *flag == 1 ? 0 : -1;
}

static struct snapline_node *start(struct counter *counter, const char *dir, int port)
{
	char store[256];
	char peer_id[64];
	struct snapline_error error = {0};
	struct snapline_node *node;
	struct snapline_options options = {
		.store = store,
		.group = "counters",
		.peer_id = peer_id,
		.fsm = {counter, last_applied, save, load, NULL},
		.log = {counter, first_index, last_applied, NULL, term_at,
			truncate_prefix, truncate_prefix},
	};

	(void)snprintf(store, sizeof(store), "%s/%d", dir, port);
	(void)snprintf(peer_id, sizeof(peer_id), "127.0.0.1:%d:0", port);
	if (snapline_open(&node, &options, &error) != 0) {
		(void)fprintf(stderr, "%s\n", error.text);
		exit(1);
	}
	return node;
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");
	char dir[64];
	int port = 20000 + getpid() % 12000;
	struct counter leader = {.applied = 42, .first = 1};
	struct counter restarted = {.applied = 0, .first = 1};
	struct counter follower = {.applied = 0, .first = 1};
	struct snapline_node *nodes[2];
	char peer[64], command[128];
	volatile int flag = 0;

	(void)snprintf(dir, sizeof(dir), "%s/example-XXXXXX", tmp ? tmp : "/tmp");
	if (mkdtemp(dir) == NULL)
		return 1;
	nodes[0] = start(&leader, dir, port);
	snapline_do_snapshot(nodes[0], done, (void *)&flag);
	if (wait_for(&flag) != 0)
		return 1;
	snapline_close(nodes[0]);

	nodes[0] = start(&restarted, dir, port); /* loads the snapshot */
	nodes[1] = start(&follower, dir, port + 1);
	flag = 0;
	(void)snprintf(peer, sizeof(peer), "127.0.0.1:%d:0", port + 1);
	snapline_send_snapshot(nodes[0], peer, done, (void *)&flag);
	if (wait_for(&flag) != 0)
		return 1;
	snapline_close(nodes[1]);
	snapline_close(nodes[0]);
	(void)printf("saved 42, restarted with %" PRId64 ", the follower has %" PRId64
		     "\n",
		restarted.applied, follower.applied);
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) != 0 || restarted.applied != 42 || follower.applied != 42;
}
