/* SPDX-License-Identifier: BSD-3-Clause */
/* A TCP copy with a manifest: sound chunks go to the store object, several at once. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/node/tcp_copy_state.h"
#include "dataplane/file/store_file.h"

struct chunk_job {
	uv_work_t work;
	struct tcp_copy *copy;
	struct file_fetch_write write;
	int error;
};

static void write_chunk(uv_work_t *work)
{
	struct chunk_job *job = work->data;
	const struct store_request request = {
		.object = job->copy->options.object,
		.op = STORE_WRITE,
		.chunk = job->write.chunk,
		.buf = job->write.buf,
	};

	job->error = store_object_run(&request);
}

static void start_writes(struct tcp_copy *copy);

static void after_write(uv_work_t *work, int status)
{
	struct chunk_job *job = work->data;
	struct tcp_copy *copy = job->copy;
	struct fault fault = {0};

	(void)status;
	copy->nwrites--;
	if (job->error == 0) {
		file_fetch_on_written(&copy->chunks, job->write.slot);
	} else {
		store_object_get_fault(copy->options.object, &fault);
		(void)fault_set(&fault, job->error, "cannot write chunk %u: %s",
			job->write.chunk, strerror(-job->error));
		tcp_copy_fail(copy, TCP_ORIGIN_LOCAL, &fault);
	}
	free(job);
	start_writes(copy);
	tcp_fetch_pump(&copy->fetch);
}

static void start_writes(struct tcp_copy *copy)
{
	struct file_fetch_write write;
	struct fault fault = {0};
	struct chunk_job *job;

	while (copy->result.origin == TCP_ORIGIN_NONE &&
		file_fetch_next_write(&copy->chunks, &write)) {
		job = calloc(1, sizeof(*job));
		if (job == NULL) {
			(void)fault_set(&fault, -ENOMEM, "no memory to write a chunk");
			tcp_copy_fail(copy, TCP_ORIGIN_LOCAL, &fault);
			return;
		}
		job->copy = copy;
		job->write = write;
		job->work.data = job;
		copy->nwrites++;
		/* fails only for a NULL callback */
		(void)uv_queue_work(
			copy->options.loop, &job->work, write_chunk, after_write);
	}
}

static bool poll_chunks(void *ctx, nsec now, struct fetch_request *request)
{
	struct tcp_copy *copy = ctx;

	return copy->result.origin == TCP_ORIGIN_NONE && !copy->is_paused &&
	       file_fetch_poll(&copy->chunks, now, request);
}

static nsec deadline(const void *ctx)
{
	const struct tcp_copy *copy = ctx;

	return copy->is_paused ? NEVER : file_fetch_deadline(&copy->chunks);
}

static void on_reply(void *ctx, uint32_t call, const struct fetch_reply *reply, nsec now)
{
	struct tcp_copy *copy = ctx;

	file_fetch_on_reply(&copy->chunks, call, reply, now);
	if (copy->chunks.state == FETCH_FAILED)
		tcp_copy_fail(copy, TCP_ORIGIN_REMOTE, &copy->chunks.fault);
	start_writes(copy);
}

static bool is_over(const void *ctx)
{
	const struct tcp_copy *copy = ctx;

	return copy->nwrites == 0 && (copy->result.origin != TCP_ORIGIN_NONE ||
					     copy->chunks.state == FETCH_DONE);
}

int tcp_copy_chunks_init(struct tcp_copy *copy, struct fault *fault)
{
	static const struct tcp_fetch_ops ops = {
		.poll = poll_chunks,
		.deadline = deadline,
		.on_reply = on_reply,
		.is_over = is_over,
		.end = tcp_copy_end,
	};
	const struct file_fetch_options options = {
		.manifest = copy->options.manifest,
		.have = copy->options.have,
		.depth = copy->options.depth,
	};

	copy->fetch.ops = &ops;
	if (file_fetch_init(&copy->chunks, &options, &copy->options.policy) != 0)
		return fault_set(fault, -ENOMEM,
			"no memory for the chunks of a copy over TCP; lower the number "
			"of "
			"calls in flight");
	return 0;
}

void tcp_copy_chunks_fini(struct tcp_copy *copy)
{
	file_fetch_fini(&copy->chunks, (nsec)uv_hrtime());
}
