/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/node/tcp_read.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/file_stream.h"
#include "control/node/tcp_fetch.h"

struct tcp_read {
	struct tcp_read_options options;
	struct tcp_fetch fetch;
	struct tcp_result result; /* NONE: not decided yet */
	struct table table;       /* of the one file */
	struct file_stream stream;
	uint8_t *bytes;
	size_t len;
	size_t room; /* bytes allocated */
};

static void fail(struct tcp_read *read, enum tcp_origin origin, const struct fault *fault)
{
	if (read->result.origin != TCP_ORIGIN_NONE)
		return;
	read->result.origin = origin;
	read->result.fault = *fault;
}

static int make_room(struct tcp_read *read, uint64_t end)
{
	size_t room = read->room;
	uint8_t *bytes;

	if (end <= read->room)
		return 0;
	room = room < 4096 ? 4096 : room;
	while (room < end)
		room *= 2; /* end is at most max, far from overflow */
	bytes = realloc(read->bytes, room);
	if (bytes == NULL)
		return -ENOMEM;
	read->bytes = bytes;
	read->room = room;
	return 0;
}

static void place(struct tcp_read *read, const struct file_stream_write *write)
{
	struct file_segment_cursor cursor = write->segments;
	struct file_segment segment;
	struct fault fault = {0};

	if (write->end > read->options.max) {
		(void)fault_set(&fault, -EFBIG,
			"\"%s\" of the leader has more than %zu bytes",
			read->table.files[0].name, read->options.max);
		fail(read, TCP_ORIGIN_REMOTE, &fault);
		return;
	}
	if (make_room(read, write->end) != 0) {
		(void)fault_set(&fault, -ENOMEM, "no memory for \"%s\"",
			read->table.files[0].name);
		fail(read, TCP_ORIGIN_LOCAL, &fault);
		return;
	}
	if (write->end > read->len)
		memset(read->bytes + read->len, 0, write->end - read->len);
	while (file_segment_next(&cursor, &segment) == 0)
		memcpy(read->bytes + segment.offset, segment.bytes, segment.len);
	read->len = write->end;
}

static bool poll_stream(void *ctx, nsec now, struct fetch_request *request)
{
	struct tcp_read *read = ctx;

	return read->result.origin == TCP_ORIGIN_NONE &&
	       file_stream_poll(&read->stream, now, request);
}

static nsec deadline(const void *ctx)
{
	const struct tcp_read *read = ctx;

	return file_stream_deadline(&read->stream);
}

static void on_reply(void *ctx, uint32_t call, const struct fetch_reply *reply, nsec now)
{
	struct tcp_read *read = ctx;
	struct file_stream_write write;

	(void)call; /* there is but one */
	if (file_stream_on_reply(&read->stream, reply, now, &write)) {
		place(read, &write);
		file_stream_on_written(&read->stream);
	}
	if (read->stream.state == FETCH_FAILED)
		fail(read, TCP_ORIGIN_REMOTE, &read->stream.fault);
}

static bool is_over(const void *ctx)
{
	const struct tcp_read *read = ctx;

	return read->result.origin != TCP_ORIGIN_NONE || read->stream.state == FETCH_DONE;
}

static void on_closed(void *ctx)
{
	struct tcp_read *read = ctx;

	file_stream_fini(&read->stream, (nsec)uv_hrtime());
	table_fini(&read->table);
	free(read->bytes);
	free(read);
}

static void end(void *ctx)
{
	struct tcp_read *read = ctx;
	uint8_t *bytes = NULL;
	size_t len = 0;

	tcp_fetch_close(&read->fetch, on_closed);
	if (read->result.origin == TCP_ORIGIN_NONE) {
		bytes = read->bytes;
		len = read->len;
		read->bytes = NULL;
	}
	read->options.on_end(read->options.ctx, &read->result, bytes, len);
}

int tcp_read_start(struct tcp_read **read, const struct tcp_read_options *options,
	struct fault *fault)
{
	static const struct tcp_fetch_ops ops = {
		.poll = poll_stream,
		.deadline = deadline,
		.on_reply = on_reply,
		.is_over = is_over,
		.end = end,
	};
	struct tcp_read *made = calloc(1, sizeof(*made));
	struct fetch_policy policy = options->policy;
	int error = -ENOMEM;

	assert(options->max <= SIZE_MAX / 4);
	/* a leader sends the table whole, whatever was asked, and so does no throttle
	 * count it */
	if (strcmp(options->name, TABLE_NAME) == 0) {
		policy.max_count = UINT32_MAX;
		policy.throttle = NULL;
	}
	if (made == NULL)
		return fault_set(fault, -ENOMEM, "no memory to read from the leader");
	made->options = *options;
	made->fetch.ops = &ops;
	made->fetch.ctx = made;
	made->fetch.connect_timeout = policy.connect_timeout;
	table_init(&made->table);
	if (table_add_file(&made->table, options->name, NULL) != 0 ||
		make_room(made, 1) != 0) {
		(void)fault_set(fault, error, "no memory to read from the leader");
		goto free_read;
	}
	file_stream_init(&made->stream, &made->table, NULL, &policy);
	error = tcp_fetch_start(
		&made->fetch, options->loop, options->address, options->reader_id, fault);
	if (error != 0)
		goto free_read;
	*read = made;
	return 0;
free_read:
	table_fini(&made->table);
	free(made->bytes);
	free(made);
	return error;
}

void tcp_read_cancel(struct tcp_read *read)
{
	struct fault fault = {0};

	(void)fault_set(&fault, -ECANCELED, "the read was cancelled");
	fail(read, TCP_ORIGIN_CANCEL, &fault);
	tcp_fetch_pump_soon(&read->fetch);
}
