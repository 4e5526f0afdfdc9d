/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/node/engine_queue.h"

void engine_queue_init(struct engine_queue *queue, uv_loop_t *loop, struct engine *engine)
{
	*queue = (struct engine_queue){.loop = loop, .engine = engine};
	queue->last = &queue->first;
	queue->work.data = queue;
}

static void run(uv_work_t *work)
{
	struct engine_queue *queue = work->data;

	queue->running->work(queue->running, queue->engine);
}

static void after_run(uv_work_t *work, int status);

static void start_next(struct engine_queue *queue)
{
	queue->running = queue->first;
	if (queue->running == NULL)
		return;
	queue->first = queue->running->next;
	if (queue->first == NULL)
		queue->last = &queue->first;
	/* fails only for a NULL callback */
	(void)uv_queue_work(queue->loop, &queue->work, run, after_run);
}

static void after_run(uv_work_t *work, int status)
{
	struct engine_queue *queue = work->data;
	struct engine_job *job = queue->running;

	(void)status;
	start_next(queue);
	job->done(job);
}

void engine_queue_add(struct engine_queue *queue, struct engine_job *job)
{
	job->next = NULL;
	*queue->last = job;
	queue->last = &job->next;
	if (queue->running == NULL)
		start_next(queue);
}

bool engine_queue_is_idle(const struct engine_queue *queue)
{
	return queue->running == NULL;
}
