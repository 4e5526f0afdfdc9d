/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/cc.h"

#define TARGET_MIN (25 * USEC)
#define TARGET_SHARE 16 /* far away, bursts grow longer than cc.queue */

enum {
	BETA = 819,       /* of CC_UNIT: 0.8 */
	FACTOR_MIN = 512, /* at most halved */
	AFTER_LOSS = 717, /* 0.7 */
	CALM_ROUNDS = 5,  /* before the increase grows */
	CALM_SHIFT_MAX = 12,
	DRAIN_EVERY = 64, /* rounds */
	DRAIN_PART_MAX = 4,
	DRAIN_FIRST = 16, /* long enough after the start for its queue to be gone */
	PROBES = 3,       /* timeouts in a row before everything begins anew */
	PROBES_PATH = 2,  /* before another path is thought possible */
	MARKED_GAIN = 16,
};

/* Small windows may queue longer, so that many flows share a link fairly:
 * 200 us * (1 / sqrt(window) - 1 / sqrt(32)) / (1 / sqrt(0.1) - 1 / sqrt(32)). With the
 * 50 us of the paper a packet more costs 0.25 us at a window of ten, and whoever takes a
 * microsecond of queue for the way has half as much again as the others. */
static nsec flow_scaling(uint32_t window)
{
	static const uint16_t scaling[] = {55148, 55148, 35528, 26836, 21652, 18116,
		15508, 13476, 11844, 10488, 9340, 8356, 7496, 6736, 6060, 5456, 4904,
		4404, 3948, 3528, 3136, 2776, 2440, 2124, 1832, 1556, 1296, 1048, 816,
		596, 388, 188, 0};

	return window < ARRAY_LEN(scaling) ? scaling[window] : 0;
}

static void increase(struct cc *cc, nsec queue, nsec room)
{
	uint32_t amount = CC_ONE;

	cc->calm = 2 * queue < room ? cc->calm + 1 : 0;
	if (cc->calm > CALM_ROUNDS)
		amount <<= u32_min(cc->calm - CALM_ROUNDS, CALM_SHIFT_MAX);
	/* a ramp never takes more than an eighth at once */
	if (amount > CC_ONE)
		amount = u32_min(amount, cc->window / 8 + CC_ONE);
	if (cc->round_limited && !cc->trial.is_running)
		cc_increase(cc, amount);
}

/* Looks back on a round trip. Its shortest sample counts: bursts and the noise of
 * schedulers only ever add. */
static void judge(struct cc *cc, const struct cc_ack *ack)
{
	nsec room = nsec_max(cc->queue, cc->min_rtt / TARGET_SHARE);
	nsec target =
		nsec_max(TARGET_MIN, cc->min_rtt + room) + flow_scaling(cc_window(cc));
	nsec delay = cc->round_min;
	uint32_t share = u32_min(cc->round_marked * CC_UNIT / cc->round_acked, CC_UNIT);

	cc->marked += share / MARKED_GAIN;
	cc->marked -= cc->marked / MARKED_GAIN;
	if (delay > target) {
		uint32_t factor = CC_UNIT - (uint32_t)((delay - target) * BETA / delay);

		cc->calm = 0;
		(void)cc_decrease(cc, ack, factor > FACTOR_MIN ? factor : FACTOR_MIN,
			CC_WINDOW_MIN);
	} else if (share > 0) {
		cc->calm = 0;
		(void)cc_decrease(cc, ack, CC_UNIT - cc->marked / 2, CC_WINDOW_MIN);
	} else if (!cc->is_starting) {
		increase(cc, delay - cc->min_rtt, target - cc->min_rtt);
	}
}

/* What is kept of the window while the queue drains, one part in so many: a queue is up
 * to 26 % of a short way, a sixteenth of a long one, where a round trip costs more. */
static uint32_t drain_part(const struct cc *cc)
{
	return cc->min_rtt / TARGET_SHARE > cc->queue ? 2 : DRAIN_PART_MAX;
}

/* Few packets for a round trip: who came when there was a queue already took it for a
 * part of the way, and would never find out that others wait because of it. One packet
 * goes for so many that arrived, then so many for one: never faster than the link, where
 * a window that jumps back would burst into the queue and be lost. */
static void drain(struct cc *cc, uint32_t nacked)
{
	uint32_t part = drain_part(cc);
	uint32_t least = cc->drained / part;
	uint32_t most = nacked * (part - 1) * CC_ONE;

	if (cc->is_refilling)
		cc->window = u32_min(cc->window + most, cc->drained);
	else if (cc->window > least)
		cc->window -= u32_min(most / part, cc->window - least);
}

static bool is_drain_due(struct cc *cc)
{
	return !cc->is_starting && ++cc->rounds % DRAIN_EVERY == DRAIN_FIRST &&
	       cc->window >= DRAIN_PART_MAX * CC_WINDOW_MIN * CC_ONE;
}

static void end_round(struct cc *cc, const struct cc_ack *ack)
{
	uint32_t before = cc->window;

	if (cc->drained == 0) {
		judge(cc, ack);
		if (is_drain_due(cc)) {
			/* a step up is not tried where nobody sees what comes of it */
			cc->window = u32_min(cc->window, before);
			cc->drained = cc->window;
			cc->is_refilling = false;
		}
	} else if (!cc->is_refilling) {
		cc->is_refilling = true;
	} else {
		cc->window = cc->drained;
		cc->drained = 0;
		cc->calm = 0;
	}
	cc_begin_round(cc, ack->now);
}

/* Tries whether a smaller window loses less. */
static void heed_loss(struct cc *cc, const struct cc_ack *ack)
{
	bool is_second = cc->trial.is_running && cc->trial.before == 0;
	uint32_t window = cc->window;

	if (cc->drained != 0 ||
		(!cc->trial.is_running && window <= CC_WINDOW_LOSS_MIN * CC_ONE))
		return;
	switch (loss_trial_judge(&cc->trial)) {
	case TRIAL_GO_ON:
		break;
	case TRIAL_CUT:
		/* a start has doubled it too often by one */
		if (!cc_decrease(cc, ack, cc->is_starting ? FACTOR_MIN : AFTER_LOSS,
			    CC_WINDOW_LOSS_MIN / 2))
			break;
		if (!is_second)
			cc->before_cut = window;
		loss_trial_cut(&cc->trial, ack->now + ack->srtt);
		break;
	case TRIAL_UNDO:
		cc->window = cc->before_cut;
		break;
	}
}

static void on_ack(struct cc *cc, const struct cc_ack *ack)
{
	if (ack->base != 0)
		cc->min_rtt = ack->base;
	else if (ack->rtt != 0 && (cc->min_rtt == 0 || ack->rtt < cc->min_rtt))
		cc->min_rtt = ack->rtt;
	heed_loss(cc, ack);
	if (cc->is_starting && ack->is_limited)
		cc_increase(cc, ack->nacked * CC_ONE);
	if (cc->drained != 0)
		drain(cc, ack->nacked);
	if (cc_ends_round(cc, ack) && cc->round_min != NEVER)
		end_round(cc, ack);
}

static void on_probe_timeout(struct cc *cc, uint32_t probes)
{
	if (probes >= PROBES_PATH)
		cc->min_rtt = 0; /* what comes back may come another way */
	if (probes < PROBES)
		return;
	cc->window = u32_min(cc->max, CC_WINDOW_LOSS_MIN * CC_ONE);
	cc->drained = 0;
	cc->is_starting = true;
}

const struct cc_ops cc_swift_ops = {
	.name = "swift",
	.on_ack = on_ack,
	.on_probe_timeout = on_probe_timeout,
};
