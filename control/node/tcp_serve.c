/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/node/tcp_serve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <uv.h>

#include "control/file_segment.h"
#include "control/file_service.h"
#include "control/rpc/rpc.h"
#include "control/storage/tree.h"
#include "dataplane/manifest.h"

struct reader {
	struct reader *next;
	struct tcp_serve *serve;
	struct tcp_source source;
	struct file_service service;
	struct tcp_serve_stats stats;
	int dirfd;
	uint32_t njobs;
	bool is_removed;
	bool is_paused;
};

struct tcp_serve {
	struct tcp_serve_options options;
	struct reader *first;
	uint32_t njobs;
	bool is_closed;
};

/* One read, on its way through the thread pool. */
struct job {
	uv_work_t work;
	struct reader *reader;
	struct rpc_call *call;
	struct file_service_plan plan;
	struct file_service_read read;
	uint8_t *attachment;
	size_t attachment_len;
};

/* ---- on the thread pool -------------------------------------------------------------
 */

static int read_all(int fd, uint8_t *bytes, uint64_t len, uint64_t offset, uint64_t *done)
{
	*done = 0;
	while (*done < len) {
		ssize_t count =
			pread(fd, bytes + *done, len - *done, (off_t)(offset + *done));

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -errno;
		if (count == 0) /* it was cut since we looked */
			return 0;
		*done += (uint64_t)count;
	}
	return 0;
}

/* Replaces what was read, a plain segment, by segments without holes. */
static int skip_holes(struct job *job)
{
	uint32_t len = (uint32_t)job->read.bytes;
	uint8_t *packed = malloc(file_segment_bound(len));

	if (packed == NULL)
		return -ENOMEM;
	job->attachment_len = file_segment_pack(
		packed, job->plan.offset, job->attachment + FILE_SEGMENT_HEADER, len);
	free(job->attachment);
	job->attachment = packed;
	return 0;
}

static int read_file(struct job *job, int fd, uint64_t want)
{
	int error;

	if (want == 0)
		return 0;
	job->attachment = malloc(FILE_SEGMENT_HEADER + want);
	if (job->attachment == NULL)
		return -ENOMEM;
	error = read_all(fd, job->attachment + FILE_SEGMENT_HEADER, want,
		job->plan.offset, &job->read.bytes);
	if (error != 0 || job->read.bytes == 0)
		return error;
	if (job->reader->serve->options.check_hole)
		return skip_holes(job);
	file_segment_put_header(
		job->attachment, job->plan.offset, (uint32_t)job->read.bytes);
	job->attachment_len = FILE_SEGMENT_HEADER + job->read.bytes;
	return 0;
}

static int open_file(struct job *job, int *fd)
{
	struct stat status;
	/* O_NONBLOCK: should a FIFO have taken the file's place, we do not hang on it */
	int error = tree_open(job->reader->dirfd, job->plan.file->name,
		O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0, fd, NULL);

	if (error != 0)
		return error;
	if (fstat(*fd, &status) != 0)
		error = -errno;
	else if (!S_ISREG(status.st_mode))
		error = -EINVAL;
	else
		job->read.size = (uint64_t)status.st_size;
	if (error != 0)
		close(*fd);
	return error;
}

static void do_read(uv_work_t *work)
{
	struct job *job = work->data;
	uint64_t want;
	int fd;

	job->read.step = FILE_SERVICE_AT_OPEN;
	job->read.error = open_file(job, &fd);
	if (job->read.error != 0)
		return;
	job->read.step = FILE_SERVICE_AT_READ;
	job->read.error = file_service_clamp(&job->plan, job->read.size, &want);
	if (job->read.error == 0)
		job->read.error = read_file(job, fd, want);
	close(fd);
}

/* ---- on the loop --------------------------------------------------------------------
 */

static void settle_serve(struct tcp_serve *serve)
{
	if (serve->is_closed && serve->njobs == 0)
		free(serve);
}

static void settle_reader(struct reader *reader)
{
	if (!reader->is_removed || reader->njobs > 0)
		return;
	close(reader->dirfd);
	if (reader->source.released != NULL)
		reader->source.released(reader->source.ctx);
	free(reader);
}

static void answer(struct rpc_call *call, const struct get_file_response *response,
	struct rpc_bytes attachment)
{
	uint8_t *message;
	size_t len;

	if (get_file_response_encode(response, &message, &len) != 0) {
		rpc_call_fail(call, ENOMEM, "no memory for an answer");
		return;
	}
	rpc_call_reply(call, (struct rpc_bytes){message, len}, attachment);
	free(message);
}

static void explain(const struct job *job, int code)
{
	char quoted[NAME_QUOTED];
	const char *name = name_quote(quoted, sizeof(quoted), job->plan.file->name);

	if (code == RPC_EREQUEST)
		rpc_call_fail(job->call, code,
			"count is more than an answer can carry; ask for less of \"%s\"",
			name);
	else
		rpc_call_fail(job->call, code, "cannot %s \"%s\": %s",
			job->read.step == FILE_SERVICE_AT_OPEN ? "open" : "read", name,
			strerror(-job->read.error));
}

static void after_read(uv_work_t *work, int status)
{
	struct job *job = work->data;
	struct reader *reader = job->reader;
	struct tcp_serve *serve = reader->serve;
	struct get_file_response response;
	int code;

	(void)status;
	code = file_service_on_read(
		&reader->service, &job->plan, &job->read, (nsec)uv_hrtime(), &response);
	if (code == 0) {
		reader->stats.calls++;
		reader->stats.bytes += job->read.bytes;
		answer(job->call, &response,
			(struct rpc_bytes){job->attachment, job->attachment_len});
	} else {
		explain(job, code);
	}
	free(job->attachment);
	free(job);
	reader->njobs--;
	serve->njobs--;
	settle_reader(reader);
	settle_serve(serve);
}

static void start_read(struct reader *reader, struct job *job, struct rpc_call *call)
{
	struct uv_loop_s *loop = reader->serve->options.loop;

	job->reader = reader;
	job->call = call;
	job->work.data = job;
	reader->njobs++;
	reader->serve->njobs++;
	/* fails only for a NULL callback */
	(void)uv_queue_work(loop, &job->work, do_read, after_read);
}

static void answer_table(const struct reader *reader, struct rpc_call *call)
{
	size_t len = reader->source.table_len;
	const struct get_file_response response = {
		.eof = true,
		.has_read_size = true,
		.read_size = (int64_t)len,
	};
	uint8_t *attachment = malloc(FILE_SEGMENT_HEADER + len);

	if (attachment == NULL) {
		rpc_call_fail(call, ENOMEM, "no memory for the table");
		return;
	}
	file_segment_put_header(attachment, 0, (uint32_t)len);
	memcpy(attachment + FILE_SEGMENT_HEADER, reader->source.table_bytes, len);
	answer(call, &response,
		(struct rpc_bytes){attachment, FILE_SEGMENT_HEADER + len});
	free(attachment);
}

static struct reader *find(const struct tcp_serve *serve, int64_t reader_id)
{
	struct reader *reader = serve->first;

	while (reader != NULL && reader->source.reader_id != reader_id)
		reader = reader->next;
	return reader;
}

void tcp_serve_get_file(void *ctx, struct rpc_call *call)
{
	struct tcp_serve *serve = ctx;
	struct rpc_bytes message = rpc_call_message(call);
	struct get_file_request request;
	struct job *job = calloc(1, sizeof(*job));
	struct reader *reader;
	nsec now = (nsec)uv_hrtime();

	if (job == NULL) {
		rpc_call_fail(call, ENOMEM, "no memory for another read");
		return;
	}
	if (get_file_request_decode(&request, message.data, message.len) != 0) {
		rpc_call_fail(call, RPC_EREQUEST, "malformed GetFileRequest");
		free(job);
		return;
	}
	reader = find(serve, request.reader_id);
	if (reader != NULL && reader->is_paused) {
		reader->stats.last = now;
		rpc_call_fail(
			call, EAGAIN, "the leader's operator has paused this transfer");
		free(job);
		return;
	}
	file_service_on_request(reader != NULL ? &reader->service : NULL, &request,
		serve->options.throttle, now, &job->plan);
	if (reader != NULL) {
		reader->stats.last = now;
		reader->stats.refusals += job->plan.code == EAGAIN;
	}
	if (job->plan.verdict == FILE_SERVICE_READ) {
		start_read(reader, job, call);
		return;
	}
	if (job->plan.verdict == FILE_SERVICE_TABLE)
		answer_table(reader, call);
	else
		rpc_call_fail(call, job->plan.code, "%s", job->plan.text);
	free(job);
}

/* ---- sources ------------------------------------------------------------------------
 */

int tcp_serve_add(struct tcp_serve *serve, const struct tcp_source *source)
{
	struct reader *reader;
	int error;

	if (find(serve, source->reader_id) != NULL)
		return -EEXIST;
	reader = calloc(1, sizeof(*reader));
	if (reader == NULL)
		return -ENOMEM;
	reader->dirfd = open(source->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (reader->dirfd < 0) {
		error = -errno;
		free(reader);
		return error;
	}
	reader->serve = serve;
	reader->source = *source;
	file_service_init(&reader->service, source->table);
	reader->next = serve->first;
	serve->first = reader;
	return 0;
}

void tcp_serve_remove(struct tcp_serve *serve, int64_t reader_id)
{
	struct reader **link = &serve->first;
	struct reader *reader;

	while (*link != NULL && (*link)->source.reader_id != reader_id)
		link = &(*link)->next;
	reader = *link;
	if (reader == NULL)
		return;
	*link = reader->next;
	reader->is_removed = true;
	settle_reader(reader);
}

void tcp_serve_set_any_order(
	struct tcp_serve *serve, int64_t reader_id, uint32_t max_reads)
{
	struct reader *reader = find(serve, reader_id);

	if (reader != NULL && max_reads > 0) {
		reader->service.max_reads = max_reads;
		reader->service.is_any_order = true;
	}
}

void tcp_serve_pause(struct tcp_serve *serve, int64_t reader_id, bool is_paused)
{
	struct reader *reader = find(serve, reader_id);

	if (reader != NULL)
		reader->is_paused = is_paused;
}

bool tcp_serve_get_stats(
	const struct tcp_serve *serve, int64_t reader_id, struct tcp_serve_stats *stats)
{
	const struct reader *reader = find(serve, reader_id);

	if (reader == NULL)
		return false;
	*stats = reader->stats;
	return true;
}

/* ---- open and close -----------------------------------------------------------------
 */

int tcp_serve_open(struct tcp_serve **serve, const struct tcp_serve_options *options,
	struct fault *fault)
{
	struct tcp_serve *opened = calloc(1, sizeof(*opened));

	if (opened == NULL)
		return fault_set(fault, -ENOMEM, "no memory for the file service");
	opened->options = *options;
	*serve = opened;
	return 0;
}

void tcp_serve_close(struct tcp_serve *serve)
{
	while (serve->first != NULL)
		tcp_serve_remove(serve, serve->first->source.reader_id);
	serve->is_closed = true;
	settle_serve(serve);
}

void tcp_serve_set_throttle(struct tcp_serve *serve, struct throttle *throttle)
{
	serve->options.throttle = throttle;
}
