/* SPDX-License-Identifier: BSD-3-Clause */
/* What an operator may order of a copy: hold it up, slow it down, let it go on, give it
 * up. */
#include <errno.h>
#include <stdio.h>

#include "control/node/copier_state.h"
#include "control/queue_codec.h"

void copier_apply_pause(struct copier *copier)
{
	if (copier->tcp != NULL)
		tcp_copy_pause(
			copier->tcp, copier->is_paused || copier->is_leader_paused);
	/* the leader's pause is the sender's; here the timers go on */
	if (copier->path == COPIER_DPDK && copier->state == COPIER_MOVING &&
		copier->sound == NULL && copier->is_session_paused != copier->is_paused &&
		transfer_pause(plane_transfer(copier->options.plane), copier->session_id,
			copier->is_paused) == 0)
		copier->is_session_paused = copier->is_paused;
}

static int check(const struct copier *copier, const char *verb, struct fault *fault)
{
	if (copier->state < COPIER_COMMITTING && copier->fault.code == 0)
		return 0;
	if (copier->fault.code == 0)
		return fault_set(fault, -EBUSY,
			"the snapshot is being committed, too late to %s", verb);
	return fault_set(fault, -EBUSY, "it is ending already: %s", copier->fault.text);
}

int copier_pause(struct copier *copier, bool is_paused, struct fault *fault)
{
	int err = check(copier, is_paused ? "pause" : "resume", fault);

	if (err != 0)
		return err;
	copier->is_paused = is_paused;
	copier_apply_pause(copier);
	copier_report_progress(copier);
	if (!is_paused && copier->is_leader_paused)
		return fault_set(fault, -EBUSY,
			"the operator of the leader %s has paused it: resume it there",
			copier->address);
	return 0;
}

int copier_apply_rate(struct copier *copier)
{
	if (copier->has_rate && copier->path == COPIER_DPDK &&
		copier->state == COPIER_MOVING)
		return transfer_set_session_rate(plane_transfer(copier->options.plane),
			copier->session_id, copier->rate_bps);
	return 0;
}

int copier_throttle(struct copier *copier, const struct throttle_request *request,
	struct fault *fault)
{
	int err = check(copier, "throttle", fault);

	if (err != 0)
		return err;
	if (copier->path == COPIER_TCP)
		return fault_set(fault, -ENODEV,
			"it goes over TCP, where --snapshot-throttle-rate of the node is "
			"the limit");
	if (!rank_is_empty(&request->rank))
		return fault_set(fault, -EINVAL,
			"class and weight are said at the leader %s, which sends it",
			copier->address);
	copier->has_rate = true;
	copier->rate_bps = request->rate_bps;
	err = copier_apply_rate(copier);
	if (err != 0)
		return fault_set(fault, err,
			"the data plane takes no orders now: try again in a moment");
	return 0;
}

int copier_give_up(struct copier *copier, const char *why, struct fault *fault)
{
	int err = check(copier, "cancel", fault);
	struct fault text = {0};

	if (err != 0)
		return err;
	(void)fault_set(&text, -ECANCELED, "%s: nothing was committed, %s", why,
		copier->options.filters || !copier->is_stock
			? "what came is kept for the next transfer"
			: "nothing is kept");
	copier_cancel(copier, text.text);
	return 0;
}
