/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/node/copier.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "control/node/copier_fault.h"
#include "control/node/copier_state.h"
#include "control/node/session_setup.h"
#include "dataplane/base/log.h"
#include "dataplane/file/store_file.h"

enum {
	OPEN_TIMEOUT_MS =
		300000, /* a snapshot of braft's is read once before it is served */
	PROGRESS_EVERY_MS = 200,
};

static const bool moves[COPIER_ENDED + 1][COPIER_ENDED + 1] = {
	[COPIER_OPENING] = {[COPIER_PREPARING] = true, [COPIER_CLOSING] = true},
	[COPIER_PREPARING] = {[COPIER_MOVING] = true, [COPIER_ABORTING] = true},
	[COPIER_MOVING] = {[COPIER_STOPPING] = true},
	[COPIER_STOPPING] = {[COPIER_COMMITTING] = true, [COPIER_ABORTING] = true},
	[COPIER_COMMITTING] = {[COPIER_CLOSING] = true},
	[COPIER_ABORTING] = {[COPIER_CLOSING] = true},
	[COPIER_CLOSING] = {[COPIER_ENDED] = true},
};

void copier_move(struct copier *copier, enum copier_state to)
{
	assert(moves[copier->state][to]);
	copier->state = to;
}

static void on_timer(uv_timer_t *timer)
{
	struct copier *copier = timer->data;

	if (copier->state == COPIER_MOVING)
		transfer_get_stats(plane_transfer(copier->options.plane),
			copier->session_id, &copier->stats);
	copier_report_progress(copier);
}

static void on_stopped(struct copier *copier)
{
	store_object_close(copier->object);
	copier->object = NULL;
	if (copier->fault.code == 0 && copier->options.may_commit != NULL &&
		!copier->options.may_commit(copier->options.ctx))
		(void)fault_set(&copier->fault, -ECANCELED, "the copy was cancelled");
	if (copier->fault.code != 0) {
		copier_abort(copier);
		return;
	}
	copier_commit(copier);
}

static void stop_session(struct copier *copier)
{
	copier_move(copier, COPIER_STOPPING);
	transfer_get_stats(plane_transfer(copier->options.plane), copier->session_id,
		&copier->stats);
	if (transfer_stop(plane_transfer(copier->options.plane), copier->session_id) != 0)
		log_line(LOG_ERROR, "copier",
			"event=stop_failed err=EAGAIN hint=\"the worker does not take "
			"orders\"");
}

static void on_report(void *ctx, const struct transfer_report *report)
{
	struct copier *copier = ctx;

	if (report->event == REPORT_STOPPED) {
		if (copier->state == COPIER_STOPPING)
			on_stopped(copier);
		return;
	}
	if (copier->state != COPIER_MOVING)
		return;
	if (report->event == REPORT_FAILED)
		copier_fault_of_report(&copier->fault, report, &copier->offer.manifest,
			copier->object, &copier->leader);
	stop_session(copier);
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
		.manifest = &copier->offer.manifest,
		.object = copier->object,
	};

	return session_setup_start(
		plane_transfer(copier->options.plane), &setup, &copier->fault);
}

static void prepare_work(uv_work_t *work)
{
	struct copier *copier = work->data;

	if (storage_create(
		    copier->options.storage, &copier->writer, &copier->work_fault) != 0)
		copier->writer = NULL;
	else
		(void)storage_prepare(
			copier->writer, &copier->offer.manifest, &copier->work_fault);
}

static void after_prepare(uv_work_t *work, int status)
{
	struct copier *copier = work->data;

	(void)status;
	if (copier->fault.code == 0 && copier->work_fault.code != 0)
		copier->fault = copier->work_fault;
	if (copier->fault.code == 0)
		(void)store_object_open(&copier->object, copier->writer->path,
			&copier->offer.manifest, &copier->fault);
	if (copier->fault.code == 0)
		(void)start_session(copier);
	if (copier->fault.code != 0) {
		plane_release(copier->options.plane, copier->session_id);
		copier_abort(copier);
		return;
	}
	copier_move(copier, COPIER_MOVING);
}

static int check_offer(struct copier *copier)
{
	const struct open_response *response = &copier->offer.response;
	struct transfer_endpoint ours[TRANSFER_DEVICES_MAX];
	uint32_t count = plane_endpoints(copier->options.plane, ours);
	uint32_t size = copier->offer.manifest.chunk_size;
	int64_t newest = storage_newest_index(copier->options.storage);

	if (response->peer_endpoint >= count ||
		response->slice_size > ours[response->peer_endpoint].slice_size)
		return fault_set(&copier->fault, -EBADMSG,
			"the leader chose device %u with slices of %u bytes, which this "
			"node "
			"does not have",
			response->peer_endpoint, response->slice_size);
	if (size > plane_buffer_size(copier->options.plane))
		return fault_set(&copier->fault, -EINVAL,
			"the snapshot has chunks of %u bytes, larger than this node's "
			"buffers: start it with --buffer-size %u",
			size, size);
	if (response->index < newest)
		return fault_set(&copier->fault, -ESTALE,
			"the leader offers index %lld, the store already has %lld: ask a "
			"leader that is further",
			(long long)response->index, (long long)newest);
	copier->is_here_already = response->index == newest;
	return 0;
}

static void on_opened(void *ctx, const struct rpc_result *result)
{
	struct copier *copier = ctx;

	if (result->code != 0 && copier->fault.code == 0)
		(void)fault_set(&copier->fault, -result->code, "%s", result->text);
	if (copier->fault.code == 0 &&
		offer_parse(&copier->offer, result->message.data, result->message.len,
			result->attachment.data, result->attachment.len,
			&copier->fault) == 0)
		copier->has_offer = true;
	if (copier->fault.code == 0)
		(void)check_offer(copier);
	if (copier->fault.code != 0 || copier->is_here_already) {
		plane_release(copier->options.plane, copier->session_id);
		if (copier->is_here_already)
			copier->stats.bytes_reused = copier->offer.manifest.bytes;
		copier_close_at_leader(copier);
		return;
	}
	copier->leader = copier->offer.response.endpoint;
	copier_move(copier, COPIER_PREPARING);
	(void)uv_timer_start(&copier->timer, on_timer, 0, PROGRESS_EVERY_MS);
	copier_run_work(copier, prepare_work, after_prepare);
}

static int call_open(struct copier *copier, struct fault *fault)
{
	struct open_request request = {.version = OPEN_VERSION};
	uint8_t *bytes;
	size_t len;
	int err;

	(void)snprintf(
		request.group_id, sizeof(request.group_id), "%s", copier->group_id);
	(void)snprintf(
		request.peer_id, sizeof(request.peer_id), "%s", copier->options.self);
	request.has_reader_id = copier->options.has_reader_id;
	request.reader_id = copier->options.reader_id;
	request.nendpoints = plane_endpoints(copier->options.plane, request.endpoints);
	memcpy(request.nonce, copier->nonce, sizeof(request.nonce));
	request.session_id = copier->session_id;
	err = open_request_encode(&request, &bytes, &len);
	if (err != 0)
		return fault_set(fault, err, "cannot encode the open request");
	rpc_client_call(copier->client, "snapline.TransferService", "open",
		(struct rpc_bytes){bytes, len}, OPEN_TIMEOUT_MS, on_opened, copier);
	free(bytes);
	return 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct copier *copier = handle->data;

	free(copier->address);
	free(copier->group_id);
	free(copier);
}

int copier_start(
	struct copier **copier, const struct copier_options *options, struct fault *fault)
{
	struct copier *made = calloc(1, sizeof(*made));
	int err;

	if (made == NULL)
		return fault_set(fault, -ENOMEM, "no memory for a copier");
	made->options = *options;
	made->address = strdup(options->address);
	made->group_id = strdup(options->group_id);
	made->is_progress_due = true;
	made->began = uv_hrtime();
	made->timer.data = made;
	(void)uv_timer_init(options->loop, &made->timer);
	if (made->address == NULL || made->group_id == NULL) {
		err = fault_set(fault, -ENOMEM, "no memory for a copier");
		goto free_copier;
	}
	err = session_setup_nonce(made->nonce, fault);
	if (err != 0)
		goto free_copier;
	err = plane_reserve(options->plane, on_report, made, &made->session_id);
	if (err != 0) {
		(void)fault_set(fault, err,
			"all transfer slots are in use: try again when one has ended");
		goto free_copier;
	}
	err = rpc_client_open(&made->client, options->loop, made->address, fault);
	if (err != 0)
		goto release_session;
	err = call_open(made, fault);
	if (err != 0)
		goto close_client;
	*copier = made;
	return 0;
close_client:
	rpc_client_close(made->client);
release_session:
	plane_release(options->plane, made->session_id);
free_copier:
	uv_close((uv_handle_t *)&made->timer, on_timer_closed);
	return err;
}

void copier_cancel(struct copier *copier, const char *why)
{
	/* what is durable already is a success, whatever is asked of it now */
	if (copier->state <= COPIER_STOPPING)
		(void)fault_set(&copier->fault, -ECANCELED, "%s", why);
	if (copier->state == COPIER_MOVING) {
		stop_session(copier);
	} else if (copier->state == COPIER_OPENING) {
		/* the answer may be minutes away: do not wait for it */
		rpc_client_close(copier->client);
		copier->client = NULL;
		plane_release(copier->options.plane, copier->session_id);
		copier_close_at_leader(copier);
	}
}

void copier_destroy(struct copier *copier)
{
	assert(copier->state == COPIER_ENDED);
	if (copier->client != NULL)
		rpc_client_close(copier->client);
	if (copier->has_offer)
		offer_fini(&copier->offer);
	uv_close((uv_handle_t *)&copier->timer, on_timer_closed);
}

void copier_describe(const struct copier *copier, struct transfer_info *info)
{
	static const enum transfer_stage stages[] = {
		[COPIER_OPENING] = STAGE_OPEN,
		[COPIER_PREPARING] = STAGE_OPEN,
		[COPIER_MOVING] = STAGE_WIRE,
		[COPIER_STOPPING] = STAGE_WIRE,
		[COPIER_COMMITTING] = STAGE_FSYNC,
		[COPIER_ABORTING] = STAGE_FAILED,
		[COPIER_CLOSING] = STAGE_DONE,
		[COPIER_ENDED] = STAGE_DONE,
	};

	info->stage = copier->fault.code != 0 ? STAGE_FAILED : stages[copier->state];
	info->elapsed_ns =
		(copier->ended != 0 ? copier->ended : uv_hrtime()) - copier->began;
	(void)snprintf(info->group_id, sizeof(info->group_id), "%s", copier->group_id);
	info->bytes_done = copier->stats.bytes_done + copier->stats.bytes_reused;
	info->bytes_resent = copier->stats.bytes_resent;
	info->bytes_reused = copier->stats.bytes_reused;
	info->error_code = -copier->fault.code;
	(void)snprintf(
		info->error_text, sizeof(info->error_text), "%s", copier->fault.text);
	if (!copier->has_offer)
		return;
	(void)snprintf(info->path, sizeof(info->path), "dpdk");
	info->index = copier->offer.response.index;
	info->term = copier->offer.response.term;
	info->files = copier->offer.manifest.nfiles;
	info->bytes_total = copier->offer.manifest.bytes;
}
