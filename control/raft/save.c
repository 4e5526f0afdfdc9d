/* SPDX-License-Identifier: BSD-3-Clause */
/* The engine's own snapshots: frozen on the loop, written by Snapline's thread.
 *
 *   fsm.snapshot ─► async_work ─► Snapline: save, commit ─► news ─► fsm.snapshot_async
 *     freeze                                                          ─► snapshot_put
 *
 * All replicas save at the same indexes, multiples of the threshold: equal indexes give
 * equal files, and a follower goes on where it was when the leader changes.
 *
 * libraft means async_work for a thread that waits; Snapline has one already. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/raft/adapter.h"
#include "dataplane/base/log.h"

enum {
	WAIT_MIN =
		1000, /* ms until a save that failed is tried again, doubled each time */
	WAIT_MAX = 60000, /* ms */
};

/* The last index before this one at which every replica saves, 0: none. libraft asks when
 * a batch of entries has been applied, and batches end elsewhere on each replica. */
static int64_t round_down(const struct snapline_raft *snapline, int64_t index)
{
	return index - index % (int64_t)snapline->raft->snapshot.threshold;
}

void save_forget_early(struct snapline_raft *snapline)
{
	if (snapline->early != NULL)
		snapline->user.thaw(snapline->user.ctx, snapline->early);
	snapline->early = NULL;
}

void save_before_apply(struct snapline_raft *snapline, int64_t index)
{
	int64_t round = round_down(snapline, index - 1);

	/* the state has been that of the round index since the last command */
	if (round > 0 && snapline->last_command <= round && snapline->frozen == NULL &&
		(raft_index)round > snapline->raft->log.snapshot.last_index) {
		save_forget_early(snapline);
		if (snapline->user.freeze(snapline->user.ctx, &snapline->early) == 0)
			snapline->early_index = round;
		else
			snapline->early = NULL;
	}
	snapline->last_command = index;
}

/* Term of an entry that is in the log, else 0. */
static raft_term term_at(const struct raft_log *log, raft_index index)
{
	size_t count =
		log->size == 0 ? 0 : (log->back + log->size - log->front) % log->size;

	if (index <= log->offset || index > log->offset + count)
		return 0;
	return log->entries[(log->front + (size_t)(index - log->offset - 1)) % log->size]
		.term;
}

/* Whether the engine's snapshot may be one of the round index instead: the members are
 * those of that index, too. */
static bool may_round(const struct snapline_raft *snapline, int64_t round)
{
	const struct raft *raft = snapline->raft;

	return (raft_index)round > raft->log.snapshot.last_index &&
	       raft->snapshot.pending.configuration_index <= (raft_index)round &&
	       raft->configuration_uncommitted_index == 0 &&
	       term_at(&raft->log, (raft_index)round) != 0 &&
	       (snapline->last_command <= round ||
		       (snapline->early != NULL && snapline->early_index == round));
}

/* Now or not at all: the engine asks again after the next entries. An index that is no
 * round one is taken only when round ones have been missed for long. */
static bool is_time(const struct snapline_raft *snapline, bool is_round)
{
	const struct raft *raft = snapline->raft;
	int64_t index = (int64_t)raft->snapshot.pending.index;
	int64_t since = index - (int64_t)raft->log.snapshot.last_index;

	/* after a crash between two commits the state may be ahead of the engine */
	return index >= snapline->state_index && snapline->frozen == NULL &&
	       snapline->inner->time(snapline->inner) >= snapline->save_at &&
	       (is_round || since >= 2 * (int64_t)raft->snapshot.threshold);
}

static int freeze(struct snapline_raft *snapline, int64_t round)
{
	if (snapline->early != NULL && snapline->early_index == round) {
		snapline->frozen = snapline->early;
		snapline->early = NULL;
		return 0;
	}
	return snapline->user.freeze(snapline->user.ctx, &snapline->frozen);
}

static int on_snapshot(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n_bufs)
{
	struct snapline_raft *snapline = fsm->data;
	struct raft_snapshot *pending = &snapline->raft->snapshot.pending;
	int64_t round = round_down(snapline, (int64_t)pending->index);
	bool is_round = may_round(snapline, round);
	int err;

	*bufs = NULL;
	*n_bufs = 0;
	if (!is_time(snapline, is_round))
		return RAFT_BUSY;
	if (atomic_load(&snapline->applied) < (int64_t)pending->index)
		atomic_store(&snapline->applied, (int64_t)pending->index);
	if (is_round) {
		pending->index = (raft_index)round;
		pending->term = term_at(&snapline->raft->log, pending->index);
	} else {
		round = 0;
	}
	err = freeze(snapline, round);
	if (err != 0) {
		log_line(LOG_WARN, "raft", "event=freeze_failed text=\"%s\"",
			strerror(-err));
		snapline->frozen = NULL;
		return RAFT_BUSY;
	}
	snapline->saving = (struct reference){
		.index = (int64_t)pending->index, .term = (int64_t)pending->term};
	return 0;
}

/* Snapline's thread, between the commit and the news: no later save can have begun. */
static int read_back(struct snapline_raft *snapline, struct reference *saved)
{
	struct snapline_reader *reader;
	struct snapline_meta meta;
	int err = snapline_reader_open(snapline->node, &reader, NULL);

	if (err != 0)
		return -err;
	snapline_reader_meta(reader, &meta);
	snapline_reader_root(reader, saved->root);
	snapline_reader_close(reader);
	return meta.index == saved->index ? 0 : ESTALE;
}

/* Snapline's thread. */
static void on_saved(void *ctx, int code, const char *text)
{
	struct snapline_raft *snapline = ctx;
	struct news *news = &snapline->news;
	struct reference saved = snapline->saving;

	if (code == 0) {
		code = read_back(snapline, &saved);
		text = "the store holds another snapshot";
	}
	uv_mutex_lock(&snapline->lock);
	news->is_saved = true;
	news->save_code = code;
	news->saved = saved;
	(void)snprintf(news->save_text, sizeof(news->save_text), "%s", text);
	uv_mutex_unlock(&snapline->lock);
	(void)uv_async_send(&snapline->async);
}

int save_async_work(
	struct raft_io *io, struct raft_io_async_work *req, raft_io_async_work_cb cb)
{
	struct snapline_raft *snapline = io->impl;

	if (snapline->is_closing)
		return RAFT_CANCELED;
	snapline->work = req;
	snapline->worked = cb;
	snapline_do_snapshot(snapline->node, on_saved, snapline);
	return 0;
}

static void put_off(struct snapline_raft *snapline)
{
	unsigned wait = snapline->save_wait;

	wait = wait == 0 ? WAIT_MIN : wait * 2;
	snapline->save_wait = wait < WAIT_MAX ? wait : WAIT_MAX;
	snapline->save_at = snapline->inner->time(snapline->inner) + snapline->save_wait;
}

void save_on_news(struct snapline_raft *snapline, const struct news *news)
{
	struct raft_io_async_work *work = snapline->work;
	int status = RAFT_IOERR;

	snapline->work = NULL;
	snapline->saving = news->saved;
	if (news->save_code == 0) {
		snapline->save_wait = 0;
		status = work->work(work); /* on_snapshot_async */
	} else {
		put_off(snapline);
		log_line(LOG_WARN, "raft",
			"event=save_failed index=%lld retry_ms=%u text=\"%s\"",
			(long long)news->saved.index, snapline->save_wait,
			news->save_text);
	}
	snapline->worked(work, status);
}

/* What libraft stores: some bytes that name the snapshot. */
static int on_snapshot_async(
	struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n_bufs)
{
	const struct snapline_raft *snapline = fsm->data;
	struct raft_buffer *made = raft_malloc(sizeof(*made));
	uint8_t *bytes = NULL;
	int rv = RAFT_NOMEM;

	if (made == NULL)
		return rv;
	if (reference_encode(&snapline->saving, &bytes, &made->len) != 0)
		goto free_made;
	made->base = raft_malloc(made->len);
	if (made->base == NULL)
		goto free_bytes;
	memcpy(made->base, bytes, made->len);
	free(bytes);
	*bufs = made;
	*n_bufs = 1;
	return 0;
free_bytes:
	free(bytes);
free_made:
	raft_free(made);
	return rv;
}

static int on_finalize(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n_bufs)
{
	struct snapline_raft *snapline = fsm->data;

	if (*n_bufs > 0)
		raft_free((*bufs)[0].base);
	raft_free(*bufs);
	*bufs = NULL;
	*n_bufs = 0;
	if (snapline->frozen != NULL)
		snapline->user.thaw(snapline->user.ctx, snapline->frozen);
	snapline->frozen = NULL;
	return 0;
}

/* "ip:port" of libraft as braft's "ip:port:0:role". An address that is none is left out:
 * the members that count are in libraft's own files. */
static int set_meta(struct snapline_raft *snapline, struct snapline_writer *writer)
{
	const struct raft_configuration *members =
		&snapline->raft->snapshot.pending.configuration;
	char(*texts)[PEER_ID_TEXT_MAX] = calloc(members->n + 1, sizeof(*texts));
	const char **peers = calloc(members->n + 1, sizeof(*peers));
	struct snapline_meta meta = {
		.index = snapline->saving.index, .term = snapline->saving.term};
	int err = -ENOMEM;

	if (texts == NULL || peers == NULL)
		goto free_both;
	for (unsigned i = 0; i < members->n; i++) {
		struct peer_id peer;

		if (peer_id_parse(&peer, members->servers[i].address, NULL) != 0)
			continue;
		peer_id_format(&peer, texts[meta.npeers]);
		peers[meta.npeers] = texts[meta.npeers];
		meta.npeers++;
	}
	meta.peers = peers;
	err = snapline_writer_set_meta(writer, &meta);
free_both:
	free(peers);
	free(texts);
	return err;
}

void save_on_snapshot_save(
	void *ctx, struct snapline_writer *writer, struct snapline_save *save)
{
	struct snapline_raft *snapline = ctx;
	char why[400];
	int err;

	if (snapline->frozen == NULL) {
		snapline_save_done(save, -EBUSY, "libraft decides when to save");
		return;
	}
	err = set_meta(snapline, writer);
	if (err == 0)
		err = snapline->user.save(snapline->user.ctx, snapline->frozen, writer);
	if (err != 0)
		(void)snprintf(why, sizeof(why),
			"the state machine cannot save to %.300s: %s",
			snapline_writer_path(writer), strerror(-err));
	snapline_save_done(save, err, err != 0 ? why : NULL);
}

void save_init(struct snapline_raft *snapline)
{
	snapline->fsm.snapshot = on_snapshot;
	snapline->fsm.snapshot_async = on_snapshot_async;
	snapline->fsm.snapshot_finalize = on_finalize;
}
