/* SPDX-License-Identifier: BSD-3-Clause */
/* Several threads live from one rate: together never more than it, each as much as the
 * others, and what one does not want the others get. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <pthread.h>

#include "dataplane/lease.h"

#define MBIT ((uint64_t)1000000)
#define GBIT (1000 * MBIT)
#define START (5 * SEC)

enum { FRAME = 1500, GRAIN = 16384, TAKERS = 4 };

static struct lease_source source;
static struct lease leases[TAKERS];
static uint64_t taken[TAKERS];

static void start(uint64_t rate_bps)
{
	lease_source_init(&source, RATE_UNLIMITED, GRAIN);
	for (int i = 0; i < TAKERS; i++) {
		lease_init(&leases[i], &source);
		lease_begin(&leases[i], START);
		taken[i] = 0;
	}
	lease_source_set(&source, rate_bps, 0, START);
}

static void take(int i, nsec now)
{
	lease_begin(&leases[i], now);
	while (lease_has(&leases[i], FRAME, now)) {
		lease_charge(&leases[i], FRAME);
		taken[i] += FRAME;
	}
}

/* The first to ask is always the same: it must not get more for that. */
static uint64_t run(int ntakers, nsec from, nsec until, nsec step)
{
	uint64_t before = 0, after = 0;

	for (int i = 0; i < ntakers; i++)
		before += taken[i];
	for (nsec now = from; now < until; now += step)
		for (int i = 0; i < ntakers; i++)
			take(i, now);
	for (int i = 0; i < ntakers; i++)
		after += taken[i];
	return after - before;
}

static void together_they_get_the_rate_and_each_the_same(void **state)
{
	static const uint64_t rates[] = {
		10 * MBIT, 100 * MBIT, GBIT, 10 * GBIT, 100 * GBIT};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
		nsec span = rates[i] < GBIT ? 5 * SEC : SEC / 10;
		uint64_t want = rates[i] / 1000 * (uint64_t)(span / USEC) / 8000;
		uint64_t sum, fair = want / TAKERS;

		start(rates[i]);
		sum = run(TAKERS, START, START + span, 3 * USEC);
		assert_true(sum <= want + TAKERS * (want / 100 + FRAME));
		assert_true(sum + want / 200 + FRAME >= want);
		for (int k = 0; k < TAKERS; k++) {
			uint64_t worth = (uint64_t)leases[k].worth / BUCKET_BYTE;

			assert_in_range(taken[k], fair - worth - fair / 50,
				fair + worth + fair / 50);
		}
	}
}

static void who_wants_nothing_leaves_it_to_the_others(void **state)
{
	uint64_t sum;

	(void)state;
	start(GBIT);
	(void)run(TAKERS, START, START + SEC / 10, 5 * USEC);
	/* three fall silent with a span in hand, and one ahead */
	sum = run(1, START + SEC / 10, START + 2 * SEC / 10, 5 * USEC);
	assert_true(sum >= GBIT / 8 / 10 - GBIT / 8 / 1000);
	assert_true(sum <= GBIT / 8 / 10 + 64 * KIB);
}

/* A slow rate has been sold far ahead: the new one must not wait for that. */
static void a_new_rate_holds_at_once(void **state)
{
	nsec now = START + 300 * MSEC;
	uint64_t sum;

	(void)state;
	start(1 * MBIT);
	(void)run(TAKERS, START, now, MSEC);
	assert_true(atomic_load(&source.sold_until) > now + 100 * MSEC);
	lease_source_set(&source, 10 * GBIT, 0, now);
	sum = run(TAKERS, now, now + MSEC, 5 * USEC);
	assert_true(sum >= 10 * GBIT / 8 / 1000 * 95 / 100);
	/* and back, without a burst of what was sold fast */
	lease_source_set(&source, 1 * MBIT, 0, now + MSEC);
	sum = run(TAKERS, now + MSEC, now + 201 * MSEC, 100 * USEC);
	assert_true(sum <= 25000 + TAKERS * 2 * GRAIN);
}

static void paused_nothing_passes_until_it_goes_on(void **state)
{
	(void)state;
	start(0);
	assert_int_equal(run(TAKERS, START, START + SEC, MSEC), 0);
	assert_true(lease_deadline(&leases[0]) == NEVER);
	lease_source_set(&source, GBIT, 0, START + SEC);
	(void)run(TAKERS, START + SEC, START + SEC + 10 * MSEC, 10 * USEC);
	assert_true(taken[0] > 0 && taken[3] > 0);
	lease_source_set(&source, RATE_UNLIMITED, 0, START + 2 * SEC);
	lease_begin(&leases[0], START + 2 * SEC);
	assert_true(lease_has(&leases[0], UINT32_MAX, START + 2 * SEC));
}

/* Sleeping to the deadline is as good as asking all the time. */
static void deadline_says_when_to_come_back(void **state)
{
	nsec now = START;
	int turns = 0;

	(void)state;
	start(100 * MBIT);
	for (; now < START + SEC; turns++) {
		take(0, now);
		assert_true(lease_deadline(&leases[0]) > now);
		now = lease_deadline(&leases[0]);
	}
	assert_true(turns < 1000);
	assert_in_range(taken[0], 100 * MBIT / 8 - GRAIN, 100 * MBIT / 8 + 64 * KIB);
}

/* All want what they can get, and each loses its core for a sixth of 20 or 100 ms, at
 * other times.
 * Returns the bytes of a second. */
static uint64_t take_between_absences(
	int ntakers, bool is_excused, nsec period, uint64_t *worst)
{
	static uint64_t passed[1000]; /* by the millisecond */
	uint64_t sum = 0;

	memset(passed, 0, sizeof(passed));
	for (nsec at = 0; at < SEC; at += 5 * USEC)
		for (int i = 0; i < ntakers; i++) {
			uint64_t before = taken[i];

			if ((at + i * period / 10 + period * 3 / 4) % period < period / 6)
				continue;
			if (is_excused)
				lease_excuse(&leases[i], START + at);
			take(i, START + at);
			passed[at / MSEC] += taken[i] - before;
			sum += taken[i] - before;
		}
	*worst = 0;
	for (size_t i = 0; i < ARRAY_LEN(passed); i++)
		*worst = u64_max(*worst, passed[i]);
	return sum;
}

static void time_that_nobody_could_buy_is_sold_by_and_by(void **state)
{
	uint64_t want = 5 * GBIT / 8, burst = 256 * KIB;

	(void)state;
	for (int ntakers = 1; ntakers <= 2; ntakers++)
		for (nsec period = 20 * MSEC; period <= 100 * MSEC; period *= 5) {
			uint64_t spans, sum, worst;

			start(0);
			lease_source_set(&source, 5 * GBIT, burst, START);
			sum = take_between_absences(ntakers, true, period, &worst);
			spans = 2 * (uint64_t)ntakers * (uint64_t)leases[0].worth /
				BUCKET_BYTE;
			assert_in_range(sum, want - want / 200, want + burst + spans);
			assert_true(worst <= want / 1000 + burst + spans);
		}
	/* which is what one would else not reach */
	start(0);
	lease_source_set(&source, 5 * GBIT, burst, START);
	assert_true(take_between_absences(1, false, 20 * MSEC, &(uint64_t){0}) <
		    want - want / 20);
}

static void *take_in_a_thread(void *arg)
{
	struct lease *lease = arg;
	uint64_t *sum = &taken[lease - leases];

	for (nsec now = START; now < START + SEC / 10; now += 2 * USEC) {
		lease_begin(lease, now);
		for (; lease_has(lease, FRAME, now); *sum += FRAME)
			lease_charge(lease, FRAME);
	}
	return NULL;
}

/* Each has a clock of its own here, so one may be far ahead: a span is sold once all the
 * same. */
static void no_span_is_sold_twice(void **state)
{
	uint64_t most = GBIT / 8 / 10;
	uint64_t sum = 0;
	pthread_t threads[TAKERS];

	(void)state;
	start(GBIT);
	for (int i = 0; i < TAKERS; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, take_in_a_thread, &leases[i]),
			0);
	for (int i = 0; i < TAKERS; i++) {
		(void)pthread_join(threads[i], NULL);
		sum += taken[i];
	}
	assert_true(sum > 0);
	assert_true(sum <= most + 64 * KIB + TAKERS * 2 * GRAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(together_they_get_the_rate_and_each_the_same),
		cmocka_unit_test(who_wants_nothing_leaves_it_to_the_others),
		cmocka_unit_test(a_new_rate_holds_at_once),
		cmocka_unit_test(paused_nothing_passes_until_it_goes_on),
		cmocka_unit_test(deadline_says_when_to_come_back),
		cmocka_unit_test(time_that_nobody_could_buy_is_sold_by_and_by),
		cmocka_unit_test(no_span_is_sold_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
