/* SPDX-License-Identifier: BSD-3-Clause */
/* A token bucket on a virtual clock: whoever sends as soon as it lets him gets the rate,
 * however irregularly he asks, and never more than a burst at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/bucket.h"

#define MBIT ((uint64_t)1000000)
#define GBIT (1000 * MBIT)
#define START (77 * SEC + 123)

enum { FRAME = 8192 + 40 + 42 + 24 };

static uint64_t random_state;

static uint32_t draw(uint32_t below)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (uint32_t)((random_state * 0x2545f4914f6cdd1dull) >> 32) % below;
}

static uint64_t burst_of(const struct bucket *bucket)
{
	return (uint64_t)(bucket->capacity / BUCKET_BYTE);
}

/* How somebody comes back to the bucket. Spans are far below the time a burst lasts. */
enum rhythm { AT_DEADLINE, EVERY_7_US, RANDOM, BURSTS, RHYTHMS };

static nsec next_call(
	const struct bucket *bucket, enum rhythm rhythm, nsec span, nsec now)
{
	nsec deadline = bucket_deadline(bucket, FRAME);

	switch (rhythm) {
	case AT_DEADLINE:
		return deadline;
	case EVERY_7_US:
		return now + nsec_min(7 * USEC, span);
	case RANDOM:
		return now + 1 + (nsec)draw((uint32_t)span);
	default: /* sleeps as long as it can afford */
		return nsec_max(deadline, now + span);
	}
}

/* Sends whatever passes, the last time at the end. Returns the bytes. */
static uint64_t send_until(struct bucket *bucket, enum rhythm rhythm, nsec now, nsec end)
{
	/* long enough to be irregular, short enough that the bucket never overflows */
	nsec span = (nsec)((burst_of(bucket) - FRAME) * 8 * 1000000 /
			   (bucket->rate_bps / 1000));
	uint64_t sent = 0;

	for (;; now = nsec_min(next_call(bucket, rhythm, span, now), end)) {
		while (bucket_has(bucket, FRAME, now)) {
			bucket_charge(bucket, FRAME);
			sent += FRAME;
		}
		if (now == end)
			return sent;
	}
}

static const uint64_t rates[] = {1 * MBIT, 10 * MBIT, 33333333, 100 * MBIT, GBIT,
	10 * GBIT, 100 * GBIT, 400 * GBIT};

/* Of 1 s, or of a tenth where a second would be six million frames. */
static void every_rate_is_met_by_every_rhythm(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rates); i++)
		for (enum rhythm rhythm = 0; rhythm < RHYTHMS; rhythm++) {
			nsec span = rates[i] > 10 * GBIT ? SEC / 10 : SEC;
			uint64_t want = rates[i] / 8 / (uint64_t)(SEC / span);
			struct bucket bucket;
			uint64_t sent;

			random_state = 1 + i;
			bucket_init(&bucket, rates[i], 0, START);
			bucket_charge(&bucket, (uint32_t)burst_of(&bucket));
			sent = send_until(&bucket, rhythm, START, START + span);
			if (sent > want || sent + FRAME + want / 200 < want)
				fail_msg("%llu bit/s, rhythm %d: %llu bytes, not %llu",
					(unsigned long long)rates[i], rhythm,
					(unsigned long long)sent,
					(unsigned long long)want);
		}
}

/* Asked every nanosecond, every microsecond or once an hour: the same tokens. */
static void nothing_is_rounded_away(void **state)
{
	struct bucket often, seldom;
	nsec hour = 3600 * SEC;

	(void)state;
	bucket_init(&often, 1 * MBIT + 1, 1 * MIB, START);
	bucket_charge(&often, 1 * MIB);
	seldom = often;
	for (nsec at = 1; at <= 100000; at++)
		bucket_fill(&often, START + at);
	bucket_fill(&seldom, START + 100000);
	assert_true(often.tokens == seldom.tokens);
	for (nsec at = 0; at <= hour; at += 999983) {
		if (bucket_has(&often, 125, START + at))
			bucket_charge(&often, 125);
	}
	assert_true(bucket_has(&seldom, 1 * MIB, START + hour)); /* no overflow */
}

/* Remembers what passed, and finds the millisecond with the most of it. */
struct log {
	size_t count;
	nsec at[200000];
};

static uint64_t worst_window(const struct log *log, nsec window)
{
	uint64_t worst = 0;

	for (size_t first = 0, end = 0; first < log->count; first++) {
		while (end < log->count && log->at[end] <= log->at[first] + window)
			end++;
		if ((end - first) * FRAME > worst)
			worst = (end - first) * FRAME;
	}
	return worst;
}

static void no_millisecond_has_more_than_its_share_and_a_burst(void **state)
{
	static const uint64_t bursts[] = {0, BUCKET_BURST_MIN, MIB};
	struct log *log = malloc(sizeof(*log));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rates); i++)
		for (size_t k = 0; k < ARRAY_LEN(bursts); k++) {
			nsec now = START, end = START + 20 * MSEC;
			struct bucket bucket;
			uint64_t most;

			random_state = 100 + i;
			log->count = 0;
			bucket_init(&bucket, rates[i], bursts[k], now);
			while (now < end) {
				while (bucket_has(&bucket, FRAME, now) &&
					log->count < ARRAY_LEN(log->at)) {
					bucket_charge(&bucket, FRAME);
					log->at[log->count++] = now;
				}
				/* quiet for up to a millisecond, and at it again */
				now += 1 + (nsec)draw(draw(4) == 0 ? MSEC : 20 * USEC);
			}
			assert_true(log->count < ARRAY_LEN(log->at));
			most = rates[i] / 8 / 1000 + burst_of(&bucket);
			assert_true(worst_window(log, MSEC) <= most);
			assert_true(worst_window(log, 0) <= burst_of(&bucket));
		}
	free(log);
}

/* Who has its core for some time, and has not for some time. */
struct absences {
	nsec away, back;
};

/* Returns the bytes of a second. */
static uint64_t send_between_absences(struct bucket *bucket, struct log *log,
	bool is_excused, const struct absences *absences)
{
	nsec now = START, next = now + absences->back / 2;
	bool waits = false;

	for (log->count = 0; now < START + SEC; now += 5 * USEC) {
		if (now >= next) {
			now += absences->away;
			next = now + absences->back;
		}
		if (waits && is_excused)
			bucket_excuse(bucket, now);
		while (bucket_has(bucket, FRAME, now) &&
			log->count < ARRAY_LEN(log->at)) {
			bucket_charge(bucket, FRAME);
			log->at[log->count++] = now;
		}
		waits = true;
	}
	return log->count * FRAME;
}

static void who_was_away_catches_up_within_a_burst_a_millisecond(void **state)
{
	static const uint64_t story[] = {100 * MBIT, GBIT, 5 * GBIT, 10 * GBIT};
	/* a scheduler; a busy one; a hypervisor that stops the machine */
	static const struct absences stories[] = {
		{3 * MSEC, 17 * MSEC}, {4 * MSEC, 16 * MSEC}, {12 * MSEC, 88 * MSEC}};
	struct log *log = malloc(sizeof(*log));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(story) * ARRAY_LEN(stories); i++) {
		const struct absences *absences = &stories[i / ARRAY_LEN(story)];
		uint64_t rate = story[i % ARRAY_LEN(story)];
		uint64_t burst = u64_max(64 * KIB, rate / 8 / 2500); /* 400 us */
		uint64_t want = rate / 8;
		struct bucket bucket;
		uint64_t sent;

		bucket_init(&bucket, rate, burst, START);
		sent = send_between_absences(&bucket, log, true, absences);
		assert_in_range(sent, want - want / 200, want + burst);
		assert_true(worst_window(log, MSEC) <= want / 1000 + burst);
		/* which is what it would else not reach */
		bucket_init(&bucket, rate, burst, START);
		sent = send_between_absences(&bucket, log, false, absences);
		if (rate >= GBIT)
			assert_true(sent < want - want / 20);
	}
	free(log);
}

/* 50 ms are the most that is made up for, and nobody's absence is another's debt. */
static void what_was_missed_is_not_saved_up(void **state)
{
	struct bucket bucket;

	(void)state;
	bucket_init(&bucket, GBIT, 0, START);
	bucket_charge(&bucket, 64 * 1024);
	bucket_excuse(&bucket, START + 3600 * SEC);
	assert_true(bucket.missed > 0);
	assert_true(bucket.missed <= BUCKET_MISSED_MAX * (int64_t)GBIT);
	/* nobody asks for a while */
	assert_true(bucket_has(&bucket, 64 * KIB, START + 3601 * SEC));
	assert_true(bucket.missed == 0);
	/* nor does a new rate begin with what was missed of the old one */
	bucket_charge(&bucket, 64 * 1024);
	bucket_excuse(&bucket, START + 3602 * SEC);
	bucket_set(&bucket, 10 * GBIT, 0, START + 3602 * SEC);
	assert_true(bucket.missed == 0);
	bucket_init(&bucket, 0, 0, START);
	bucket_excuse(&bucket, START + SEC);
	bucket_init(&bucket, RATE_UNLIMITED, 0, START);
	bucket_excuse(&bucket, START + SEC);
	assert_true(bucket.missed == 0);
}

static void burst_is_500_us_within_64_and_512_kib(void **state)
{
	struct bucket bucket;

	(void)state;
	assert_true(bucket_default_burst(1 * MBIT) == 64 * KIB);
	assert_true(bucket_default_burst(GBIT) == 64 * KIB);
	assert_true(bucket_default_burst(5 * GBIT) == 312500);
	assert_true(bucket_default_burst(10 * GBIT) == 512 * KIB);
	assert_true(bucket_default_burst(100 * GBIT) == 625000);
	assert_true(bucket_default_burst(RATE_UNLIMITED) == 64 * KIB);
	bucket_init(&bucket, GBIT, 1, START);
	assert_true(burst_of(&bucket) == BUCKET_BURST_MIN);
	bucket_init(&bucket, GBIT, UINT64_MAX, START);
	assert_true(burst_of(&bucket) == BUCKET_BURST_MAX);
}

/* From fast to slow, to fast, to slow: each span holds what its own rate makes of it. */
static void a_new_rate_holds_from_now_on_and_begins_without_a_jump(void **state)
{
	static const uint64_t story[] = {
		GBIT, 10 * MBIT, 400 * GBIT, 100 * MBIT, RATE_UNLIMITED, 50 * MBIT};
	struct bucket bucket;
	nsec now = START;

	(void)state;
	bucket_init(&bucket, 20 * MBIT, 0, now);
	for (size_t i = 0; i < ARRAY_LEN(story); i++) {
		uint64_t want = story[i] / 8 / 10;
		uint64_t sent;

		/* nothing is left, as when the sender has more than it may send */
		if (!bucket_is_unlimited(&bucket))
			while (bucket_has(&bucket, FRAME, now))
				bucket_charge(&bucket, FRAME);
		bucket_set(&bucket, story[i], 0, now);
		if (bucket_is_unlimited(&bucket)) {
			assert_true(bucket_has(&bucket, UINT32_MAX, now));
			bucket_charge(&bucket, UINT32_MAX);
			now += SEC;
			continue;
		}
		sent = send_until(&bucket, RANDOM, now, now + SEC / 10);
		assert_true(sent <= want + FRAME);
		assert_true(sent + 2 * FRAME + want / 200 >= want);
		now += SEC / 10;
	}
}

static void tokens_are_kept_as_far_as_the_new_burst_has_room(void **state)
{
	struct bucket bucket;

	(void)state;
	bucket_init(&bucket, GBIT, 0, START);
	bucket_charge(&bucket, 4 * 1024);
	bucket_set(&bucket, 10 * MBIT, 0, START);
	assert_true(bucket_has(&bucket, 60 * 1024, START));
	assert_false(bucket_has(&bucket, 60 * 1024 + 1, START));
	bucket_set(&bucket, 10 * MBIT, 20 * KIB, START);
	assert_true(bucket_has(&bucket, 20 * 1024, START));
	bucket_charge(&bucket, 20 * 1024);
	assert_false(bucket_has(&bucket, 1, START));
}

static void paused_nothing_passes_and_nothing_is_saved_up(void **state)
{
	struct bucket bucket;

	(void)state;
	bucket_init(&bucket, 0, 0, START);
	assert_false(bucket_has(&bucket, 1, START));
	assert_true(bucket_deadline(&bucket, 1) == NEVER);
	bucket_init(&bucket, GBIT, 0, START);
	bucket_charge(&bucket, 64 * 1024);
	bucket_set(&bucket, 0, 0, START);
	assert_false(bucket_has(&bucket, 1, START + 3600 * SEC));
	assert_true(bucket_deadline(&bucket, 1) == NEVER);
	bucket_set(&bucket, GBIT, 0, START + 3600 * SEC);
	assert_false(bucket_has(&bucket, 1, START + 3600 * SEC));
	assert_true(bucket_has(&bucket, 1250, START + 3600 * SEC + 10 * USEC));
}

/* Control packets pass in any case; data waits until they are paid. */
static void what_passes_without_tokens_is_paid_later(void **state)
{
	struct bucket bucket;
	nsec now = START;

	(void)state;
	bucket_init(&bucket, 8 * MBIT, 0, now); /* a byte a microsecond */
	bucket_charge(&bucket, 64 * 1024);
	bucket_charge(&bucket, 1000);
	assert_true(bucket_deadline(&bucket, 500) == now + 1500 * USEC);
	assert_false(bucket_has(&bucket, 500, now + 1500 * USEC - 1));
	assert_true(bucket_has(&bucket, 500, now + 1500 * USEC));
	/* a debt is never longer than a burst: a pause of a day is no sentence */
	for (int i = 0; i < 10000; i++)
		bucket_charge(&bucket, 1000);
	assert_true(bucket_deadline(&bucket, 1) <=
		    now + 1500 * USEC + 64 * 1024 * USEC + 1000);
}

static void what_is_more_than_the_burst_needs_a_full_bucket(void **state)
{
	struct bucket bucket;

	(void)state;
	bucket_init(&bucket, 8 * MBIT, BUCKET_BURST_MIN, START);
	assert_true(bucket_has(&bucket, 1024 * 1024, START));
	bucket_charge(&bucket, 1);
	assert_false(bucket_has(&bucket, 1024 * 1024, START));
	assert_true(bucket_deadline(&bucket, 1024 * 1024) == START + USEC);
	assert_true(bucket_has(&bucket, 1024 * 1024, START + USEC));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_rate_is_met_by_every_rhythm),
		cmocka_unit_test(nothing_is_rounded_away),
		cmocka_unit_test(no_millisecond_has_more_than_its_share_and_a_burst),
		cmocka_unit_test(who_was_away_catches_up_within_a_burst_a_millisecond),
		cmocka_unit_test(what_was_missed_is_not_saved_up),
		cmocka_unit_test(burst_is_500_us_within_64_and_512_kib),
		cmocka_unit_test(a_new_rate_holds_from_now_on_and_begins_without_a_jump),
		cmocka_unit_test(tokens_are_kept_as_far_as_the_new_burst_has_room),
		cmocka_unit_test(paused_nothing_passes_and_nothing_is_saved_up),
		cmocka_unit_test(what_passes_without_tokens_is_paid_later),
		cmocka_unit_test(what_is_more_than_the_burst_needs_a_full_bucket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
