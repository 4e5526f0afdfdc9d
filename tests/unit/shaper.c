/* SPDX-License-Identifier: BSD-3-Clause */
/* Port, queue and session: who may send next. A worker is played here by a loop that
 * sends a frame of whoever shaper_next names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/shaper.h"

#define MBIT ((uint64_t)1000000)
#define GBIT (1000 * MBIT)
#define START (9 * SEC)

enum { JUMBO = 8298, SMALL = 1514, BUDGET = 32 };

static struct shaper shaper;
static uint64_t sent[SHAPER_SHARES];  /* bytes */
static uint64_t wants[SHAPER_SHARES]; /* bytes it still has; UINT64_MAX: always more */

static void start(struct lease_source *port)
{
	shaper_init(&shaper, port, START);
	memset(sent, 0, sizeof(sent));
	memset(wants, 0xff, sizeof(wants));
}

static void join(uint32_t at, uint32_t weight, enum shaper_class class, uint32_t frame)
{
	const struct shaper_terms terms = {
		.class = class,
		.weight = weight,
		.frame = frame,
		.rate_bps = RATE_UNLIMITED,
	};

	shaper_add(&shaper, at, &terms, START);
}

static void turn(nsec now)
{
	shaper_begin(&shaper, now);
	for (int i = 0; i < BUDGET; i++) {
		int at = shaper_next(&shaper, now);
		uint32_t len;

		if (at < 0)
			break;
		len = shaper.shares[at].frame;
		if (wants[at] < len) {
			shaper_quiet(&shaper, (uint32_t)at);
			continue;
		}
		if (wants[at] != UINT64_MAX)
			wants[at] -= len;
		sent[at] += len;
		shaper_sent(&shaper, (uint32_t)at, len);
	}
	shaper_end(&shaper, now);
}

static void run(nsec from, nsec span)
{
	for (nsec now = from; now < from + span; now += 5 * USEC)
		turn(now);
}

static uint64_t sum(void)
{
	uint64_t all = 0;

	for (size_t i = 0; i < SHAPER_SHARES; i++)
		all += sent[i];
	return all;
}

/* Jain's index in thousandths. */
static uint64_t fairness(size_t count)
{
	uint64_t squares = 0, all = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t kib = sent[i] / 1024;

		all += kib;
		squares += kib * kib;
	}
	return 1000 * all * all / (count * squares);
}

static void eight_equal_sessions_get_equal_shares(void **state)
{
	(void)state;
	start(NULL);
	for (uint32_t i = 0; i < 8; i++) /* whatever their frames are */
		join(i, 0, SHAPER_RECOVERY, i % 2 == 0 ? JUMBO : SMALL);
	shaper_set_rate(&shaper, GBIT, 0, START);
	run(START, SEC / 2);
	assert_true(fairness(8) >= 999);
	assert_in_range(sum(), GBIT / 16 * 995 / 1000, GBIT / 16 + 64 * KIB);
}

static void weights_are_respected_within_3_percent(void **state)
{
	static const uint32_t weights[] = {1, 2, 10, 17, 100};
	uint64_t all = 0;

	(void)state;
	start(NULL);
	for (uint32_t i = 0; i < ARRAY_LEN(weights); i++) {
		join(10 * i, weights[i], SHAPER_RECOVERY, i % 2 == 0 ? JUMBO : SMALL);
		all += weights[i];
	}
	shaper_set_rate(&shaper, GBIT, 0, START);
	run(START, SEC);
	for (uint32_t i = 0; i < ARRAY_LEN(weights); i++) {
		uint64_t want = GBIT / 8 * weights[i] / all;

		assert_in_range(sent[10 * i], want * 97 / 100, want * 103 / 100);
	}
}

static void a_weight_raised_on_the_way_counts_from_then_on(void **state)
{
	(void)state;
	start(NULL);
	shaper_set_rate(&shaper, GBIT, 0, START);
	join(0, 10, SHAPER_RECOVERY, JUMBO);
	join(1, 10, SHAPER_RECOVERY, JUMBO);
	run(START, SEC);
	shaper_weigh(&shaper, 1, 1000); /* as far as it goes: 100 */
	memset(sent, 0, sizeof(sent));
	run(START + SEC, SEC);
	assert_true(sent[1] > sent[0] * 9 && sent[1] < sent[0] * 11);
}

static void a_class_changed_on_the_way_counts_from_then_on(void **state)
{
	(void)state;
	start(NULL);
	shaper_set_rate(&shaper, GBIT, 0, START);
	join(0, 10, SHAPER_RECOVERY, JUMBO);
	join(1, 100, SHAPER_RECOVERY, JUMBO);
	run(START, SEC / 2);
	shaper_classify(&shaper, 1, SHAPER_REBALANCE);
	memset(sent, 0, sizeof(sent));
	run(START + SEC / 2, SEC / 2);
	assert_true(sent[1] == 0);
	assert_in_range(sent[0], GBIT / 16 * 995 / 1000, GBIT / 16 + 64 * KIB);
	/* and back: it gets its part again, and nothing for the time between */
	shaper_classify(&shaper, 1, SHAPER_RECOVERY);
	memset(sent, 0, sizeof(sent));
	run(START + SEC, SEC / 2);
	assert_true(sent[1] > sent[0] * 9 && sent[1] < sent[0] * 11);
}

static void what_one_does_not_use_is_the_others(void **state)
{
	(void)state;
	start(NULL);
	for (uint32_t i = 0; i < 3; i++)
		join(i, i == 0 ? 100 : 10, SHAPER_RECOVERY, JUMBO);
	wants[0] = 20 * MIB; /* then it has ended */
	shaper_set_rate(&shaper, GBIT, 0, START);
	run(START, SEC);
	assert_true(sum() >= GBIT / 8 * 995 / 1000);
	assert_in_range(sent[0], 20 * MIB - JUMBO, 20 * MIB);
	assert_in_range(sent[1], sent[2] * 97 / 100, sent[2] * 103 / 100);
	/* and it was the first to get its own: nothing is held back for a weight */
	shaper_limit(&shaper, 1, 100 * MBIT, START + SEC);
	memset(sent, 0, sizeof(sent));
	run(START + SEC, SEC);
	assert_in_range(sent[1], 100 * MBIT / 8 * 995 / 1000, 100 * MBIT / 8 + JUMBO);
	assert_true(sum() >= GBIT / 8 * 995 / 1000);
}

static void recovery_goes_before_rebalance(void **state)
{
	(void)state;
	start(NULL);
	join(5, 100, SHAPER_REBALANCE, JUMBO);
	join(6, 1, SHAPER_RECOVERY, SMALL);
	wants[6] = 50 * MIB;
	shaper_set_rate(&shaper, GBIT, 0, START);
	run(START, 400 * MSEC);
	assert_int_equal(sent[5], 0); /* 50 MB fit in, 52.4 MB were wanted */
	assert_in_range(sent[6], GBIT / 20 * 995 / 1000, 50 * MIB);
	run(START + 400 * MSEC, 100 * MSEC);
	assert_in_range(sent[6], 50 * MIB - SMALL, 50 * MIB);
	assert_in_range(sum(), GBIT / 16 * 99 / 100, GBIT / 16 + 64 * KIB);
	/* a limit of its own holds a recovery back, not those behind it */
	wants[6] = UINT64_MAX;
	shaper_limit(&shaper, 6, 10 * MBIT, START + 500 * MSEC);
	memset(sent, 0, sizeof(sent));
	run(START + 500 * MSEC, 100 * MSEC);
	assert_true(sent[6] <= MBIT / 8 + SMALL);
	assert_true(sent[5] >= GBIT / 80 * 98 / 100);
}

static void control_packets_always_pass_and_are_charged(void **state)
{
	uint64_t data;

	(void)state;
	start(NULL);
	join(0, 0, SHAPER_RECOVERY, SMALL);
	shaper_set_rate(&shaper, 100 * MBIT, 0, START);
	/* 40 Mbit/s of them */
	for (nsec now = START; now < START + SEC; now += 20 * USEC) {
		shaper_charge(&shaper, now % 2 == 0 ? -1 : 0, 100);
		turn(now);
	}
	data = 60 * MBIT / 8;
	assert_in_range(sent[0], data * 99 / 100, data + 64 * KIB);
	assert_int_equal(shaper.meter.bytes, sent[0] + 100 * 50000);
	assert_int_equal(shaper.packets, sent[0] / SMALL + 50000);
}

static void a_paused_queue_is_silent_and_wakes_for_nobody(void **state)
{
	(void)state;
	start(NULL);
	join(0, 0, SHAPER_RECOVERY, JUMBO);
	shaper_set_rate(&shaper, 0, 0, START);
	run(START, 100 * MSEC);
	assert_int_equal(sent[0], 0);
	assert_true(shaper_deadline(&shaper) == NEVER);
	assert_true(shaper.meter.throttled_for >= 99 * MSEC);
	shaper_set_rate(&shaper, RATE_UNLIMITED, 0, START + 100 * MSEC);
	turn(START + 100 * MSEC);
	assert_int_equal(sent[0], BUDGET * JUMBO);
	assert_true(shaper_deadline(&shaper) == NEVER);
}

enum place { PORT, QUEUE, SESSION, PLACES };

static void limit(
	struct lease_source *port, enum place place, uint64_t rate_bps, nsec now)
{
	lease_source_set(port, place == PORT ? rate_bps : RATE_UNLIMITED, 0, now);
	shaper_set_rate(&shaper, place == QUEUE ? rate_bps : RATE_UNLIMITED, 0, now);
	shaper_limit(&shaper, 0, place == SESSION ? rate_bps : RATE_UNLIMITED, now);
}

/* A worker that sleeps to the deadline loses nothing, and does not wake in vain: at a
 * slow rate once a packet, at a fast one for several, an eighth of the burst. */
static void deadline_is_when_tokens_are_worth_waking_up_for(void **state)
{
	static const struct {
		uint64_t rate_bps;
		int turns; /* a second, at most */
	} rows[] = {{10 * MBIT, 320}, {5 * GBIT, 20000}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (enum place place = PORT; place < PLACES; place++) {
			uint64_t want = rows[i].rate_bps / 8;
			uint64_t burst = bucket_default_burst(rows[i].rate_bps);
			struct lease_source port;
			nsec now = START;
			int turns = 0;

			lease_source_init(&port, RATE_UNLIMITED, BUCKET_BURST_MIN);
			start(&port);
			join(0, 0, SHAPER_RECOVERY, JUMBO);
			limit(&port, place, rows[i].rate_bps, now);
			for (; now < START + SEC; turns++) {
				turn(now);
				assert_true(shaper_deadline(&shaper) > now);
				assert_true(shaper_deadline(&shaper) < now + 200 * MSEC);
				now = shaper_deadline(&shaper);
			}
			assert_in_range(sent[0], want * 98 / 100, want + burst);
			assert_in_range(turns, 1, rows[i].turns);
		}
}

/* The core goes to another program for 2 ms in 20: by whatever it is limited, the queue
 * makes up for it. */
static void a_turn_that_comes_late_loses_nothing(void **state)
{
	(void)state;
	for (enum place place = PORT; place < PLACES; place++) {
		struct lease_source port;

		lease_source_init(&port, RATE_UNLIMITED, BUDGET * 1024);
		start(&port);
		join(0, 0, SHAPER_RECOVERY, JUMBO);
		limit(&port, place, GBIT, START);
		for (nsec at = 0; at < SEC; at += 20 * MSEC)
			run(START + at, 18 * MSEC);
		assert_in_range(sum(), GBIT / 8 * 995 / 1000, GBIT / 8 + 128 * KIB);
	}
}

/* As the workers of a device: queues that know nothing of each other. */
static void queues_together_never_exceed_the_port(void **state)
{
	enum { QUEUES = 4 };
	static struct shaper queues[QUEUES];
	const struct shaper_terms terms = {.frame = JUMBO, .rate_bps = RATE_UNLIMITED};
	struct lease_source port;
	uint64_t most = GBIT / 8 / 5, all = 0;

	(void)state;
	lease_source_init(&port, RATE_UNLIMITED, BUCKET_BURST_MIN);
	lease_source_set(&port, GBIT, 0, START);
	for (int i = 0; i < QUEUES; i++) {
		shaper_init(&queues[i], &port, START);
		shaper_add(&queues[i], 0, &terms, START);
	}
	/* the second is slower than its share of the port */
	shaper_set_rate(&queues[1], 100 * MBIT, 0, START);
	for (nsec now = START; now < START + SEC / 5; now += 7 * USEC)
		for (int i = 0; i < QUEUES; i++) {
			shaper_begin(&queues[i], now);
			while (shaper_next(&queues[i], now) == 0)
				shaper_sent(&queues[i], 0, JUMBO);
			shaper_end(&queues[i], now);
		}
	for (int i = 0; i < QUEUES; i++) {
		uint64_t want = i == 1 ? most / 10 : most * 3 / 10;

		assert_in_range(queues[i].meter.bytes, want * 97 / 100, want * 103 / 100);
		all += queues[i].meter.bytes;
	}
	assert_in_range(all, most * 995 / 1000, most + QUEUES * 2 * BUCKET_BURST_MIN);
}

static void counters_say_what_went_out_and_how_long_it_waited(void **state)
{
	struct meter_counters *counters = &shaper.meter.counters;

	(void)state;
	start(NULL);
	join(0, 0, SHAPER_RECOVERY, JUMBO);
	shaper_set_rate(&shaper, 100 * MBIT, 0, START);
	run(START, SEC);
	assert_int_equal(counters->bytes, sent[0]);
	assert_int_equal(shaper.npackets, sent[0] / JUMBO);
	assert_in_range(counters->rate_bps, 97 * MBIT, 103 * MBIT);
	assert_in_range(counters->throttled_ns, 990 * MSEC, SEC);
	wants[0] = 0;
	run(START + SEC, SEC / 2);
	assert_true(counters->rate_bps < MBIT);
	assert_true(counters->throttled_ns < SEC + 10 * MSEC);
	shaper_remove(&shaper, 0);
	run(START + 3 * SEC / 2, 10 * MSEC);
	assert_true(shaper_deadline(&shaper) == NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(eight_equal_sessions_get_equal_shares),
		cmocka_unit_test(weights_are_respected_within_3_percent),
		cmocka_unit_test(a_weight_raised_on_the_way_counts_from_then_on),
		cmocka_unit_test(a_class_changed_on_the_way_counts_from_then_on),
		cmocka_unit_test(what_one_does_not_use_is_the_others),
		cmocka_unit_test(recovery_goes_before_rebalance),
		cmocka_unit_test(control_packets_always_pass_and_are_charged),
		cmocka_unit_test(a_paused_queue_is_silent_and_wakes_for_nobody),
		cmocka_unit_test(deadline_is_when_tokens_are_worth_waking_up_for),
		cmocka_unit_test(a_turn_that_comes_late_loses_nothing),
		cmocka_unit_test(queues_together_never_exceed_the_port),
		cmocka_unit_test(counters_say_what_went_out_and_how_long_it_waited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
