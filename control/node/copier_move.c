/* SPDX-License-Identifier: BSD-3-Clause */
/* How the bytes come: over the data plane or over get_file, into files made before. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/node/copier_fault.h"
#include "control/node/copier_state.h"
#include "control/node/served.h"
#include "control/node/session_setup.h"
#include "control/storage/filter.h"
#include "dataplane/base/bitmap.h"
#include "dataplane/base/log.h"
#include "dataplane/file/store_file.h"

enum { TCP_DEPTH = SERVE_MAX_READS }; /* get_file calls in flight to one of ours */

void copier_release_session(struct copier *copier)
{
	if (copier->has_session)
		plane_release(copier->options.plane, copier->session_id);
	copier->has_session = false;
}

void copier_read_stats(struct copier *copier)
{
	struct tcp_copy_stats tcp;

	if (copier->path == COPIER_DPDK && copier->sound == NULL) {
		transfer_get_stats(plane_transfer(copier->options.plane),
			copier->session_id, &copier->stats);
	} else if (copier->tcp != NULL) {
		tcp_copy_get_stats(copier->tcp, &tcp);
		copier->stats.bytes_done = copier->before.bytes_done + tcp.bytes_done;
		copier->stats.bytes_resent =
			copier->before.bytes_resent + tcp.bytes_resent;
		copier->stats.bytes_reused = copier->sound != NULL
						     ? copier->before.bytes_reused
						     : tcp.bytes_reused;
	}
}

void copier_settle(struct copier *copier)
{
	copier->report.stripes = copier->stats.stripes;
	effort_mark_measure(&copier->mark, copier->options.plane, copier->object,
		&copier->report.follower);
	if (copier->fault.code == 0 && copier->options.may_commit != NULL &&
		!copier->options.may_commit(copier->options.ctx))
		(void)fault_set(&copier->fault, -ECANCELED, "the copy was cancelled");
	if (copier->fault.code != 0)
		copier_abort(copier);
	else
		copier_commit(copier);
}

/* Nothing writes to the files any more. */
static void on_stopped(struct copier *copier)
{
	if (copier->fault.code != 0 || copier->check == NULL) {
		copier_settle(copier);
		return;
	}
	copier_move(copier, COPIER_VERIFYING);
	copier_on_check(copier);
}

void copier_stop_move(struct copier *copier)
{
	copier_move(copier, COPIER_STOPPING);
	copier_read_stats(copier);
	if (copier->tcp == NULL)
		session_log_stripes("copier", copier->address, &copier->stats);
	if (copier->tcp != NULL)
		tcp_copy_cancel(copier->tcp, copier->fault.text);
	else
		(void)transfer_stop(
			plane_transfer(copier->options.plane), copier->session_id);
}

void copier_on_report(void *ctx, const struct transfer_report *report)
{
	struct copier *copier = ctx;

	if (report->event == REPORT_STOPPED) {
		if (copier->state == COPIER_STOPPING)
			on_stopped(copier);
		return;
	}
	if (copier->state != COPIER_MOVING ||
		session_on_silence(&copier->silent_at, report, "copier", copier->address))
		return;
	if (report->event == REPORT_FAILED) {
		copier_fault_of_report(&copier->fault, report, &copier->offer.manifest,
			copier->object, &copier->leader);
		copier->is_own_fault = !report->by_peer && report->code != -ETIMEDOUT &&
				       report->code != -EBADMSG;
	}
	copier_stop_move(copier);
}

static int start_session(struct copier *copier)
{
	const struct session_setup setup = {
		.role = TRANSFER_RECEIVE,
		.group_id = copier->group_id,
		.index = copier->offer.response.index,
		.term = copier->offer.response.term,
		.sender_nonce = copier->offer.response.nonce,
		.receiver_nonce = copier->nonce,
		.device = copier->offer.response.peer_endpoint,
		.session_id = copier->session_id,
		.peer_session_id = copier->offer.response.session_id,
		.peer = &copier->leader,
		.slice_size = copier->offer.response.slice_size,
		.stripes = copier->offer.response.stripes,
		.rate_bps = plane_rate(
			copier->options.plane, copier->offer.response.peer_endpoint),
		.manifest = &copier->offer.manifest,
		.object = copier->object,
		.have = copier->writer->have,
	};
	int err = session_setup_start(
		plane_transfer(copier->options.plane), &setup, &copier->fault);

	if (err == 0)
		copier->has_session = false; /* started: it is stopped, not released */
	if (err == 0)
		(void)copier_apply_rate(copier);
	return err;
}

static void on_tcp_end(void *ctx, const struct tcp_result *result)
{
	struct copier *copier = ctx;

	copier_read_stats(copier);
	if (copier->fault.code == 0 && result->fault.code != 0) {
		copier->fault = result->fault;
		copier->is_own_fault = result->origin == TCP_ORIGIN_LOCAL;
	}
	tcp_copy_destroy(copier->tcp);
	copier->tcp = NULL;
	if (copier->state == COPIER_MOVING)
		copier_move(copier, COPIER_STOPPING);
	on_stopped(copier);
}

static int start_tcp(struct copier *copier)
{
	struct tcp_copy_options options = {
		.loop = copier->options.loop,
		.address = copier->address,
		.reader_id = copier->is_stock ? copier->options.reader_id
					      : copier->offer.response.transfer_id,
		.policy = copier->options.policy,
		.on_end = on_tcp_end,
		.ctx = copier,
	};

	if (copier->is_stock) {
		options.table = &copier->offer.table;
		options.path = copier->writer->path;
		options.skip = copier->skip;
	} else {
		options.manifest = &copier->offer.manifest;
		options.object = copier->object;
		options.have =
			copier->sound != NULL ? copier->sound : copier->writer->have;
		options.depth = TCP_DEPTH;
	}
	return tcp_copy_start(&copier->tcp, &options, &copier->fault);
}

int copier_repair(struct copier *copier)
{
	return start_tcp(copier);
}

/* A stock leader's files that are here already. */
static int mark_skipped(struct copier *copier, const struct filter_result *result)
{
	const struct table *table = &copier->offer.table;
	size_t next = 0;

	copier->skip = calloc(BITMAP_WORDS(table->nfiles + 1), sizeof(*copier->skip));
	if (copier->skip == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < table->nfiles; i++) {
		if (next < result->nfetch &&
			strcmp(result->fetch[next], table->files[i].name) == 0)
			next++;
		else
			bitmap_set(copier->skip, (uint32_t)i);
	}
	return 0;
}

static int filter(struct copier *copier, struct fault *fault)
{
	const struct filter_request request = {
		.table = &copier->offer.table,
		.manifest = copier->is_stock ? NULL : &copier->offer.manifest,
		.resume_only = !copier->options.filters,
	};
	struct filter_result result;
	int err = storage_filter(copier->writer, &request, &result, fault);

	if (err != 0)
		return err;
	if (copier->is_stock && mark_skipped(copier, &result) != 0)
		err = fault_set(fault, -ENOMEM, "no memory for the list of files");
	copier->found = result.bytes_reused;
	copier->unchecked = result.bytes_believed;
	filter_result_fini(&result);
	return err;
}

/* Without a manifest nobody could tell what of an interrupted copy is right; a witness
 * has none. */
static int make_writer(struct copier *copier, struct fault *fault)
{
	struct storage *storage = copier->options.storage;

	if (copier->options.filters || (!copier->is_stock && !copier->options.meta_only))
		return storage_create_copy(storage, &copier->writer, fault);
	return storage_create(storage, &copier->writer, fault);
}

static void prepare_work(uv_work_t *work)
{
	struct copier *copier = work->data;
	struct fault *fault = &copier->work_fault;

	if (make_writer(copier, fault) != 0) {
		copier->writer = NULL;
		return;
	}
	if (copier->options.meta_only)
		return;
	if ((copier->options.filters || !copier->is_stock) && filter(copier, fault) != 0)
		return;
	if (!copier->is_stock &&
		storage_prepare(copier->writer, &copier->offer.manifest, fault) == 0)
		(void)copier_open_files(copier, fault);
}

static void start_move(struct copier *copier)
{
	if (copier->path == COPIER_TCP)
		(void)start_tcp(copier);
	else
		(void)start_session(copier);
}

static void after_prepare(uv_work_t *work, int status)
{
	struct copier *copier = work->data;

	(void)status;
	if (copier->fault.code == 0 && copier->work_fault.code != 0) {
		copier->fault = copier->work_fault;
		copier->is_own_fault = true;
	}
	if (copier->fault.code == 0 && !copier->options.meta_only)
		start_move(copier);
	if (copier->fault.code != 0 || copier->options.meta_only)
		copier_release_session(copier);
	if (copier->fault.code != 0) {
		copier_abort(copier);
		return;
	}
	copier_move(copier, COPIER_MOVING);
	copier_apply_pause(copier); /* it may have been ordered meanwhile */
	if (copier->options.meta_only) {
		copier_move(copier, COPIER_STOPPING);
		on_stopped(copier);
	}
}

void copier_prepare(struct copier *copier)
{
	copier_move(copier, COPIER_PREPARING);
	copier_run_work(copier, prepare_work, after_prepare);
}
