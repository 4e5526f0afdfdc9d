/* SPDX-License-Identifier: BSD-3-Clause */
/* What the journal's own thread does: syncs, and rewrites a journal that has grown. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/base/bitmap.h"
#include "dataplane/base/units.h"
#include "dataplane/file/journal_state.h"
#include "dataplane/file/object.h"

#define TEMPORARY JOURNAL_NAME ".tmp"

enum {
	BATCH = 1024,       /* records a write */
	GROWN = 64 * BATCH, /* records appended since the last rewriting, 1.5 MiB */
	SYNC_EVERY_S = 1,
};

/* Header and records of the map, as they are now. */
static int write_all(struct journal_file *journal, int fd, uint64_t *seq)
{
	uint8_t *bytes = malloc((size_t)BATCH * JOURNAL_RECORD_LEN);
	uint8_t header[JOURNAL_HEADER_LEN];
	struct journal_record record;
	uint32_t next = 0;
	size_t len = 0;
	int error;

	if (bytes == NULL)
		return -ENOMEM;
	journal_encode_header(header, &journal->options.header);
	error = journal_write(fd, header, sizeof(header));
	*seq = 0;
	while (error == 0 && journal_next_run(&journal->map, &next, &record)) {
		record.seq = ++*seq;
		journal_encode_record(bytes + len, &record);
		len += JOURNAL_RECORD_LEN;
		if (len == (size_t)BATCH * JOURNAL_RECORD_LEN) {
			error = journal_write(fd, bytes, len);
			len = 0;
		}
	}
	if (error == 0)
		error = journal_write(fd, bytes, len);
	free(bytes);
	return error;
}

static void forget_next(struct journal_file *journal, int folder)
{
	(void)pthread_mutex_lock(&journal->lock);
	if (journal->next_fd >= 0)
		(void)close(journal->next_fd);
	journal->next_fd = -1;
	(void)pthread_mutex_unlock(&journal->lock);
	(void)unlinkat(folder, TEMPORARY, 0);
}

static int begin_next(struct journal_file *journal, int folder)
{
	int fd = openat(folder, TEMPORARY,
		O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	int error;

	if (fd < 0)
		return -errno;
	(void)pthread_mutex_lock(&journal->lock);
	error = write_all(journal, fd, &journal->next_seq);
	journal->next_fd = fd;
	(void)pthread_mutex_unlock(&journal->lock);
	return error;
}

int journal_rewrite(struct journal_file *journal, bool durably)
{
	int folder = object_folder(journal->options.object);
	int error = begin_next(journal, folder);

	if (error == 0 && durably && fdatasync(journal->next_fd) != 0)
		error = -errno;
	if (error == 0 && renameat(folder, TEMPORARY, folder, JOURNAL_NAME) != 0)
		error = -errno;
	if (error != 0) {
		forget_next(journal, folder);
		return error;
	}
	(void)pthread_mutex_lock(&journal->lock);
	if (journal->fd >= 0)
		(void)close(journal->fd);
	journal->fd = journal->next_fd;
	journal->seq = journal->next_seq;
	journal->begun = journal->seq;
	journal->next_fd = -1;
	(void)pthread_mutex_unlock(&journal->lock);
	return durably && fsync(folder) != 0 ? -errno : 0;
}

/* The runs that have become durable; but for chunks that were written again meanwhile. */
static void record_durable(struct journal_file *journal)
{
	struct journal_map synced = {
		.nchunks = journal->map.nchunks,
		.written = journal->syncing, /* one kind is enough */
		.durable = journal->syncing,
	};
	struct journal_record record;
	uint32_t next = 0;

	(void)pthread_mutex_lock(&journal->lock);
	for (size_t i = 0; i < BITMAP_WORDS(synced.nchunks); i++)
		journal->syncing[i] &= ~journal->pending[i];
	while (journal_next_run(&synced, &next, &record)) {
		journal_apply(&journal->map, &record);
		journal_append(journal, &record);
	}
	(void)pthread_mutex_unlock(&journal->lock);
}

/* Those who write chunks append to it meanwhile. */
static bool has_grown(struct journal_file *journal)
{
	bool grown;

	(void)pthread_mutex_lock(&journal->lock);
	grown = journal->seq > journal->begun + GROWN;
	(void)pthread_mutex_unlock(&journal->lock);
	return grown;
}

void journal_sync(struct journal_file *journal)
{
	struct store_object *object = journal->options.object;
	uint32_t nchunks = journal->map.nchunks;
	uint64_t bytes;
	int error;

	(void)pthread_mutex_lock(&journal->lock);
	memcpy(journal->syncing, journal->pending,
		BITMAP_WORDS(nchunks) * sizeof(*journal->syncing));
	bitmap_zero(journal->pending, nchunks);
	bytes = journal->pending_bytes;
	journal->pending_bytes = 0;
	(void)pthread_mutex_unlock(&journal->lock);
	if (bytes == 0 || atomic_load(&journal->error) != 0)
		return;
	/* at first also the names of the files, their table and the journal */
	error = journal->has_synced ? object_sync(object, journal->syncing)
				    : object_sync_all(object);
	if (error != 0) {
		atomic_store(&journal->error, error);
		return;
	}
	journal->has_synced = true;
	record_durable(journal);
	/* not needed for what is recorded to be true, so a failure costs nothing but the
	 * record */
	(void)fdatasync(journal->fd);
	if (has_grown(journal))
		(void)journal_rewrite(journal, true);
}

/* Until there is enough to sync, or what there is has waited long enough. */
static void wait_for_work(struct journal_file *journal)
{
	struct timespec until;
	int rc = 0;

	while (!journal->stop && journal->pending_bytes == 0)
		(void)pthread_cond_wait(&journal->wake, &journal->lock);
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += SYNC_EVERY_S;
	while (!journal->stop && journal->pending_bytes < JOURNAL_SYNC_BYTES && rc == 0)
		rc = pthread_cond_timedwait(&journal->wake, &journal->lock, &until);
}

static void *sync_often(void *context)
{
	struct journal_file *journal = context;
	bool stop = false;

	(void)pthread_setname_np(pthread_self(), "snapline-sync");
	while (!stop) {
		(void)pthread_mutex_lock(&journal->lock);
		wait_for_work(journal);
		stop = journal->stop;
		(void)pthread_mutex_unlock(&journal->lock);
		if (!stop)
			journal_sync(journal);
	}
	return NULL;
}

/* Signals belong to the control thread. */
int journal_start_thread(struct journal_file *journal)
{
	sigset_t all, old;
	int rc;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&journal->thread, NULL, sync_often, journal);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -rc;
}
