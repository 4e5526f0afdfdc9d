/* SPDX-License-Identifier: BSD-3-Clause */
/* A copy that goes on where another one ended: what is here is believed, checked while
 * the rest comes, and pulled again where it turns out wrong. */
#include <errno.h>
#include <stdlib.h>

#include "control/node/copier_state.h"
#include "control/storage/resume.h"
#include "dataplane/base/bitmap.h"
#include "dataplane/base/log.h"
#include "dataplane/file/journal_file.h"
#include "dataplane/file/store_file.h"

uint64_t copier_found(const struct copier *copier, uint64_t *unchecked)
{
	*unchecked = copier->unchecked;
	return copier->found;
}

int copier_open_files(struct copier *copier, struct fault *fault)
{
	const struct offer *offer = &copier->offer;
	struct resume_journal journal = {
		.manifest = &offer->manifest,
		.group = copier->group_id,
		.index = offer->response.index,
		.term = offer->response.term,
	};
	int err;

	err = store_object_open(
		&copier->object, copier->writer->path, &offer->manifest, fault);
	if (err != 0)
		return err;
	journal.object = copier->object;
	err = resume_open_journal(&copier->journal, copier->writer, &journal, fault);
	if (err == 0)
		err = resume_check_start(
			&copier->check, copier->writer, &offer->manifest, fault);
	if (err == 0 && copier->found > 0)
		log_line(LOG_INFO, "copier",
			"event=resume index=%lld bytes=%llu found=%llu unchecked=%llu",
			(long long)journal.index,
			(unsigned long long)offer->manifest.bytes,
			(unsigned long long)copier->found,
			(unsigned long long)copier->unchecked);
	return err;
}

int copier_close_files(struct copier *copier, bool is_kept, struct fault *fault)
{
	int err = 0;

	if (copier->check != NULL)
		resume_check_close(copier->check);
	copier->check = NULL;
	if (copier->journal != NULL)
		err = journal_file_close(copier->journal, is_kept, fault);
	copier->journal = NULL;
	if (copier->object != NULL)
		store_object_close(copier->object);
	copier->object = NULL;
	return err;
}

/* What was counted as reused and is not. */
static int mark_wrong(struct copier *copier, uint64_t *bytes)
{
	uint32_t nchunks = copier->offer.manifest.nchunks;

	copier->sound = calloc(BITMAP_WORDS(nchunks), sizeof(*copier->sound));
	if (copier->sound == NULL)
		return fault_set(&copier->fault, -ENOMEM, "no memory to pull again");
	for (uint32_t i = 0; i < nchunks; i++)
		bitmap_set(copier->sound, i);
	*bytes = resume_take_wrong(copier->check, copier->sound);
	copier->before = copier->stats;
	copier->before.bytes_reused -= *bytes;
	copier->stats = copier->before;
	return 0;
}

/* The session over the devices has ended; a few chunks come over the control connection.
 */
static int pull_again(struct copier *copier)
{
	uint64_t bytes = 0;

	if (mark_wrong(copier, &bytes) != 0 || copier_repair(copier) != 0) {
		copier->is_own_fault = true;
		return copier->fault.code;
	}
	log_line(LOG_WARN, "copier",
		"event=again bytes=%llu path=tcp text=\"what an interrupted copy had "
		"left "
		"on the disk was damaged\"",
		(unsigned long long)bytes);
	copier_move(copier, COPIER_MOVING);
	copier_apply_pause(copier);
	return 0;
}

void copier_on_check(struct copier *copier)
{
	uint32_t wrong;

	if (!resume_check_is_done(copier->check))
		return;
	wrong = resume_check_count_wrong(copier->check);
	if (wrong > 0 && pull_again(copier) != 0)
		wrong = 0;
	resume_check_close(copier->check);
	copier->check = NULL;
	if (wrong == 0)
		copier_settle(copier);
}
