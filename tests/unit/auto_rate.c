/* SPDX-License-Identifier: BSD-3-Clause */
/* The automatic rate: up while nothing queues, down at once when something does, and
 * never out of its bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataplane/auto_rate.h"
#include "dataplane/bucket.h"

#define GBIT ((uint64_t)1000000000)
#define ROUND (2 * MSEC)
#define RTT (100 * USEC)

struct story {
	struct auto_rate rate;
	nsec now;
	uint64_t bytes;
};

static struct story begin(void)
{
	struct story story = {.now = SEC};

	auto_rate_init(&story.rate, 0, 0, story.now);
	return story;
}

/* A round in which all went out that might, and so much of it came through. */
static enum auto_verdict pass(struct story *story, nsec added, uint64_t came_bps)
{
	nsec span = nsec_max(auto_rate_deadline(&story->rate) - story->now, ROUND);
	struct auto_round round = {
		.added = added, .rtt = RTT + added, .nsamples = 8, .is_limited = true};

	story->now += span;
	story->bytes += story->rate.rate_bps / 8 * (uint64_t)(span / USEC) / 1000000;
	round.bytes = story->bytes;
	round.acked = came_bps / 8 * (uint64_t)(span / USEC) / 1000000;
	return auto_rate_on_round(&story->rate, &round, story->now);
}

static void climb(struct story *story, uint64_t to_bps)
{
	while (story->rate.rate_bps < to_bps)
		assert_int_equal(pass(story, 0, story->rate.rate_bps), AUTO_JUDGED);
}

static void it_climbs_from_the_floor_in_a_moment(void **state)
{
	struct story story = begin();

	(void)state;
	assert_true(story.rate.rate_bps == AUTO_FLOOR);
	climb(&story, 10 * GBIT);
	assert_in_range(story.now - SEC, 40 * MSEC, 100 * MSEC);
	climb(&story, RATE_MAX);
	(void)pass(&story, 0, RATE_MAX);
	assert_true(story.rate.rate_bps == RATE_MAX);
}

static void it_is_not_raised_where_something_else_holds_data_back(void **state)
{
	struct story story = begin();
	struct auto_round round = {.rtt = RTT, .nsamples = 8};

	(void)state;
	for (int i = 1; i < 100; i++)
		(void)auto_rate_on_round(&story.rate, &round, SEC + i * ROUND);
	assert_true(story.rate.rate_bps == AUTO_FLOOR);
}

/* Its CPU was taken for a part of each round: the queue was gone when it came back. */
static void it_is_not_raised_beyond_what_was_sent(void **state)
{
	static const struct {
		uint64_t sent_percent;
		bool is_raised;
	} rows[] = {{80, false}, {90, false}, {95, true}, {100, true}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct story story = begin();
		struct auto_round round = {.rtt = RTT, .nsamples = 8, .is_limited = true};

		climb(&story, GBIT);
		story.rate.rate_bps = GBIT;
		round.bytes = story.bytes + GBIT / 100 * rows[i].sent_percent / 8 *
						    (ROUND / USEC) / 1000000;
		(void)auto_rate_on_round(&story.rate, &round, story.now + ROUND);
		assert_true(rows[i].is_raised ? story.rate.rate_bps > GBIT
					      : story.rate.rate_bps == GBIT);
	}
}

/* On a link that is full at so much, for a second. Returns the rounds in which it was. */
static int fill(struct story *story, uint64_t full_bps)
{
	nsec end = story->now + SEC;
	int nfull = 0;

	while (story->now < end) {
		bool is_full = story->rate.rate_bps > full_bps;

		(void)pass(story, is_full ? 200 * USEC : 0,
			u64_min(story->rate.rate_bps, full_bps));
		nfull += is_full;
	}
	return nfull;
}

/* Each time costs others a queue. The longer the same is known, the rarer it is tried;
 * and when there is more room, that is found within a second. */
static void where_it_was_too_much_for_long_it_seldom_tries_again(void **state)
{
	struct story story = begin();
	int at_first, later = 0;

	(void)state;
	at_first = fill(&story, GBIT);
	for (int i = 0; i < 3; i++)
		(void)fill(&story, GBIT);
	for (int i = 0; i < 4; i++) {
		later += fill(&story, GBIT);
		assert_in_range(story.rate.rate_bps, GBIT * 17 / 20, GBIT * 21 / 20);
	}
	assert_in_range(later, 2, 8);
	assert_true(at_first >= 5);
	(void)fill(&story, 2 * GBIT);
	(void)fill(&story, 2 * GBIT);
	assert_true(story.rate.rate_bps > GBIT * 3 / 2);
}

/* A full link lets through less than the rate, all in all: that is where it was too much.
 */
static void beyond_where_it_was_too_much_the_rounds_together_tell(void **state)
{
	static const struct {
		uint64_t full_bps;
		bool is_raised;
	} rows[] = {{2 * GBIT, true}, {GBIT, false}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct story story = begin();

		climb(&story, GBIT);
		story.rate.is_starting = false;
		story.rate.rate_bps = GBIT;
		story.rate.full_bps = rows[i].full_bps;
		story.rate.mean_bps = GBIT / 10 * 8;
		(void)pass(&story, 0, GBIT);
		assert_true(rows[i].is_raised ? story.rate.rate_bps > GBIT
					      : story.rate.rate_bps == GBIT);
	}
}

/* Not one frame has to go in each round, of 2500 bytes. */
static void it_climbs_from_the_floor_by_a_frame_now_and_then(void **state)
{
	struct story story = begin();
	struct auto_round round = {
		.rtt = RTT, .nsamples = 4, .frame = 9000, .is_limited = true};

	(void)state;
	(void)auto_rate_on_round(&story.rate, &round, SEC + ROUND);
	assert_true(story.rate.rate_bps > AUTO_FLOOR);
}

/* Rounds of 10 ms at seven tenths of the rate. */
static uint64_t send_less(struct story *story, struct auto_round round, int count)
{
	round.is_limited = true;
	for (int i = 0; i < count; i++) {
		story->now += 5 * ROUND;
		story->bytes += GBIT / 10 * 7 / 8 / 100;
		round.bytes = story->bytes;
		(void)auto_rate_on_round(&story->rate, &round, story->now);
	}
	return story->rate.rate_bps;
}

/* A full queue of the own port, which its driver waits for; what it hears says nothing.
 */
static void who_never_sends_a_rate_and_knows_nothing_gives_it_up(void **state)
{
	static const struct auto_round sure = {.rtt = RTT, .nsamples = 4, .nunsure = 3};
	static const struct auto_round unsure = {.rtt = RTT, .nsamples = 3, .nunsure = 4};
	struct story story = begin();

	(void)state;
	climb(&story, GBIT);
	story.rate.rate_bps = GBIT;
	assert_true(send_less(&story, sure, 12) == GBIT);
	story = begin();
	climb(&story, GBIT);
	story.rate.rate_bps = GBIT;
	assert_true(send_less(&story, unsure, 8) == GBIT);
	assert_in_range(send_less(&story, unsure, 2), GBIT * 60 / 100, GBIT * 62 / 100);
}

static void a_sixth_and_a_third_of_the_ceiling_tell_up_from_down(void **state)
{
	static const struct {
		nsec added;
		uint64_t least, most;
	} rows[] = {
		{83 * USEC, GBIT + 1, GBIT * 13 / 10}, /* up */
		{84 * USEC, GBIT, GBIT},
		{166 * USEC, GBIT, GBIT},
		{167 * USEC, GBIT * 94 / 100, GBIT * 96 / 100}, /* a little less */
		{500 * USEC, GBIT * 48 / 100, GBIT * 52 / 100},
		{100 * MSEC, GBIT / 4, GBIT * 26 / 100},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct story story = begin();

		climb(&story, GBIT);
		story.rate.rate_bps = GBIT;
		(void)pass(&story, rows[i].added, GBIT);
		assert_in_range(story.rate.rate_bps, rows[i].least, rows[i].most);
	}
}

/* What came through says what is left, whatever was sent. */
static void what_came_through_is_what_is_decreased(void **state)
{
	struct story story = begin();

	(void)state;
	climb(&story, 10 * GBIT);
	(void)pass(&story, 170 * USEC, 4 * GBIT);
	assert_in_range(story.rate.rate_bps, 37 * GBIT / 10, 4 * GBIT);
}

static void a_decrease_is_given_a_round_trip_to_show(void **state)
{
	struct story story = begin();
	uint64_t rate;

	(void)state;
	climb(&story, GBIT);
	(void)pass(&story, 10 * MSEC, GBIT);
	rate = story.rate.rate_bps;
	for (int i = 0; i < 5; i++)
		(void)pass(&story, 10 * MSEC, GBIT);
	assert_true(story.rate.rate_bps == rate);
	(void)pass(&story, 10 * MSEC, GBIT);
	assert_true(story.rate.rate_bps < rate);
}

static void it_never_falls_below_a_hundredth_of_the_best(void **state)
{
	struct story story = begin();

	(void)state;
	climb(&story, 10 * GBIT);
	for (int i = 0; i < 200; i++)
		(void)pass(&story, 5 * MSEC, AUTO_FLOOR);
	assert_in_range(story.rate.rate_bps, 75 * AUTO_FLOOR / 10, 15 * AUTO_FLOOR);
}

static void a_delay_that_stays_is_part_of_the_way(void **state)
{
	struct story story = begin();
	enum auto_verdict verdict = AUTO_JUDGED;
	nsec since;

	(void)state;
	climb(&story, GBIT);
	/* in the middle: neither up nor down, until it has been so for too long */
	since = story.now;
	while (verdict != AUTO_FORGET) {
		verdict = pass(&story, 120 * USEC, GBIT);
		if (story.now - since > AUTO_PATIENCE * 6 / 10)
			assert_true(story.rate.rate_bps < 2 * AUTO_FLOOR);
		assert_true(story.now - since <= AUTO_PATIENCE + 2 * ROUND);
	}
	assert_true(story.now - since >= AUTO_PATIENCE);
	/* when the way was learnt anew it goes on */
	(void)pass(&story, 0, story.rate.rate_bps);
	(void)pass(&story, 0, story.rate.rate_bps);
	assert_true(story.rate.rate_bps > AUTO_FLOOR);
}

static void few_packets_make_long_rounds(void **state)
{
	struct story story = begin();
	struct auto_round round = {
		.added = SEC, .rtt = SEC, .nsamples = 1, .is_limited = true};
	uint64_t before;

	(void)state;
	climb(&story, GBIT);
	assert_int_equal(auto_rate_on_round(&story.rate, &round, story.now + 4 * ROUND),
		AUTO_WAIT);
	before = story.rate.rate_bps;
	assert_int_equal(auto_rate_on_round(&story.rate, &round, story.now + 5 * ROUND),
		AUTO_JUDGED);
	assert_true(story.rate.rate_bps == before); /* the ends' own doing, perhaps */
	round.proven = SEC;
	assert_int_equal(auto_rate_on_round(&story.rate, &round, story.now + 10 * ROUND),
		AUTO_JUDGED);
	assert_true(story.rate.rate_bps < before);
	/* none at all say nothing */
	round.nsamples = 0;
	story = begin();
	assert_int_equal(auto_rate_on_round(&story.rate, &round, story.now + 5 * ROUND),
		AUTO_JUDGED);
	assert_true(story.rate.rate_bps == AUTO_FLOOR);
}

/* Ends that are away from their CPUs all the time. */
static void who_sees_nothing_halves_and_no_more(void **state)
{
	struct story story = begin();
	struct auto_round blind = {.proven = 100 * USEC, .rtt = RTT, .is_limited = true};

	(void)state;
	climb(&story, GBIT);
	story.rate.rate_bps = GBIT;
	for (nsec until = story.now + AUTO_BLIND; story.now < until - 5 * ROUND;) {
		story.now += 5 * ROUND;
		(void)auto_rate_on_round(&story.rate, &blind, story.now);
		assert_true(auto_rate_bps(&story.rate) == GBIT);
	}
	for (int i = 0; i < 1000; i++) {
		story.now += 5 * ROUND;
		assert_int_equal(
			auto_rate_on_round(&story.rate, &blind, story.now), AUTO_JUDGED);
		assert_true(auto_rate_bps(&story.rate) == GBIT / 2);
	}
	/* what is longer than they were away is a queue */
	blind.proven = 2 * MSEC;
	story.now += 5 * ROUND;
	(void)auto_rate_on_round(&story.rate, &blind, story.now);
	assert_true(auto_rate_bps(&story.rate) < GBIT / 2);
}

static void who_sees_again_goes_on_where_he_was(void **state)
{
	struct story story = begin();
	struct auto_round blind = {.is_limited = true};

	(void)state;
	climb(&story, GBIT);
	story.rate.rate_bps = GBIT;
	for (int i = 0; i < 100; i++) {
		story.now += 5 * ROUND;
		(void)auto_rate_on_round(&story.rate, &blind, story.now);
	}
	assert_true(auto_rate_bps(&story.rate) == GBIT / 2);
	(void)pass(&story, 0, GBIT);
	assert_true(auto_rate_bps(&story.rate) >= GBIT);
}

/* The queue of an unlimited transfer, which becomes automatic in the middle. */
static void a_queue_found_at_the_start_does_not_end_it(void **state)
{
	struct story story = begin();

	(void)state;
	for (int i = 0; i < 10; i++)
		(void)pass(&story, 5 * MSEC, AUTO_FLOOR);
	assert_true(story.rate.rate_bps == AUTO_FLOOR);
	story.now = SEC;
	climb(&story, GBIT);
	assert_true(story.now - SEC < 100 * MSEC);
}

static void bursts_are_a_part_of_the_ceiling(void **state)
{
	struct story story = begin();

	(void)state;
	assert_true(auto_rate_burst(&story.rate) == BUCKET_BURST_MIN);
	story.rate.rate_bps = 10 * GBIT;
	assert_true(auto_rate_burst(&story.rate) == 156250); /* 125 us */
	story.rate.rate_bps = RATE_MAX;
	assert_true(auto_rate_burst(&story.rate) == 256 * KIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_climbs_from_the_floor_in_a_moment),
		cmocka_unit_test(it_is_not_raised_where_something_else_holds_data_back),
		cmocka_unit_test(it_is_not_raised_beyond_what_was_sent),
		cmocka_unit_test(where_it_was_too_much_for_long_it_seldom_tries_again),
		cmocka_unit_test(beyond_where_it_was_too_much_the_rounds_together_tell),
		cmocka_unit_test(it_climbs_from_the_floor_by_a_frame_now_and_then),
		cmocka_unit_test(who_never_sends_a_rate_and_knows_nothing_gives_it_up),
		cmocka_unit_test(a_sixth_and_a_third_of_the_ceiling_tell_up_from_down),
		cmocka_unit_test(what_came_through_is_what_is_decreased),
		cmocka_unit_test(a_decrease_is_given_a_round_trip_to_show),
		cmocka_unit_test(it_never_falls_below_a_hundredth_of_the_best),
		cmocka_unit_test(a_delay_that_stays_is_part_of_the_way),
		cmocka_unit_test(few_packets_make_long_rounds),
		cmocka_unit_test(who_sees_nothing_halves_and_no_more),
		cmocka_unit_test(who_sees_again_goes_on_where_he_was),
		cmocka_unit_test(a_queue_found_at_the_start_does_not_end_it),
		cmocka_unit_test(bursts_are_a_part_of_the_ceiling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
