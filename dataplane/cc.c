/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/cc.h"

#include <string.h>

static const struct cc_ops *const kinds[] = {
	[CC_AUTO] = &cc_fixed_ops,
	[CC_FIXED] = &cc_fixed_ops,
	[CC_SWIFT] = &cc_swift_ops,
	[CC_AIMD] = &cc_aimd_ops,
};

void cc_init(struct cc *cc, enum cc_kind kind, uint32_t max)
{
	memset(cc, 0, sizeof(*cc));
	cc->ops = kinds[kind];
	cc->max = max * CC_ONE;
	cc->window = u32_min(cc->max, CC_WINDOW_FIRST * CC_ONE);
	cc->is_starting = true;
	cc->queue = CC_QUEUE;
	loss_trial_init(&cc->trial);
	if (cc->ops == &cc_fixed_ops)
		cc->window = cc->max;
}

bool cc_parse(const char *text, enum cc_kind *kind)
{
	*kind = CC_AUTO;
	if (strcmp(text, "auto") == 0)
		return true;
	for (size_t i = CC_FIXED; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(text, kinds[i]->name) == 0) {
			*kind = (enum cc_kind)i;
			return true;
		}
	}
	return false;
}

void cc_on_ack(struct cc *cc, const struct cc_ack *ack)
{
	loss_trial_count(&cc->trial, ack->nacked, ack->nlost, ack->nspurious, ack->now);
	if (ack->nlost > 0 && cc->ops->on_loss != NULL)
		cc->ops->on_loss(cc, ack);
	if (ack->nacked > 0)
		cc->ops->on_ack(cc, ack);
}

void cc_on_probe_timeout(struct cc *cc, uint32_t probes)
{
	cc->ops->on_probe_timeout(cc, probes);
}

bool cc_decrease(struct cc *cc, const struct cc_ack *ack, uint32_t factor, uint32_t floor)
{
	uint32_t least = u32_min(floor * CC_ONE, cc->max);
	uint32_t window = (uint32_t)((uint64_t)cc->window * factor / CC_UNIT);

	cc->is_starting = false;
	if (ack->now - cc->last_decrease < ack->srtt || cc->window <= least)
		return false;
	cc->window = window > least ? window : least;
	cc->last_decrease = ack->now;
	cc->ndecreases++;
	return true;
}

void cc_increase(struct cc *cc, uint32_t amount)
{
	cc->window = u32_min(cc->window + amount, cc->max);
}

bool cc_ends_round(struct cc *cc, const struct cc_ack *ack)
{
	if (cc->round_at == 0)
		cc_begin_round(cc, ack->now);
	/* a packet sent before the round knows nothing of what was decided then */
	if (ack->rtt != 0 && (cc->is_starting || ack->now - ack->rtt >= cc->round_at)) {
		cc->samples_min = nsec_min(cc->samples_min, ack->rtt);
		cc->nsamples++;
	}
	if (cc->nsamples == CC_SAMPLES) {
		cc->round_min = cc->samples_min;
		cc->samples_min = NEVER;
		cc->nsamples = 0;
	}
	cc->round_acked += ack->nacked;
	cc->round_marked += ack->nmarked;
	cc->round_limited |= ack->is_limited;
	return ack->now - cc->round_at >= ack->srtt;
}

void cc_begin_round(struct cc *cc, nsec now)
{
	cc->round_at = now;
	cc->round_min = NEVER;
	cc->samples_min = NEVER;
	cc->nsamples = 0;
	cc->round_acked = 0;
	cc->round_marked = 0;
	cc->round_limited = false;
}
