/* SPDX-License-Identifier: BSD-3-Clause */
/* What was sent and what became of it: acknowledged, lost, lost by mistake. */
#include "tests/unit/inflight_world.h"

/* A packet the peer does not acknowledge: PROBE_ACK, CLOSE. */
static uint64_t send_control(nsec now)
{
	static const struct inflight_slice control = {0};

	return inflight_send(&inflight, &control, now);
}

static void acknowledged_packets_leave_the_network(void **state)
{
	(void)state;
	send_many(10, 0);
	assert_int_equal(inflight.count, 10);
	assert_true(hear(0, 9, 0, 1 * MSEC));
	assert_int_equal(outcome.nacked, 10);
	assert_int_equal(outcome.nlost, 0);
	assert_int_equal(inflight.count, 0);
	assert_true(inflight_deadline(&inflight) == NEVER);
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(outcome.acked[i].request, i);
	/* the same ACK again says nothing new */
	assert_true(hear(0, 9, 0, 2 * MSEC));
	assert_int_equal(outcome.nacked, 0);
	assert_int_equal(inflight.count, 0);
}

/* RFC 9002 6.1.1: three later ones. */
static void three_later_packets_prove_a_loss(void **state)
{
	(void)state;
	send_many(8, 0);
	assert_true(hear(1, 2, 0, 1 * MSEC));
	assert_int_equal(outcome.nlost, 0);
	assert_true(hear(1, 3, 0, 1 * MSEC));
	assert_int_equal(outcome.nlost, 1);
	assert_int_equal(outcome.lost[0].request, 0);
	assert_int_equal(inflight.lost, 1);
	assert_int_equal(inflight.count, 4);
}

/* RFC 9002 6.1.2: 9/8 of a round trip after one that came. */
static void a_round_trip_and_an_eighth_prove_a_loss(void **state)
{
	nsec late = 8 * MSEC * 9 / 8;

	(void)state;
	send_many(2, 0);
	assert_true(hear(1, 1, 0, 8 * MSEC));
	assert_int_equal(outcome.nlost, 0);
	assert_in_range(inflight_deadline(&inflight), late - USEC, late);
	late = inflight_deadline(&inflight);
	assert_false(inflight_on_timer(&inflight, &outcome, late - 1));
	assert_int_equal(outcome.nlost, 0);
	assert_false(inflight_on_timer(&inflight, &outcome, late));
	assert_int_equal(outcome.nlost, 1);
	assert_int_equal(outcome.lost[0].request, 0);
	assert_true(inflight_deadline(&inflight) == NEVER);
}

static void nothing_is_lost_before_something_later_came(void **state)
{
	(void)state;
	send_many(100, 0);
	assert_true(hear(0, 0, 0, 1 * SEC));
	assert_int_equal(outcome.nlost, 0);
	assert_int_equal(inflight.count, 99);
}

/* The threshold doubles with each mistake, or grows to the distance that was seen. */
static void a_spurious_loss_makes_it_more_patient(void **state)
{
	static const uint32_t distances[] = {4, 20, 256};
	static const uint32_t thresholds[] = {6, 20, 256};
	uint32_t expected = INFLIGHT_REORDER_MIN;

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		uint64_t first = send(0);
		uint32_t distance = distances[i] - 1;

		send_many(distance, 0);
		assert_true(hear(first + 1, first + distance, 0, 100));
		assert_int_equal(outcome.nlost, 1);
		assert_int_equal(inflight.reorder, expected);
		assert_true(hear(first, first + distance, 0, 200));
		assert_int_equal(outcome.nacked, 1);
		assert_int_equal(outcome.acked[0].request, (uint32_t)first);
		assert_int_equal(outcome.nspurious, 1);
		expected = thresholds[i];
		assert_int_equal(inflight.reorder, expected);
		assert_int_equal(inflight.spurious, i + 1);
		assert_int_equal(inflight.count, 0);
	}
}

/* Packets that overtake each other by more than that say nothing by their number. */
static void beyond_256_packets_only_time_tells(void **state)
{
	uint64_t first = send(0);

	(void)state;
	send_many(300, 0);
	assert_true(hear(first + 1, first + 300, 0, 100));
	assert_int_equal(outcome.nlost, 1);
	assert_true(hear(first, first + 300, 0, 200));
	assert_int_equal(inflight.reorder, INFLIGHT_RING);
	first = send(0);
	send_many(1000, 0);
	assert_true(hear(first + 1, first + 1000, 0, 100));
	assert_int_equal(outcome.nlost, 0);
	assert_true(inflight_deadline(&inflight) < 1 * MSEC);
}

/* What came 3 ms late is waited for the next time, though not for ever. */
static void lateness_is_remembered(void **state)
{
	nsec now = 10 * MSEC;
	uint64_t first;

	(void)state;
	send_many(2, 0);
	assert_true(hear(1, 1, 0, 1 * MSEC));
	assert_false(
		inflight_on_timer(&inflight, &outcome, inflight_deadline(&inflight)));
	assert_int_equal(outcome.nlost, 1);
	assert_true(hear(0, 1, 0, 3 * MSEC));
	assert_int_equal(outcome.nspurious, 1);
	first = send(now);
	(void)send(now);
	assert_true(hear(first + 1, first + 1, now, now + 1 * MSEC));
	assert_in_range(inflight_deadline(&inflight) - now, 3 * MSEC, 4 * MSEC);
	for (int i = 0; i < 1000; i++) {
		now += 100 * MSEC;
		first = send(now);
		assert_true(hear(first, first, now, now + 1 * MSEC));
	}
	assert_true(inflight.late < 1 * MSEC);
}

static void silence_is_probed_with_the_oldest_packet(void **state)
{
	nsec pto;

	(void)state;
	send_many(3, 0);
	pto = inflight_deadline(&inflight);
	assert_in_range(pto, 2 * MSEC, 150 * MSEC);
	assert_false(inflight_on_timer(&inflight, &outcome, pto - 1));
	assert_int_equal(outcome.nlost, 0);
	assert_true(inflight_on_timer(&inflight, &outcome, pto));
	assert_int_equal(outcome.nlost, 1);
	assert_int_equal(outcome.lost[0].request, 0);
	assert_int_equal(inflight.count, 2);
	/* twice as long until the next */
	assert_true(inflight_deadline(&inflight) - pto >= 2 * pto ||
		    inflight_deadline(&inflight) - pto >= 150 * MSEC);
}

static void probes_back_off_until_something_new_is_acknowledged(void **state)
{
	nsec now = 0;
	nsec last_gap = 0;
	nsec first_gap;

	(void)state;
	for (int i = 0; i < 200; i++)
		(void)send(now);
	assert_true(hear(0, 0, 0, 1 * MSEC));
	first_gap = inflight_deadline(&inflight) - inflight.last_sent;
	for (int i = 0; i < 20; i++) {
		nsec gap = inflight_deadline(&inflight) - inflight.last_sent;

		assert_true(gap >= last_gap);
		assert_true(gap <= 150 * MSEC);
		last_gap = gap;
		now = inflight_deadline(&inflight);
		assert_true(inflight_on_timer(&inflight, &outcome, now));
	}
	assert_true(last_gap == 150 * MSEC);
	/* alive, but nothing new: data may still fall into a hole */
	assert_true(hear(0, 0, 0, now));
	assert_int_equal(inflight.probes, 20);
	assert_true(hear(0, 30, 0, 1 * MSEC));
	assert_int_equal(inflight.probes, 0);
	assert_true(inflight_deadline(&inflight) - inflight.last_sent <= first_gap);
}

/* A sign of life takes a number but nobody acknowledges it: a probe is for what was sent
 * after it. */
static void a_probe_passes_over_control_packets(void **state)
{
	nsec now;

	(void)state;
	(void)send_control(0);
	(void)send_control(0);
	assert_true(inflight_deadline(&inflight) == NEVER);
	(void)send(0);
	now = inflight_deadline(&inflight);
	assert_true(inflight_on_timer(&inflight, &outcome, now));
	assert_int_equal(outcome.nlost, 1);
	assert_int_equal(outcome.lost[0].request, 2);
	assert_int_equal(outcome.lost[0].units, 22);
	assert_int_equal(inflight.count, 0);
	/* late, not lost */
	assert_true(hear(2, 2, 0, now + 1));
	assert_int_equal(inflight.count, 0);
	assert_int_equal(inflight.spurious, 1);
}

static void control_packets_are_never_acknowledged_or_lost(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++)
		(void)send_control(0);
	assert_int_equal(inflight.count, 0);
	assert_true(hear(0, 19, 0, 1 * SEC));
	assert_int_equal(outcome.nacked, 0);
	assert_int_equal(outcome.nlost, 0);
	(void)inflight_on_timer(&inflight, &outcome, 9 * SEC);
	assert_int_equal(outcome.nlost, 0);
}

static void numbers_never_sent_are_refused(void **state)
{
	static const struct {
		uint32_t base, largest;
		uint16_t nbits;
	} cases[] = {
		{0, 10, 10},        /* largest is the next to be sent */
		{0, 9, 11},         /* a bit for it */
		{10, 10, 0},        /* nothing but it */
		{11, 12, 1},        /* beyond */
		{UINT32_MAX, 3, 1}, /* before the first */
		{9, 8, 1},          /* largest below base */
		{0, UINT32_MAX, 1}, /* far beyond */
		{0x80000000, 0x80000001, 2},
	};

	(void)state;
	send_many(10, 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct wire_ack ack = {.base_pn = cases[i].base,
			.largest_pn = cases[i].largest,
			.nbits = cases[i].nbits,
			.bits = {UINT64_MAX}};

		assert_false(inflight_on_ack(&inflight, &ack, &outcome, 1 * MSEC));
		assert_int_equal(outcome.nacked + outcome.nlost, 0);
		assert_int_equal(inflight.count, 10);
		assert_int_equal(inflight.ack_next, 0);
		assert_int_equal(inflight.srtt, 0);
	}
	/* bits beyond nbits are not looked at */
	struct wire_ack ack = ack_of(0, 2, 0);

	ack.bits[0] = UINT64_MAX;
	assert_true(inflight_on_ack(&inflight, &ack, &outcome, 1 * MSEC));
	assert_int_equal(outcome.nacked, 3);
}

/* The wire carries 32 bits of 64. */
static void acks_work_across_the_wrap_of_the_wire_number(void **state)
{
	const uint64_t wrap = (uint64_t)1 << 32;

	(void)state;
	inflight.next_pn = wrap - 5;
	inflight.oldest = wrap - 5;
	inflight.ack_next = wrap - 5;
	send_many(10, 0);
	assert_true(hear(wrap - 5, wrap + 4, 0, 1 * MSEC));
	assert_int_equal(outcome.nacked, 10);
	assert_int_equal(inflight.count, 0);
	assert_true(inflight.ack_next == wrap + 5);
	send_many(10, 0);
	assert_false(hear(wrap + 15, wrap + 15, 0, 1 * MSEC));
	assert_true(hear(wrap + 14, wrap + 14, 0, 1 * MSEC));
	assert_int_equal(outcome.nacked, 1);
}

/* An ACK that was held back for laps names slots that others have now. */
static void an_ancient_ack_resolves_nobody(void **state)
{
	struct wire_ack old = ack_of(0, 9, 0);

	(void)state;
	for (int i = 0; i < 3; i++) {
		send_many(INFLIGHT_RING / 8, 0);
		for (uint64_t pn = inflight.oldest; pn < inflight.next_pn; pn += 64)
			assert_true(hear(pn, pn + 63, 0, 100));
	}
	while (inflight.next_pn < INFLIGHT_RING + 5) {
		uint64_t pn = send(0);

		if (inflight.next_pn <= INFLIGHT_RING)
			assert_true(hear(pn, pn, 0, 100));
	}
	assert_int_equal(inflight.count, 5);
	assert_true(inflight_on_ack(&inflight, &old, &outcome, 200));
	for (uint32_t i = 0; i < outcome.nacked; i++)
		assert_in_range(outcome.acked[i].request, 0, 9);
	assert_int_equal(inflight.count, 5);
}

static void the_round_trip_is_smoothed_without_the_peers_delay(void **state)
{
	struct wire_ack ack;

	(void)state;
	send_many(2, 0);
	ack = ack_of(0, 0, 0);
	ack.delay_us = 500;
	assert_true(inflight_on_ack(&inflight, &ack, &outcome, 8 * MSEC + 500 * USEC));
	assert_in_range(inflight.srtt, 8 * MSEC - 100, 8 * MSEC + 100);
	assert_in_range(inflight.rttvar, 4 * MSEC - 100, 4 * MSEC + 100);
	(void)send(20 * MSEC);
	assert_true(hear(2, 2, 20 * MSEC, 36 * MSEC));
	assert_in_range(inflight.latest_rtt, 16 * MSEC - 100, 16 * MSEC + 100);
	assert_in_range(inflight.srtt, 9 * MSEC - 100, 9 * MSEC + 100);
	assert_in_range(inflight.rttvar, 5 * MSEC - 100, 5 * MSEC + 100);
	/* an ACK without a new largest number measures nothing */
	assert_true(hear(0, 2, 0, 5 * SEC));
	assert_in_range(inflight.srtt, 9 * MSEC - 100, 9 * MSEC + 100);
}

static void a_delay_longer_than_the_trip_is_not_believed(void **state)
{
	struct wire_ack ack = ack_of(0, 0, 0);

	(void)state;
	(void)send(0);
	ack.delay_us = UINT16_MAX;
	assert_true(inflight_on_ack(&inflight, &ack, &outcome, 1 * MSEC));
	assert_int_equal(inflight.srtt, 1 * USEC);
}

static void the_ring_has_room_for_4096_unresolved(void **state)
{
	(void)state;
	send_many(INFLIGHT_RING, 0);
	assert_false(inflight_has_room(&inflight));
	assert_true(hear(1, 1, 0, 1));
	assert_false(inflight_has_room(&inflight)); /* the oldest counts */
	assert_true(hear(0, 0, 0, 1));
	assert_true(inflight_has_room(&inflight));
	send_many(2, 0);
	assert_false(inflight_has_room(&inflight));
	/* all but the last three are proven lost at once */
	assert_true(hear(INFLIGHT_RING + 1, INFLIGHT_RING + 1, 0, 2));
	assert_int_equal(outcome.nlost, INFLIGHT_RING - 2 + 1 - 2);
	assert_int_equal(inflight.count, 2);
}

/* An ACK repeats what it said before, at any base, and overtakes others: every packet is
 * told of exactly once. */
static void each_packet_is_acknowledged_once_whatever_acks_repeat(void **state)
{
	static uint8_t told[3 * INFLIGHT_RING];
	uint32_t random = 1;
	uint64_t total = 0;

	(void)state;
	memset(told, 0, sizeof(told));
	while (inflight.next_pn < sizeof(told)) {
		uint64_t first, last;

		if (inflight_has_room(&inflight))
			(void)send(0);
		random = random * 1664525 + 1013904223;
		if (random >> 28 != 0 && inflight_has_room(&inflight))
			continue;
		last = inflight.next_pn - 1 - (random >> 12 & 31) % inflight.next_pn;
		first = last - u64_min(last, random >> 18 & 1023);
		assert_true(hear(first, last, 0, 1));
		for (uint32_t i = 0; i < outcome.nacked; i++, total++) {
			assert_in_range(outcome.acked[i].request, first, last);
			assert_int_equal(told[outcome.acked[i].request]++, 0);
		}
	}
	assert_true(total > sizeof(told) / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(acknowledged_packets_leave_the_network, start),
		cmocka_unit_test_setup(three_later_packets_prove_a_loss, start),
		cmocka_unit_test_setup(a_round_trip_and_an_eighth_prove_a_loss, start),
		cmocka_unit_test_setup(
			nothing_is_lost_before_something_later_came, start),
		cmocka_unit_test_setup(a_spurious_loss_makes_it_more_patient, start),
		cmocka_unit_test_setup(beyond_256_packets_only_time_tells, start),
		cmocka_unit_test_setup(lateness_is_remembered, start),
		cmocka_unit_test_setup(silence_is_probed_with_the_oldest_packet, start),
		cmocka_unit_test_setup(
			probes_back_off_until_something_new_is_acknowledged, start),
		cmocka_unit_test_setup(a_probe_passes_over_control_packets, start),
		cmocka_unit_test_setup(
			control_packets_are_never_acknowledged_or_lost, start),
		cmocka_unit_test_setup(numbers_never_sent_are_refused, start),
		cmocka_unit_test_setup(
			acks_work_across_the_wrap_of_the_wire_number, start),
		cmocka_unit_test_setup(an_ancient_ack_resolves_nobody, start),
		cmocka_unit_test_setup(
			the_round_trip_is_smoothed_without_the_peers_delay, start),
		cmocka_unit_test_setup(
			a_delay_longer_than_the_trip_is_not_believed, start),
		cmocka_unit_test_setup(the_ring_has_room_for_4096_unresolved, start),
		cmocka_unit_test_setup(
			each_packet_is_acknowledged_once_whatever_acks_repeat, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
