/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/node/saver.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#include "control/node/handles.h"
#include "dataplane/base/log.h"

struct snapline_save {
	struct letter letter; /* first: the letter is the save */
	struct saver *saver;
	struct fault fault;
	_Atomic bool is_done;
};

struct saver {
	struct engine_job job; /* first: the job is the saver */
	struct saver_options options;
	uv_work_t work;
	struct fault fault;
	struct snapline_writer writer;
	struct snapline_save save;
	bool has_returned; /* on_snapshot_save has */
	bool has_word;     /* snapline_save_done came */
};

/* The writer exists, on_snapshot_save has returned and snapline_save_done was called, the
 * last two in either order. */
static void go_on(struct saver *saver)
{
	struct log_id saved = {0};

	saver->fault = saver->save.fault;
	if (saver->fault.code == 0 && !saver->writer.has_meta)
		(void)fault_set(&saver->fault, -EINVAL,
			"on_snapshot_save ended without snapline_writer_set_meta: which "
			"log entry the files belong to is not known");
	if (saver->fault.code == 0)
		saved = (struct log_id){saver->writer.writer->table.meta.index,
			saver->writer.writer->table.meta.term};
	saver->options.on_saved(
		saver->options.ctx, saver->fault.code != 0 ? &saver->fault : NULL, saved);
}

static void on_word(struct letter *letter)
{
	struct snapline_save *save = (struct snapline_save *)letter;
	struct saver *saver = save->saver;

	saver->has_word = true;
	if (saver->has_returned)
		go_on(saver);
}

void snapline_save_done(struct snapline_save *save, int code, const char *text)
{
	/* twice is a bug of the caller's: the first word counts */
	if (atomic_exchange(&save->is_done, true))
		return;
	if (code != 0)
		(void)fault_set(&save->fault, code, "%s",
			text != NULL && text[0] != '\0' ? text : "the save failed");
	save->letter.deliver = on_word;
	if (!mailbox_post(save->saver->options.mailbox, &save->letter))
		log_line(LOG_ERROR, "saver", "event=late text=\"the node is gone\"");
}

static void save(struct engine_job *job, struct engine *engine)
{
	struct saver *saver = (struct saver *)job;

	if (storage_create(
		    saver->options.storage, &saver->writer.writer, &saver->fault) != 0)
		saver->writer.writer = NULL;
	else
		engine->fsm.on_snapshot_save(
			engine->fsm.ctx, &saver->writer, &saver->save);
}

static void after_save(struct engine_job *job)
{
	struct saver *saver = (struct saver *)job;

	saver->has_returned = true;
	if (saver->writer.writer == NULL)
		saver->options.on_saved(
			saver->options.ctx, &saver->fault, (struct log_id){0});
	else if (saver->has_word)
		go_on(saver);
}

int saver_start(struct saver **saver, const struct saver_options *options)
{
	struct saver *made = calloc(1, sizeof(*made));

	if (made == NULL)
		return -ENOMEM;
	made->options = *options;
	made->save.saver = made;
	made->job.work = save;
	made->job.done = after_save;
	*saver = made;
	engine_queue_add(options->queue, &made->job);
	return 0;
}

static void commit_work(uv_work_t *work)
{
	struct saver *saver = work->data;

	(void)storage_writer_commit(saver->writer.writer, &saver->fault);
}

static void after_commit(uv_work_t *work, int status)
{
	struct saver *saver = work->data;
	struct saver_options options = saver->options;
	struct fault fault = saver->fault;

	(void)status;
	free(saver);
	options.on_committed(options.ctx, fault.code != 0 ? &fault : NULL);
}

void saver_commit(struct saver *saver)
{
	saver->work.data = saver;
	/* fails only for a NULL callback */
	(void)uv_queue_work(saver->options.loop, &saver->work, commit_work, after_commit);
}

static void drop(struct engine_job *job, struct engine *engine)
{
	struct saver *saver = (struct saver *)job;

	(void)engine;
	if (saver->writer.writer != NULL)
		storage_abort(saver->writer.writer);
}

static void after_drop(struct engine_job *job)
{
	free(job);
}

/* In the queue: temp is free again before the next save asks for it. */
void saver_abort(struct saver *saver)
{
	saver->job.work = drop;
	saver->job.done = after_drop;
	engine_queue_add(saver->options.queue, &saver->job);
}
