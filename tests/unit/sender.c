/* SPDX-License-Identifier: BSD-3-Clause */
/* The sending end alone: what it believes, what it sends, and when it gives up. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/sender_world.h"

static void a_pull_is_answered_with_the_chunks_slices(void **state)
{
	struct fixture *f = *state;
	struct wire_pull pull = pull_of(0, 7, 1, PLENTY);

	assert_false(next(f, 0));
	assert_int_equal(hear_pull(f, &pull, 0), ACCEPTED);
	assert_false(next(f, 0)); /* the disk comes first */
	read_disk(f, 0);
	for (uint32_t slice = 0; slice < SLICES; slice++) {
		assert_true(next(f, 0));
		assert_int_equal(f->packet.header.type, WIRE_DATA);
		assert_int_equal(f->packet.header.chunk, 7);
		assert_int_equal(f->packet.header.slice, slice);
		assert_int_equal(f->packet.header.flags, 0);
		assert_int_equal(f->packet.payload_len, SLICE);
		assert_int_equal(f->packet.payload[SLICE - 1], 7);
		assert_int_equal(
			f->packet.header.payload_crc, crc32c(f->packet.payload, SLICE));
		assert_true(f->packet.pn == slice);
		assert_int_equal(
			f->packet.header.sent_units, (slice + 1) * (SLICE / WIRE_UNIT));
	}
	assert_false(next(f, 0));
}

static void the_last_slice_is_as_short_as_the_file(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(serve(f, 0, CHUNKS - 1), 1);
	assert_int_equal(f->packet.payload_len, TAIL);
	assert_true(f->sender.sent_units == 1);
}

static void a_pull_that_is_repeated_is_served_once(void **state)
{
	struct fixture *f = *state;
	struct wire_pull pull = pull_of(0, 7, 1, PLENTY);

	assert_int_equal(serve(f, 0, 7), SLICES);
	for (int i = 0; i < 5; i++)
		assert_int_equal(hear_pull(f, &pull, 0), ACCEPTED);
	assert_false(next(f, 0));
	assert_int_equal(acknowledge(f, 0, SLICES - 1, 1), ACCEPTED);
	assert_int_equal(hear_pull(f, &pull, 1), ACCEPTED); /* one that was delayed */
	assert_false(next(f, 1));
	assert_true(f->cache.reads == 1);
	assert_true(f->sender.bytes_acked == CHUNK);
	/* the same chunk under a new number is a new request */
	pull = pull_of(1, 7, 1, PLENTY);
	assert_int_equal(hear_pull(f, &pull, 1), ACCEPTED);
	assert_true(next(f, 1));
}

static void a_pull_that_makes_no_sense_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct wire_pull pulls[] = {
		pull_of(0, CHUNKS, 1, PLENTY),              /* behind the last chunk */
		pull_of(0, CHUNKS - 1, 2, PLENTY),          /* runs over the end */
		pull_of(0, UINT32_MAX, 1, PLENTY),          /* would wrap */
		pull_of(0, 0, SENDER_REQUESTS + 1, PLENTY), /* more than fit */
		pull_of(1, 0, 1, PLENTY),                   /* leaves a request out */
		pull_of(SENDER_REQUESTS, 0, 1, PLENTY),
	};
	struct sender before;

	f->sender.credit = 10;
	before = f->sender;
	for (size_t i = 0; i < ARRAY_LEN(pulls); i++) {
		assert_int_equal(hear_pull(f, &pulls[i], 1 * SEC), CORRUPT);
		assert_memory_equal(&f->sender, &before, sizeof(before));
	}
}

static void an_ack_of_what_was_never_sent_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct wire_ack ack = {.largest_pn = SLICES,
		.base_pn = SLICES - 1,
		.nbits = 2,
		.bits = {3},
		.credit = UINT64_MAX};

	assert_int_equal(serve(f, 0, 0), SLICES);
	f->sender.credit = 10;
	assert_int_equal(sender_on_ack(&f->sender, &ack, 1 * SEC), CORRUPT);
	assert_true(f->sender.credit == 10);
	assert_true(f->sender.watch.heard_at == 0);
	assert_int_equal(f->sender.inflight.count, SLICES);
}

static void credit_bounds_what_is_sent_and_never_shrinks(void **state)
{
	struct fixture *f = *state;
	struct wire_pull pull = pull_of(0, 0, 1, 3 * SLICE / WIRE_UNIT + 1);
	struct wire_ack ack = {.nbits = 0};
	uint32_t count = 0;

	assert_int_equal(hear_pull(f, &pull, 0), ACCEPTED);
	assert_false(next(f, 0));
	read_disk(f, 0);
	while (next(f, 0))
		count++;
	assert_int_equal(count, 3);
	pull.credit = 1; /* an old one, delayed */
	assert_int_equal(hear_pull(f, &pull, 0), ACCEPTED);
	assert_true(f->sender.credit == 3 * SLICE / WIRE_UNIT + 1);
	ack.credit = 4 * SLICE / WIRE_UNIT; /* an ACK grants, too */
	assert_int_equal(sender_on_ack(&f->sender, &ack, 0), ACCEPTED);
	assert_true(next(f, 0));
	assert_false(next(f, 0));
}

static void the_window_bounds_what_is_in_flight(void **state)
{
	struct fixture *f = *state;

	f->sender.config.window = 5;
	assert_int_equal(serve(f, 0, 0), 5);
	assert_int_equal(acknowledge(f, 0, 1, 1), ACCEPTED);
	assert_true(next(f, 1));
	assert_true(next(f, 1));
	assert_false(next(f, 1));
}

static void what_is_lost_goes_out_first_under_a_new_number(void **state)
{
	struct fixture *f = *state;

	f->sender.config.window = 8;
	assert_int_equal(serve(f, 0, 3), 8);
	assert_int_equal(acknowledge(f, 1, 3, 1), ACCEPTED);
	assert_true(next(f, 1));
	assert_int_equal(f->packet.header.slice, 0);
	/* a window so small cannot wait for the receiver's own rhythm */
	assert_int_equal(f->packet.header.flags, WIRE_RETX | WIRE_ACK_NOW);
	assert_true(f->packet.pn == 8);
	assert_true(f->sender.bytes_resent == SLICE);
	assert_true(next(f, 1));
	assert_int_equal(f->packet.header.slice, 8);
}

static void what_arrived_after_all_is_not_sent_again(void **state)
{
	struct fixture *f = *state;

	f->sender.config.window = 8;
	assert_int_equal(serve(f, 0, 3), 8);
	assert_int_equal(acknowledge(f, 1, 3, 1), ACCEPTED);
	assert_int_equal(f->sender.nresend, 1);
	assert_int_equal(acknowledge(f, 0, 3, 2), ACCEPTED);
	assert_true(next(f, 2));
	assert_int_equal(f->packet.header.slice, 8);
	assert_true(f->sender.bytes_resent == 0);
}

/* Without credit or window: else both could wait for each other for ever. */
static void a_probe_passes_the_credit(void **state)
{
	struct fixture *f = *state;
	nsec now;

	assert_int_equal(serve(f, 0, 0), SLICES);
	f->sender.credit = 0;
	now = sender_deadline(&f->sender);
	assert_false(next(f, now - 1));
	assert_true(next(f, now));
	/* a window so small cannot wait for the receiver's own rhythm */
	assert_int_equal(f->packet.header.flags, WIRE_RETX | WIRE_ACK_NOW);
	assert_int_equal(f->packet.header.slice, 0);
	/* and one that is small, in case it is the size that does not pass */
	assert_true(next(f, now));
	assert_int_equal(f->packet.header.type, WIRE_PROBE);
	assert_int_equal(f->packet.padding_len, 0);
	assert_false(next(f, now));
}

/* The peer wants a sign while the disk is slow; data that follows must survive its loss.
 */
static void a_sign_of_life_does_not_disturb_the_window(void **state)
{
	struct fixture *f = *state;
	struct wire_pull pull = pull_of(0, 0, 1, PLENTY);
	nsec now = 1 * SEC;

	assert_int_equal(sender_on_pull(&f->sender, &pull, WIRE_ACK_NOW, now), ACCEPTED);
	assert_true(next(f, now));
	assert_int_equal(f->packet.header.type, WIRE_PROBE_ACK);
	assert_int_equal(f->packet.payload_len, 0);
	assert_false(next(f, now));
	read_disk(f, 0);
	while (next(f, now))
		;
	assert_int_equal(f->sender.inflight.count, SLICES);
	now = sender_deadline(&f->sender); /* all of it was lost */
	assert_true(next(f, now));
	assert_int_equal(f->packet.header.type, WIRE_DATA);
	assert_int_equal(f->packet.header.slice, 0);
	assert_int_equal(f->sender.inflight.count, SLICES);
	assert_int_equal(acknowledge(f, 1, SLICES + 1, now + 1), ACCEPTED);
	assert_int_equal(f->sender.inflight.count, 0);
	assert_true(f->sender.bytes_acked == CHUNK);
}

static void signs_are_not_given_more_often_than_needed(void **state)
{
	struct fixture *f = *state;
	struct wire_pull pull = {.nruns = 0};

	for (int i = 0; i < 3; i++)
		assert_int_equal(sender_on_pull(&f->sender, &pull, WIRE_ACK_NOW, 1 * SEC),
			ACCEPTED);
	assert_true(next(f, 1 * SEC));
	assert_false(next(f, 1 * SEC));
	assert_int_equal(
		sender_on_pull(&f->sender, &pull, WIRE_ACK_NOW, 1 * SEC + 1), ACCEPTED);
	assert_false(next(f, 1 * SEC + 1));
	assert_true(sender_deadline(&f->sender) == 1 * SEC + 50 * MSEC);
	assert_true(next(f, 1 * SEC + 50 * MSEC));
}

static void a_failed_read_ends_it_and_is_told_as_often_as_asked(void **state)
{
	struct fixture *f = *state;
	struct wire_pull pull = pull_of(0, 7, 3, PLENTY);
	struct wire_close close;

	assert_int_equal(hear_pull(f, &pull, 0), ACCEPTED);
	assert_false(next(f, 0));
	read_disk(f, -EIO);
	for (int i = 0; i < 3; i++) {
		assert_true(next(f, 0));
		assert_int_equal(f->packet.header.type, WIRE_CLOSE);
		assert_true(
			wire_get_close(f->packet.body, f->packet.payload_len, &close));
		assert_int_equal(close.code, EIO);
		assert_int_equal(close.chunk, 7);
		assert_false(next(f, 0));
		/* the CLOSE was lost: the receiver still asks */
		assert_int_equal(hear_pull(f, &pull, 0), STALE);
	}
	assert_int_equal(f->sender.state, SENDER_FAILED);
	assert_int_equal(f->sender.code, -EIO);
	assert_int_equal(f->pool.nfree, BUFFERS);
}

static void a_refresh_of_a_rotten_disk_ends_it(void **state)
{
	struct fixture *f = *state;
	struct wire_pull pull = pull_of(0, 7, 1, PLENTY);

	pull.runs[0].flags = PULL_REFRESH;
	assert_int_equal(hear_pull(f, &pull, 0), ACCEPTED);
	assert_false(next(f, 0));
	read_disk(f, 0); /* leaves are zero: nothing verifies */
	assert_true(next(f, 0));
	assert_int_equal(f->packet.header.type, WIRE_CLOSE);
	assert_int_equal(f->sender.code, -EBADMSG);
	assert_int_equal(f->sender.fail_chunk, 7);
}

static void a_close_is_final_and_may_be_repeated(void **state)
{
	struct fixture *f = *state;
	const struct wire_close close = {.code = 0, .chunk = UINT32_MAX};
	const struct wire_close another = {.code = EIO, .chunk = 1};
	struct wire_pull pull = pull_of(1, 8, 1, PLENTY);

	assert_int_equal(serve(f, 0, 7), SLICES);
	assert_int_equal(sender_on_close(&f->sender, &close, 0), ACCEPTED);
	assert_int_equal(sender_on_close(&f->sender, &close, 0), STALE);
	assert_int_equal(sender_on_close(&f->sender, &another, 0), STALE);
	assert_int_equal(hear_pull(f, &pull, 0), STALE);
	assert_int_equal(acknowledge(f, 0, 3, 1), STALE);
	assert_int_equal(f->sender.state, SENDER_CLOSED);
	assert_int_equal(f->sender.code, 0);
	assert_true(f->sender.by_peer);
	assert_int_equal(f->sender.nblocks, 0);
	assert_false(next(f, 100 * SEC));
	assert_true(sender_deadline(&f->sender) == NEVER);
}

static void a_silent_receiver_is_given_up(void **state)
{
	struct fixture *f = *state;

	assert_true(sender_deadline(&f->sender) == STALL);
	assert_false(next(f, STALL - 1));
	assert_true(next(f, STALL));
	assert_int_equal(f->packet.header.type, WIRE_CLOSE);
	assert_int_equal(f->sender.code, -ETIMEDOUT);
}

/* Four buffers, ten chunks wanted: it waits for memory and goes on. */
static void memory_bounds_what_is_read_ahead(void **state)
{
	struct fixture *f = *state;
	struct wire_pull pull = pull_of(0, 0, 10, PLENTY);
	uint32_t acked = 0;
	uint32_t sent = 0;

	assert_int_equal(hear_pull(f, &pull, 0), ACCEPTED);
	for (nsec now = 1; f->sender.bytes_acked < 10 * CHUNK; now++) {
		while (next(f, now))
			sent++;
		read_disk(f, 0);
		assert_in_range(f->sender.nblocks, 0, BUFFERS);
		if (sent > acked)
			(void)acknowledge(f, acked, sent - 1, now);
		acked = sent;
		assert_in_range(now, 0, 100);
	}
	assert_int_equal(sent, 10 * SLICES);
	assert_true(f->cache.reads == 10);
}

/* A disk answers many reads as fast as one, a copy only keeps others waiting. */
static void what_is_copied_from_memory_is_not_read_far_ahead(void **state)
{
	struct fixture *f = *state;
	struct wire_pull pull = pull_of(0, 0, 10, PLENTY);

	f->cache.is_warm = true;
	assert_int_equal(hear_pull(f, &pull, 0), ACCEPTED);
	assert_false(next(f, 0));
	assert_int_equal(f->cache.nqueued, SENDER_AHEAD_WARM);
	read_disk(f, 0); /* it was none, after all */
	assert_true(next(f, 1));
	assert_int_equal(f->cache.nqueued, BUFFERS - SENDER_AHEAD_WARM);
}

static void as_many_requests_as_there_are_slots(void **state)
{
	struct fixture *f = *state;
	struct wire_pull pull = pull_of(0, 0, SENDER_REQUESTS, PLENTY);

	assert_int_equal(hear_pull(f, &pull, 0), ACCEPTED);
	assert_int_equal(f->sender.next_request, SENDER_REQUESTS);
	/* the next must wait until the oldest is done */
	pull = pull_of(1, 1, SENDER_REQUESTS, PLENTY);
	assert_int_equal(hear_pull(f, &pull, 0), ACCEPTED);
	assert_int_equal(f->sender.next_request, SENDER_REQUESTS);
	assert_false(next(f, 0));
	read_disk(f, 0);
	for (uint32_t i = 0; i < SLICES; i++)
		assert_true(next(f, 0));
	assert_int_equal(acknowledge(f, 0, SLICES - 1, 1), ACCEPTED);
	assert_int_equal(f->sender.oldest_request, 1);
	assert_int_equal(hear_pull(f, &pull, 0), ACCEPTED);
	assert_int_equal(f->sender.next_request, SENDER_REQUESTS + 1);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_pull_is_answered_with_the_chunks_slices),
		STORY(the_last_slice_is_as_short_as_the_file),
		STORY(a_pull_that_is_repeated_is_served_once),
		STORY(a_pull_that_makes_no_sense_changes_nothing),
		STORY(an_ack_of_what_was_never_sent_changes_nothing),
		STORY(credit_bounds_what_is_sent_and_never_shrinks),
		STORY(the_window_bounds_what_is_in_flight),
		STORY(what_is_lost_goes_out_first_under_a_new_number),
		STORY(what_arrived_after_all_is_not_sent_again),
		STORY(a_probe_passes_the_credit),
		STORY(a_sign_of_life_does_not_disturb_the_window),
		STORY(signs_are_not_given_more_often_than_needed),
		STORY(a_failed_read_ends_it_and_is_told_as_often_as_asked),
		STORY(a_refresh_of_a_rotten_disk_ends_it),
		STORY(a_close_is_final_and_may_be_repeated),
		STORY(a_silent_receiver_is_given_up),
		STORY(memory_bounds_what_is_read_ahead),
		STORY(what_is_copied_from_memory_is_not_read_far_ahead),
		STORY(as_many_requests_as_there_are_slots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
