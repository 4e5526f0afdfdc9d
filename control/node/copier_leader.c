/* SPDX-License-Identifier: BSD-3-Clause */
/* What a copier tells the leader: how far it is, and how it ended. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/node/copier_state.h"

enum {
	CLOSE_TIMEOUT_MS = 2000,
	PROGRESS_TIMEOUT_MS = 2000,
	SILENT_CALLS =
		3, /* failed progress calls without a byte moved: the leader is gone */
};

static void end(struct copier *copier)
{
	copier_move(copier, COPIER_ENDED);
	(void)uv_timer_stop(&copier->timer);
	copier->options.on_end(
		copier->options.ctx, copier->fault.code != 0 ? &copier->fault : NULL);
}

/* Whether it was answered does not matter; with what is nice to know. */
static void on_close_answered(void *ctx, const struct rpc_result *result)
{
	struct copier *copier = ctx;
	struct close_response response;

	if (result->code == 0 && close_response_decode(&response, result->message.data,
					 result->message.len) == 0) {
		copier->report.has_leader = response.has_effort;
		copier->report.leader = response.effort;
	}
	end(copier);
}

void copier_close_at_leader(struct copier *copier)
{
	struct close_request request = {.error_code = -copier->fault.code};
	uint8_t *bytes;
	size_t len;

	copier->ended = uv_hrtime();
	effort_mark_measure(
		&copier->mark, copier->options.plane, NULL, &copier->report.follower);
	copier_move(copier, COPIER_CLOSING);
	if (!copier->has_offer || copier->is_stock) {
		end(copier);
		return;
	}
	request.transfer_id = copier->offer.response.transfer_id;
	(void)snprintf(
		request.error_text, sizeof(request.error_text), "%s", copier->fault.text);
	if (close_request_encode(&request, &bytes, &len) != 0) {
		end(copier);
		return;
	}
	rpc_client_call(copier->client, "snapline.TransferService", "close",
		(struct rpc_bytes){bytes, len}, CLOSE_TIMEOUT_MS, on_close_answered,
		copier);
	free(bytes);
}

static void on_progress(struct copier *copier, const struct rpc_result *result)
{
	struct progress_response response;

	copier->failed_calls = 0;
	if (progress_response_decode(
		    &response, result->message.data, result->message.len) != 0)
		return;
	copier->is_leader_paused = response.is_paused;
	copier->has_convergence = response.has_convergence;
	copier->convergence = response.convergence;
	copier_apply_pause(copier);
}

/* The leader gives it up, by its operator's word or because it cannot succeed. */
static void on_cancelled(struct copier *copier, const char *text)
{
	char why[256];

	(void)snprintf(why, sizeof(why), "%.255s", text);
	(void)copier_give_up(copier, why, NULL);
}

static void on_progress_answered(void *ctx, const struct rpc_result *result)
{
	struct copier *copier = ctx;

	copier->is_progress_due = true;
	if (result->code == 0) {
		on_progress(copier, result);
		return;
	}
	if (result->code == ECANCELED || result->code == ESTALE) {
		on_cancelled(copier, result->text);
		return;
	}
	/* the data plane notices by itself when nobody is there any more */
	if (copier->is_session_paused)
		return;
	if (copier->failed_calls++ == 0 ||
		copier->stats.bytes_done != copier->done_at_failure) {
		copier->failed_calls = 1;
		copier->done_at_failure = copier->stats.bytes_done;
	}
	/* a broken control connection alone is no reason to stop; nor is a pause alone */
	if (copier->failed_calls < SILENT_CALLS || copier->state != COPIER_MOVING)
		return;
	if (result->code == ENOENT)
		(void)fault_set(&copier->fault, -ECONNRESET,
			"the leader has ended this transfer (%s): nothing was committed",
			result->text);
	else
		(void)fault_set(&copier->fault, -ECONNRESET,
			"the leader is gone (%s) and nothing comes from %s: nothing was "
			"committed, run it again when the leader is back",
			result->text, copier->path == COPIER_DPDK ? "its device" : "it");
	copier_cancel(copier, "");
}

/* Its own pause the leader need not be told, and a silence it hears itself. */
static enum transfer_stage stage_to_tell(
	const struct copier *copier, enum transfer_stage stage)
{
	bool is_its_own = stage == STAGE_PAUSED && !copier->is_paused;

	return is_its_own || stage == STAGE_SUSPENDED ? STAGE_WIRE : stage;
}

void copier_report_progress(struct copier *copier)
{
	struct transfer_info info = {0};
	struct progress_request request;
	uint8_t *bytes;
	size_t len;

	if (!copier->is_progress_due || !copier->has_offer || copier->is_stock)
		return;
	copier_describe(copier, &info);
	request = (struct progress_request){
		.transfer_id = copier->offer.response.transfer_id,
		.stage = stage_to_tell(copier, info.stage),
		.bytes_done = info.bytes_done,
		.bytes_reused = info.bytes_reused,
	};
	if (progress_request_encode(&request, &bytes, &len) != 0)
		return;
	copier->is_progress_due = false;
	rpc_client_call(copier->client, "snapline.TransferService", "progress",
		(struct rpc_bytes){bytes, len}, PROGRESS_TIMEOUT_MS, on_progress_answered,
		copier);
	free(bytes);
}
