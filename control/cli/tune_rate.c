/* SPDX-License-Identifier: BSD-3-Clause */
/* How fast a snapshot may go: no faster than helps, and with a foreground, no faster than
 * others bear. First a few rates far apart, then between the last that was good and the
 * first that was not. */
#include <errno.h>

#include "control/cli/tune.h"

#define CEILING_MORE_US 1000 /* than without a transfer, unless somebody says */

enum { REFINEMENTS = 2, CLOSE = 120 /* per cent: good and bad are near enough */ };

static double best_gbps(const struct tune *tune)
{
	double best = 0;

	for (size_t i = 0; i < tune->count; i++)
		if (tune->steps[i].is_measured && tune->steps[i].gbps > best)
			best = tune->steps[i].gbps;
	return best;
}

static uint64_t part_of(double gbps, uint64_t parts, uint64_t of)
{
	uint64_t mbit = (uint64_t)(gbps * 1000) * parts / of;

	return u64_min(u64_max(mbit * 1000000, RATE_MIN), RATE_MAX);
}

int tune_rate_begin(struct tune *tune, struct fault *fault)
{
	struct tune_step *step = tune_add(tune, TUNE_RATE, 0);
	int err = tune_try(tune, step);

	if (err == -ECANCELED)
		return fault_set(fault, err, "interrupted");
	if (err != 0)
		return fault_set(fault, err, "no process for a step");
	if (!step->is_measured)
		return fault_set(fault, step->fault.code, "%s", step->fault.text);
	if (tune->ceiling_us == 0)
		tune->ceiling_us = step->times.p99_us + CEILING_MORE_US;
	return 0;
}

static bool is_borne(const struct tune *tune, const struct tune_step *step)
{
	return step->is_measured &&
	       (!step->has_times || step->times.p99_us <= tune->ceiling_us);
}

/* What others suffered may have been chance: then not a second time. */
static int try_rate(struct tune *tune, uint64_t rate_bps)
{
	struct tune_step *step = tune_add(tune, TUNE_RATE, rate_bps);
	int err = tune_try(tune, step);

	if (err == 0 && step->is_measured && !is_borne(tune, step) &&
		rate_bps != RATE_UNLIMITED && !tune->is_quick)
		err = tune_try(tune, step);
	return err;
}

/* Parts of what has been reached: from the middle outwards, for the time may end. */
static int try_coarse(struct tune *tune)
{
	static const uint64_t eighths[] = {4, 6, 2, 1};
	size_t count = tune->is_quick ? 1 : ARRAY_LEN(eighths);
	int err = try_rate(tune, RATE_AUTO);
	double gbps;

	if (err == 0)
		err = try_rate(tune, RATE_UNLIMITED);
	gbps = best_gbps(tune);
	if (tune->foreground == NULL && count > 2)
		count = 2;
	for (size_t i = 0; i < count && err == 0; i++)
		err = try_rate(tune, part_of(gbps, eighths[i], 8));
	return err;
}

/* The highest rate that others bear, and the lowest above it that they do not; 0: there
 * is none. */
static void bracket(const struct tune *tune, size_t first, uint64_t *good, uint64_t *bad)
{
	*good = *bad = 0;
	for (size_t i = first; i < tune->count; i++) {
		const struct tune_step *step = &tune->steps[i];
		uint64_t rate = step->point.values[TUNE_RATE];

		if (rate < RATE_AUTO && is_borne(tune, step))
			*good = u64_max(*good, rate);
	}
	for (size_t i = first; i < tune->count; i++) {
		const struct tune_step *step = &tune->steps[i];
		uint64_t rate = step->point.values[TUNE_RATE];

		if (rate < RATE_AUTO && rate > *good && !is_borne(tune, step) &&
			(*bad == 0 || rate < *bad))
			*bad = rate;
	}
}

static int refine(struct tune *tune, size_t first)
{
	int err = 0;

	for (int i = 0; i < REFINEMENTS && err == 0; i++) {
		uint64_t good, bad;

		bracket(tune, first, &good, &bad);
		if (good == 0 || bad == 0 || bad * 100 < good * CLOSE)
			break;
		err = try_rate(tune, (good + bad) / 2 / 1000000 * 1000000);
	}
	return err;
}

/* Of those that others bear, the fastest; auto, if that is as fast: it goes on looking.
 */
static struct tune_step *find_best(struct tune *tune, size_t first)
{
	struct tune_step *best = NULL, *adaptive = NULL;

	for (size_t i = first; i < tune->count; i++) {
		struct tune_step *step = &tune->steps[i];

		if (!is_borne(tune, step))
			continue;
		if (step->point.values[TUNE_RATE] == RATE_AUTO)
			adaptive = step;
		if (best == NULL || step->gbps > best->gbps)
			best = step;
	}
	if (adaptive != NULL && adaptive->gbps * 100 >= best->gbps * 95)
		return adaptive;
	return best;
}

int tune_rates(struct tune *tune)
{
	size_t first = tune->count;
	struct tune_step *best;
	int err = try_coarse(tune);

	if (err == 0 && tune->foreground != NULL && !tune->is_quick)
		err = refine(tune, first);
	if (err != 0 && err != -ETIME)
		return err;
	best = find_best(tune, first);
	if (best != NULL)
		tune_choose(tune, best);
	return 0;
}
