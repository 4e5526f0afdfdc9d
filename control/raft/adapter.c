/* SPDX-License-Identifier: BSD-3-Clause */
/* Opens and closes the layer, and hands on what needs no change. */
#include "control/raft/adapter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/units.h"

enum {
	REPEAT_MS = 2000, /* how often a leader repeats InstallSnapshot */
	SETTINGS_MAX = 64,
};

/* Before the caller's own, which may overrule them. */
static const char *const settings[] = {
	"snapshot-interval-s=0", /* libraft says when */
	"filter-before-copy-remote=true",
	"keep-data-on-error=true",
};

static struct snapline_raft *of(const struct raft_io *io)
{
	return io->impl;
}

/* The engine reads errmsg of the io it knows. */
static int pass_on(struct snapline_raft *snapline, int rv)
{
	if (rv != 0)
		memcpy(snapline->io.errmsg, snapline->inner->errmsg,
			sizeof(snapline->io.errmsg));
	return rv;
}

static int io_init(struct raft_io *io, raft_id id, const char *address)
{
	struct snapline_raft *snapline = of(io);

	return pass_on(snapline, snapline->inner->init(snapline->inner, id, address));
}

static void on_async_closed(uv_handle_t *handle)
{
	struct snapline_raft *snapline = handle->data;

	snapline->closed(&snapline->io);
}

static void take_news(struct snapline_raft *snapline)
{
	struct news news;

	uv_mutex_lock(&snapline->lock);
	news = snapline->news;
	snapline->news.is_pulled = false;
	snapline->news.is_saved = false;
	uv_mutex_unlock(&snapline->lock);
	if (news.is_saved)
		save_on_news(snapline, &news);
	if (news.is_pulled)
		receive_on_news(snapline, &news);
}

static void on_async(uv_async_t *async)
{
	take_news(async->data);
}

static void stop_node(struct snapline_raft *snapline)
{
	offer_close_all(snapline);
	snapline_close(snapline->node);
	snapline->node = NULL;
}

static void on_inner_closed(struct raft_io *inner)
{
	struct snapline_raft *snapline = inner->data;

	stop_node(snapline);
	take_news(snapline); /* all has ended by now, and libraft waits to hear of it */
	uv_close((uv_handle_t *)&snapline->async, on_async_closed);
}

static void io_close(struct raft_io *io, raft_io_close_cb cb)
{
	struct snapline_raft *snapline = of(io);

	snapline->is_closing = true;
	snapline->closed = cb;
	receive_stop(snapline);
	snapline->inner->close(snapline->inner, on_inner_closed);
}

static int io_load(struct raft_io *io, raft_term *term, raft_id *voted_for,
	struct raft_snapshot **snapshot, raft_index *start_index,
	struct raft_entry *entries[], size_t *n_entries)
{
	struct snapline_raft *snapline = of(io);

	int rv = snapline->inner->load(snapline->inner, term, voted_for, snapshot,
		start_index, entries, n_entries);

	if (rv == 0)
		keep_on_load(snapline, *start_index, *entries, *n_entries);
	return pass_on(snapline, rv);
}

static void on_tick(struct raft_io *inner)
{
	struct snapline_raft *snapline = inner->data;

	if (snapline->offers != NULL)
		offer_on_tick(snapline);
	save_forget_early(snapline);
	restore_on_tick(snapline);
	snapline->tick(&snapline->io);
}

static void on_recv(struct raft_io *inner, struct raft_message *message)
{
	receive_message(inner->data, message);
}

static int io_start(
	struct raft_io *io, unsigned msecs, raft_io_tick_cb tick, raft_io_recv_cb recv)
{
	struct snapline_raft *snapline = of(io);

	snapline->tick = tick;
	snapline->recv = recv;
	return pass_on(snapline,
		snapline->inner->start(snapline->inner, msecs, on_tick, on_recv));
}

static int io_bootstrap(struct raft_io *io, const struct raft_configuration *conf)
{
	struct snapline_raft *snapline = of(io);

	return pass_on(snapline, snapline->inner->bootstrap(snapline->inner, conf));
}

static int io_recover(struct raft_io *io, const struct raft_configuration *conf)
{
	struct snapline_raft *snapline = of(io);

	return pass_on(snapline, snapline->inner->recover(snapline->inner, conf));
}

static int io_set_term(struct raft_io *io, raft_term term)
{
	struct snapline_raft *snapline = of(io);

	return pass_on(snapline, snapline->inner->set_term(snapline->inner, term));
}

static int io_set_vote(struct raft_io *io, raft_id server_id)
{
	struct snapline_raft *snapline = of(io);

	return pass_on(snapline, snapline->inner->set_vote(snapline->inner, server_id));
}

static int io_send(struct raft_io *io, struct raft_io_send *req,
	const struct raft_message *message, raft_io_send_cb cb)
{
	struct snapline_raft *snapline = of(io);

	/* libraft answers its leader when entries are on disk; a new term may have begun
	 * meanwhile that has no leader yet. raft_uv does not look. */
	if (message->server_address == NULL)
		return RAFT_NOCONNECTION;
	if (message->type == RAFT_IO_INSTALL_SNAPSHOT)
		return offer_send(snapline, req, message, cb);
	return pass_on(
		snapline, snapline->inner->send(snapline->inner, req, message, cb));
}

static int io_append(struct raft_io *io, struct raft_io_append *req,
	const struct raft_entry entries[], unsigned n, raft_io_append_cb cb)
{
	struct snapline_raft *snapline = of(io);

	keep_on_append(snapline, entries, n);
	return pass_on(
		snapline, snapline->inner->append(snapline->inner, req, entries, n, cb));
}

static int io_truncate(struct raft_io *io, raft_index index)
{
	struct snapline_raft *snapline = of(io);

	keep_on_truncate(snapline, index);
	return pass_on(snapline, snapline->inner->truncate(snapline->inner, index));
}

static int io_snapshot_put(struct raft_io *io, unsigned trailing,
	struct raft_io_snapshot_put *req, const struct raft_snapshot *snapshot,
	raft_io_snapshot_put_cb cb)
{
	struct snapline_raft *snapline = of(io);

	return pass_on(
		snapline, keep_snapshot_put(snapline, trailing, req, snapshot, cb));
}

static int io_snapshot_get(
	struct raft_io *io, struct raft_io_snapshot_get *req, raft_io_snapshot_get_cb cb)
{
	struct snapline_raft *snapline = of(io);

	return pass_on(snapline, snapline->inner->snapshot_get(snapline->inner, req, cb));
}

static raft_time io_time(struct raft_io *io)
{
	return of(io)->inner->time(of(io)->inner);
}

static int io_random(struct raft_io *io, int min, int max)
{
	return of(io)->inner->random(of(io)->inner, min, max);
}

static int fsm_apply(struct raft_fsm *fsm, const struct raft_buffer *buf, void **result)
{
	struct snapline_raft *snapline = fsm->data;
	/* libraft moves last_applied on when this has returned */
	int64_t index = (int64_t)snapline->raft->last_applied + 1;

	*result = NULL;
	if (index <= snapline->state_index)
		return 0; /* the state was loaded from a newer snapshot */
	save_before_apply(snapline, index);
	atomic_store(&snapline->applied, index);
	return snapline->user.apply(snapline->user.ctx, buf, result);
}

static int64_t last_applied(void *ctx)
{
	return atomic_load(&((struct snapline_raft *)ctx)->applied);
}

static void fill_tables(struct snapline_raft *snapline)
{
	snapline->io = (struct raft_io){
		.version = 2, /* has async_work, which is ours */
		.impl = snapline,
		.init = io_init,
		.close = io_close,
		.load = io_load,
		.start = io_start,
		.bootstrap = io_bootstrap,
		.recover = io_recover,
		.set_term = io_set_term,
		.set_vote = io_set_vote,
		.send = io_send,
		.append = io_append,
		.truncate = io_truncate,
		.snapshot_put = io_snapshot_put,
		.snapshot_get = io_snapshot_get,
		.time = io_time,
		.random = io_random,
		.async_work = save_async_work,
	};
	snapline->fsm = (struct raft_fsm){
		.version = 3,
		.data = snapline,
		.apply = fsm_apply,
		.restore = restore_fsm,
	};
	save_init(snapline);
	snapline->inner->data = snapline;
}

static int open_node(struct snapline_raft *snapline,
	const struct snapline_options *options, struct snapline_error *error)
{
	const char *all[SETTINGS_MAX];
	struct snapline_options wanted = *options;
	size_t n = 0;

	for (; n < ARRAY_LEN(settings); n++)
		all[n] = settings[n];
	for (const char *const *it = options->settings; it != NULL && *it != NULL; it++) {
		if (n + 1 == ARRAY_LEN(all)) {
			error->code = -EINVAL;
			(void)snprintf(error->text, sizeof(error->text),
				"too many settings: at most %zu",
				ARRAY_LEN(all) - ARRAY_LEN(settings) - 1);
			return -EINVAL;
		}
		all[n++] = *it;
	}
	all[n] = NULL;
	wanted.settings = all;
	wanted.fsm = (struct snapline_fsm){
		.ctx = snapline,
		.last_applied = last_applied,
		.on_snapshot_save = save_on_snapshot_save,
		.on_snapshot_load = restore_on_snapshot_load,
	};
	keep_fill(&wanted.log, snapline);
	return snapline_open(&snapline->node, &wanted, error);
}

int snapline_raft_open(struct snapline_raft **snapline,
	const struct snapline_raft_options *options, struct snapline_error *error)
{
	struct snapline_raft *made = calloc(1, sizeof(*made));
	struct snapline_error ignored = {0};
	int err = -ENOMEM;

	error = error != NULL ? error : &ignored;
	if (made == NULL || uv_mutex_init(&made->lock) != 0)
		goto free_made;
	made->raft = options->raft;
	made->inner = options->io;
	made->user = options->fsm;
	(void)snprintf(made->peer_id, sizeof(made->peer_id), "%s", options->node.peer_id);
	fill_tables(made);
	keep_init(made);
	err = open_node(made, &options->node, error);
	if (err != 0)
		goto destroy_lock;
	made->async.data = made;
	err = uv_async_init(options->loop, &made->async, on_async);
	if (err != 0)
		goto close_node;
	*snapline = made;
	return 0;
close_node:
	error->code = err;
	(void)snprintf(error->text, sizeof(error->text), "no handle to be had: %s",
		uv_strerror(err));
	stop_node(made);
destroy_lock:
	restore_fini(made);
	uv_mutex_destroy(&made->lock);
	free(made);
	return err;
free_made:
	free(made);
	error->code = err;
	(void)snprintf(error->text, sizeof(error->text), "no memory for a node");
	return err;
}

static void free_all(struct snapline_raft *snapline)
{
	receive_fini(snapline);
	save_forget_early(snapline);
	restore_fini(snapline);
	uv_mutex_destroy(&snapline->lock);
	free(snapline);
}

static void on_unused_closed(uv_handle_t *handle)
{
	free_all(handle->data);
}

void snapline_raft_close(struct snapline_raft *snapline)
{
	if (snapline->is_closing) {
		free_all(snapline);
		return;
	}
	stop_node(snapline);
	uv_close((uv_handle_t *)&snapline->async, on_unused_closed);
}

void snapline_raft_tune(struct snapline_raft *snapline)
{
	raft_set_install_snapshot_timeout(snapline->raft, REPEAT_MS);
	raft_set_pre_vote(snapline->raft, true);
}

struct raft_io *snapline_raft_io(struct snapline_raft *snapline)
{
	return &snapline->io;
}

struct raft_fsm *snapline_raft_fsm(struct snapline_raft *snapline)
{
	return &snapline->fsm;
}

struct snapline_node *snapline_raft_node(struct snapline_raft *snapline)
{
	return snapline->node;
}

void snapline_raft_get_status(
	const struct snapline_raft *snapline, struct snapline_raft_status *status)
{
	const struct raft *raft = snapline->raft;

	*status = (struct snapline_raft_status){
		.first_index = raft->log.offset + 1,
		.last_index = raft_last_index((struct raft *)raft),
		.snapshot_index = raft->log.snapshot.last_index,
		.is_saving = snapline->frozen != NULL,
		.is_pulling = snapline->hold.state == HOLD_PULLING,
		.pulling_index = (raft_index)snapline->hold.index,
		.installs = snapline->installs,
		.joins = snapline->joins,
		.failures = snapline->failures,
	};
	for (const struct offer *it = snapline->offers; it != NULL; it = it->next)
		status->offers++;
}
