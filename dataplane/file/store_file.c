/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/file/store_file.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dataplane/base/log.h"
#include "dataplane/base/ring.h"
#include "dataplane/base/units.h"
#include "dataplane/file/direct.h"
#include "dataplane/file/journal_file.h"
#include "dataplane/file/object.h"

enum { QUEUE = 256 }; /* requests not yet answered */

struct store_file {
	struct ring requests;    /* worker to thread */
	struct ring completions; /* thread to worker; as long, so it never overflows */
	uint32_t outstanding;    /* written by the worker */
	struct direct *direct;   /* the thread's; NULL: every read is an ordinary one */
	sem_t wake;
	_Atomic bool asleep; /* set by the thread, cleared by who wakes it */
	_Atomic bool stop;
	pthread_t thread;
};

static nsec clock_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (nsec)now.tv_sec * SEC + now.tv_nsec;
}

/* Returns what time it is now. */
static nsec count(const struct store_request *request, enum object_work work, nsec since)
{
	nsec now = clock_now();

	object_count(request->object, work, (uint64_t)(now - since));
	return now;
}

static int note(const struct store_request *request)
{
	struct journal_file *journal = object_journal(request->object);

	return journal != NULL ? journal_file_note(journal, request->chunk) : 0;
}

static void sum(const struct store_request *request)
{
	const struct manifest *manifest = object_manifest(request->object);
	nsec start = clock_now();

	store_sum_slices(request, manifest_chunk_len(manifest, request->chunk));
	(void)count(request, OBJECT_CHECKSUM, start);
}

int store_object_run(const struct store_request *request)
{
	const struct manifest *manifest = object_manifest(request->object);
	nsec start = clock_now();
	struct manifest_cursor cursor;
	struct manifest_extent extent;

	manifest_extents(manifest, request->chunk, &cursor);
	while (manifest_next_extent(manifest, &cursor, &extent)) {
		uint8_t *bytes = request->buf + extent.chunk_offset;
		int rc;

		if (request->op == STORE_READ)
			rc = object_read(request->object, &extent, bytes);
		else
			rc = object_write(request->object, &extent, bytes);
		if (rc != 0)
			return rc;
	}
	if (request->op == STORE_WRITE) {
		(void)count(request, OBJECT_WRITE, start);
		return note(request);
	}
	(void)count(request, OBJECT_READ, start);
	sum(request);
	return 0;
}

static void doze(struct store_file *self)
{
	atomic_store(&self->asleep, true);
	/* seq_cst store above, and in submit between put and look: either we see the new
	 * request here, or the worker sees us asleep and posts. */
	if (ring_is_empty(&self->requests) && !atomic_load(&self->stop)) {
		while (sem_wait(&self->wake) != 0 && errno == EINTR)
			;
	}
	atomic_store(&self->asleep, false);
}

static void complete(struct store_file *self, const struct store_completion *completion)
{
	(void)ring_put(&self->completions, completion);
}

/* Ends one read that went past the page cache. Returns false when none is under way. */
static bool finish_direct(struct store_file *self)
{
	struct store_completion completion = {0};
	struct direct_end end;

	if (self->direct == NULL || !direct_wait(self->direct, &end))
		return false;
	if (end.worked) {
		object_count(end.request.object, OBJECT_READ, end.ns);
		sum(&end.request);
	} else {
		completion.error = store_object_run(&end.request);
	}
	completion.cookie = end.request.cookie;
	complete(self, &completion);
	return true;
}

static void run(struct store_file *self, const struct store_request *request)
{
	const struct store_completion completion = {
		.cookie = request->cookie,
		.error = store_object_run(request),
		.from_memory = request->op == STORE_READ,
	};

	complete(self, &completion);
}

static bool is_full(const struct store_file *self)
{
	return self->direct != NULL && direct_is_full(self->direct);
}

/* What can be started is started before what has ended is waited for. */
static void *serve_all(void *context)
{
	struct store_file *self = context;
	struct store_request request;

	(void)pthread_setname_np(pthread_self(), "snapline-disk");
	while (!atomic_load(&self->stop)) {
		if (is_full(self) || !ring_take(&self->requests, &request)) {
			if (!finish_direct(self))
				doze(self);
			continue;
		}
		if (self->direct != NULL && direct_start(self->direct, &request))
			continue;
		run(self, &request);
	}
	while (finish_direct(self))
		;
	return NULL;
}

static void wake(struct store_file *self)
{
	if (atomic_load(&self->asleep) && atomic_exchange(&self->asleep, false))
		(void)sem_post(&self->wake);
}

static bool submit(void *context, const struct store_request *request)
{
	struct store_file *self = context;

	if (self->outstanding == QUEUE || !ring_put(&self->requests, request))
		return false;
	self->outstanding++;
	/* full fence: the request is visible before we look whether the thread sleeps */
	atomic_thread_fence(memory_order_seq_cst);
	wake(self);
	return true;
}

static int poll_completions(void *context, struct store_completion completions[], int max)
{
	struct store_file *self = context;
	int count = 0;

	while (count < max && ring_take(&self->completions, &completions[count]))
		count++;
	self->outstanding -= (uint32_t)count;
	return count;
}

/* Signals belong to the control thread. */
static int start_thread(struct store_file *self)
{
	sigset_t all, old;
	int rc;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&self->thread, NULL, serve_all, self);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -rc;
}

/* Containers often forbid io_uring; nothing but speed is lost. */
static void open_direct(struct store_file *self)
{
	int rc = direct_open(&self->direct);

	if (rc != 0)
		log_line(LOG_INFO, "store",
			"event=no-io-uring err=%s using=page-cache "
			"text=\"cold files are read one at a time; allow io_uring "
			"(sysctl kernel.io_uring_disabled=0, seccomp) for more\"",
			strerrorname_np(-rc));
}

int store_file_open(struct store *store, struct fault *fault)
{
	static const struct store_ops ops = {.submit = submit, .poll = poll_completions};
	/* aligned as ring.h wants: head and tail on cache lines of their own */
	struct store_file *self = aligned_alloc(64, (sizeof(*self) + 63) / 64 * 64);
	int rc = -ENOMEM;

	if (self == NULL)
		return fault_set(fault, rc, "no memory for the disk thread");
	memset(self, 0, sizeof(*self));
	if (ring_init(&self->requests, QUEUE, sizeof(struct store_request)) != 0)
		goto free_self;
	if (ring_init(&self->completions, QUEUE, sizeof(struct store_completion)) != 0)
		goto free_requests;
	(void)sem_init(&self->wake, 0, 0);
	open_direct(self);
	rc = start_thread(self);
	if (rc != 0)
		goto close_direct;
	store->ops = &ops;
	store->self = self;
	return 0;
close_direct:
	if (self->direct != NULL)
		direct_close(self->direct);
	(void)sem_destroy(&self->wake);
	ring_fini(&self->completions);
free_requests:
	ring_fini(&self->requests);
free_self:
	free(self);
	return fault_set(fault, rc,
		"the disk thread does not start: %s; raise `ulimit -u` or free memory",
		strerror(-rc));
}

void store_file_close(struct store *store)
{
	struct store_file *self = store->self;

	atomic_store(&self->stop, true);
	wake(self);
	(void)pthread_join(self->thread, NULL);
	if (self->direct != NULL)
		direct_close(self->direct);
	(void)sem_destroy(&self->wake);
	ring_fini(&self->completions);
	ring_fini(&self->requests);
	free(self);
	store->self = NULL;
}
