/* SPDX-License-Identifier: BSD-3-Clause */
/* One member of a group in the tests of the public header: a state machine (a sum) and a
 * log (terms) in memory. */
#ifndef API_MEMBER_H
#define API_MEMBER_H

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <snapline.h>

enum {
	LOG_MAX = 1024,
	BALLAST_PIECE = 4096, /* bytes written at once */
};

struct member {
	struct snapline_node *node; /* NULL: not running */
	char store[128];
	char peer_id[64];
	pthread_mutex_t lock; /* of all that follows */
	/* the log */
	int64_t first;
	int64_t last; /* first - 1: empty */
	int64_t terms[LOG_MAX];
	int resets;
	int log_result; /* of truncate_prefix */
	/* the state machine: the sum of the applied indexes */
	int64_t applied;
	int64_t sum;
	size_t ballast; /* bytes that make the snapshot large */
	int saves;
	int loads;
	int load_result;
	int uri_result;   /* of snapline_reader_uri in on_snapshot_load */
	bool holds_saves; /* on_snapshot_save returns with nothing said */
	int save_result;  /* 0, or the code the save ends with */
	bool forgets_meta;
	struct snapline_writer *held_writer;
	struct snapline_save *held;
	int nerrors;
	struct snapline_error error;
	bool is_blocked; /* on_snapshot_load waits for it to fall */
	bool is_loading;
};

static inline void nap(void)
{
	const struct timespec ms = {.tv_nsec = 1000000};

	(void)nanosleep(&ms, NULL);
}

/* ---- the log */

static inline int64_t log_first(void *ctx)
{
	struct member *member = ctx;
	int64_t first;

	(void)pthread_mutex_lock(&member->lock);
	first = member->first;
	(void)pthread_mutex_unlock(&member->lock);
	return first;
}

static inline int64_t log_last(void *ctx)
{
	struct member *member = ctx;
	int64_t last;

	(void)pthread_mutex_lock(&member->lock);
	last = member->last < member->first ? 0 : member->last;
	(void)pthread_mutex_unlock(&member->lock);
	return last;
}

/* Every entry has a hundred bytes. */
static inline uint64_t log_bytes_from(void *ctx, int64_t first)
{
	int64_t last = log_last(ctx);

	return last < first ? 0 : (uint64_t)(last - first + 1) * 100;
}

static inline int64_t log_term_at(void *ctx, int64_t index)
{
	struct member *member = ctx;
	int64_t term = 0;

	(void)pthread_mutex_lock(&member->lock);
	if (index >= member->first && index <= member->last)
		term = member->terms[index];
	(void)pthread_mutex_unlock(&member->lock);
	return term;
}

static inline int log_truncate(void *ctx, int64_t first_kept)
{
	struct member *member = ctx;
	int result;

	(void)pthread_mutex_lock(&member->lock);
	result = member->log_result;
	if (result == 0) {
		member->first = first_kept;
		if (member->last < first_kept - 1)
			member->last = first_kept - 1;
	}
	(void)pthread_mutex_unlock(&member->lock);
	return result;
}

static inline int log_reset(void *ctx, int64_t next_index)
{
	struct member *member = ctx;

	(void)pthread_mutex_lock(&member->lock);
	member->resets++;
	member->first = next_index;
	member->last = next_index - 1;
	(void)pthread_mutex_unlock(&member->lock);
	return 0;
}

/* ---- the state machine */

static inline int64_t fsm_applied(void *ctx)
{
	struct member *member = ctx;
	int64_t applied;

	(void)pthread_mutex_lock(&member->lock);
	applied = member->applied;
	(void)pthread_mutex_unlock(&member->lock);
	return applied;
}

static inline bool write_ballast(const char *dir, size_t len, int64_t seed)
{
	char piece[BALLAST_PIECE];
	char path[256];
	FILE *file;
	uint64_t x = (uint64_t)seed * 2654435761U + 1;

	(void)snprintf(path, sizeof(path), "%s/ballast", dir);
	file = fopen(path, "w");
	if (file == NULL)
		return false;
	for (size_t done = 0; done < len; done += sizeof(piece)) {
		for (size_t i = 0; i < sizeof(piece); i++) {
			x = x * 6364136223846793005ULL + 1442695040888963407ULL;
			piece[i] = (char)(x >> 56);
		}
		if (fwrite(piece, sizeof(piece), 1, file) != 1)
			break;
	}
	return fclose(file) == 0;
}

/* What a program does in on_snapshot_save, now or later. Returns 0 or -errno. */
static inline int write_state(struct member *member, struct snapline_writer *writer)
{
	const char *peers[] = {"127.0.0.1:1:0:0", "127.0.0.1:2:0:0"};
	struct snapline_meta meta = {.peers = peers, .npeers = 2};
	char path[256];
	FILE *file;
	int err;

	(void)pthread_mutex_lock(&member->lock);
	meta.index = member->applied;
	meta.term = member->terms[member->applied];
	(void)pthread_mutex_unlock(&member->lock);
	(void)snprintf(path, sizeof(path), "%s/state", snapline_writer_path(writer));
	file = fopen(path, "w");
	if (file == NULL)
		return -errno;
	(void)fprintf(file, "%" PRId64 " %" PRId64 "\n", meta.index, member->sum);
	if (fclose(file) != 0)
		return -errno;
	err = snapline_writer_add_file(writer, "state", NULL);
	if (err == 0 && member->ballast > 0) {
		if (!write_ballast(
			    snapline_writer_path(writer), member->ballast, meta.index))
			return -EIO;
		err = snapline_writer_add_file(writer, "ballast", NULL);
	}
	if (err == 0 && !member->forgets_meta)
		err = snapline_writer_set_meta(writer, &meta);
	return err;
}

static inline void end_save(
	struct member *member, struct snapline_writer *writer, struct snapline_save *save)
{
	int err = write_state(member, writer);

	if (member->save_result != 0)
		snapline_save_done(save, member->save_result, "as the test wants it");
	else
		snapline_save_done(save, err, NULL);
}

static inline void fsm_save(
	void *ctx, struct snapline_writer *writer, struct snapline_save *save)
{
	struct member *member = ctx;
	bool holds;

	(void)pthread_mutex_lock(&member->lock);
	member->saves++;
	holds = member->holds_saves;
	if (holds) {
		member->held_writer = writer;
		member->held = save;
	}
	(void)pthread_mutex_unlock(&member->lock);
	if (!holds)
		end_save(member, writer, save);
}

static inline int fsm_load(void *ctx, const struct snapline_reader *reader)
{
	struct member *member = ctx;
	int64_t applied, sum;
	char path[256];
	FILE *file;
	int found;

	(void)snprintf(path, sizeof(path), "%s/state", snapline_reader_path(reader));
	file = fopen(path, "r");
	if (file == NULL)
		return -errno;
	found = fscanf(file, "%" SCNd64 " %" SCNd64, &applied, &sum);
	(void)fclose(file);
	(void)pthread_mutex_lock(&member->lock);
	member->is_loading = true;
	while (member->is_blocked) {
		(void)pthread_mutex_unlock(&member->lock);
		nap();
		(void)pthread_mutex_lock(&member->lock);
	}
	member->is_loading = false;
	member->loads++;
	member->uri_result = snapline_reader_uri(
		(struct snapline_reader *)(uintptr_t)reader, path, sizeof(path));
	if (found == 2 && member->load_result == 0) {
		member->applied = applied;
		member->sum = sum;
	}
	found = found == 2 ? member->load_result : -EBADMSG;
	(void)pthread_mutex_unlock(&member->lock);
	return found;
}

static inline void fsm_error(void *ctx, const struct snapline_error *error)
{
	struct member *member = ctx;

	(void)pthread_mutex_lock(&member->lock);
	member->nerrors++;
	member->error = *error;
	(void)pthread_mutex_unlock(&member->lock);
}

#endif
