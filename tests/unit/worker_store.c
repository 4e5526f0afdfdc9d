/* SPDX-License-Identifier: BSD-3-Clause */
/* One worker and its store: what is read is sent, what is received is written, and a
 * session ends only when the store has let go of its buffers. */
#include "tests/unit/worker_paper.h"

static void a_chunk_is_read_and_sent(void **state)
{
	struct fixture *f = *state;

	add_session(f, TRANSFER_SEND, 0);
	hear_pull(f, 1);
	assert_true(f->is_busy);
	assert_int_equal(f->request.op, STORE_READ);
	finish_request(f);
	turn(f, 2);
	assert_int_equal(f->nout, 1);
	assert_int_equal(sent_type(f, 0), WIRE_DATA);
	assert_int_equal(f->out[0].len, ETHER_UDP_HEADERS + WIRE_HEADER_LEN + SIZE);
	assert_int_equal(f->out[0].bytes[f->out[0].len - 1], 5);
	/* the packet's MAC came from the PULL: nobody had to be asked */
	assert_memory_equal(f->out[0].bytes, mac2, 6);
}

/* A pause gives the chunk back, and others may want its buffer, but the frame that a full
 * nic has not taken yet is still to be read from it. */
static void a_chunk_is_kept_until_the_nic_has_taken_its_frames(void **state)
{
	struct fixture *f = *state;

	add_session(f, TRANSFER_SEND, 0);
	hear_pull(f, 1);
	finish_request(f);
	f->capacity = 0;
	turn(f, 2);
	assert_int_equal(f->worker.ntx, 1);
	worker_pause(&f->worker, session_make_id(3, 7), true);
	assert_true(cache_reclaim(&f->worker.cache));
	for (uint8_t *other; (other = pool_take(&f->pool)) != NULL;)
		memset(other, 6, CHUNK);
	assert_int_equal(f->pool.nfree, 1);
	f->capacity = FRAMES;
	turn(f, 3);
	assert_int_equal(f->nout, 1);
	assert_int_equal(f->out[0].bytes[f->out[0].len - 1], 5);
	assert_non_null(pool_take(&f->pool));
}

static void stopping_a_sender_waits_for_its_read(void **state)
{
	struct fixture *f = *state;

	add_session(f, TRANSFER_SEND, 0);
	hear_pull(f, 1);
	assert_int_equal(f->request.op, STORE_READ);
	worker_stop(&f->worker, session_make_id(3, 7));
	turn(f, 2);
	assert_int_equal(f->nreports, 0);
	assert_int_equal(f->pool.nfree, BUFFERS - 1);
	finish_request(f);
	turn(f, 3);
	assert_int_equal(f->nreports, 1);
	assert_int_equal(f->report.event, REPORT_STOPPED);
	assert_int_equal(f->pool.nfree, BUFFERS);
	assert_int_equal(f->worker.nsessions, 0);
}

static void stopping_a_receiver_waits_for_its_write(void **state)
{
	struct fixture *f = *state;

	add_session(f, TRANSFER_RECEIVE, 0);
	turn(f, 1);
	hear_data(f, 2);
	assert_true(f->is_busy);
	assert_int_equal(f->request.op, STORE_WRITE);
	worker_stop(&f->worker, session_make_id(3, 7));
	turn(f, 3);
	assert_int_equal(f->nreports, 0);
	finish_request(f);
	turn(f, 4);
	assert_int_equal(f->report.event, REPORT_STOPPED);
	assert_int_equal(f->nreports, 1);
	assert_int_equal(f->pool.nfree, BUFFERS);
}

static void stopping_another_generation_stops_nobody(void **state)
{
	struct fixture *f = *state;

	add_session(f, TRANSFER_SEND, 0);
	worker_stop(&f->worker, session_make_id(3, 6));
	worker_stop(&f->worker, session_make_id(4, 7));
	worker_stop(&f->worker, UINT32_MAX);
	turn(f, 1);
	assert_int_equal(f->nreports, 0);
	assert_int_equal(f->worker.nsessions, 1);
}

static void a_stopping_session_hears_and_says_nothing(void **state)
{
	struct fixture *f = *state;
	uint64_t bad;

	add_session(f, TRANSFER_SEND, 0);
	hear_pull(f, 1);
	worker_stop(&f->worker, session_make_id(3, 7));
	bad = f->worker.frames_bad;
	hear_pull(f, 2);
	assert_true(f->worker.frames_bad == bad + 1);
	assert_int_equal(f->nout, 0);
	finish_request(f);
	turn(f, 3);
	assert_int_equal(f->nout, 0);
}

static void a_received_snapshot_is_reported_once(void **state)
{
	struct fixture *f = *state;

	add_session(f, TRANSFER_RECEIVE, 0);
	turn(f, 1);
	hear_data(f, 2);
	assert_int_equal(f->nreports, 0); /* not before it is written */
	finish_request(f);
	turn(f, 3);
	turn(f, 4);
	assert_int_equal(f->nreports, 1);
	assert_int_equal(f->report.event, REPORT_DONE);
	assert_int_equal(f->report.code, 0);
}

static void a_full_store_is_tried_again(void **state)
{
	struct fixture *f = *state;

	add_session(f, TRANSFER_SEND, 0);
	f->is_busy = true;
	f->request.object = (struct store_object *)1;
	hear_pull(f, 1);
	assert_int_equal(f->worker.cache.nqueued, 1);
	f->is_busy = false;
	turn(f, 2);
	assert_true(f->is_busy);
	assert_int_equal(f->worker.cache.nqueued, 0);
	finish_request(f);
	turn(f, 3);
	assert_int_equal(sent_type(f, 0), WIRE_DATA);
}

static void without_sessions_there_is_nothing_to_wake_up_for(void **state)
{
	struct fixture *f = *state;

	assert_true(worker_deadline(&f->worker) == NEVER);
	add_session(f, TRANSFER_RECEIVE, 0);
	turn(f, 1);
	assert_in_range(worker_deadline(&f->worker), 0, 5 * SEC);
	worker_stop(&f->worker, session_make_id(3, 7));
	turn(f, 2);
	assert_int_equal(f->worker.nsessions, 0);
	assert_true(worker_deadline(&f->worker) == NEVER);
	assert_false(worker_run(&f->worker, 10 * SEC));
}

/* Its MAC would be asked for again in half a minute, if anybody wanted it. */
static void nobody_wakes_up_for_a_peer_that_is_gone(void **state)
{
	struct fixture *f = *state;

	add_session(f, TRANSFER_RECEIVE, 0);
	turn(f, 1);
	turn(f, 2);
	hear_arp(f, &us, &them, true, 3);
	turn(f, 4);
	assert_true(f->session->is_path_known);
	worker_stop(&f->worker, session_make_id(3, 7));
	turn(f, 5);
	assert_int_equal(f->worker.nsessions, 0);
	assert_true(worker_deadline(&f->worker) == NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_chunk_is_read_and_sent),
		STORY(a_chunk_is_kept_until_the_nic_has_taken_its_frames),
		STORY(stopping_a_sender_waits_for_its_read),
		STORY(stopping_a_receiver_waits_for_its_write),
		STORY(stopping_another_generation_stops_nobody),
		STORY(a_stopping_session_hears_and_says_nothing),
		STORY(a_received_snapshot_is_reported_once),
		STORY(a_full_store_is_tried_again),
		STORY(without_sessions_there_is_nothing_to_wake_up_for),
		STORY(nobody_wakes_up_for_a_peer_that_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
