/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/hold.h"

#include <assert.h>

static enum hold_verdict start(struct hold *hold, uint64_t term, int64_t index)
{
	hold->state = HOLD_PULLING;
	hold->term = term;
	hold->index = index;
	return HOLD_START;
}

/* And nothing waits for the end. */
static bool is_cancelled(const struct hold *hold)
{
	return hold->state == HOLD_CANCELLING && !hold->has_next;
}

enum hold_verdict hold_on_install(
	struct hold *hold, uint64_t term, int64_t index, int64_t committed)
{
	if (hold->is_stopped)
		return HOLD_JOIN;
	if (index <= committed)
		return HOLD_PASS;
	if (hold->state == HOLD_IDLE)
		return start(hold, term, index);
	/* A leader that repeats itself may have a newer snapshot by now. What is under
	 * way goes on: under steady writes a follower that always began anew would never
	 * end. One whose heartbeat came first has cancelled already. */
	if (term < hold->term || (term == hold->term && !is_cancelled(hold)))
		return HOLD_JOIN;
	hold->state = HOLD_CANCELLING;
	hold->has_next = true;
	hold->term = term;
	hold->index = index;
	return HOLD_REPLACE;
}

bool hold_on_leader(struct hold *hold, uint64_t term)
{
	if (hold->state != HOLD_PULLING || term <= hold->term)
		return false;
	hold->state = HOLD_CANCELLING;
	hold->term = term;
	return true;
}

enum hold_verdict hold_on_pulled(struct hold *hold, bool is_here)
{
	bool has_next = hold->has_next && !hold->is_stopped;
	bool is_current = hold->state == HOLD_PULLING;

	assert(hold->state != HOLD_IDLE);
	hold->has_next = false;
	hold->state = has_next ? HOLD_PULLING : HOLD_IDLE;
	if (has_next)
		return HOLD_START;
	return is_here && is_current ? HOLD_PASS : HOLD_DROP;
}

bool hold_on_stop(struct hold *hold)
{
	bool cancels = hold->state == HOLD_PULLING;

	hold->is_stopped = true;
	if (cancels)
		hold->state = HOLD_CANCELLING;
	return cancels;
}
