/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/auto_rate.h"

#include "dataplane/bucket.h"

#define SPAN_MIN (2 * MSEC)
#define SPAN_MAX (200 * MSEC)
#define MEAN (50 * MSEC) /* that mean_bps remembers */
#define HOLD_MAX (1 * SEC)

enum {
	CALM_PART = 6,    /* of the ceiling */
	HARM_PART = 3,    /* of the ceiling */
	SAMPLES = 4,      /* fewer are believed only when it took so long to get them */
	SPANS_MAX = 5,    /* spans */
	UNIT = 1024,      /* 1 in factors */
	BETA = 768,       /* 0.75 of the excess */
	FACTOR_MIN = 256, /* to a quarter */
	FACTOR_MAX = 973, /* to 0.95 */
	STEP_START = 4,   /* parts of the rate, until something queued */
	STEP_OWN = 128,   /* parts of the rate */
	STEP_BEST = 1024, /* and of the best */
	CALM = 16,        /* rounds before a step doubles */
	NEAR_PART = 16,   /* so close to where it was too much before */
	NEAR_SLOWER = 4,  /* a step is so much smaller */
	FLOOR_PART = 100, /* of the best rate */
	HOLD_PART = 4,    /* of the time for which it was too much at the same rate */
	TRIED = 15,       /* of TRIED_OF parts of the rate were sent */
	TRIED_OF = 16,
	PEAK = 7, /* of PEAK_OF parts of what was sent at most are sent from now on */
	PEAK_OF = 8,
};

void auto_rate_init(struct auto_rate *self, nsec ceiling, uint64_t bytes, nsec now)
{
	*self = (struct auto_rate){
		.rate_bps = AUTO_FLOOR,
		.ceiling = ceiling == 0 ? AUTO_CEILING_DEFAULT : ceiling,
		.began = now,
		.span = SPAN_MIN,
		.stuck_at = NEVER,
		.bytes = bytes,
		.is_starting = true,
		.tried_at = now,
		.seen_at = now,
	};
}

/* Added delay up to so much is no queue; */
static nsec calm_of(const struct auto_rate *self)
{
	return self->ceiling / CALM_PART;
}

/* beyond so much it is harm. */
static nsec harm_of(const struct auto_rate *self)
{
	return self->ceiling / HARM_PART;
}

static uint64_t floor_of(const struct auto_rate *self)
{
	return u64_max(self->best_bps / FLOOR_PART, AUTO_FLOOR);
}

static uint64_t rate_of(uint64_t bytes, nsec span)
{
	return bytes * 8 * 1000000 / u64_max((uint64_t)(span / USEC), 1);
}

/* Where it was too much the last time. */
static bool is_near(const struct auto_rate *self, uint64_t rate_bps)
{
	uint64_t near = self->full_bps / NEAR_PART;

	return rate_bps > self->full_bps - near && rate_bps < self->full_bps + near;
}

/* The further above what is allowed, the less, of what came through. */
static void decrease(struct auto_rate *self, const struct auto_round *round, nsec now)
{
	nsec excess = round->added - harm_of(self);
	uint64_t factor = UNIT - (uint64_t)(excess * BETA / round->added);
	uint64_t came = rate_of(round->acked, now - self->began);

	came = u64_min(self->rate_bps, u64_max(came, floor_of(self)));
	if (self->calm > 0) {
		if (!is_near(self, came))
			self->full_since = now;
		self->full_bps = came;
	}
	factor = u64_min(u64_max(factor, FACTOR_MIN), FACTOR_MAX);
	self->rate_bps = came / UNIT * factor;
	self->calm = 0;
	self->eased_at = now;
}

/* Where it was too much before, slowly. */
static uint64_t step(const struct auto_rate *self)
{
	uint64_t whole = self->rate_bps / STEP_OWN + self->best_bps / STEP_BEST;

	if (is_near(self, self->rate_bps))
		return whole / NEAR_SLOWER;
	return whole << (self->calm > CALM);
}

static void increase(struct auto_rate *self, nsec now)
{
	self->calm++;
	self->raised_at = now;
	self->rate_bps += self->is_starting ? self->rate_bps / STEP_START : step(self);
}

/* Whether the network has seen this rate, but for a frame, which goes when all its tokens
 * are there. Who was away from its CPU for moments sends less, and queues are gone when
 * it is back: that they are short then says nothing of the rate. */
static bool is_tried(
	const struct auto_rate *self, const struct auto_round *round, nsec now)
{
	uint64_t bytes = round->bytes - self->bytes + round->frame;

	return rate_of(bytes, now - self->began) >=
	       auto_rate_bps(self) / TRIED_OF * TRIED;
}

/* A link that has been full at the same rate for long will be so again: finding out costs
 * others a queue each time. */
static bool is_held(const struct auto_rate *self, nsec now)
{
	nsec hold = (self->eased_at - self->full_since) / HOLD_PART;

	return is_near(self, self->rate_bps) &&
	       now - self->eased_at < nsec_min(hold, HOLD_MAX);
}

/* Up to where it was too much before, each round that has sent it tells. Beyond, the
 * rounds together have to: what a full link lets through is less than the rate, however
 * much a single one may find room for after an absence. Else a step from time to time,
 * for there may be more room now. */
static bool may_rise(
	const struct auto_rate *self, const struct auto_round *round, nsec now)
{
	if (!round->is_limited || !is_tried(self, round, now))
		return false;
	if (is_held(self, now))
		return false;
	return self->is_starting ||
	       self->rate_bps < self->full_bps - self->full_bps / NEAR_PART ||
	       self->mean_bps >= self->rate_bps / TRIED_OF * TRIED ||
	       now - self->raised_at >= AUTO_BLIND;
}

/* A rate that is never sent while most round trips tell nothing: that the ends are away
 * is one reason, and another is a full queue of our own port, whose driver waits for
 * room. */
static void lower_untried(
	struct auto_rate *self, const struct auto_round *round, bool was_tried, nsec now)
{
	self->unsure += (int64_t)round->nunsure - round->nsamples;
	if (round->is_limited && !was_tried) {
		if (now - self->tried_at < AUTO_BLIND)
			return;
		if (self->unsure > 0) {
			self->rate_bps = u64_max(
				u64_min(self->rate_bps, self->peak_bps / PEAK_OF * PEAK),
				floor_of(self));
			self->is_starting = false;
		}
	}
	self->tried_at = now;
	self->peak_bps = 0;
	self->unsure = 0;
}

static void remember(struct auto_rate *self, const struct auto_round *round, nsec now)
{
	nsec lasted = now - self->began;
	uint64_t sent = rate_of(round->bytes - self->bytes, lasted);

	self->peak_bps = u64_max(self->peak_bps, sent);
	self->mean_bps = (self->mean_bps * (uint64_t)(MEAN / USEC) +
				 sent * (uint64_t)(lasted / USEC)) /
			 (uint64_t)((MEAN + lasted) / USEC);
}

static void judge(struct auto_rate *self, const struct auto_round *round, nsec now)
{
	uint64_t sent = rate_of(round->bytes - self->bytes, now - self->began);
	bool is_queueing = round->added > calm_of(self);

	if (!is_queueing) {
		self->best_bps = u64_max(self->best_bps, u64_min(self->rate_bps, sent));
		if (may_rise(self, round, now))
			increase(self, now);
		return;
	}
	/* a queue that we find is not of our making, and once may be a coincidence */
	if (self->rate_bps > AUTO_FLOOR &&
		(round->added > harm_of(self) || self->added > calm_of(self)))
		self->is_starting = false;
	/* not twice before the first could show */
	if (round->added > harm_of(self) && now - self->eased_at >= round->rtt)
		decrease(self, round, now);
}

/* Whether the delay has stayed though we have made way, at last by going to the floor. */
static bool is_in_vain(struct auto_rate *self, nsec now)
{
	if (self->added <= calm_of(self)) {
		self->stuck_at = NEVER;
		return false;
	}
	self->stuck_at = nsec_min(self->stuck_at, now);
	if (now - self->stuck_at < AUTO_PATIENCE / 2)
		return false;
	self->rate_bps = floor_of(self);
	if (now - self->stuck_at < AUTO_PATIENCE)
		return false;
	self->stuck_at = NEVER;
	return true;
}

static void begin(struct auto_rate *self, uint64_t bytes, nsec now)
{
	self->began = now;
	self->bytes = bytes;
}

/* A few round trips may be long by what the ends themselves added: they are believed when
 * they are short, or proven. */
static bool says_nothing(const struct auto_rate *self, const struct auto_round *round)
{
	nsec harm = harm_of(self);

	return round->proven <= harm &&
	       (round->nsamples == 0 ||
		       (round->nsamples < SAMPLES && round->added > harm));
}

enum auto_verdict auto_rate_on_round(
	struct auto_rate *self, const struct auto_round *round, nsec now)
{
	struct auto_round seen = *round;
	nsec lasted = now - self->began;
	bool was_tried, is_forgotten;

	if (lasted < self->span ||
		(round->nsamples < SAMPLES && lasted < SPANS_MAX * self->span))
		return AUTO_WAIT;
	was_tried = is_tried(self, round, now);
	remember(self, round, now);
	if (says_nothing(self, round)) {
		lower_untried(self, round, was_tried, now);
		self->is_blind = now - self->seen_at >= AUTO_BLIND;
		begin(self, round->bytes, now); /* nothing moves, or nothing is known */
		return AUTO_JUDGED;
	}
	self->seen_at = now;
	self->is_blind = false;
	seen.added = nsec_max(seen.added, seen.proven);
	judge(self, &seen, now);
	lower_untried(self, round, was_tried, now);
	self->added = seen.added;
	self->rate_bps = u64_min(u64_max(self->rate_bps, floor_of(self)), RATE_MAX);
	self->span = nsec_min(nsec_max(seen.rtt - seen.added, SPAN_MIN), SPAN_MAX);
	is_forgotten = is_in_vain(self, now);
	begin(self, round->bytes, now);
	return is_forgotten ? AUTO_FORGET : AUTO_JUDGED;
}

uint64_t auto_rate_burst(const struct auto_rate *self)
{
	uint64_t burst =
		auto_rate_bps(self) / 8 * (uint64_t)(self->ceiling / USEC) / 4000000;

	return u64_min(u64_max(burst, BUCKET_BURST_MIN), 256 * KIB);
}
