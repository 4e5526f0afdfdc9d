/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls into the Raft engine, one after another, off the loop: its functions may block,
 * and are never called two at once. */
#ifndef ENGINE_QUEUE_H
#define ENGINE_QUEUE_H

#include <uv.h>

#include "control/node/engine.h"

/* Embedded in what it is about; free for reuse when `done` is called. */
struct engine_job {
	struct engine_job *next;
	void (*work)(struct engine_job *job, struct engine *engine); /* thread pool */
	void (*done)(struct engine_job *job);                        /* loop */
};

struct engine_queue {
	uv_loop_t *loop;
	struct engine *engine;
	uv_work_t work;
	struct engine_job *running;
	struct engine_job *first; /* waiting */
	struct engine_job **last;
};

void engine_queue_init(
	struct engine_queue *queue, uv_loop_t *loop, struct engine *engine);
void engine_queue_add(struct engine_queue *queue, struct engine_job *job);
bool engine_queue_is_idle(const struct engine_queue *queue);

#endif
