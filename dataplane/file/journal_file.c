/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/file/journal_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/base/bitmap.h"
#include "dataplane/base/log.h"
#include "dataplane/base/units.h"
#include "dataplane/file/journal_state.h"
#include "dataplane/file/object.h"
#include "dataplane/file/store_file.h"

int journal_write(int fd, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t done = write(fd, bytes, len);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done == 0 ? -EIO : -errno;
		bytes += done;
		len -= (size_t)done;
	}
	return 0;
}

/* The copy goes on without: all that is recorded stays true. */
static void give_up(struct journal_file *journal, int error)
{
	if (journal->is_broken)
		return;
	journal->is_broken = true;
	log_line(LOG_WARN, "journal",
		"event=stopped err=\"%s\" text=\"the copy goes on; interrupted, what "
		"comes from here on is sent again\"",
		strerror(-error));
}

void journal_append(struct journal_file *journal, struct journal_record *record)
{
	uint8_t bytes[JOURNAL_RECORD_LEN];
	int error;

	if (journal->is_broken)
		return;
	record->seq = ++journal->seq;
	journal_encode_record(bytes, record);
	error = journal_write(journal->fd, bytes, sizeof(bytes));
	if (error == 0 && journal->next_fd >= 0) {
		record->seq = ++journal->next_seq;
		journal_encode_record(bytes, record);
		error = journal_write(journal->next_fd, bytes, sizeof(bytes));
	}
	if (error != 0)
		give_up(journal, error);
}

int journal_file_note(struct journal_file *journal, uint32_t chunk)
{
	struct journal_record record = {
		.first = chunk, .count = 1, .kind = JOURNAL_WRITTEN};
	const struct manifest *manifest = object_manifest(journal->options.object);

	(void)pthread_mutex_lock(&journal->lock);
	journal_apply(&journal->map, &record);
	journal_append(journal, &record);
	if (journal->options.sync) {
		bitmap_set(journal->pending, chunk);
		if (journal->pending_bytes == 0)
			(void)pthread_cond_signal(&journal->wake);
		journal->pending_bytes += manifest_chunk_len(manifest, chunk);
		if (journal->pending_bytes >= JOURNAL_SYNC_BYTES)
			(void)pthread_cond_signal(&journal->wake);
	}
	(void)pthread_mutex_unlock(&journal->lock);
	return atomic_load(&journal->error);
}

static int make_maps(struct journal_file *journal, const struct journal_map *begin)
{
	uint32_t nchunks = journal->options.header.nchunks;
	size_t words = BITMAP_WORDS(nchunks) + 1;

	journal->map.nchunks = nchunks;
	journal->map.written = calloc(words, sizeof(uint64_t));
	journal->map.durable = calloc(words, sizeof(uint64_t));
	journal->pending = calloc(words, sizeof(uint64_t));
	journal->syncing = calloc(words, sizeof(uint64_t));
	if (journal->map.written == NULL || journal->map.durable == NULL ||
		journal->pending == NULL || journal->syncing == NULL)
		return -ENOMEM;
	if (begin == NULL)
		return 0;
	assert(begin->nchunks == nchunks);
	words = BITMAP_WORDS(nchunks) * sizeof(uint64_t);
	memcpy(journal->map.written, begin->written, words);
	memcpy(journal->map.durable, begin->durable, words);
	if (!journal->options.sync)
		return 0;
	/* found by reading: the first sync makes it durable */
	memcpy(journal->pending, begin->written, words);
	journal->pending_bytes = bitmap_count(begin->written, nchunks);
	return 0;
}

static void destroy(struct journal_file *journal)
{
	if (journal->fd >= 0)
		(void)close(journal->fd);
	(void)pthread_mutex_destroy(&journal->lock);
	(void)pthread_cond_destroy(&journal->wake);
	free(journal->map.written);
	free(journal->map.durable);
	free(journal->pending);
	free(journal->syncing);
	free(journal);
}

static void init_locks(struct journal_file *journal)
{
	pthread_condattr_t monotonic;

	(void)pthread_mutex_init(&journal->lock, NULL);
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&journal->wake, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
}

int journal_file_open(struct journal_file **journal,
	const struct journal_file_options *options, struct fault *fault)
{
	struct journal_file *made = calloc(1, sizeof(*made));
	int error = -ENOMEM;

	if (made == NULL)
		return fault_set(fault, error, "no memory for a journal");
	made->options = *options;
	made->options.begin = NULL; /* the caller's, and only for now */
	made->fd = -1;
	made->next_fd = -1;
	init_locks(made);
	error = make_maps(made, options->begin);
	if (error == 0)
		error = journal_rewrite(made, false);
	if (error == 0)
		error = journal_start_thread(made);
	if (error != 0) {
		destroy(made);
		return fault_set(fault, error,
			"cannot begin the journal of %s: %s; free space and memory, or "
			"raise `ulimit -u`",
			object_path(options->object), strerror(-error));
	}
	object_set_journal(options->object, made);
	*journal = made;
	return 0;
}

int journal_file_close(struct journal_file *journal, bool sync, struct fault *fault)
{
	struct store_object *object = journal->options.object;
	struct fault met = {0};
	int error;

	object_set_journal(object, NULL);
	(void)pthread_mutex_lock(&journal->lock);
	journal->stop = true;
	(void)pthread_cond_signal(&journal->wake);
	(void)pthread_mutex_unlock(&journal->lock);
	(void)pthread_join(journal->thread, NULL);
	if (sync && journal->options.sync)
		journal_sync(journal);
	error = atomic_load(&journal->error);
	if (error != 0) {
		store_object_get_fault(object, &met);
		(void)fault_set(fault, error, "%s", met.text);
	}
	destroy(journal);
	return error;
}

/* Larger than any that journal_file_open makes grow: whatever it is, it is none of ours.
 */
enum { LOAD_MAX = 256 << 20 };

static int open_journal(int dirfd, uint8_t bytes[static JOURNAL_HEADER_LEN], int *opened)
{
	int fd = openat(
		dirfd, JOURNAL_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t len;

	if (fd < 0)
		return errno == ELOOP ? -EBADMSG : -errno;
	len = pread(fd, bytes, JOURNAL_HEADER_LEN, 0);
	*opened = fd;
	return len == JOURNAL_HEADER_LEN ? 0 : -EBADMSG;
}

int journal_file_peek(int dirfd, struct journal_header *header)
{
	uint8_t bytes[JOURNAL_HEADER_LEN];
	int fd = -1;
	int error = open_journal(dirfd, bytes, &fd);

	if (error == 0)
		error = journal_decode_header(header, bytes, sizeof(bytes));
	if (fd >= 0)
		(void)close(fd);
	return error;
}

static int replay(int fd, struct journal_map *map)
{
	off_t size = lseek(fd, 0, SEEK_END);
	size_t len = size > JOURNAL_HEADER_LEN ? (size_t)size - JOURNAL_HEADER_LEN : 0;
	uint8_t *bytes;
	size_t got = 0;

	if (size < 0 || size > LOAD_MAX)
		return -EBADMSG;
	bytes = malloc(len + 1);
	if (bytes == NULL)
		return -ENOMEM;
	while (got < len) {
		ssize_t done = pread(
			fd, bytes + got, len - got, (off_t)(JOURNAL_HEADER_LEN + got));

		if (done <= 0) /* what can be read counts */
			break;
		got += (size_t)done;
	}
	(void)journal_replay(map, bytes, got);
	free(bytes);
	return 0;
}

int journal_file_load(int dirfd, const struct manifest *manifest, struct journal_map *map)
{
	struct journal_header header;
	uint8_t bytes[JOURNAL_HEADER_LEN];
	int fd = -1;
	int error = open_journal(dirfd, bytes, &fd);

	if (error == 0)
		error = journal_decode_header(&header, bytes, sizeof(bytes));
	if (error == 0 && !journal_is_of(&header, manifest))
		error = -ESTALE;
	if (error == 0)
		error = replay(fd, map);
	if (fd >= 0)
		(void)close(fd);
	return error;
}
