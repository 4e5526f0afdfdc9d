/* SPDX-License-Identifier: BSD-3-Clause */
/* The receiving end alone: what it asks for, what it takes, and what it refuses. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/receiver_world.h"

static void it_asks_for_as_much_as_it_can_hold(void **state)
{
	struct fixture *f = *state;
	struct wire_pull pull = next_pull(f, 0);

	assert_int_equal(pull.first_request, 0);
	assert_int_equal(pull.nruns, 1);
	assert_int_equal(pull.runs[0].first, 0);
	assert_int_equal(pull.runs[0].count, OPEN);
	assert_int_equal(pull.runs[0].flags, 0);
	assert_true(pull.credit >= OPEN * (uint64_t)CHUNK / WIRE_UNIT);
	assert_int_equal(f->pool.nfree, BUFFERS - OPEN);
	assert_false(next(f, 0));
}

static void what_is_there_or_zero_is_not_asked_for(void **state)
{
	struct fixture *f = *state;
	uint64_t have[BITMAP_WORDS(CHUNKS)] = {0};
	struct wire_pull pull;

	bitmap_set(have, 0);
	bitmap_set(have, 3);
	f->manifest.leaves[5].flags = LEAF_ZERO;
	f->config.have = have;
	f->config.max_chunks = 4;
	receiver_init(&f->receiver, &f->config, 0);
	assert_int_equal(f->receiver.nleft, CHUNKS - 3);
	assert_true(f->receiver.bytes_reused == 3 * CHUNK);
	pull = next_pull(f, 0);
	assert_int_equal(pull.nruns, 3);
	assert_int_equal(pull.runs[0].first, 1);
	assert_int_equal(pull.runs[0].count, 2);
	assert_int_equal(pull.runs[1].first, 4);
	assert_int_equal(pull.runs[2].first, 6);
}

/* The smallest slices of the largest chunk: each table is just large enough. */
static void the_largest_chunk_in_the_smallest_slices_fits(void **state)
{
	struct fixture *f = *state;
	struct manifest manifest;

	assert_int_equal(manifest_init(&manifest, MANIFEST_CHUNK_MAX, NULL), 0);
	assert_int_equal(manifest_add(&manifest, "a", MANIFEST_CHUNK_MAX, 0644, NULL), 0);
	assert_int_equal(manifest_layout(&manifest, NULL), 0);
	f->config.manifest = &manifest;
	f->config.slice_size = CACHE_SLICE_MIN;
	receiver_init(&f->receiver, &f->config, 0);
	for (size_t i = 0; i < RECEIVER_CHUNKS; i++)
		assert_int_equal(f->receiver.chunks[i].state, CHUNK_FREE);
	manifest_fini(&manifest);
	f->config.manifest = &f->manifest;
}

static void slices_in_any_order_make_the_chunk(void **state)
{
	struct fixture *f = *state;

	(void)next_pull(f, 0);
	for (uint32_t i = 0; i < SLICES; i++)
		assert_int_equal(hear(f, 2, (i * 13 + 5) % SLICES, 1), ACCEPTED);
	assert_int_equal(write_one(f, 0, 2), 2);
	assert_true(f->receiver.bytes_written == CHUNK);
	assert_int_equal(f->receiver.nleft, CHUNKS - 1);
}

/* XOR undoes itself: a slice folded twice would be missing from the checksum. */
static void a_slice_that_comes_twice_counts_once(void **state)
{
	struct fixture *f = *state;

	(void)next_pull(f, 0);
	for (uint32_t slice = 0; slice < SLICES; slice++) {
		assert_int_equal(hear(f, 0, slice, 1), ACCEPTED);
		assert_int_equal(hear(f, 0, slice, 1), DUPLICATE);
	}
	assert_int_equal(write_one(f, 0, 2), 0);
	assert_int_equal(f->receiver.next_request, OPEN); /* no retry */
	assert_true(f->receiver.bytes_duplicate == SLICES * SLICE);
	assert_int_equal(hear(f, 0, 0, 3), DUPLICATE); /* after it was written */
}

static void slices_that_do_not_fit_are_corrupt(void **state)
{
	struct fixture *f = *state;
	struct wire_header header;

	(void)next_pull(f, 0);
	header = header_of(f, 0, 0);
	header.chunk = CHUNKS;
	assert_int_equal(receiver_on_data(&f->receiver, &header, f->bytes, 1), CORRUPT);
	header.chunk = UINT32_MAX;
	assert_int_equal(receiver_on_data(&f->receiver, &header, f->bytes, 1), CORRUPT);
	header = header_of(f, 0, 0);
	header.slice = SLICES;
	assert_int_equal(receiver_on_data(&f->receiver, &header, f->bytes, 1), CORRUPT);
	header.slice = UINT16_MAX;
	assert_int_equal(receiver_on_data(&f->receiver, &header, f->bytes, 1), CORRUPT);
	for (uint32_t len = 0; len < 2 * SLICE; len += 64) {
		header = header_of(f, 0, 0);
		header.payload_len = (uint16_t)len;
		header.payload_crc = crc32c(f->bytes, len);
		if (len != SLICE)
			assert_int_equal(
				receiver_on_data(&f->receiver, &header, f->bytes, 1),
				CORRUPT);
	}
	header = header_of(f, 0, 0);
	header.payload_crc ^= 1;
	assert_int_equal(receiver_on_data(&f->receiver, &header, f->bytes, 1), CORRUPT);
	assert_int_equal(f->receiver.chunks[0].ngot, 0);
	assert_int_equal(hear(f, 0, 0, 1), ACCEPTED);
}

static void chunks_never_asked_for_are_not_taken(void **state)
{
	struct fixture *f = *state;

	(void)next_pull(f, 0);
	assert_int_equal(hear(f, OPEN, 0, 1), DUPLICATE);
	assert_int_equal(f->receiver.nopen, OPEN);
}

static void credit_never_shrinks(void **state)
{
	struct fixture *f = *state;
	uint64_t credit = next_pull(f, 0).credit;
	nsec now = 0;

	for (uint32_t chunk = 0; chunk < CHUNKS; chunk++) {
		struct wire_pull pull;

		now += 1 * MSEC;
		hear_chunk(f, chunk, now);
		assert_int_equal(write_one(f, 0, now), chunk);
		now += 300 * MSEC;
		if (f->receiver.state != RECEIVER_RUNNING)
			break;
		pull = next_pull(f, now);
		assert_true(pull.credit >= credit);
		credit = pull.credit;
	}
	assert_int_equal(f->receiver.state, RECEIVER_DONE);
}

/* What the sender has sent for nothing is granted again. */
static void lost_packets_do_not_eat_the_credit(void **state)
{
	struct fixture *f = *state;
	struct wire_header header = header_of(f, 0, 0);
	uint64_t credit = next_pull(f, 0).credit;

	header.sent_units = 1000000;
	assert_int_equal(receiver_on_data(&f->receiver, &header, f->bytes, 1), ACCEPTED);
	assert_true(next_pull(f, 1 * SEC).credit >= credit + 1000000 - SLICE / WIRE_UNIT);
	header.sent_units = 5; /* an older packet, late */
	assert_int_equal(receiver_on_data(&f->receiver, &header, f->bytes, 2), DUPLICATE);
	assert_true(f->receiver.seen_units == 1000000);
}

static void a_pull_is_repeated_ever_more_slowly_until_data_comes(void **state)
{
	static const nsec gaps[] = {5, 10, 20, 40, 80, 160, 250, 250};
	struct fixture *f = *state;
	nsec now = 1 * SEC;

	(void)next_pull(f, now);
	f->receiver.watch.heard_at = now;
	f->receiver.last_data = now;
	for (size_t i = 0; i < ARRAY_LEN(gaps); i++) {
		struct wire_pull pull;

		assert_true(receiver_deadline(&f->receiver) == now + gaps[i] * MSEC);
		now += gaps[i] * MSEC;
		assert_false(next(f, now - 1));
		pull = next_pull(f, now);
		assert_int_equal(pull.first_request, 0);
		assert_int_equal(pull.runs[0].count, OPEN);
	}
	assert_int_equal(f->packet.header.flags, WIRE_ACK_NOW); /* are you there? */
	assert_int_equal(hear(f, 0, 0, now), ACCEPTED);
	assert_true(receiver_deadline(&f->receiver) == now + 5 * MSEC);
}

/* A chunk whose slices are all right and whose checksum is not: the sender's disk. */
static void a_chunk_that_does_not_verify_is_asked_for_afresh(void **state)
{
	struct fixture *f = *state;
	struct wire_pull pull;

	f->manifest.leaves[1].crc32c ^= 1;
	(void)next_pull(f, 0);
	for (uint32_t attempt = 0; attempt < RECEIVER_ATTEMPTS; attempt++) {
		assert_int_equal(f->receiver.state, RECEIVER_RUNNING);
		hear_chunk(f, 1, 1);
		if (attempt == RECEIVER_ATTEMPTS - 1)
			break;
		pull = next_pull(f, 1);
		assert_int_equal(pull.runs[pull.nruns - 1].first, 1);
		assert_int_equal(pull.runs[pull.nruns - 1].count, 1);
		assert_int_equal(pull.runs[pull.nruns - 1].flags, PULL_REFRESH);
		assert_int_equal(f->receiver.next_request, OPEN + attempt + 1);
	}
	assert_int_equal(f->receiver.state, RECEIVER_FAILED);
	assert_int_equal(f->receiver.code, -EBADMSG);
	assert_int_equal(f->receiver.fail_chunk, 1);
	assert_true(f->receiver.bytes_written == 0);
}

static void requests_span_no_more_than_the_sender_has_slots(void **state)
{
	struct fixture *f = *state;
	struct wire_pull pull = next_pull(f, 0);

	for (uint32_t chunk = 1; chunk < CHUNKS; chunk++) {
		if (chunk >= RECEIVER_SPAN)
			break;
		hear_chunk(f, chunk, chunk);
		(void)write_one(f, 0, chunk);
		(void)next(f, chunk);
	}
	assert_int_equal(f->receiver.next_request, RECEIVER_SPAN);
	assert_int_equal(f->receiver.nopen, 1);
	pull = next_pull(f, 1 * SEC);
	assert_int_equal(pull.first_request, 0);
	hear_chunk(f, 0, 1 * SEC);
	assert_true(next(f, 1 * SEC));
	assert_int_equal(f->receiver.next_request, RECEIVER_SPAN + OPEN - 1);
}

static void acks_come_after_16_packets_or_25_us_or_at_once(void **state)
{
	struct fixture *f = *state;
	struct wire_header header = {.tx_time = 77};
	const struct turns away = {.emptied_at = -3 * MSEC};
	struct wire_ack ack;

	f->receiver.config.turns = &away;
	(void)next_pull(f, 0);
	pn_window_add(&f->window, 0);
	receiver_on_number(&f->receiver, &header, true, 1 * USEC);
	assert_false(next(f, 25 * USEC));
	assert_true(receiver_deadline(&f->receiver) == 26 * USEC);
	assert_true(next(f, 26 * USEC));
	assert_int_equal(f->packet.header.type, WIRE_ACK);
	assert_true(wire_get_ack(f->packet.body, f->packet.payload_len, &ack));
	assert_int_equal(ack.echo_time, 77);
	assert_int_equal(ack.delay_us, 25);
	assert_int_equal(ack.away_us, 3001);
	assert_int_equal(ack.nbits, 1);
	assert_false(next(f, 1 * MSEC)); /* once */
	for (int i = 0; i < 16; i++) {
		assert_false(next(f, 1 * MSEC));
		receiver_on_number(&f->receiver, &header, true, 1 * MSEC);
	}
	assert_true(next(f, 1 * MSEC));
	receiver_on_number(&f->receiver, &header, false, 1 * MSEC); /* a gap */
	assert_true(next(f, 1 * MSEC));
	header.flags = WIRE_ACK_NOW;
	receiver_on_number(&f->receiver, &header, true, 1 * MSEC);
	assert_true(next(f, 1 * MSEC));
	assert_int_equal(f->packet.header.type, WIRE_ACK);
}

static void a_full_disk_is_told_five_times(void **state)
{
	struct fixture *f = *state;
	struct wire_close close;
	nsec now = 1;

	(void)next_pull(f, 0);
	hear_chunk(f, 6, now);
	assert_int_equal(write_one(f, -ENOSPC, now), 6);
	assert_int_equal(f->receiver.code, -ENOSPC);
	for (int i = 0; i < 5; i++) {
		assert_true(next(f, now));
		assert_int_equal(f->packet.header.type, WIRE_CLOSE);
		assert_true(
			wire_get_close(f->packet.body, f->packet.payload_len, &close));
		assert_int_equal(close.code, ENOSPC);
		assert_int_equal(close.chunk, 6);
		assert_false(next(f, now));
		now += 20 * MSEC;
	}
	assert_false(next(f, now));
	assert_true(receiver_deadline(&f->receiver) == NEVER);
	assert_int_equal(hear(f, 0, 0, now), DUPLICATE);
}

static void a_close_is_final_and_may_be_repeated(void **state)
{
	struct fixture *f = *state;
	const struct wire_close close = {.code = EIO, .chunk = 3};
	const struct wire_close another = {.code = 0, .chunk = UINT32_MAX};

	(void)next_pull(f, 0);
	assert_int_equal(receiver_on_close(&f->receiver, &close, 1), ACCEPTED);
	assert_int_equal(receiver_on_close(&f->receiver, &another, 1), STALE);
	assert_int_equal(f->receiver.code, -EIO);
	assert_int_equal(f->receiver.fail_chunk, 3);
	assert_true(f->receiver.by_peer);
	assert_false(next(f, 1 * SEC)); /* no CLOSE answers a CLOSE */
}

static void a_close_without_a_reason_is_still_an_end(void **state)
{
	struct fixture *f = *state;
	const struct wire_close close = {.code = 0, .chunk = CHUNKS};

	assert_int_equal(receiver_on_close(&f->receiver, &close, 1), ACCEPTED);
	assert_int_equal(f->receiver.code, -ECANCELED);
	assert_int_equal(f->receiver.fail_chunk, UINT32_MAX);
}

static void a_sign_of_life_keeps_it_waiting(void **state)
{
	struct fixture *f = *state;
	const struct wire_header header = {.type = WIRE_PROBE_ACK};

	assert_int_equal(receiver_on_sign(&f->receiver, &header, 3 * SEC), ACCEPTED);
	(void)next(f, STALL + 1 * SEC);
	assert_int_equal(f->receiver.state, RECEIVER_RUNNING);
	(void)next(f, 3 * SEC + STALL);
	assert_int_equal(f->receiver.state, RECEIVER_FAILED);
	assert_int_equal(f->receiver.code, -ETIMEDOUT);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(it_asks_for_as_much_as_it_can_hold),
		STORY(what_is_there_or_zero_is_not_asked_for),
		STORY(the_largest_chunk_in_the_smallest_slices_fits),
		STORY(slices_in_any_order_make_the_chunk),
		STORY(a_slice_that_comes_twice_counts_once),
		STORY(slices_that_do_not_fit_are_corrupt),
		STORY(chunks_never_asked_for_are_not_taken),
		STORY(credit_never_shrinks),
		STORY(lost_packets_do_not_eat_the_credit),
		STORY(a_pull_is_repeated_ever_more_slowly_until_data_comes),
		STORY(a_chunk_that_does_not_verify_is_asked_for_afresh),
		STORY(requests_span_no_more_than_the_sender_has_slots),
		STORY(acks_come_after_16_packets_or_25_us_or_at_once),
		STORY(a_full_disk_is_told_five_times),
		STORY(a_close_is_final_and_may_be_repeated),
		STORY(a_close_without_a_reason_is_still_an_end),
		STORY(a_sign_of_life_keeps_it_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
