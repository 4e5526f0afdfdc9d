/* SPDX-License-Identifier: BSD-3-Clause */
/* getfile HOST:PORT GROUP DIR [KIB]: copies a node's newest snapshot into DIR as a stock
 * braft follower does, and prints the seconds that took. What the others are compared
 * with:
 *
 *   for each file, one get_file of 128 KiB (KIB) at a time, until its end;
 *   then fsync, and the table, which lists one file more, written anew, fsynced, renamed
 *
 * Only `open`, which names the reader, is not braft's; it is not timed. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <uv.h>

#include "bench/sample.h"
#include "control/braft_codec.h"
#include "control/file_segment.h"
#include "control/rpc/rpc.h"
#include "control/storage/pbfile.h"
#include "control/transfer_codec.h"

enum { TIMEOUT_MS = 10000 };

struct copy {
	uv_loop_t loop;
	struct rpc_client *client;
	int dirfd;
	int64_t reader_id;
	uint32_t count; /* bytes a call */
	struct table table;
	struct table written; /* what the table on disk lists */
	/* of the call under way */
	bool is_answered;
	void (*on_answer)(struct copy *copy, const struct rpc_result *result);
	int fd;
	uint64_t offset;
	bool eof;
};

static void give_up(const char *what, const char *why)
{
	(void)fprintf(stderr, "getfile: %s: %s\n", what, why);
	exit(EX_UNAVAILABLE);
}

static void on_result(void *ctx, const struct rpc_result *result)
{
	struct copy *copy = ctx;

	if (result->code != 0)
		give_up("call", result->text);
	copy->is_answered = true;
	copy->on_answer(copy, result);
}

/* One call, and its answer. Frees message. */
static void call(struct copy *copy, const char *service, const char *method,
	struct rpc_bytes message)
{
	copy->is_answered = false;
	rpc_client_call(
		copy->client, service, method, message, TIMEOUT_MS, on_result, copy);
	free((void *)message.data);
	while (!copy->is_answered)
		(void)uv_run(&copy->loop, UV_RUN_ONCE);
}

static void on_opened(struct copy *copy, const struct rpc_result *result)
{
	struct open_response response;
	struct fault fault = {0};

	if (open_response_decode(&response, result->message.data, result->message.len) !=
			0 ||
		response.table_size > result->attachment.len)
		give_up("open", "malformed answer");
	if (table_decode(&copy->table, result->attachment.data, response.table_size,
		    &fault) != 0)
		give_up("open", fault.text);
	copy->reader_id = response.transfer_id;
}

static void open_transfer(struct copy *copy, const char *group)
{
	struct open_request request = {.version = OPEN_VERSION};
	struct rpc_bytes message;
	uint8_t *bytes;

	(void)snprintf(request.group_id, sizeof(request.group_id), "%s", group);
	(void)snprintf(request.peer_id, sizeof(request.peer_id), "getfile");
	if (open_request_encode(&request, &bytes, &message.len) != 0)
		give_up("open", "no memory");
	message.data = bytes;
	copy->on_answer = on_opened;
	call(copy, "snapline.TransferService", "open", message);
}

static void on_closed(struct copy *copy, const struct rpc_result *result)
{
	(void)copy;
	(void)result;
}

static void close_transfer(struct copy *copy)
{
	const struct close_request request = {.transfer_id = copy->reader_id};
	struct rpc_bytes message;
	uint8_t *bytes;

	if (close_request_encode(&request, &bytes, &message.len) != 0)
		give_up("close", "no memory");
	message.data = bytes;
	copy->on_answer = on_closed;
	call(copy, "snapline.TransferService", "close", message);
}

static void on_piece(struct copy *copy, const struct rpc_result *result)
{
	struct file_segment_cursor cursor = {
		result->attachment.data, result->attachment.len};
	struct get_file_response response;
	struct file_segment segment;

	if (get_file_response_decode(
		    &response, result->message.data, result->message.len) != 0 ||
		!response.has_read_size)
		give_up("get_file", "malformed answer");
	while (file_segment_next(&cursor, &segment) == 0) {
		if (pwrite(copy->fd, segment.bytes, segment.len, (off_t)segment.offset) !=
			(ssize_t)segment.len)
			give_up("write", strerror(errno));
	}
	copy->offset += (uint64_t)response.read_size;
	copy->eof = response.eof;
}

/* Names come from table_decode, which refuses those that leave the directory. */
static void make_parents(int dirfd, const char *name)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s", name);
	for (char *at = strchr(path, '/'); at != NULL; at = strchr(at + 1, '/')) {
		*at = '\0';
		(void)mkdirat(dirfd, path, 0755);
		*at = '/';
	}
}

static void fetch(struct copy *copy, const char *name)
{
	struct get_file_request request = {.reader_id = copy->reader_id,
		.count = copy->count,
		.has_read_partly = true,
		.read_partly = true};
	struct rpc_bytes message;
	uint8_t *bytes;

	make_parents(copy->dirfd, name);
	copy->fd = openat(copy->dirfd, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (copy->fd < 0)
		give_up(name, strerror(errno));
	(void)snprintf(request.filename, sizeof(request.filename), "%s", name);
	copy->offset = 0;
	copy->eof = false;
	copy->on_answer = on_piece;
	while (!copy->eof) {
		request.offset = (int64_t)copy->offset;
		if (get_file_request_encode(&request, &bytes, &message.len) != 0)
			give_up(name, "no memory");
		message.data = bytes;
		call(copy, "braft.FileService", "get_file", message);
	}
	if (fsync(copy->fd) != 0 || close(copy->fd) != 0)
		give_up(name, strerror(errno));
}

/* braft writes the whole table after every file. */
static void save_table(struct copy *copy, const char *name)
{
	struct file_image image = {0};
	struct fault fault = {0};
	uint8_t *bytes;
	size_t len;

	if (table_add_file(&copy->written, name, NULL) != 0 ||
		table_encode(&copy->written, false, &bytes, &len) != 0)
		give_up(TABLE_NAME, "no memory");
	image.bytes = bytes;
	image.len = len;
	if (pbfile_save(copy->dirfd, TABLE_NAME, &image, &fault) != 0)
		give_up(TABLE_NAME, fault.text);
	free(bytes);
}

int main(int argc, char *argv[])
{
	struct copy copy = {.count = sample_number(argc, argv, 4, 128) * 1024};
	struct fault fault = {0};
	nsec start;

	if (argc < 4) {
		(void)fputs("usage: getfile HOST:PORT GROUP DIR [KIB]\n", stderr);
		return EX_USAGE;
	}
	copy.dirfd = open(argv[3], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (copy.dirfd < 0)
		give_up(argv[3], strerror(errno));
	(void)uv_loop_init(&copy.loop);
	if (rpc_client_open(&copy.client, &copy.loop, argv[1], &fault) != 0)
		give_up(argv[1], fault.text);
	open_transfer(&copy, argv[2]);
	table_init(&copy.written);
	copy.written.has_meta = true;
	start = sample_clock();
	for (size_t i = 0; i < copy.table.nfiles; i++) {
		fetch(&copy, copy.table.files[i].name);
		save_table(&copy, copy.table.files[i].name);
	}
	(void)printf("%.6f\n", (double)(sample_clock() - start) / (double)SEC);
	close_transfer(&copy);
	return EX_OK;
}
