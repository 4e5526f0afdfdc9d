/* SPDX-License-Identifier: BSD-3-Clause */
/* The inside of a journal, for journal_*.c only. */
#ifndef JOURNAL_STATE_H
#define JOURNAL_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "dataplane/file/journal_file.h"

enum { JOURNAL_SYNC_BYTES = 64 << 20 };

struct journal_file {
	struct journal_file_options options;
	pthread_t thread;
	pthread_cond_t wake;
	pthread_mutex_t lock; /* guards all below */
	int fd;               /* at the end of the journal */
	int next_fd; /* of the one that will replace it, -1: none; records go to both */
	uint64_t seq;
	uint64_t next_seq;
	uint64_t begun; /* seq when it was last rewritten */
	struct journal_map map;
	uint64_t *pending; /* written, and no sync has begun since */
	uint64_t pending_bytes;
	uint64_t *syncing; /* the thread's own, as is the next */
	bool has_synced;
	bool is_broken; /* nothing is appended any more */
	bool stop;
	_Atomic int error; /* of a sync; the files are not to be trusted */
};

int journal_write(int fd, const uint8_t *bytes, size_t len);

/* With the lock held. */
void journal_append(struct journal_file *journal, struct journal_record *record);

/* Puts a new journal of the map in place of the old one, if there is one. durably: before
 * the old one is gone. Returns 0 or an errno; the old one is then as it was. */
int journal_rewrite(struct journal_file *journal, bool durably);

int journal_start_thread(struct journal_file *journal);
/* Makes durable what was written, then says so. On one thread at a time. */
void journal_sync(struct journal_file *journal);

#endif
