/* SPDX-License-Identifier: BSD-3-Clause */
/* A TCP copy without a manifest: files are made as they come, one write after the other.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/node/tcp_copy_state.h"
#include "control/storage/file_io.h"
#include "control/storage/tree.h"

struct file_job {
	struct file_job *next;
	uv_work_t work;
	struct tcp_copy *copy;
	struct file_stream_write write; /* its segments are in bytes */
	struct fault fault;
	uint8_t bytes[];
};

/* ---- on the thread pool -------------------------------------------------------------
 */

/* What is there already may be a hard link into another snapshot: it is never written to.
 */
static int create_file(struct tcp_copy *copy, const char *name, struct fault *fault)
{
	int error = tree_make_parents(copy->dirfd, name, fault);

	if (error == 0)
		error = tree_remove(copy->dirfd, name, fault);
	if (error == 0)
		error = tree_open(copy->dirfd, name,
			O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644, &copy->fd, fault);
	return error;
}

static int write_segment(int fd, const struct file_segment *segment)
{
	uint32_t done = 0;

	while (done < segment->len) {
		ssize_t count = pwrite(fd, segment->bytes + done, segment->len - done,
			(off_t)(segment->offset + done));

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return count == 0 ? -EIO : -errno;
		done += (uint32_t)count;
	}
	return 0;
}

static int write_segments(const struct file_job *job)
{
	struct file_segment_cursor cursor = job->write.segments;
	struct file_segment segment;
	int error = 0;

	while (error == 0 && file_segment_next(&cursor, &segment) == 0)
		error = write_segment(job->copy->fd, &segment);
	/* a hole at the end has no bytes, but a length */
	if (error == 0 && job->write.is_last &&
		ftruncate(job->copy->fd, (off_t)job->write.end) != 0)
		error = -errno;
	return error;
}

static void write_file(uv_work_t *work)
{
	struct file_job *job = work->data;
	struct tcp_copy *copy = job->copy;
	const char *name = copy->options.table->files[job->write.file].name;
	int error = 0;

	if (job->write.is_first && create_file(copy, name, &job->fault) != 0)
		goto prefix;
	error = write_segments(job);
	if (error != 0)
		(void)file_fault(&job->fault, error, "write", name);
	if (job->write.is_last) {
		if (close(copy->fd) != 0 && error == 0)
			(void)file_fault(&job->fault, -errno, "close", name);
		copy->fd = -1;
	}
prefix:
	fault_prefix(&job->fault, "%s", copy->options.path);
}

/* ---- on the loop --------------------------------------------------------------------
 */

static void after_write(uv_work_t *work, int status);

static void start_first(struct tcp_copy *copy)
{
	if (copy->first != NULL)
		/* fails only for a NULL callback */
		(void)uv_queue_work(
			copy->options.loop, &copy->first->work, write_file, after_write);
}

static struct file_job *take_first(struct tcp_copy *copy)
{
	struct file_job *job = copy->first;

	copy->first = job->next;
	if (copy->first == NULL)
		copy->last = &copy->first;
	copy->nwrites--;
	return job;
}

static void after_write(uv_work_t *work, int status)
{
	struct file_job *job = work->data;
	struct tcp_copy *copy = job->copy;

	(void)status;
	(void)take_first(copy);
	file_stream_on_written(&copy->files);
	if (job->fault.code != 0)
		tcp_copy_fail(copy, TCP_ORIGIN_LOCAL, &job->fault);
	free(job);
	/* after a fault nothing more is written: the rest would have holes */
	while (copy->result.origin != TCP_ORIGIN_NONE && copy->first != NULL)
		free(take_first(copy));
	start_first(copy);
	tcp_fetch_pump(&copy->fetch);
}

static void queue_write(struct tcp_copy *copy, const struct file_stream_write *write)
{
	size_t len = write->segments.left;
	struct file_job *job = malloc(sizeof(*job) + len);
	struct fault fault = {0};

	if (job == NULL) {
		(void)fault_set(&fault, -ENOMEM, "no memory to write a file");
		tcp_copy_fail(copy, TCP_ORIGIN_LOCAL, &fault);
		return;
	}
	memset(job, 0, sizeof(*job));
	if (len > 0)
		memcpy(job->bytes, write->segments.at, len);
	job->copy = copy;
	job->write = *write;
	job->write.segments.at = job->bytes;
	job->work.data = job;
	*copy->last = job;
	copy->last = &job->next;
	if (copy->nwrites++ == 0)
		start_first(copy);
}

static bool poll_files(void *ctx, nsec now, struct fetch_request *request)
{
	struct tcp_copy *copy = ctx;

	return copy->result.origin == TCP_ORIGIN_NONE && !copy->is_paused &&
	       file_stream_poll(&copy->files, now, request);
}

static nsec deadline(const void *ctx)
{
	const struct tcp_copy *copy = ctx;

	return copy->is_paused ? NEVER : file_stream_deadline(&copy->files);
}

static void on_reply(void *ctx, uint32_t call, const struct fetch_reply *reply, nsec now)
{
	struct tcp_copy *copy = ctx;
	struct file_stream_write write;

	(void)call; /* there is but one */
	if (file_stream_on_reply(&copy->files, reply, now, &write) &&
		copy->result.origin == TCP_ORIGIN_NONE)
		queue_write(copy, &write);
	if (copy->files.state == FETCH_FAILED)
		tcp_copy_fail(copy, TCP_ORIGIN_REMOTE, &copy->files.fault);
}

static bool is_over(const void *ctx)
{
	const struct tcp_copy *copy = ctx;

	return copy->nwrites == 0 && (copy->result.origin != TCP_ORIGIN_NONE ||
					     copy->files.state == FETCH_DONE);
}

int tcp_copy_files_init(struct tcp_copy *copy, struct fault *fault)
{
	static const struct tcp_fetch_ops ops = {
		.poll = poll_files,
		.deadline = deadline,
		.on_reply = on_reply,
		.is_over = is_over,
		.end = tcp_copy_end,
	};

	copy->fetch.ops = &ops;
	file_stream_init(&copy->files, copy->options.table, copy->options.skip,
		&copy->options.policy);
	copy->dirfd = open(copy->options.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (copy->dirfd < 0)
		return file_fault(fault, -errno, "open", copy->options.path);
	return 0;
}

void tcp_copy_files_fini(struct tcp_copy *copy)
{
	file_stream_fini(&copy->files, (nsec)uv_hrtime());
	if (copy->fd >= 0)
		(void)close(copy->fd);
	(void)close(copy->dirfd);
}
