/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/file_stream.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "dataplane/base/bitmap.h"
#include "dataplane/manifest.h"

enum { ERESPONSE = 2002 }; /* brpc's: an answer that makes no sense */

/* Finds the next file to fetch, from this one on. */
static void enter(struct file_stream *stream, uint32_t file)
{
	while (file < stream->table->nfiles && stream->skip != NULL &&
		bitmap_test(stream->skip, file))
		file++;
	stream->file = file;
	stream->offset = 0;
}

/* It is done when the last write is. */
static void settle(struct file_stream *stream)
{
	if (stream->state == FETCH_RUNNING && stream->nwrites == 0 &&
		stream->file == stream->table->nfiles)
		stream->state = FETCH_DONE;
}

void file_stream_init(struct file_stream *stream, const struct table *table,
	const uint64_t *skip, const struct fetch_policy *policy)
{
	assert(policy->max_count > 0);
	memset(stream, 0, sizeof(*stream));
	stream->table = table;
	stream->skip = skip;
	stream->policy = *policy;
	enter(stream, 0);
	settle(stream);
}

void file_stream_fini(struct file_stream *stream, nsec now)
{
	fetch_call_abandon(&stream->call, now);
}

bool file_stream_poll(struct file_stream *stream, nsec now, struct fetch_request *request)
{
	uint64_t count;

	if (stream->state != FETCH_RUNNING || stream->call.state == FETCH_CALL_SENT ||
		stream->file == stream->table->nfiles ||
		stream->nwrites == FILE_STREAM_WRITES_MAX)
		return false;
	count = fetch_call_begin(
		&stream->call, &stream->policy, stream->policy.max_count, now);
	if (count == 0)
		return false;
	stream->request = (struct fetch_request){
		.name = stream->table->files[stream->file].name,
		.offset = stream->offset,
		.count = count,
		.read_partly = stream->policy.read_partly,
		.timeout = stream->policy.timeout,
	};
	*request = stream->request;
	return true;
}

nsec file_stream_deadline(const struct file_stream *stream)
{
	if (stream->state != FETCH_RUNNING || stream->nwrites == FILE_STREAM_WRITES_MAX)
		return NEVER;
	return fetch_call_deadline(&stream->call);
}

static void fail(struct file_stream *stream, int code, const char *why)
{
	char quoted[NAME_QUOTED];

	stream->state = FETCH_FAILED;
	(void)fault_set(&stream->fault, code,
		"the leader does not serve \"%s\" at offset %llu: %s",
		name_quote(quoted, sizeof(quoted), stream->request.name),
		(unsigned long long)stream->request.offset, why);
}

static void take(struct file_stream *stream, const struct fetch_reply *reply,
	uint64_t len, struct file_stream_write *write)
{
	*write = (struct file_stream_write){
		.file = stream->file,
		.is_first = stream->offset == 0,
		.is_last = reply->eof,
		.end = stream->offset + len,
		.segments = reply->attachment,
	};
	stream->calls++;
	stream->bytes += len;
	stream->nwrites++;
	stream->offset += len;
	if (reply->eof)
		enter(stream, stream->file + 1);
}

bool file_stream_on_reply(struct file_stream *stream, const struct fetch_reply *reply,
	nsec now, struct file_stream_write *write)
{
	const char *why = reply->text;
	int code = reply->code;
	uint64_t len = 0;
	int rc;

	if (stream->state != FETCH_RUNNING) {
		fetch_call_abandon(&stream->call, now);
		return false;
	}
	if (code == 0 && (fetch_reply_len(reply, &stream->request, &len) != 0 ||
				 len > (uint64_t)INT64_MAX - stream->offset)) {
		code = ERESPONSE;
		why = "its answer makes no sense";
	}
	stream->refusals += code == EAGAIN;
	rc = fetch_call_end(&stream->call, &stream->pace, &stream->policy, code,
		reply->attachment.left, now);
	if (rc != 0 && rc != -EAGAIN)
		fail(stream, rc, why);
	if (rc != 0)
		return false;
	take(stream, reply, len, write);
	return true;
}

void file_stream_on_written(struct file_stream *stream)
{
	assert(stream->nwrites > 0);
	stream->nwrites--;
	settle(stream);
}
