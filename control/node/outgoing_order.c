/* SPDX-License-Identifier: BSD-3-Clause */
/* What an operator may order of an outgoing transfer, and how the follower hears of it:
 * in the answers to its progress, so that it ends in its own time and says how. */
#include <errno.h>
#include <string.h>

#include <uv.h>

#include "control/node/outgoing.h"
#include "control/queue_codec.h"

#define BAR_FIRST ((uint64_t)(10 * SEC))
#define BAR_MAX ((uint64_t)(320 * SEC))
#define CANCEL_PATIENCE ((uint64_t)(3 * SEC))

struct outgoing *outgoing_find(struct outgoing_list *list, int64_t id)
{
	struct outgoing *outgoing = list->first;

	while (outgoing != NULL && outgoing->id != id)
		outgoing = outgoing->next;
	return outgoing;
}

const struct outgoing *outgoing_find_failed(
	const struct outgoing_list *list, int64_t reader_id)
{
	const struct outgoing *outgoing = list->first;

	while (outgoing != NULL &&
		(outgoing->reader_id != reader_id ||
			(outgoing->cancelled.code == 0 && outgoing->fault.code == 0)))
		outgoing = outgoing->next;
	return outgoing;
}

static bool is_committing(enum transfer_stage stage)
{
	return stage == STAGE_FSYNC || stage == STAGE_LOAD;
}

void outgoing_apply_pause(struct outgoing *outgoing)
{
	bool is_held = outgoing->is_paused || outgoing->cancelled.code != 0;
	bool is_paused = is_held || outgoing->stage == STAGE_PAUSED;

	tcp_serve_pause(outgoing->list->tcp, outgoing->reader_id, is_held);
	if (outgoing->session == SESSION_RUNNING &&
		outgoing->is_session_paused != is_paused &&
		transfer_pause(plane_transfer(outgoing->list->plane),
			outgoing->session_id, is_paused) == 0)
		outgoing->is_session_paused = is_paused;
}

static int check(const struct outgoing *outgoing, const char *verb, struct fault *fault)
{
	if (is_committing(outgoing->stage))
		return fault_set(fault, -EBUSY,
			"%s is committing the snapshot, too late to %s", outgoing->peer,
			verb);
	if (outgoing->cancelled.code != 0)
		return fault_set(fault, -EBUSY, "it is ending already: %s",
			outgoing->cancelled.text);
	return 0;
}

int outgoing_pause(struct outgoing *outgoing, bool is_paused, struct fault *fault)
{
	int err = check(outgoing, is_paused ? "pause" : "resume", fault);

	if (err != 0)
		return err;
	outgoing->is_paused = is_paused;
	outgoing_apply_pause(outgoing);
	if (!is_paused && outgoing->stage == STAGE_PAUSED)
		return fault_set(fault, -EBUSY,
			"the operator of the follower %s has paused it: resume it there",
			outgoing->peer);
	return 0;
}

int outgoing_apply_rate(struct outgoing *outgoing)
{
	if (outgoing->has_rate && outgoing->session == SESSION_RUNNING)
		return transfer_set_session_rate(plane_transfer(outgoing->list->plane),
			outgoing->session_id, outgoing->rate_bps);
	return 0;
}

static int apply_rank(struct outgoing *outgoing)
{
	if (outgoing->session == SESSION_RUNNING)
		return transfer_set_session_rank(plane_transfer(outgoing->list->plane),
			outgoing->session_id, &outgoing->rank);
	return 0;
}

void outgoing_order_rank(struct outgoing *outgoing, const struct rank *rank)
{
	rank_apply(&outgoing->ordered, rank);
	rank_apply(&outgoing->rank, rank);
}

int outgoing_throttle(struct outgoing *outgoing, const struct throttle_request *request,
	struct fault *fault)
{
	int err = check(outgoing, "throttle", fault);

	if (err != 0)
		return err;
	if (outgoing->is_tcp || outgoing->list->plane == NULL)
		return fault_set(fault, -ENODEV,
			"it goes over TCP, where --snapshot-throttle-rate of the node is "
			"the limit");
	if (request->has_rate) {
		outgoing->has_rate = true;
		outgoing->rate_bps = request->rate_bps;
	}
	outgoing_order_rank(outgoing, &request->rank);
	err = outgoing_apply_rate(outgoing);
	if (err == 0)
		err = apply_rank(outgoing);
	if (err != 0)
		return fault_set(fault, err,
			"the data plane takes no orders now: try again in a moment");
	return 0;
}

/* The follower hears of it in the answer to its next progress. */
static void break_off(struct outgoing *outgoing, const struct fault *why)
{
	const struct fault cancelled = *why;

	outgoing->cancelled = cancelled;
	outgoing->cancelled_at = uv_hrtime();
	outgoing_apply_pause(outgoing);
	/* or its stall timer would tell the follower another story */
	if (outgoing->session == SESSION_RUNNING) {
		outgoing->session = SESSION_STOPPING;
		(void)transfer_stop(
			plane_transfer(outgoing->list->plane), outgoing->session_id);
	}
	/* a stock follower learns it when its next get_file finds nothing */
	if (!outgoing->is_opened)
		outgoing_end(outgoing, &cancelled);
}

int outgoing_cancel(struct outgoing *outgoing, const char *who, struct fault *fault)
{
	int err = check(outgoing, "cancel", fault);
	struct fault cancelled = {0};

	if (err != 0)
		return err;
	(void)fault_set(&cancelled, -ECANCELED,
		"cancelled by the operator of the leader %s", who);
	break_off(outgoing, &cancelled);
	return 0;
}

void outgoing_raise(struct outgoing *outgoing)
{
	outgoing->rank.weight = SHAPER_WEIGHT_MAX;
	(void)apply_rank(outgoing);
}

void outgoing_fail(struct outgoing *outgoing, const struct fault *why)
{
	if (outgoing->is_ended || check(outgoing, "", NULL) != 0)
		return; /* it commits, and will need another one */
	outgoing->pin.is_lost = true;
	break_off(outgoing, why);
}

int outgoing_check_barred(
	const struct outgoing_list *list, const char *peer, struct fault *fault)
{
	const struct outgoing *last = NULL;
	uint64_t bar = BAR_FIRST;
	uint64_t since;

	for (const struct outgoing *it = list->first; it != NULL; it = it->next) {
		if (!it->is_ended || strcmp(it->peer, peer) != 0)
			continue;
		if (it->fault.code == 0)
			break; /* what was before has been made good */
		if (it->pin.is_lost && last != NULL)
			bar = u64_min(2 * bar, BAR_MAX);
		else if (it->pin.is_lost)
			last = it;
	}
	if (last == NULL)
		return 0;
	since = uv_hrtime() - last->ended;
	if (since >= bar)
		return 0;
	return fault_set(fault, -ESTALE,
		"transfer %lld to %s %s. Not served again for %llu s: 'snapline transfer "
		"start' does not wait",
		(long long)last->id, peer, last->fault.text,
		(unsigned long long)((bar - since) / SEC + 1));
}

void outgoing_watch_cancelled(struct outgoing *outgoing)
{
	struct fault fault = {0};
	uint64_t since = outgoing->cancelled_at;

	if (outgoing->cancelled.code == 0)
		return;
	if (outgoing->heard_at > since)
		since = outgoing->heard_at;
	if (uv_hrtime() - since < CANCEL_PATIENCE)
		return;
	(void)fault_set(&fault, -ECANCELED, "%s; the follower %s has not answered yet",
		outgoing->cancelled.text, outgoing->peer);
	outgoing_end(outgoing, &fault);
}

int outgoing_on_progress(
	struct outgoing *outgoing, struct progress_request *request, struct fault *fault)
{
	bool is_known = request->stage < STAGE_DONE || request->stage == STAGE_PAUSED;

	progress_request_clamp(request, outgoing->bytes);
	if (is_known)
		outgoing->stage = request->stage;
	outgoing->follower_done = request->bytes_done;
	outgoing->heard_at = uv_hrtime();
	outgoing->bytes_reused = request->bytes_reused;
	if (is_committing(request->stage))
		outgoing->cancelled = (struct fault){0}; /* it came too late */
	outgoing_apply_pause(outgoing);
	/* it may check what it has for minutes before it sends a packet */
	if (request->stage != STAGE_WIRE && outgoing->session == SESSION_RUNNING)
		transfer_touch(
			plane_transfer(outgoing->list->plane), outgoing->session_id);
	if (outgoing->cancelled.code == 0)
		return 0;
	return fault_set(fault, outgoing->cancelled.code, "%s", outgoing->cancelled.text);
}
