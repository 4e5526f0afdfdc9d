/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/loss_trial.h"

#include <string.h>

enum {
	GAIN_SHIFT = 10,
	MILLION = 1000000,
	TOLERANCE_MAX = 600000, /* ppm */
	HELD = 12, /* tenths: of 1 / 0.7 more that came through if it was us, half */
};

void loss_trial_init(struct loss_trial *trial)
{
	memset(trial, 0, sizeof(*trial));
	trial->tolerance = LOSS_TRIAL_TOLERANCE;
}

/* The share of packets lost, moved towards this batch's. */
static void smooth(struct loss_trial *trial, int64_t total, int64_t lost)
{
	int64_t ppm = trial->loss_ppm;

	if (total > 1 << GAIN_SHIFT)
		total = 1 << GAIN_SHIFT;
	ppm += (lost * MILLION - total * ppm) / (1 << GAIN_SHIFT);
	trial->loss_ppm = ppm < 0 ? 0 : ppm > MILLION ? MILLION : (uint32_t)ppm;
}

void loss_trial_count(struct loss_trial *trial, uint32_t nacked, uint32_t nlost,
	uint32_t nspurious, nsec now)
{
	smooth(trial, (int64_t)nacked + nlost, (int64_t)nlost - nspurious);
	if (now < trial->from)
		return;
	trial->nacked += nacked;
	trial->nlost += nlost;
	trial->nlost -= u32_min(trial->nlost, nspurious);
}

static uint32_t measured_ppm(const struct loss_trial *trial)
{
	uint64_t total = (uint64_t)trial->nacked + trial->nlost;

	return (uint32_t)((uint64_t)trial->nlost * MILLION / total);
}

void loss_trial_cut(struct loss_trial *trial, nsec from)
{
	trial->before = trial->is_running ? measured_ppm(trial) : 0;
	trial->is_running = true;
	trial->nacked = 0;
	trial->nlost = 0;
	trial->from = from;
}

static void conclude(struct loss_trial *trial, uint32_t loss_ppm, uint32_t tolerance)
{
	loss_trial_init(trial);
	trial->loss_ppm = loss_ppm;
	trial->tolerance = tolerance;
}

/* Whether the last cut took most of the loss, or let as much through as before. */
static bool has_helped(uint32_t before, uint32_t after)
{
	return after < before / 2 ||
	       (uint64_t)(MILLION - after) * 10 >= (uint64_t)(MILLION - before) * HELD;
}

static enum loss_trial_verdict judge_cut(struct loss_trial *trial)
{
	uint32_t after = measured_ppm(trial);

	if (after <= LOSS_TRIAL_TOLERANCE) {
		conclude(trial, after, LOSS_TRIAL_TOLERANCE);
		return TRIAL_GO_ON;
	}
	if (trial->before == 0 || has_helped(trial->before, after))
		return TRIAL_CUT;
	/* half as much again, for loss that comes in bursts */
	conclude(trial, after,
		u32_min(after + after / 2 + LOSS_TRIAL_TOLERANCE / 2, TOLERANCE_MAX));
	return TRIAL_UNDO;
}

enum loss_trial_verdict loss_trial_judge(struct loss_trial *trial)
{
	uint32_t total = trial->nacked + trial->nlost;

	if (trial->is_running) {
		if (total < (trial->nlost == 0 ? LOSS_TRIAL_CLEAN : LOSS_TRIAL_PACKETS))
			return TRIAL_GO_ON;
		return judge_cut(trial);
	}
	if (trial->tolerance != LOSS_TRIAL_TOLERANCE &&
		(total >= LOSS_TRIAL_AGAIN || trial->loss_ppm < LOSS_TRIAL_TOLERANCE / 2))
		conclude(trial, trial->loss_ppm, LOSS_TRIAL_TOLERANCE);
	return trial->loss_ppm > trial->tolerance ? TRIAL_CUT : TRIAL_GO_ON;
}
