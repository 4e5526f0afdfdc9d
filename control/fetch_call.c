/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/fetch_call.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>

enum { REFUSALS_TO_HALVE = 16 };

struct fetch_policy fetch_policy_default(void)
{
	return (struct fetch_policy){
		.max_count = 128 << 10,
		.read_partly = true,
		.max_retry = 3,
		.retry_interval = SEC,
		.timeout = 10 * SEC,
		.connect_timeout = 200 * MSEC,
	};
}

int fetch_reply_len(const struct fetch_reply *reply, const struct fetch_request *request,
	uint64_t *len)
{
	uint64_t most = request->count;
	uint64_t bytes, end;

	if (reply->has_read_size) {
		if (reply->read_size < 0 || (uint64_t)reply->read_size > most)
			return -EBADMSG;
		most = (uint64_t)reply->read_size;
	}
	if (file_segment_check(&reply->attachment, request->offset, most, &bytes, &end) !=
		0)
		return -EBADMSG;
	if (!reply->has_read_size && reply->eof)
		most = end - request->offset;
	/* neither bytes nor the end: asking again would never end */
	if (most == 0 && !reply->eof)
		return -EBADMSG;
	*len = most;
	return 0;
}

static void wait(struct fetch_call *call, nsec now, nsec span)
{
	call->state = FETCH_CALL_WAITING;
	call->not_before = now + nsec_max(span, FETCH_WAIT_MIN);
}

/* A leader that reads all or nothing refuses for ever what its throttle does not grant in
 * one cycle: refused often enough, the call asks for less. */
static uint64_t shrink(const struct fetch_call *call, uint64_t want)
{
	uint32_t halvings = u32_min(call->refusals / REFUSALS_TO_HALVE, 63);

	return want >> halvings > 0 ? want >> halvings : 1;
}

uint64_t fetch_call_begin(struct fetch_call *call, const struct fetch_policy *policy,
	uint64_t want, nsec now)
{
	struct throttle *throttle = policy->throttle;
	uint64_t granted;

	assert(call->state != FETCH_CALL_SENT);
	if (call->state == FETCH_CALL_WAITING && now < call->not_before)
		return 0;
	want = shrink(call, want);
	granted = want;
	if (throttle != NULL)
		granted = throttle->ops->grant(throttle, want, now);
	if (granted == 0) {
		wait(call, now, throttle->ops->retry_after(throttle));
		return 0;
	}
	call->state = FETCH_CALL_SENT;
	call->throttle = throttle;
	call->granted = granted;
	call->granted_at = now;
	return granted;
}

/* An attachment may be longer than what was asked for: headers count as used. */
static void give_back(struct fetch_call *call, uint64_t used, nsec now)
{
	struct throttle *throttle = call->throttle;

	call->throttle = NULL;
	if (throttle == NULL || used >= call->granted)
		return;
	throttle->ops->give_back(throttle, call->granted, used, call->granted_at, now);
}

static void recover(struct fetch_pace *pace, nsec now)
{
	if (!pace->is_stalled)
		return;
	pace->is_stalled = false;
	if (pace->recovered_at != 0)
		pace->cycle = now - pace->recovered_at;
	pace->recovered_at = now;
}

/* How long to wait after the refusals so far. */
static nsec refused_wait(const struct fetch_call *call, const struct fetch_pace *pace)
{
	nsec most = FETCH_WAIT_MAX;
	nsec span = FETCH_WAIT_MAX;

	if (pace->cycle != 0)
		most = nsec_min(most, nsec_max(pace->cycle / 10, FETCH_WAIT_MIN));
	if (call->refusals < 8) /* 2^7 ms is above the bound */
		span = FETCH_WAIT_MIN << (call->refusals - 1);
	return nsec_min(span, most);
}

/* The follower's own throttle says how long it waits at most: it may not be the one that
 * is used up. */
static void refuse(struct fetch_call *call, struct fetch_pace *pace,
	const struct fetch_policy *policy, nsec now)
{
	const struct throttle *own = policy->throttle;
	nsec span;

	pace->is_stalled = true;
	if (call->refusals < UINT32_MAX)
		call->refusals++;
	span = refused_wait(call, pace);
	if (own != NULL)
		span = nsec_min(span, own->ops->retry_after(own));
	wait(call, now, span);
}

int fetch_call_end(struct fetch_call *call, struct fetch_pace *pace,
	const struct fetch_policy *policy, int code, uint64_t used, nsec now)
{
	assert(call->state == FETCH_CALL_SENT);
	give_back(call, code == 0 ? used : 0, now);
	if (code == 0) {
		recover(pace, now);
		call->state = FETCH_CALL_READY;
		call->failures = 0;
		call->refusals = 0;
		return 0;
	}
	if (code == EAGAIN) {
		refuse(call, pace, policy, now);
		return -EAGAIN;
	}
	call->refusals = 0;
	call->state = FETCH_CALL_READY;
	if (code == ECANCELED || call->failures >= policy->max_retry)
		return code > 0 ? -code : -EBADMSG;
	call->failures++;
	wait(call, now, policy->retry_interval);
	return -EAGAIN;
}

void fetch_call_abandon(struct fetch_call *call, nsec now)
{
	if (call->state == FETCH_CALL_SENT)
		give_back(call, 0, now);
	call->state = FETCH_CALL_READY;
}

nsec fetch_call_deadline(const struct fetch_call *call)
{
	return call->state == FETCH_CALL_WAITING ? call->not_before : NEVER;
}
