/* SPDX-License-Identifier: BSD-3-Clause */
/* Loading: Snapline's thread reads a snapshot beside the state in use, and the loop only
 * swaps the two. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/raft/adapter.h"
#include "dataplane/base/log.h"

static void discard(struct snapline_raft *snapline, void *state)
{
	if (state != NULL)
		snapline->user.discard(snapline->user.ctx, state);
}

int restore_on_snapshot_load(void *ctx, const struct snapline_reader *reader)
{
	struct snapline_raft *snapline = ctx;
	struct loaded loaded = {.state = NULL};
	struct snapline_meta meta;
	void *old;
	int err = snapline->user.load(snapline->user.ctx, reader, &loaded.state);

	if (err != 0)
		return err;
	snapline_reader_meta(reader, &meta);
	loaded.index = meta.index;
	snapline_reader_root(reader, loaded.root);
	uv_mutex_lock(&snapline->lock);
	old = snapline->loaded.state;
	snapline->loaded = loaded;
	uv_mutex_unlock(&snapline->lock);
	discard(snapline, old);
	return 0;
}

static struct loaded take(struct snapline_raft *snapline)
{
	struct loaded loaded;

	uv_mutex_lock(&snapline->lock);
	loaded = snapline->loaded;
	snapline->loaded.state = NULL;
	uv_mutex_unlock(&snapline->lock);
	return loaded;
}

/* What was read is not what the log goes on from: it is read once more, on the loop. */
static void load_again(struct snapline_raft *snapline)
{
	struct snapline_error error = {0};
	struct snapline_reader *reader;

	if (snapline_reader_open(snapline->node, &reader, &error) != 0) {
		log_line(LOG_ERROR, "raft", "event=no_snapshot text=\"%s\"", error.text);
		return;
	}
	(void)restore_on_snapshot_load(snapline, reader);
	snapline_reader_close(reader);
}

/* The newest snapshot may be newer than the one libraft means: it was committed just
 * before a crash, and the one before is gone. Then the entries in between are skipped. */
static bool is_fit(const struct loaded *loaded, const struct reference *reference)
{
	if (loaded->state == NULL || loaded->index < reference->index)
		return false;
	return loaded->index > reference->index ||
	       memcmp(loaded->root, reference->root, sizeof(loaded->root)) == 0;
}

int restore_fsm(struct raft_fsm *fsm, struct raft_buffer *buf)
{
	struct snapline_raft *snapline = fsm->data;
	struct reference reference;
	struct loaded loaded;

	if (reference_decode(&reference, buf->base, buf->len) != 0) {
		log_line(LOG_ERROR, "raft",
			"event=bad_reference text=\"libraft's snapshot is not a "
			"reference of Snapline's: was this directory written without "
			"it? Wipe this node, the leader sends a snapshot\"");
		return RAFT_MALFORMED;
	}
	loaded = take(snapline);
	if (!is_fit(&loaded, &reference)) {
		discard(snapline, loaded.state);
		load_again(snapline);
		loaded = take(snapline);
	}
	if (!is_fit(&loaded, &reference)) {
		discard(snapline, loaded.state);
		log_line(LOG_ERROR, "raft",
			"event=no_snapshot text=\"libraft's log goes on from the "
			"snapshot at %lld, which is not in the store: wipe this node, "
			"log and store, the leader sends a snapshot\"",
			(long long)reference.index);
		return RAFT_NOTFOUND;
	}
	save_forget_early(snapline);
	snapline->user.adopt(snapline->user.ctx, loaded.state);
	snapline->state_index = loaded.index;
	snapline->last_command = loaded.index;
	if (atomic_load(&snapline->applied) < loaded.index)
		atomic_store(&snapline->applied, loaded.index);
	raft_free(buf->base);
	return 0;
}

/* A thread of the pool, for the state may be large. */
struct discarding {
	uv_work_t work; /* first */
	void (*discard)(void *ctx, void *state);
	void *ctx;
	void *state;
};

static void discard_work(uv_work_t *work)
{
	struct discarding *discarding = (struct discarding *)work;

	discarding->discard(discarding->ctx, discarding->state);
}

static void after_discard(uv_work_t *work, int status)
{
	(void)status;
	free(work);
}

/* In one step: a newer one may be loaded at any moment. */
static void *take_overtaken(struct snapline_raft *snapline)
{
	void *state = NULL;

	uv_mutex_lock(&snapline->lock);
	if ((int64_t)snapline->raft->last_applied > snapline->loaded.index) {
		state = snapline->loaded.state;
		snapline->loaded.state = NULL;
	}
	uv_mutex_unlock(&snapline->lock);
	return state;
}

void restore_on_tick(struct snapline_raft *snapline)
{
	void *state = take_overtaken(snapline);
	struct discarding *discarding;

	if (state == NULL)
		return;
	discarding = calloc(1, sizeof(*discarding));
	if (discarding == NULL) {
		discard(snapline, state);
		return;
	}
	discarding->discard = snapline->user.discard;
	discarding->ctx = snapline->user.ctx;
	discarding->state = state;
	/* fails only for a NULL callback */
	(void)uv_queue_work(
		snapline->async.loop, &discarding->work, discard_work, after_discard);
}

void restore_fini(struct snapline_raft *snapline)
{
	struct loaded loaded = take(snapline);

	discard(snapline, loaded.state);
}
