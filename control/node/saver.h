/* SPDX-License-Identifier: BSD-3-Clause */
/* Takes one snapshot of the state machine, in the steps the executor decides on.
 *
 *   saver_start ─► temp, on_snapshot_save ─► (snapline_save_done) ─► on_saved
 *   then saver_commit ─► on_committed, or saver_abort ─► gone
 *
 * The user's functions and the disk run off the loop; the callbacks on it. */
#ifndef SAVER_H
#define SAVER_H

#include "control/node/engine.h"
#include "control/node/engine_queue.h"
#include "control/node/mailbox.h"

struct saver;

struct saver_options {
	uv_loop_t *loop;
	struct mailbox *mailbox; /* outlives the saver */
	struct engine_queue *queue;
	struct storage *storage;
	/* The state machine is done, or the saver has nothing to commit: then fault says
	 * why and the saver waits for saver_abort. Otherwise index and term are what it
	 * saved. */
	void (*on_saved)(void *ctx, const struct fault *fault, struct log_id saved);
	/* Durable, or not; the saver is gone. */
	void (*on_committed)(void *ctx, const struct fault *fault);
	void *ctx;
};

/* Returns 0 or -ENOMEM. */
int saver_start(struct saver **saver, const struct saver_options *options);
void saver_commit(struct saver *saver);
void saver_abort(struct saver *saver);

#endif
