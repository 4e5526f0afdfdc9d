/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/file/direct.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include <liburing.h>

#include "dataplane/base/units.h"
#include "dataplane/file/object.h"

enum { DEPTH = 8 }; /* requests that wait for the disk */

struct reading {
	struct store_request request;
	struct slot *slot;
};

struct direct {
	struct io_uring ring;
	struct reading readings[DEPTH];
	struct reading *free[DEPTH];
	uint32_t nfree;
};

static nsec clock_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (nsec)now.tv_sec * SEC + now.tv_nsec;
}

/* Some sandboxes give a ring and then forbid its use. */
static int try_ring(struct io_uring *ring)
{
	struct io_uring_cqe *entry;
	int rc;

	io_uring_prep_nop(io_uring_get_sqe(ring));
	rc = io_uring_submit_and_wait(ring, 1);
	if (rc < 0)
		return rc;
	rc = io_uring_wait_cqe(ring, &entry);
	if (rc == 0)
		io_uring_cqe_seen(ring, entry);
	return rc;
}

int direct_open(struct direct **direct)
{
	struct direct *self = calloc(1, sizeof(*self));
	int rc;

	if (self == NULL)
		return -ENOMEM;
	rc = io_uring_queue_init(DEPTH, &self->ring, 0);
	if (rc != 0)
		goto free_self;
	rc = try_ring(&self->ring);
	if (rc != 0)
		goto exit_ring;
	while (self->nfree < DEPTH) {
		self->free[self->nfree] = &self->readings[self->nfree];
		self->nfree++;
	}
	*direct = self;
	return 0;
exit_ring:
	io_uring_queue_exit(&self->ring);
free_self:
	free(self);
	return rc;
}

void direct_close(struct direct *direct)
{
	io_uring_queue_exit(&direct->ring);
	free(direct);
}

bool direct_is_full(const struct direct *direct)
{
	return direct->nfree == 0;
}

/* The submission queue is as long as there are readings: there is always room. */
static bool submit(struct direct *direct, struct reading *reading,
	const struct manifest_extent *extent)
{
	struct io_uring_sqe *entry = io_uring_get_sqe(&direct->ring);

	io_uring_prep_read(entry, object_slot_fd(reading->slot), reading->request.buf,
		extent->len, extent->file_offset);
	io_uring_sqe_set_data(entry, reading);
	return io_uring_submit(&direct->ring) == 1;
}

bool direct_start(struct direct *direct, const struct store_request *request)
{
	struct reading *reading;
	struct manifest_cursor cursor;
	struct manifest_extent extent;

	if (request->op != STORE_READ)
		return false;
	reading = direct->free[direct->nfree - 1];
	manifest_extents(object_manifest(request->object), request->chunk, &cursor);
	(void)manifest_next_extent(object_manifest(request->object), &cursor, &extent);
	if (!object_begin_direct(request->object, &extent, request->buf, &reading->slot))
		return false;
	reading->request = *request;
	direct->nfree--;
	/* not taken now is taken by the next submit, or by the wait */
	(void)submit(direct, reading, &extent);
	return true;
}

bool direct_wait(struct direct *direct, struct direct_end *end)
{
	struct io_uring_cqe *entry;
	struct reading *reading;
	nsec start = clock_now();
	uint32_t len;

	if (direct->nfree == DEPTH)
		return false;
	while (io_uring_submit_and_wait(&direct->ring, 1) < 0 ||
		io_uring_peek_cqe(&direct->ring, &entry) != 0)
		;
	reading = io_uring_cqe_get_data(entry);
	end->request = reading->request;
	len = manifest_chunk_len(
		object_manifest(end->request.object), end->request.chunk);
	end->worked = entry->res == (int)len;
	io_uring_cqe_seen(&direct->ring, entry);
	object_end_direct(end->request.object, reading->slot, end->worked);
	end->ns = (uint64_t)(clock_now() - start);
	direct->free[direct->nfree++] = reading;
	return true;
}
