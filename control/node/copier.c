/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/node/copier.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "control/node/copier_state.h"
#include "control/node/session_setup.h"
#include "control/storage/resume.h"

enum { PROGRESS_EVERY_MS = 200 };

static const bool moves[COPIER_ENDED + 1][COPIER_ENDED + 1] = {
	[COPIER_OPENING] = {[COPIER_PREPARING] = true, [COPIER_CLOSING] = true},
	[COPIER_PREPARING] = {[COPIER_MOVING] = true, [COPIER_ABORTING] = true},
	[COPIER_MOVING] = {[COPIER_STOPPING] = true},
	[COPIER_STOPPING] = {[COPIER_VERIFYING] = true,
		[COPIER_COMMITTING] = true,
		[COPIER_ABORTING] = true},
	[COPIER_VERIFYING] = {[COPIER_MOVING] = true,
		[COPIER_COMMITTING] = true,
		[COPIER_ABORTING] = true},
	[COPIER_COMMITTING] = {[COPIER_CLOSING] = true},
	[COPIER_ABORTING] = {[COPIER_CLOSING] = true},
	[COPIER_CLOSING] = {[COPIER_ENDED] = true},
};

/* The step that a state belongs to. */
static uint64_t *step_of(struct effort_steps *steps, enum copier_state state)
{
	switch (state) {
	case COPIER_OPENING:
		return &steps->open;
	case COPIER_PREPARING:
		return &steps->prepare;
	case COPIER_MOVING:
	case COPIER_STOPPING:
	case COPIER_VERIFYING:
		return &steps->wire;
	default:
		return &steps->fsync;
	}
}

void copier_move(struct copier *copier, enum copier_state to)
{
	uint64_t now = uv_hrtime();

	assert(moves[copier->state][to]);
	if (copier->state < COPIER_CLOSING)
		*step_of(&copier->report.steps, copier->state) += now - copier->entered;
	copier->entered = now;
	copier->state = to;
}

static void on_timer(uv_timer_t *timer)
{
	struct copier *copier = timer->data;

	if (copier->state == COPIER_MOVING)
		copier_read_stats(copier);
	if (copier->state == COPIER_VERIFYING)
		copier_on_check(copier);
	copier_apply_pause(copier);
	copier_report_progress(copier);
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct copier *copier = handle->data;

	free(copier->address);
	free(copier->group_id);
	free(copier->skip);
	free(copier->sound);
	free(copier);
}

static int reserve_session(struct copier *copier, struct fault *fault)
{
	const struct copier_options *options = &copier->options;
	int err;

	if (options->plane == NULL && options->path == COPIER_DPDK)
		return fault_set(fault, -ENODEV,
			"the path shall be dpdk and there is no device: give --dev and "
			"--ip");
	if (options->plane == NULL || options->path == COPIER_TCP)
		return 0;
	err = plane_reserve(
		options->plane, copier_on_report, copier, &copier->session_id);
	if (err != 0)
		return fault_set(fault, err,
			"all transfer slots are in use: try again when one has ended");
	copier->has_session = true;
	return 0;
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
	made->entered = made->began;
	effort_mark_set(&made->mark, options->plane, NULL);
	made->timer.data = made;
	(void)uv_timer_init(options->loop, &made->timer);
	if (made->address == NULL || made->group_id == NULL) {
		err = fault_set(fault, -ENOMEM, "no memory for a copier");
		goto free_copier;
	}
	err = session_setup_nonce(made->nonce, fault);
	if (err != 0)
		goto free_copier;
	err = reserve_session(made, fault);
	if (err != 0)
		goto free_copier;
	err = rpc_client_open(&made->client, options->loop, made->address, fault);
	if (err != 0)
		goto release_session;
	if (options->policy.connect_timeout > 0)
		rpc_client_set_connect_timeout(
			made->client, (int)(options->policy.connect_timeout / MSEC));
	err = copier_call_open(made, fault);
	if (err != 0)
		goto close_client;
	(void)uv_timer_start(
		&made->timer, on_timer, PROGRESS_EVERY_MS, PROGRESS_EVERY_MS);
	*copier = made;
	return 0;
close_client:
	rpc_client_close(made->client);
release_session:
	copier_release_session(made);
free_copier:
	uv_close((uv_handle_t *)&made->timer, on_timer_closed);
	return err;
}

void copier_cancel(struct copier *copier, const char *why)
{
	/* what is durable already is a success, whatever is asked of it now */
	if (copier->state < COPIER_COMMITTING)
		(void)fault_set(&copier->fault, -ECANCELED, "%s", why);
	if (copier->state == COPIER_MOVING)
		copier_stop_move(copier);
	else if (copier->state == COPIER_OPENING)
		copier_cancel_open(copier);
	else if (copier->state == COPIER_VERIFYING)
		copier_settle(copier);
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

void copier_describe(struct copier *copier, struct transfer_info *info)
{
	static const enum transfer_stage stages[] = {
		[COPIER_OPENING] = STAGE_OPEN,
		[COPIER_PREPARING] = STAGE_OPEN,
		[COPIER_MOVING] = STAGE_WIRE,
		[COPIER_STOPPING] = STAGE_WIRE,
		[COPIER_VERIFYING] = STAGE_VERIFY,
		[COPIER_COMMITTING] = STAGE_FSYNC,
		[COPIER_ABORTING] = STAGE_FAILED,
		[COPIER_CLOSING] = STAGE_DONE,
		[COPIER_ENDED] = STAGE_DONE,
	};
	static const char *const paths[] = {
		[COPIER_AUTO] = "", [COPIER_DPDK] = "dpdk", [COPIER_TCP] = "tcp"};

	if (copier->state == COPIER_MOVING)
		copier_read_stats(copier);
	info->stage = copier->fault.code != 0 ? STAGE_FAILED : stages[copier->state];
	if ((copier->is_paused || copier->is_leader_paused) && info->stage <= STAGE_WIRE)
		info->stage = STAGE_PAUSED;
	session_describe_silence(copier->silent_at, info);
	info->elapsed_ns =
		(copier->ended != 0 ? copier->ended : uv_hrtime()) - copier->began;
	(void)snprintf(info->group_id, sizeof(info->group_id), "%s", copier->group_id);
	info->bytes_done = copier->stats.bytes_done + copier->stats.bytes_reused;
	if (copier->state == COPIER_VERIFYING && copier->check != NULL)
		info->bytes_done -= resume_check_left(copier->check);
	info->bytes_resent = copier->stats.bytes_resent;
	info->bytes_reused = copier->stats.bytes_reused;
	info->has_report = copier->state == COPIER_ENDED && !copier->is_stock;
	info->report = copier->report;
	info->has_convergence = copier->has_convergence && copier->ended == 0;
	info->convergence = copier->convergence;
	info->error_code = -copier->fault.code;
	(void)snprintf(
		info->error_text, sizeof(info->error_text), "%s", copier->fault.text);
	if (!copier->has_offer)
		return;
	(void)snprintf(info->path, sizeof(info->path), "%s", paths[copier->path]);
	if (copier->path == COPIER_DPDK) {
		session_describe(&copier->stats, info);
		info->leader_queues = copier->leader.queues;
		info->leader_slice_size = copier->leader.slice_size;
	}
	info->index = copier->offer.response.index;
	info->term = copier->offer.response.term;
	info->files = copier->is_stock ? copier->offer.table.nfiles
				       : copier->offer.manifest.nfiles;
	info->bytes_total = copier->offer.manifest.bytes;
}

bool copier_is_own_fault(const struct copier *copier)
{
	return copier->is_own_fault;
}
