/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/throttle_braft.h"

#include <assert.h>
#include <stddef.h>

static_assert(offsetof(struct throttle_braft, port) == 0, "the port is cast back");

static struct throttle_braft *to_braft(struct throttle *throttle)
{
	return (struct throttle_braft *)throttle;
}

static nsec cycle_of(const struct throttle_limits *limits)
{
	return SEC / limits->checks_per_s;
}

static uint64_t per_cycle(const struct throttle_limits *limits)
{
	uint64_t limit = limits->bytes_per_s;

	if (limit < limits->floor_bytes_per_s)
		limit = limits->floor_bytes_per_s;
	if (limit > 0 && limit < limits->checks_per_s)
		return 1;
	return limit / limits->checks_per_s;
}

static nsec align(nsec now, nsec cycle)
{
	return now - now % cycle;
}

/* The edge itself still belongs to the old cycle, as in braft. */
static void roll(struct throttle_braft *braft, nsec now)
{
	nsec cycle = cycle_of(&braft->limits);

	if (now - braft->cycle_start <= cycle)
		return;
	braft->cycle_start = align(now, cycle);
	braft->used = 0;
}

static uint64_t grant(struct throttle *throttle, uint64_t bytes, nsec now)
{
	struct throttle_braft *braft = to_braft(throttle);
	uint64_t most = per_cycle(&braft->limits);
	uint64_t granted;

	if (!braft->limits.is_enabled)
		return bytes;
	roll(braft, now);
	/* a limit lowered within the cycle may leave more used than it has */
	granted = most > braft->used ? u64_min(bytes, most - braft->used) : 0;
	braft->used += granted;
	return granted;
}

static void give_back(struct throttle *throttle, uint64_t granted, uint64_t used,
	nsec granted_at, nsec now)
{
	struct throttle_braft *braft = to_braft(throttle);

	(void)now;
	assert(used <= granted);
	if (!braft->limits.is_enabled || granted_at < braft->cycle_start)
		return; /* of a cycle that is over */
	braft->used -= u64_min(braft->used, granted - used);
}

static bool add_task(struct throttle *throttle, bool is_leader)
{
	struct throttle_braft *braft = to_braft(throttle);

	if (is_leader)
		return true;
	if (braft->install_tasks >= braft->limits.max_install_tasks)
		return false;
	braft->install_tasks++;
	return true;
}

static void finish_task(struct throttle *throttle, bool is_leader)
{
	struct throttle_braft *braft = to_braft(throttle);

	if (is_leader)
		return;
	assert(braft->install_tasks > 0);
	braft->install_tasks--;
}

static nsec retry_after(const struct throttle *throttle)
{
	const struct throttle_braft *braft = (const struct throttle_braft *)throttle;

	return (1000 / braft->limits.checks_per_s + 1) * MSEC;
}

static const struct throttle_ops ops = {
	.grant = grant,
	.give_back = give_back,
	.add_task = add_task,
	.finish_task = finish_task,
	.retry_after = retry_after,
};

void throttle_limits_default(struct throttle_limits *limits)
{
	*limits = (struct throttle_limits){
		.is_enabled = true,
		.bytes_per_s = UINT64_MAX,
		.checks_per_s = THROTTLE_CHECKS_PER_S,
		.max_install_tasks = 1000,
	};
}

void throttle_braft_init(
	struct throttle_braft *braft, const struct throttle_limits *limits, nsec now)
{
	assert(limits->checks_per_s >= 1 && limits->checks_per_s <= 1000);
	*braft = (struct throttle_braft){
		.port.ops = &ops,
		.limits = *limits,
		.cycle_start = align(now, cycle_of(limits)),
	};
}

void throttle_braft_set_limits(
	struct throttle_braft *braft, const struct throttle_limits *limits)
{
	assert(limits->checks_per_s >= 1 && limits->checks_per_s <= 1000);
	braft->limits = *limits;
}
