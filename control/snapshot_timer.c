/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/snapshot_timer.h"

#include <assert.h>

static nsec after(nsec now, nsec span)
{
	return span > NEVER - now ? NEVER : now + span;
}

static void schedule(struct snapshot_timer *timer, nsec now)
{
	nsec period = timer->limits.interval;

	if (period == 0) {
		timer->due = NEVER;
		return;
	}
	if (timer->is_first)
		period = (nsec)(timer->random % (uint64_t)period) + 1;
	timer->is_first = false;
	timer->due = after(now, period);
}

static enum snapshot_trigger log_trigger(const struct snapshot_timer *timer)
{
	const struct snapshot_timer_limits *limits = &timer->limits;

	if (limits->entries > 0 && timer->entries >= limits->entries)
		return SNAPSHOT_TRIGGER_ENTRIES;
	if (limits->bytes > 0 && timer->log_bytes >= limits->bytes)
		return SNAPSHOT_TRIGGER_BYTES;
	return SNAPSHOT_TRIGGER_NONE;
}

void snapshot_timer_init(struct snapshot_timer *timer,
	const struct snapshot_timer_limits *limits, uint64_t random)
{
	assert(limits->interval >= 0);
	*timer = (struct snapshot_timer){
		.limits = *limits,
		.random = random,
		.is_first = true,
		.due = NEVER,
	};
}

void snapshot_timer_on_start(struct snapshot_timer *timer, nsec now)
{
	if (timer->is_closed || timer->is_on)
		return;
	timer->is_on = true;
	if (!timer->is_running)
		schedule(timer, now);
}

void snapshot_timer_on_stop(struct snapshot_timer *timer)
{
	timer->is_on = false;
	timer->due = NEVER;
}

void snapshot_timer_on_close(struct snapshot_timer *timer)
{
	snapshot_timer_on_stop(timer);
	timer->is_closed = true;
}

bool snapshot_timer_is_done(const struct snapshot_timer *timer)
{
	return timer->is_closed && !timer->is_running;
}

void snapshot_timer_on_limits(struct snapshot_timer *timer,
	const struct snapshot_timer_limits *limits, nsec now)
{
	bool is_changed = limits->interval != timer->limits.interval;

	assert(limits->interval >= 0);
	timer->limits = *limits;
	if (is_changed && timer->is_on && !timer->is_running)
		schedule(timer, now);
}

void snapshot_timer_on_log(
	struct snapshot_timer *timer, uint64_t entries, uint64_t log_bytes)
{
	timer->entries = entries;
	timer->log_bytes = log_bytes;
	if (log_trigger(timer) == SNAPSHOT_TRIGGER_NONE)
		timer->rest_until = 0; /* a snapshot was taken */
}

enum snapshot_trigger snapshot_timer_poll(struct snapshot_timer *timer, nsec now)
{
	enum snapshot_trigger trigger = SNAPSHOT_TRIGGER_NONE;

	if (!timer->is_on || timer->is_running)
		return SNAPSHOT_TRIGGER_NONE;
	if (now >= timer->due)
		trigger = SNAPSHOT_TRIGGER_TIME;
	else if (now >= timer->rest_until)
		trigger = log_trigger(timer);
	if (trigger != SNAPSHOT_TRIGGER_NONE) {
		timer->is_running = true;
		timer->due = NEVER;
	}
	return trigger;
}

void snapshot_timer_on_run_end(struct snapshot_timer *timer, nsec now)
{
	assert(timer->is_running);
	timer->is_running = false;
	if (log_trigger(timer) != SNAPSHOT_TRIGGER_NONE)
		timer->rest_until = after(now, SNAPSHOT_TIMER_REST);
	if (timer->is_on)
		schedule(timer, now);
}

nsec snapshot_timer_deadline(const struct snapshot_timer *timer)
{
	if (!timer->is_on || timer->is_running)
		return NEVER;
	if (log_trigger(timer) == SNAPSHOT_TRIGGER_NONE)
		return timer->due;
	return nsec_min(timer->due, timer->rest_until);
}
