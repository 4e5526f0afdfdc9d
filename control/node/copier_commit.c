/* SPDX-License-Identifier: BSD-3-Clause */
/* How a copy ends on disk: committed, or as if it had never been. */
#include <string.h>

#include "control/node/copier_state.h"

void copier_run_work(struct copier *copier, copier_worker work, uv_after_work_cb after)
{
	memset(&copier->work_fault, 0, sizeof(copier->work_fault));
	copier->work.data = copier;
	/* fails only for a NULL callback */
	(void)uv_queue_work(copier->options.loop, &copier->work, work, after);
}

static void abort_work(uv_work_t *work)
{
	struct copier *copier = work->data;

	/* what of the files is on disk, nobody can say then */
	if (copier_close_files(copier, true, NULL) != 0 && copier->writer != NULL)
		copier->writer->keep = false;
	if (copier->writer != NULL)
		storage_abort(copier->writer);
	copier->writer = NULL;
}

static void after_abort(uv_work_t *work, int status)
{
	(void)status;
	copier_close_at_leader(work->data);
}

void copier_abort(struct copier *copier)
{
	copier_move(copier, COPIER_ABORTING);
	copier_run_work(copier, abort_work, after_abort);
}

/* A witness keeps the meta and no file. */
static void commit_meta(struct copier *copier)
{
	struct table table = {.has_meta = true, .meta = copier->offer.table.meta};

	(void)storage_commit(copier->writer, &table, NULL, 0, &copier->work_fault);
}

static void commit_work(uv_work_t *work)
{
	struct copier *copier = work->data;
	const struct offer *offer = &copier->offer;

	if (copier->options.meta_only) {
		commit_meta(copier);
	} else if (copier_close_files(copier, false, &copier->work_fault) != 0) {
		copier->writer->keep = false;
		storage_abort(copier->writer);
	} else {
		(void)storage_commit(copier->writer, &offer->table, offer->manifest_bytes,
			offer->response.manifest_size, &copier->work_fault);
	}
}

static void after_commit(uv_work_t *work, int status)
{
	struct copier *copier = work->data;

	(void)status;
	copier->writer = NULL; /* freed in every case */
	if (copier->work_fault.code != 0) {
		copier->fault = copier->work_fault;
		copier->is_own_fault = true;
	}
	copier_close_at_leader(copier);
}

void copier_commit(struct copier *copier)
{
	copier_move(copier, COPIER_COMMITTING);
	copier_run_work(copier, commit_work, after_commit);
}
