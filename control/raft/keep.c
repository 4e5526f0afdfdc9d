/* SPDX-License-Identifier: BSD-3-Clause */
/* The log that libraft keeps: Snapline looks at it, and says which entries a follower in
 * flight will need; libraft's own truncation then leaves these and the one before them,
 * whose term a follower is asked for. */
#include <stdlib.h>

#include "control/raft/adapter.h"

struct putting {
	struct raft_io_snapshot_put req;
	struct snapline_raft *snapline;
	struct raft_io_snapshot_put *original;
	raft_io_snapshot_put_cb cb;
	raft_index index;  /* of the snapshot */
	unsigned trailing; /* as the program has set it */
	unsigned kept;
};

/* ---- what Snapline sees, from its own thread */

static int64_t first_index(void *ctx)
{
	struct snapline_raft *snapline = ctx;
	int64_t first;

	uv_mutex_lock(&snapline->lock);
	first = snapline->seen.first;
	uv_mutex_unlock(&snapline->lock);
	return first;
}

static int64_t last_index(void *ctx)
{
	struct snapline_raft *snapline = ctx;
	int64_t last;

	uv_mutex_lock(&snapline->lock);
	last = snapline->seen.last;
	uv_mutex_unlock(&snapline->lock);
	return last;
}

static uint64_t bytes_from(void *ctx, int64_t first)
{
	struct snapline_raft *snapline = ctx;
	uint64_t bytes;

	uv_mutex_lock(&snapline->lock);
	bytes = log_size_from(&snapline->seen.size, first);
	uv_mutex_unlock(&snapline->lock);
	return bytes;
}

void keep_fill(struct snapline_log *log, struct snapline_raft *snapline)
{
	*log = (struct snapline_log){
		.ctx = snapline,
		.first_index = first_index,
		.last_index = last_index,
		.bytes_from = bytes_from,
	};
}

/* ---- what libraft does */

void keep_init(struct snapline_raft *snapline)
{
	snapline->seen.first = 1;
	log_size_init(&snapline->seen.size, 0);
}

void keep_on_load(struct snapline_raft *snapline, raft_index start,
	const struct raft_entry *entries, size_t count)
{
	struct seen_log *seen = &snapline->seen;

	uv_mutex_lock(&snapline->lock);
	seen->first = (int64_t)start;
	seen->last = (int64_t)start - 1;
	log_size_init(&seen->size, seen->last);
	for (size_t i = 0; i < count; i++)
		log_size_on_append(&seen->size, ++seen->last, entries[i].buf.len);
	uv_mutex_unlock(&snapline->lock);
}

/* libraft has added them to its own log already. */
void keep_on_append(
	struct snapline_raft *snapline, const struct raft_entry *entries, unsigned count)
{
	struct seen_log *seen = &snapline->seen;
	uint64_t bytes = 0;

	for (unsigned i = 0; i < count; i++)
		bytes += entries[i].buf.len;
	uv_mutex_lock(&snapline->lock);
	seen->first = (int64_t)snapline->raft->log.offset + 1;
	seen->last = (int64_t)raft_last_index(snapline->raft);
	log_size_on_append(&seen->size, seen->last, bytes);
	uv_mutex_unlock(&snapline->lock);
}

void keep_on_truncate(struct snapline_raft *snapline, raft_index first_gone)
{
	uv_mutex_lock(&snapline->lock);
	snapline->seen.last = (int64_t)first_gone - 1;
	log_size_on_truncate(&snapline->seen.size, snapline->seen.last);
	uv_mutex_unlock(&snapline->lock);
}

/* How many entries before the snapshot stay, at least `trailing`. */
static unsigned kept_behind(
	struct snapline_raft *snapline, raft_index snapshot, unsigned trailing)
{
	int64_t pin =
		snapline->node != NULL ? snapline_get_pin(snapline->node) : INT64_MAX;
	int64_t kept;

	if (pin > (int64_t)snapshot || pin < 2)
		return trailing;
	kept = (int64_t)snapshot - pin + 2; /* from the one before the pin on */
	return kept > trailing && kept < UINT32_MAX ? (unsigned)kept : trailing;
}

static void on_put(struct raft_io_snapshot_put *req, int status)
{
	struct putting *putting = req->data;
	struct snapline_raft *snapline = putting->snapline;
	unsigned kept = kept_behind(snapline, putting->index, putting->kept);

	/* for a follower that came while the disk was busy; the log in memory serves it
	 */
	if (snapline->raft->snapshot.trailing == putting->kept) {
		putting->kept = kept;
		raft_set_snapshot_trailing(snapline->raft, kept);
	}
	putting->cb(putting->original, status); /* cuts the log */
	/* unless the program has set another one meanwhile */
	if (snapline->raft->snapshot.trailing == putting->kept)
		raft_set_snapshot_trailing(snapline->raft, putting->trailing);
	uv_mutex_lock(&snapline->lock);
	snapline->seen.first = (int64_t)snapline->raft->log.offset + 1;
	snapline->seen.last = (int64_t)raft_last_index(snapline->raft);
	uv_mutex_unlock(&snapline->lock);
	free(putting);
}

int keep_snapshot_put(struct snapline_raft *snapline, unsigned trailing,
	struct raft_io_snapshot_put *req, const struct raft_snapshot *snapshot,
	raft_io_snapshot_put_cb cb)
{
	struct raft_io *inner = snapline->inner;
	struct putting *putting;
	int rv;

	/* what a follower installs replaces its log */
	if (raft_state(snapline->raft) != RAFT_LEADER)
		return inner->snapshot_put(inner, trailing, req, snapshot, cb);
	putting = calloc(1, sizeof(*putting));
	if (putting == NULL)
		return RAFT_NOMEM;
	putting->snapline = snapline;
	putting->original = req;
	putting->cb = cb;
	putting->index = snapshot->index;
	putting->trailing = trailing;
	putting->kept = kept_behind(snapline, snapshot->index, trailing);
	putting->req.data = putting;
	raft_set_snapshot_trailing(snapline->raft, putting->kept);
	rv = inner->snapshot_put(inner, putting->kept, &putting->req, snapshot, on_put);
	if (rv != 0) {
		raft_set_snapshot_trailing(snapline->raft, trailing);
		free(putting);
	}
	return rv;
}
