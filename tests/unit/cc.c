/* SPDX-License-Identifier: BSD-3-Clause */
/* How the window answers to delay, marks, loss and silence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataplane/cc.h"

#define RTT (100 * USEC)

static struct cc cc;
static nsec now;

static void begin(enum cc_kind kind)
{
	cc_init(&cc, kind, 1000);
	now = 1 * SEC;
}

static struct cc_ack ack_of(nsec rtt)
{
	return (struct cc_ack){
		.now = now, .rtt = rtt, .srtt = rtt, .nacked = 10, .is_limited = true};
}

/* One of ten in a round trip of so long. */
static void pass_ack(nsec rtt, uint32_t nacked)
{
	struct cc_ack ack = ack_of(rtt);

	now += rtt / 10;
	ack.now = now;
	ack.nacked = nacked;
	cc_on_ack(&cc, &ack);
}

/* Ten ACKs of ten packets in every round trip of so long. */
static void pass_rounds(uint32_t count, nsec rtt)
{
	for (uint32_t i = 0; i < 10 * count; i++)
		pass_ack(rtt, 10);
}

static void lose(uint32_t nlost, uint32_t nacked)
{
	struct cc_ack ack = ack_of(RTT);

	ack.nlost = nlost;
	ack.nacked = nacked;
	cc_on_ack(&cc, &ack);
}

/* Past the start, at a window of some hundreds of packets. */
static void settle(enum cc_kind kind)
{
	begin(kind);
	pass_rounds(3, RTT);
	cc.is_starting = false;
	assert_in_range(cc_window(&cc), 100, 400);
}

static void names_are_parsed(void **state)
{
	enum cc_kind kind;

	(void)state;
	assert_true(cc_parse("auto", &kind) && kind == CC_AUTO);
	assert_true(cc_parse("swift", &kind) && kind == CC_SWIFT);
	assert_true(cc_parse("fixed", &kind) && kind == CC_FIXED);
	assert_true(cc_parse("aimd", &kind) && kind == CC_AIMD);
	assert_false(cc_parse("cubic", &kind));
	assert_false(cc_parse("", &kind));
}

static void fixed_is_fixed(void **state)
{
	(void)state;
	begin(CC_FIXED);
	pass_rounds(5, RTT);
	lose(50, 50);
	cc_on_probe_timeout(&cc, 5);
	assert_int_equal(cc_window(&cc), 1000);
	begin(CC_AUTO); /* nobody has decided */
	assert_int_equal(cc_window(&cc), 1000);
}

static void a_start_grows_by_all_that_is_acknowledged(void **state)
{
	(void)state;
	begin(CC_SWIFT);
	assert_int_equal(cc_window(&cc), CC_WINDOW_FIRST);
	lose(0, 16);
	assert_int_equal(cc_window(&cc), 32);
	pass_rounds(50, RTT);
	assert_int_equal(cc_window(&cc), 1000); /* no more than configured */
}

/* A sender that has nothing to send learns nothing about the network. */
static void a_window_that_is_not_used_does_not_grow(void **state)
{
	struct cc_ack ack;

	(void)state;
	begin(CC_SWIFT);
	for (int i = 0; i < 1000; i++) {
		now += RTT;
		ack = ack_of(RTT);
		ack.is_limited = false;
		cc_on_ack(&cc, &ack);
	}
	assert_int_equal(cc_window(&cc), CC_WINDOW_FIRST);
}

static void delay_above_the_target_shrinks_the_window_once_a_round_trip(void **state)
{
	uint32_t before;

	(void)state;
	settle(CC_SWIFT);
	before = cc_window(&cc);
	pass_rounds(1, RTT); /* the round under way still had the shorter one */
	pass_rounds(10, 2 * RTT);
	/* every second one, for what a decrease does is seen a round trip later */
	assert_in_range(cc.ndecreases, 4, 10);
	assert_true(cc_window(&cc) < before / 2);
}

/* A kernel's interface takes longer for a burst than a NIC's whole queue is. */
static void a_slow_device_may_queue_longer(void **state)
{
	uint32_t before;

	(void)state;
	settle(CC_SWIFT);
	cc.queue = 200 * USEC;
	before = cc_window(&cc);
	pass_rounds(10, RTT + 190 * USEC);
	assert_int_equal(cc.ndecreases, 0);
	assert_true(cc_window(&cc) >= before);
	pass_rounds(10, RTT + 300 * USEC);
	assert_true(cc_window(&cc) < before);
}

static void one_decrease_at_most_halves(void **state)
{
	uint32_t before;

	(void)state;
	settle(CC_SWIFT);
	pass_rounds(2, RTT);
	cc_begin_round(&cc, now);
	before = cc_window(&cc);
	while (cc.ndecreases == 0)
		pass_rounds(1, 100 * RTT);
	assert_in_range(cc_window(&cc), before / 2, before / 2 + 1);
}

/* The shortest sample of a round trip counts: a scheduler's noise only ever adds. */
static void noise_is_no_queue(void **state)
{
	(void)state;
	settle(CC_SWIFT);
	for (int i = 0; i < 500; i++) {
		struct cc_ack ack = ack_of(i % 5 == 0 ? RTT : 10 * RTT);

		now += RTT / 10;
		ack.now = now;
		ack.srtt = RTT;
		cc_on_ack(&cc, &ack);
	}
	assert_int_equal(cc.ndecreases, 0);
}

/* One packet a round trip; after five rounds without a queue ever more. */
static void a_network_that_stays_empty_is_tried_harder(void **state)
{
	uint32_t before;

	(void)state;
	settle(CC_SWIFT);
	cc.window = 50 * CC_ONE;
	cc.calm = 0;
	cc.rounds = 100;
	pass_rounds(6, RTT);
	before = cc_window(&cc);
	assert_in_range(before, 52, 55);
	pass_rounds(30, RTT);
	assert_true(cc_window(&cc) > before + 50);
}

static void a_little_loss_is_repaired_not_feared(void **state)
{
	(void)state;
	settle(CC_SWIFT);
	for (int i = 0; i < 5000; i++) {
		now += RTT / 10;
		lose(i % 10 == 0, 10); /* 1 % */
	}
	assert_int_equal(cc.ndecreases, 0);
	assert_in_range(cc.trial.loss_ppm, 5000, 15000);
}

/* Rounds in which so many of a thousand packets are lost. */
static void pass_lossy_rounds(uint32_t count, uint32_t permille)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < 10 * count; i++) {
		uint32_t nlost;

		now += RTT / 10;
		sum += 10 * permille;
		nlost = sum / 1000;
		sum %= 1000;
		lose(nlost, 10 - nlost);
	}
}

/* A queue that is too short to delay anything: what exceeds 100 packets is lost. */
static void loss_that_a_smaller_window_cures_keeps_it_small(void **state)
{
	uint32_t most = 0;

	(void)state;
	settle(CC_SWIFT);
	for (int i = 0; i < 400; i++) {
		uint32_t window = cc_window(&cc);

		pass_lossy_rounds(1, window > 100 ? 1000 * (window - 100) / window : 0);
		if (i > 100)
			most = window > most ? window : most;
	}
	assert_in_range(most, 60, 150);
	assert_true(cc.ndecreases > 3);
}

/* A bad cable: a tenth is lost, whatever is sent. */
static void loss_that_nothing_cures_is_borne(void **state)
{
	uint32_t before;

	(void)state;
	settle(CC_SWIFT);
	pass_lossy_rounds(200, 100);
	assert_true(cc_window(&cc) > 400);
	assert_in_range(cc.ndecreases, 2, 4);
	before = cc.ndecreases;
	/* and when the queue overflows as well, that is seen */
	pass_lossy_rounds(20, 400);
	assert_true(cc.ndecreases > before);
}

/* Reordering is no loss, once the packets have come. */
static void what_comes_late_is_taken_back(void **state)
{
	(void)state;
	settle(CC_SWIFT);
	for (int i = 0; i < 1000; i++) {
		struct cc_ack ack = ack_of(RTT);

		now += RTT / 10;
		ack.now = now;
		ack.nlost = 1;
		ack.nspurious = 1;
		cc_on_ack(&cc, &ack);
	}
	assert_true(cc.trial.loss_ppm < LOSS_TRIAL_TOLERANCE);
	assert_int_equal(cc.ndecreases, 0);
}

/* After sixteen rounds, and then every 64, a part of the window for a round trip shows
 * how short the way is without a queue. It goes down and up by what arrives, not at once.
 */
static void drain_now_and_then(nsec rtt, uint32_t part)
{
	uint32_t drains = 0;

	settle(CC_SWIFT);
	cc.min_rtt = rtt;
	for (int i = 0; i < 230; i++) {
		uint32_t full, least = 0;

		pass_rounds(1, rtt);
		if (cc.drained == 0)
			continue;
		drains++;
		full = cc.drained / CC_ONE;
		while (!cc.is_refilling) {
			least = cc_window(&cc);
			pass_ack(rtt, full / 10);
		}
		assert_in_range(least, full / part, full / part + 1);
		while (cc.drained != 0) {
			uint32_t before = cc_window(&cc);

			pass_ack(rtt, full / part / 10);
			assert_in_range(cc_window(&cc), before, before + full / 10 + 1);
		}
		assert_in_range(cc_window(&cc), full, full + 1);
	}
	assert_true(drains >= 2);
}

static void the_queue_is_drained_now_and_then(void **state)
{
	(void)state;
	drain_now_and_then(RTT, 4);
	drain_now_and_then(10 * MSEC, 2);
}

/* As DCTCP: few marks, a small step; nothing but marks, half. */
static void marks_shrink_the_window_by_their_share(void **state)
{
	uint32_t before;

	(void)state;
	settle(CC_SWIFT);
	before = cc_window(&cc);
	for (int i = 0; i < 30; i++) {
		struct cc_ack ack = ack_of(RTT);

		now += RTT;
		ack.now = now;
		ack.nmarked = 1;
		cc_on_ack(&cc, &ack);
	}
	assert_in_range(cc_window(&cc), before / 4, before - 1);
	for (int i = 0; i < 2000; i++) {
		struct cc_ack ack = ack_of(RTT);

		now += RTT;
		ack.now = now;
		ack.nmarked = 10;
		cc_on_ack(&cc, &ack);
	}
	assert_int_equal(cc_window(&cc), CC_WINDOW_MIN);
}

static void silence_starts_anew(void **state)
{
	(void)state;
	settle(CC_SWIFT);
	cc_on_probe_timeout(&cc, 1);
	assert_true(cc_window(&cc) > 100);
	assert_true(cc.min_rtt == RTT);
	cc_on_probe_timeout(&cc, 2);
	assert_true(cc.min_rtt == 0); /* another path, perhaps */
	assert_true(cc_window(&cc) > 100);
	cc_on_probe_timeout(&cc, 3);
	assert_int_equal(cc_window(&cc), CC_WINDOW_LOSS_MIN);
	assert_true(cc.is_starting);
}

static void aimd_fears_every_loss_and_no_delay(void **state)
{
	uint32_t before;

	(void)state;
	settle(CC_AIMD);
	before = cc_window(&cc);
	pass_rounds(20, 5 * RTT);
	assert_in_range(cc_window(&cc), before + 18, before + 21);
	before = cc_window(&cc);
	now += RTT;
	lose(1, 10);
	lose(1, 10); /* the same round trip */
	assert_in_range(cc_window(&cc), before * 69 / 100, before * 71 / 100);
	assert_int_equal(cc.ndecreases, 1);
	for (int i = 0; i < 100; i++) {
		now += RTT;
		lose(1, 1);
	}
	assert_in_range(cc_window(&cc), CC_WINDOW_LOSS_MIN, CC_WINDOW_LOSS_MIN + 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_parsed),
		cmocka_unit_test(fixed_is_fixed),
		cmocka_unit_test(a_start_grows_by_all_that_is_acknowledged),
		cmocka_unit_test(a_window_that_is_not_used_does_not_grow),
		cmocka_unit_test(
			delay_above_the_target_shrinks_the_window_once_a_round_trip),
		cmocka_unit_test(a_slow_device_may_queue_longer),
		cmocka_unit_test(one_decrease_at_most_halves),
		cmocka_unit_test(noise_is_no_queue),
		cmocka_unit_test(a_network_that_stays_empty_is_tried_harder),
		cmocka_unit_test(a_little_loss_is_repaired_not_feared),
		cmocka_unit_test(loss_that_a_smaller_window_cures_keeps_it_small),
		cmocka_unit_test(loss_that_nothing_cures_is_borne),
		cmocka_unit_test(what_comes_late_is_taken_back),
		cmocka_unit_test(the_queue_is_drained_now_and_then),
		cmocka_unit_test(marks_shrink_the_window_by_their_share),
		cmocka_unit_test(silence_starts_anew),
		cmocka_unit_test(aimd_fears_every_loss_and_no_delay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
