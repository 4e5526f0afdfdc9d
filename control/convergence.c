/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/convergence.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/base/format.h"

/* A window of CONVERGENCE_SAMPLES of these: slow enough to see through a burst, quick
 * enough to warn within five seconds. */
#define SAMPLE_PERIOD (250 * MSEC)
#define SPAN_MIN SEC
/* Where nothing has arrived yet: a chunk may take a second or two. */
#define PATIENCE (3 * SEC)
/* A verdict changes only when the opposite was measured for so long. */
#define DOUBT (500 * MSEC)
/* How long raising the transfer is given to help before more log is kept. */
#define RAISE_TIME (2 * SEC)

static const char *const names[] = {
	[CONVERGENCE_MEASURING] = "measuring",
	[CONVERGENCE_YES] = "converging",
	[CONVERGENCE_NO] = "will-not-converge",
	[CONVERGENCE_LOST] = "lost",
};

const char *convergence_name(enum convergence_verdict verdict)
{
	return names[verdict];
}

static void add_sample(struct convergence_meter *meter, uint64_t count, nsec now)
{
	uint32_t newest = (meter->nsamples - 1) % CONVERGENCE_SAMPLES;
	uint32_t at = meter->nsamples % CONVERGENCE_SAMPLES;

	if (meter->nsamples > 0 && now - meter->samples[newest].at < SAMPLE_PERIOD)
		return;
	/* a log that was cut is measured anew */
	if (meter->nsamples > 0 && count < meter->samples[newest].count) {
		meter->nsamples = 0;
		at = 0;
	}
	meter->samples[at].count = count;
	meter->samples[at].at = now;
	meter->nsamples++;
}

static uint32_t oldest_of(const struct convergence_meter *meter)
{
	return meter->nsamples > CONVERGENCE_SAMPLES
		       ? meter->nsamples % CONVERGENCE_SAMPLES
		       : 0;
}

static nsec span_of(const struct convergence_meter *meter)
{
	if (meter->nsamples == 0)
		return 0;
	return meter->samples[(meter->nsamples - 1) % CONVERGENCE_SAMPLES].at -
	       meter->samples[oldest_of(meter)].at;
}

/* How long `amount` takes at the meter's rate. */
static nsec time_for(const struct convergence_meter *meter, uint64_t amount)
{
	uint32_t newest = (meter->nsamples - 1) % CONVERGENCE_SAMPLES;
	uint64_t grown;
	double time;

	if (amount == 0)
		return 0;
	if (meter->nsamples < 2)
		return NEVER;
	grown = meter->samples[newest].count - meter->samples[oldest_of(meter)].count;
	if (grown == 0)
		return NEVER;
	time = (double)amount / (double)grown * (double)span_of(meter);
	return time < (double)(NEVER / 2) ? (nsec)time : NEVER;
}

void convergence_init(
	struct convergence *convergence, const struct convergence_config *config)
{
	memset(convergence, 0, sizeof(*convergence));
	convergence->config = *config;
	convergence->bytes_left = UINT64_MAX;
	convergence->doubt_since = NEVER;
	convergence->is_said = true;
}

void convergence_on_log(
	struct convergence *convergence, uint64_t bytes, uint64_t entries, nsec now)
{
	convergence->kept.bytes = bytes;
	convergence->kept.entries = entries;
	add_sample(&convergence->log_bytes, bytes, now);
	add_sample(&convergence->log_entries, entries, now);
}

void convergence_on_missing(struct convergence *convergence)
{
	if (convergence->verdict == CONVERGENCE_LOST)
		return;
	convergence->is_missing = true;
	convergence->verdict = CONVERGENCE_LOST;
	convergence->is_said = false;
}

void convergence_on_progress(
	struct convergence *convergence, uint64_t moved, uint64_t left, nsec now)
{
	convergence->bytes_left = left;
	add_sample(&convergence->moved, moved, now);
}

void convergence_set_config(
	struct convergence *convergence, const struct convergence_config *config)
{
	convergence->config = *config;
}

const struct convergence_limit *convergence_limit(const struct convergence *convergence)
{
	return convergence->is_stretched ? &convergence->config.hard
					 : &convergence->config.soft;
}

static uint64_t room(uint64_t limit, uint64_t kept)
{
	return limit - u64_min(kept, limit);
}

static nsec horizon_of(
	const struct convergence *convergence, const struct convergence_limit *limit)
{
	nsec bytes = NEVER;
	nsec entries = NEVER;

	if (limit->bytes != UINT64_MAX)
		bytes = time_for(&convergence->log_bytes,
			room(limit->bytes, convergence->kept.bytes));
	if (limit->entries != UINT64_MAX)
		entries = time_for(&convergence->log_entries,
			room(limit->entries, convergence->kept.entries));
	return nsec_min(bytes, entries);
}

nsec convergence_horizon(const struct convergence *convergence)
{
	return horizon_of(convergence, convergence_limit(convergence));
}

nsec convergence_need(const struct convergence *convergence)
{
	return time_for(&convergence->moved, convergence->bytes_left);
}

nsec convergence_margin(const struct convergence *convergence)
{
	nsec horizon = convergence_horizon(convergence);
	nsec need = convergence_need(convergence);

	if (convergence->verdict == CONVERGENCE_LOST)
		return 0;
	if (horizon == NEVER)
		return NEVER;
	return need < horizon ? horizon - need : 0;
}

static bool is_reached(
	const struct convergence_limit *limit, const struct convergence_limit *kept)
{
	return kept->bytes >= limit->bytes || kept->entries >= limit->entries;
}

/* What the numbers say by themselves. A log that does not grow waits for anybody. */
static enum convergence_verdict measure(const struct convergence *convergence)
{
	nsec horizon = convergence_horizon(convergence);

	if (span_of(&convergence->moved) < SPAN_MIN ||
		span_of(&convergence->log_entries) < SPAN_MIN)
		return CONVERGENCE_MEASURING;
	if (convergence_need(convergence) == NEVER &&
		span_of(&convergence->moved) < PATIENCE)
		return CONVERGENCE_MEASURING;
	if (horizon == NEVER || convergence_need(convergence) <= horizon)
		return CONVERGENCE_YES;
	return CONVERGENCE_NO;
}

static void judge(struct convergence *convergence, nsec now)
{
	enum convergence_verdict found = measure(convergence);

	if (found == CONVERGENCE_MEASURING || found == convergence->verdict) {
		convergence->doubt_since = NEVER;
		return;
	}
	if (convergence->doubt_since == NEVER)
		convergence->doubt_since = now;
	if (convergence->verdict != CONVERGENCE_MEASURING &&
		now - convergence->doubt_since < DOUBT)
		return;
	convergence->verdict = found;
	convergence->is_said = false;
	convergence->doubt_since = NEVER;
	convergence->no_since = now;
}

enum convergence_action convergence_poll(struct convergence *convergence, nsec now)
{
	if (convergence->verdict == CONVERGENCE_LOST) {
		enum convergence_action last =
			convergence->is_said ? CONVERGENCE_NOTHING : CONVERGENCE_SAY;

		convergence->is_said = true;
		return last;
	}
	if (is_reached(&convergence->config.hard, &convergence->kept)) {
		convergence->is_stretched = true;
		convergence->verdict = CONVERGENCE_LOST;
		return CONVERGENCE_FAIL;
	}
	judge(convergence, now);
	if (!convergence->is_said) {
		convergence->is_said = true;
		return CONVERGENCE_SAY;
	}
	if (convergence->verdict == CONVERGENCE_NO && !convergence->is_raised) {
		convergence->is_raised = true;
		return CONVERGENCE_RAISE;
	}
	if (!convergence->is_stretched &&
		(is_reached(&convergence->config.soft, &convergence->kept) ||
			(convergence->verdict == CONVERGENCE_NO &&
				now - convergence->no_since >= RAISE_TIME))) {
		convergence->is_stretched = true;
		return CONVERGENCE_PIN;
	}
	return CONVERGENCE_NOTHING;
}

static char *format_time(nsec time, char text[static FORMAT_MAX])
{
	if (time == NEVER)
		(void)snprintf(text, FORMAT_MAX, "for ever");
	else if (time < MSEC)
		(void)snprintf(text, FORMAT_MAX, "0 s");
	else
		format_duration(time, text);
	return text;
}

char *convergence_describe(
	const struct convergence *convergence, char text[static CONVERGENCE_TEXT_MAX])
{
	nsec horizon = convergence_horizon(convergence);
	nsec need = convergence_need(convergence);
	char first[FORMAT_MAX], second[FORMAT_MAX];

	switch (convergence->verdict) {
	case CONVERGENCE_MEASURING:
		(void)snprintf(text, CONVERGENCE_TEXT_MAX, "measuring");
		break;
	case CONVERGENCE_YES:
		if (horizon == NEVER || need == NEVER || need > horizon)
			(void)snprintf(text, CONVERGENCE_TEXT_MAX, "converging");
		else
			(void)snprintf(text, CONVERGENCE_TEXT_MAX,
				"converging (margin %s)",
				format_time(horizon - need, first));
		break;
	case CONVERGENCE_NO:
		(void)snprintf(text, CONVERGENCE_TEXT_MAX,
			"will not converge: log horizon passes in %s, needs %s",
			format_time(horizon, first), format_time(need, second));
		break;
	case CONVERGENCE_LOST:
		if (convergence->is_missing)
			(void)snprintf(text, CONVERGENCE_TEXT_MAX,
				"will not converge: entries behind the snapshot are gone "
				"from the log already");
		else
			(void)snprintf(text, CONVERGENCE_TEXT_MAX,
				"did not converge: kept %s of log (%" PRIu64
				" entries), which is the limit",
				format_bytes(convergence->kept.bytes, first),
				convergence->kept.entries);
		break;
	}
	return text;
}

/* A second's worth. */
static uint64_t rate_per_s(const struct convergence_meter *meter)
{
	nsec span = span_of(meter);
	uint32_t newest = (meter->nsamples - 1) % CONVERGENCE_SAMPLES;
	uint64_t grown;

	if (span <= 0)
		return 0;
	grown = meter->samples[newest].count - meter->samples[oldest_of(meter)].count;
	return (uint64_t)((double)grown / (double)span * (double)SEC);
}

char *convergence_reason(
	const struct convergence *convergence, char text[static CONVERGENCE_REASON_MAX])
{
	bool by_bytes = convergence->kept.bytes >= convergence->config.hard.bytes;
	char kept[FORMAT_MAX], grown[FORMAT_MAX], moved[FORMAT_MAX];

	if (by_bytes) {
		(void)format_bytes(convergence->kept.bytes, kept);
		(void)format_bytes(rate_per_s(&convergence->log_bytes), grown);
	} else {
		(void)snprintf(kept, sizeof(kept), "%" PRIu64 " entries",
			convergence->kept.entries);
		(void)snprintf(grown, sizeof(grown), "%" PRIu64 " entries",
			rate_per_s(&convergence->log_entries));
	}
	(void)snprintf(text, CONVERGENCE_REASON_MAX,
		"did not converge: %s of log were kept for it, which is the limit; the "
		"log grew %s/s, the transfer moved %s/s: raise its rate or %s, or lower "
		"the write load",
		kept, grown, format_bytes(rate_per_s(&convergence->moved), moved),
		by_bytes ? "pin-log-max-mib" : "pin-log-max-entries");
	return text;
}
