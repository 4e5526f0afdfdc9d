/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/file_service.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/manifest.h"

enum { EREQUEST = 1003 }; /* brpc's */

void file_service_init(struct file_service *service, const struct table *table)
{
	*service = (struct file_service){
		.table = table,
		.is_at_end = true,
		.max_reads = 1,
	};
}

static void refuse(struct file_service_plan *plan, int code, const char *format, ...)
	PRINTF_LIKE(3, 4);

static void refuse(struct file_service_plan *plan, int code, const char *format, ...)
{
	va_list args;

	plan->verdict = FILE_SERVICE_REFUSE;
	plan->code = code;
	va_start(args, format);
	(void)vsnprintf(plan->text, sizeof(plan->text), format, args);
	va_end(args);
}

static void give_back(const struct file_service_plan *plan, uint64_t used, nsec now)
{
	struct throttle *throttle = plan->throttle;

	if (throttle != NULL && used < plan->granted)
		throttle->ops->give_back(
			throttle, plan->granted, used, plan->granted_at, now);
}

/* Takes tokens for the request. Returns whether it may go on. */
static bool charge(struct file_service_plan *plan, struct throttle *throttle, nsec now)
{
	if (throttle == NULL)
		return true;
	plan->throttle = throttle;
	plan->granted = throttle->ops->grant(throttle, plan->count, now);
	plan->granted_at = now;
	if (plan->granted == 0 || (plan->granted < plan->count && !plan->is_partly)) {
		give_back(plan, 0, now);
		refuse(plan, EAGAIN, "the throttle is used up; ask again");
		return false;
	}
	plan->count = plan->granted;
	return true;
}

/* One read at a time, one file after the other. */
static bool may_read(const struct file_service *service, struct file_service_plan *plan)
{
	if (service->nreads >= service->max_reads) {
		refuse(plan, EAGAIN, "another read of this reader is under way");
		return false;
	}
	if (service->is_any_order || plan->file == service->current)
		return true;
	if (!service->is_at_end || plan->offset != 0) {
		refuse(plan, EINVAL,
			"out of order: a file is read from offset 0, after the one "
			"before "
			"was read to its end");
		return false;
	}
	return true;
}

void file_service_on_request(struct file_service *service,
	const struct get_file_request *request, struct throttle *throttle, nsec now,
	struct file_service_plan *plan)
{
	char quoted[NAME_QUOTED];

	*plan = (struct file_service_plan){.verdict = FILE_SERVICE_READ};
	if (service == NULL) {
		refuse(plan, ENOENT, "Fail to find reader=%lld",
			(long long)request->reader_id);
		return;
	}
	if (request->count <= 0 || request->offset < 0) {
		refuse(plan, EREQUEST, "Invalid request: count=%lld offset=%lld",
			(long long)request->count, (long long)request->offset);
		return;
	}
	if (strcmp(request->filename, TABLE_NAME) == 0) {
		plan->verdict = FILE_SERVICE_TABLE;
		return;
	}
	plan->file = table_find(service->table, request->filename);
	plan->offset = (uint64_t)request->offset;
	plan->count = (uint64_t)request->count;
	plan->is_partly = request->has_read_partly && request->read_partly;
	if (plan->file == NULL) {
		refuse(plan, EPERM, "file \"%s\" is not in the snapshot's table",
			name_quote(quoted, sizeof(quoted), request->filename));
		return;
	}
	if (!charge(plan, throttle, now))
		return;
	if (!may_read(service, plan)) {
		give_back(plan, 0, now);
		return;
	}
	plan->is_switched = plan->file != service->current;
	service->nreads++;
}

int file_service_clamp(
	const struct file_service_plan *plan, uint64_t size, uint64_t *bytes)
{
	uint64_t left = plan->offset < size ? size - plan->offset : 0;
	uint64_t want = u64_min(plan->count, left);

	if (plan->is_partly)
		want = u64_min(want, FILE_SERVICE_READ_MAX);
	else if (want > FILE_SERVICE_COUNT_MAX)
		return -EMSGSIZE;
	*bytes = want;
	return 0;
}

/* What a failed open is called on the wire. */
static int open_code(int error)
{
	switch (error) {
	case -ENOENT:
	case -EACCES:
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
	case -ENOSPC:
	case -ENOTDIR:
	case -EIO:
		return -error;
	case -EBUSY:
	case -ETXTBSY:
		return EAGAIN;
	default:
		return EINVAL;
	}
}

int file_service_on_read(struct file_service *service,
	const struct file_service_plan *plan, const struct file_service_read *read,
	nsec now, struct get_file_response *response)
{
	uint64_t want = 0;
	bool eof;

	assert(plan->verdict == FILE_SERVICE_READ && service->nreads > 0);
	(void)file_service_clamp(plan, read->size, &want);
	/* fewer than the file had when it was opened: it was cut since */
	eof = read->bytes < want || plan->offset >= read->size ||
	      read->bytes == read->size - plan->offset;
	service->nreads--;
	give_back(plan, read->error == 0 ? read->bytes : 0, now);
	if (read->error == -EMSGSIZE)
		return EREQUEST;
	if (read->error != 0 && read->step == FILE_SERVICE_AT_OPEN)
		return open_code(read->error); /* the file before stays current */
	/* a new file is current even when reading it failed: it may be asked for again */
	if (plan->is_switched)
		service->is_at_end = false;
	service->current = plan->file;
	if (read->error != 0)
		return read->error == -ENOMEM ? ENOMEM : EIO;
	service->is_at_end = eof;
	*response = (struct get_file_response){
		.eof = eof,
		.has_read_size = true,
		.read_size = (int64_t)read->bytes,
	};
	return 0;
}
