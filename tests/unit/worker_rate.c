/* SPDX-License-Identifier: BSD-3-Clause */
/* One worker under limits: data waits for tokens, what keeps a session alive does not,
 * and a receiver's wish is heeded. */
#include "dataplane/ether.h"
#include "tests/unit/worker_paper.h"

/* A sender with a chunk in its cache that its peer wants, and that may send at rate_bps.
 */
static void begin(struct fixture *f, uint64_t rate_bps)
{
	add_session(f, TRANSFER_SEND, 0);
	worker_set_rate(&f->worker, rate_bps, 0, 0);
	hear_arp(f, &us, &them, true, 1);
	hear_pull(f, 2);
	finish_request(f);
}

static uint32_t count_data(const struct fixture *f)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < f->nout; i++)
		count += sent(f, i).kind == ETHER_UDP && sent_type(f, i) == WIRE_DATA;
	return count;
}

static void hear_pull_at(struct fixture *f, uint32_t mbps, nsec now)
{
	const struct wire_pull pull = {.credit = 1000,
		.max_rate_mbps = mbps,
		.nruns = 1,
		.runs = {{.first = 0, .count = 1}}};
	uint8_t body[WIRE_BODY_MAX];

	hear_packet(f, WIRE_PULL, body, wire_put_pull(body, &pull), now);
}

static void a_paused_worker_sends_no_data_until_it_goes_on(void **state)
{
	struct fixture *f = *state;

	begin(f, 0);
	for (nsec now = 3; now < 3 * SEC; now += 100 * MSEC) {
		turn(f, now);
		assert_int_equal(count_data(f), 0);
	}
	/* it waits for an order, not for tokens: only its timers are left */
	assert_true(worker_deadline(&f->worker) > 3 * SEC);
	worker_set_rate(&f->worker, RATE_UNLIMITED, 0, 3 * SEC);
	turn(f, 3 * SEC);
	assert_int_equal(count_data(f), 1);
}

static void a_session_that_overdrew_waits_until_its_deadline(void **state)
{
	struct fixture *f = *state;
	nsec deadline;

	begin(f, RATE_MIN); /* 8 us a byte; it begins empty */
	shaper_charge(&f->worker.shaper, 3, 1000);
	turn(f, 4);
	assert_int_equal(count_data(f), 0);
	assert_true(shaper_is_waiting(&f->worker.shaper));
	deadline = worker_deadline(&f->worker);
	assert_in_range(deadline, 2400 * 8 * USEC, 2600 * 8 * USEC);
	/* it waits up to 100 us longer, for more than one packet */
	turn(f, deadline - 100 * USEC - 1);
	assert_int_equal(count_data(f), 0);
	turn(f, deadline);
	assert_int_equal(count_data(f), 1);
}

static void the_receiver_says_how_fast_it_wants_it(void **state)
{
	struct fixture *f = *state;
	const struct bucket *limit = &f->worker.shaper.shares[3].limit;

	begin(f, RATE_UNLIMITED);
	assert_true(bucket_is_unlimited(limit));
	hear_pull_at(f, 200, 3);
	assert_true(limit->rate_bps == 200000000);
	/* ours may be tighter, or its */
	worker_set_session_rate(&f->worker, f->session->params.session_id, 100000000, 4);
	assert_true(limit->rate_bps == 100000000);
	hear_pull_at(f, 50, 5);
	assert_true(limit->rate_bps == 50000000);
	/* it does not mind any more; what nobody can keep is no limit */
	hear_pull_at(f, 0, 6);
	assert_true(limit->rate_bps == 100000000);
	worker_set_session_rate(
		&f->worker, f->session->params.session_id, RATE_UNLIMITED, 7);
	hear_pull_at(f, UINT32_MAX - 1, 8);
	assert_true(bucket_is_unlimited(limit));
}

/* An operator, a session or a receiver: one that asks for it is enough, and the queue's
 * own limit holds as well. */
static void the_rate_is_automatic_when_anybody_asks_for_it(void **state)
{
	struct fixture *f = *state;
	const struct bucket *own = &f->worker.shaper.own;
	uint32_t id;

	begin(f, RATE_AUTO);
	id = f->session->params.session_id;
	assert_true(own->rate_bps == AUTO_FLOOR);
	worker_set_rate(&f->worker, RATE_UNLIMITED, 0, 3);
	assert_true(bucket_is_unlimited(own));
	hear_pull_at(f, WIRE_RATE_AUTO, 4);
	assert_true(own->rate_bps == AUTO_FLOOR);
	assert_true(bucket_is_unlimited(&f->worker.shaper.shares[3].limit));
	worker_set_rate(&f->worker, 5000000, 0, 5);
	assert_true(own->rate_bps == 5000000);
	hear_pull_at(f, 0, 6);
	assert_true(!f->worker.is_auto && own->rate_bps == 5000000);
	worker_set_rate(&f->worker, RATE_UNLIMITED, 0, 7);
	worker_set_session_rate(&f->worker, id, RATE_AUTO, 8);
	assert_true(own->rate_bps == AUTO_FLOOR);
	worker_stop(&f->worker, id);
	f->worker.ntx = 0;
	turn(f, 9);
	assert_true(!f->worker.is_auto && bucket_is_unlimited(own));
}

/* The PULL that a receiver has sent, if any. */
static bool find_pull(const struct fixture *f, struct wire_pull *pull)
{
	for (uint32_t i = 0; i < f->nout; i++) {
		struct ether_frame frame = sent(f, i);

		if (frame.kind == ETHER_UDP && sent_type(f, i) == WIRE_PULL)
			return wire_get_pull(frame.payload + WIRE_HEADER_LEN,
				frame.payload_len - WIRE_HEADER_LEN, pull);
	}
	return false;
}

static void a_receiver_asks_for_an_automatic_rate(void **state)
{
	struct fixture *f = *state;
	struct wire_pull pull;

	add_session(f, TRANSFER_RECEIVE, 0);
	worker_set_session_rate(&f->worker, f->session->params.session_id, RATE_AUTO, 0);
	turn(f, 1); /* the first PULL is for nobody: no MAC yet */
	hear_arp(f, &us, &them, true, 2);
	turn(f, 10 * MSEC);
	assert_true(find_pull(f, &pull));
	assert_true(pull.max_rate_mbps == WIRE_RATE_AUTO && pull.credit > 0);
	assert_true(!f->worker.is_auto); /* it is for who sends */
}

static void a_limited_receiver_grants_by_and_by(void **state)
{
	enum { UNITS = SLICE / 64 };
	struct fixture *f = *state;
	struct wire_pull pull;
	nsec now;

	add_session(f, TRANSFER_RECEIVE, 0);
	worker_set_session_rate(&f->worker, f->session->params.session_id, 8000000, 0);
	turn(f, 1); /* the first PULL is for nobody: no MAC yet */
	hear_arp(f, &us, &them, true, 2);
	assert_int_equal(f->session->machine.receiver.credit, 0); /* it begins empty */
	/* a byte a microsecond: a frame with 1408 bytes takes 1514 */
	now = f->session->machine.receiver.grant_at;
	assert_in_range(now, 1508 * USEC, 1530 * USEC);
	assert_true(worker_deadline(&f->worker) <= now);
	turn(f, now);
	assert_true(find_pull(f, &pull));
	assert_int_equal(pull.credit, UNITS);
	assert_int_equal(pull.max_rate_mbps, 8);
	/* 0: no more, and no word about a rate */
	worker_set_session_rate(&f->worker, f->session->params.session_id, 0, SEC);
	for (now = SEC; now < 2 * SEC; now += 10 * MSEC)
		turn(f, now);
	assert_int_equal(f->session->machine.receiver.credit, UNITS);
}

static void a_session_s_part_is_that_of_its_stripe(void **state)
{
	struct fixture *f = *state;

	add_session(f, TRANSFER_SEND, 0);
	f->session->params.stripes = 4;
	worker_set_session_rate(&f->worker, f->session->params.session_id, 400000000, 1);
	assert_true(f->worker.shaper.shares[3].limit.rate_bps == 100000000);
	worker_set_session_rate(&f->worker, f->session->params.session_id, 0, 2);
	assert_true(f->worker.shaper.shares[3].limit.rate_bps == 0);
}

/* What is asked for and not sent yet, and what went nowhere for want of a MAC. */
static void counters_tell_backlog_and_drops(void **state)
{
	struct fixture *f = *state;
	struct worker_counters *counters = &f->worker.counters;

	begin(f, 0);
	turn(f, 20 * MSEC);
	assert_true(counters->backlog > 0);
	assert_int_equal(counters->drops, 0);
	worker_set_rate(&f->worker, RATE_UNLIMITED, 0, 21 * MSEC);
	turn(f, 21 * MSEC);
	turn(f, 40 * MSEC);
	assert_int_equal(counters->backlog, 0);
	assert_true(f->worker.shaper.meter.counters.bytes >= SIZE);
}

static void without_a_mac_control_packets_are_dropped(void **state)
{
	struct fixture *f = *state;

	add_session(f, TRANSFER_RECEIVE, 0);
	turn(f, 2); /* a PULL to nowhere */
	turn(f, 20 * MSEC);
	assert_true(f->worker.counters.drops > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_paused_worker_sends_no_data_until_it_goes_on),
		STORY(a_session_that_overdrew_waits_until_its_deadline),
		STORY(the_rate_is_automatic_when_anybody_asks_for_it),
		STORY(a_receiver_asks_for_an_automatic_rate),
		STORY(the_receiver_says_how_fast_it_wants_it),
		STORY(a_limited_receiver_grants_by_and_by),
		STORY(a_session_s_part_is_that_of_its_stripe),
		STORY(counters_tell_backlog_and_drops),
		STORY(without_a_mac_control_packets_are_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
