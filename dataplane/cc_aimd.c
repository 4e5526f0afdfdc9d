/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/cc.h"

enum { AFTER_LOSS = 717, PROBES = 3 }; /* of CC_UNIT: 0.7 */

static void on_ack(struct cc *cc, const struct cc_ack *ack)
{
	if (cc->is_starting && ack->is_limited)
		cc_increase(cc, ack->nacked * CC_ONE);
	if (!cc_ends_round(cc, ack))
		return;
	if (cc->round_marked > 0)
		(void)cc_decrease(cc, ack, AFTER_LOSS, CC_WINDOW_LOSS_MIN);
	else if (!cc->is_starting && cc->round_limited)
		cc_increase(cc, CC_ONE);
	cc_begin_round(cc, ack->now);
}

static void on_loss(struct cc *cc, const struct cc_ack *ack)
{
	(void)cc_decrease(cc, ack, AFTER_LOSS, CC_WINDOW_LOSS_MIN);
}

static void on_probe_timeout(struct cc *cc, uint32_t probes)
{
	if (probes < PROBES)
		return;
	cc->window = u32_min(cc->max, CC_WINDOW_LOSS_MIN * CC_ONE);
	cc->is_starting = true;
}

const struct cc_ops cc_aimd_ops = {
	.name = "aimd",
	.on_ack = on_ack,
	.on_loss = on_loss,
	.on_probe_timeout = on_probe_timeout,
};
