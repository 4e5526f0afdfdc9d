/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/cc.h"

#define TARGET_MIN (25 * USEC)
#define TARGET_QUEUE (15 * USEC) /* on top of the shortest round trip */
#define TARGET_SHARE 16          /* or this part of it: far away, bursts grow longer */

enum {
	BETA = 819,       /* of CC_UNIT: 0.8 */
	FACTOR_MIN = 512, /* at most halved */
	AFTER_LOSS = 717, /* 0.7 */
	CALM_ROUNDS = 5,  /* before the increase grows */
	CALM_SHIFT_MAX = 12,
	DRAIN_EVERY = 64, /* rounds */
	DRAIN_FIRST = 16, /* long enough after the start for its queue to be gone */
	PROBES = 3,       /* timeouts in a row before everything begins anew */
	PROBES_PATH = 2,  /* before another path is thought possible */
	MARKED_GAIN = 16,
};

/* Small windows may queue longer, so that many flows share a link fairly:
 * 50 us * (1 / sqrt(window) - 1 / sqrt(32)) / (1 / sqrt(0.1) - 1 / sqrt(32)). */
static nsec flow_scaling(uint32_t window)
{
	static const uint16_t scaling[] = {13787, 13787, 8882, 6709, 5413, 4529, 3877,
		3369, 2961, 2622, 2335, 2089, 1874, 1684, 1515, 1364, 1226, 1101, 987,
		882, 784, 694, 610, 531, 458, 389, 324, 262, 204, 149, 97, 47, 0};

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
	if (cc->round_limited)
		cc_increase(cc, amount);
}

/* Looks back on a round trip. Its shortest sample counts: bursts and the noise of
 * schedulers only ever add. */
static void judge(struct cc *cc, const struct cc_ack *ack)
{
	nsec room = nsec_max(TARGET_QUEUE, cc->min_rtt / TARGET_SHARE);
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

/* A quarter of the window for a round trip: who came when there was a queue already took
 * it for a part of the way, and would never find out that others wait because of it. */
static bool drain(struct cc *cc)
{
	if (cc->is_starting)
		return false;
	if (cc->drained != 0) {
		cc->window = cc->drained;
		cc->drained = 0;
		cc->calm = 0;
		return true;
	}
	if (++cc->rounds % DRAIN_EVERY != DRAIN_FIRST ||
		cc->window < 4 * CC_WINDOW_MIN * CC_ONE)
		return false;
	cc->drained = cc->window;
	cc->window /= 4;
	return true;
}

static void on_ack(struct cc *cc, const struct cc_ack *ack)
{
	if (ack->rtt != 0 && (cc->min_rtt == 0 || ack->rtt < cc->min_rtt))
		cc->min_rtt = ack->rtt;
	if (cc->is_starting && ack->is_limited)
		cc_increase(cc, ack->nacked * CC_ONE);
	if (!cc_ends_round(cc, ack) || cc->round_min == NEVER)
		return;
	if (!drain(cc))
		judge(cc, ack);
	cc_begin_round(cc, ack->now);
}

static void on_loss(struct cc *cc, const struct cc_ack *ack)
{
	if (cc->loss_ppm > CC_LOSS_TOLERANCE &&
		cc_decrease(cc, ack, AFTER_LOSS, CC_WINDOW_LOSS_MIN))
		cc->drained = 0;
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
	.on_loss = on_loss,
	.on_probe_timeout = on_probe_timeout,
};
