/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/storage/resume.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "control/storage/checksum.h"
#include "control/storage/state.h"
#include "control/storage/writer.h"
#include "dataplane/base/bitmap.h"
#include "dataplane/base/log.h"
#include "dataplane/file/journal_file.h"

struct resume_check {
	const struct manifest *manifest;
	pthread_t thread;
	int dirfd;
	struct checksum sum;
	uint64_t *believed; /* a copy; what is right is cleared */
	_Atomic uint64_t left;
	_Atomic bool is_done;
	_Atomic bool stop;
};

int resume_open_journal(struct journal_file **journal,
	const struct storage_writer *writer, const struct resume_journal *copy,
	struct fault *fault)
{
	uint32_t nchunks = copy->manifest->nchunks;
	struct journal_map begin = {.nchunks = nchunks, .durable = writer->believed};
	struct journal_file_options options = {
		.object = copy->object,
		.begin = writer->have != NULL ? &begin : NULL,
		.sync = state_options(writer->storage).sync,
	};
	int error;

	begin.written = calloc(BITMAP_WORDS(nchunks) + 1, sizeof(*begin.written));
	if (begin.written == NULL)
		return fault_set(fault, -ENOMEM, "no memory for a journal");
	for (size_t i = 0; i < BITMAP_WORDS(nchunks) && writer->have != NULL; i++)
		begin.written[i] = writer->have[i] & ~writer->believed[i];
	journal_describe(
		&options.header, copy->manifest, copy->group, copy->index, copy->term);
	error = journal_file_open(journal, &options, fault);
	free(begin.written);
	return error;
}

static bool is_right(struct resume_check *check, uint32_t chunk)
{
	const struct manifest_leaf *want = &check->manifest->leaves[chunk];
	struct manifest_leaf leaf;
	struct fault why = {0};

	if (checksum_chunk(&check->sum, chunk, &leaf, &why) == 0 &&
		leaf.crc32c == want->crc32c && leaf.crc64 == want->crc64 &&
		leaf.flags == want->flags)
		return true;
	log_line(LOG_WARN, "resume",
		"event=wrong chunk=%u text=\"the journal tells of it, and it is not "
		"there%s%.200s: it will be sent again\"",
		chunk, why.code != 0 ? ": " : "", why.text);
	return false;
}

/* What moves the snapshot comes first. */
static void be_nice(void)
{
	enum { IOPRIO_WHO_PROCESS = 1, IOPRIO_BEST_EFFORT_LAST = 2 << 13 | 7 };

	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), 19);
	(void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_BEST_EFFORT_LAST);
}

static void *check_all(void *context)
{
	struct resume_check *check = context;

	(void)pthread_setname_np(pthread_self(), "snapline-verify");
	be_nice();
	for (uint32_t i = 0; i < check->manifest->nchunks && !atomic_load(&check->stop);
		i++) {
		if (!bitmap_test(check->believed, i))
			continue;
		if (is_right(check, i))
			bitmap_clear(check->believed, i);
		atomic_fetch_sub(&check->left, manifest_chunk_len(check->manifest, i));
	}
	atomic_store(&check->is_done, true);
	return NULL;
}

/* Signals belong to the control thread. */
static int start_thread(struct resume_check *check)
{
	sigset_t all, old;
	int rc;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&check->thread, NULL, check_all, check);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -rc;
}

static uint64_t bytes_of(const uint64_t *chunks, const struct manifest *manifest)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < manifest->nchunks; i++)
		if (bitmap_test(chunks, i))
			bytes += manifest_chunk_len(manifest, i);
	return bytes;
}

int resume_check_start(struct resume_check **check, const struct storage_writer *writer,
	const struct manifest *manifest, struct fault *fault)
{
	size_t words = BITMAP_WORDS(manifest->nchunks);
	struct resume_check *made;
	int error;

	*check = NULL;
	if (writer->believed == NULL ||
		bitmap_count(writer->believed, manifest->nchunks) == 0)
		return 0;
	made = calloc(1, sizeof(*made));
	if (made == NULL)
		return fault_set(fault, -ENOMEM, "no memory to check what is here");
	made->manifest = manifest;
	made->believed = calloc(words, sizeof(*made->believed));
	if (made->believed == NULL) {
		error = fault_set(fault, -ENOMEM, "no memory to check what is here");
		goto free_made;
	}
	memcpy(made->believed, writer->believed, words * sizeof(*made->believed));
	atomic_store(&made->left, bytes_of(made->believed, manifest));
	error = writer_open_temp(writer, &made->dirfd, fault);
	if (error != 0)
		goto free_believed;
	error = checksum_open(&made->sum, made->dirfd, manifest, fault);
	if (error != 0)
		goto close_dir;
	error = start_thread(made);
	if (error == 0) {
		*check = made;
		return 0;
	}
	(void)fault_set(fault, error,
		"no thread to check what is here: %s; raise `ulimit -u`",
		strerror(-error));
	checksum_close(&made->sum);
close_dir:
	close(made->dirfd);
free_believed:
	free(made->believed);
free_made:
	free(made);
	return error;
}

bool resume_check_is_done(const struct resume_check *check)
{
	return atomic_load(&check->is_done);
}

uint64_t resume_check_left(const struct resume_check *check)
{
	return atomic_load(&check->left);
}

uint32_t resume_check_count_wrong(const struct resume_check *check)
{
	return bitmap_count(check->believed, check->manifest->nchunks);
}

uint64_t resume_take_wrong(struct resume_check *check, uint64_t *have)
{
	for (size_t i = 0; i < BITMAP_WORDS(check->manifest->nchunks); i++)
		have[i] &= ~check->believed[i];
	return bytes_of(check->believed, check->manifest);
}

void resume_check_close(struct resume_check *check)
{
	atomic_store(&check->stop, true);
	(void)pthread_join(check->thread, NULL);
	checksum_close(&check->sum);
	close(check->dirfd);
	free(check->believed);
	free(check);
}
