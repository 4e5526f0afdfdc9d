/* SPDX-License-Identifier: BSD-3-Clause */
/* Which packets a session takes for its peer's, and which it drops unseen. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/crc.h"
#include "dataplane/session.h"

enum { CHUNK = MANIFEST_CHUNK_MIN, SLICE = 1408, GENERATION = 7 };

/* A sending session; the test speaks for its receiver. */
struct fixture {
	struct manifest manifest;
	struct cache cache; /* of no blocks */
	struct session *session;
	uint8_t datagram[2048];
	struct ether_frame frame;
};

static int start(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct transfer_session params = {.role = TRANSFER_SEND,
		.session_id = session_make_id(3, GENERATION),
		.peer_session_id = session_make_id(9, 1),
		.peer_ip = IP_V4(10, 0, 0, 2),
		.peer_port = 4791,
		.slice_size = SLICE,
		.manifest = &f->manifest};

	assert_int_equal(manifest_init(&f->manifest, CHUNK, NULL), 0);
	assert_int_equal(manifest_add(&f->manifest, "a", CHUNK, 0644, NULL), 0);
	assert_int_equal(manifest_layout(&f->manifest, NULL), 0);
	memset(params.rx_key, 1, sizeof(params.rx_key));
	memset(params.tx_key, 2, sizeof(params.tx_key));
	assert_int_equal(session_create(&f->session, &params, 5000, 5 * SEC), 0);
	f->session->self.port = 4791;
	f->session->self.ip = (struct ip)IP_V4(10, 0, 0, 1);
	f->session->path.src_ip = f->session->self.ip;
	f->session->headers = ETHER_UDP_HEADERS;
	sender_init(&f->session->machine.sender,
		&(struct sender_config){.manifest = &f->manifest,
			.cache = &f->cache,
			.slice_size = SLICE,
			.window = f->session->window,
			.stall_timeout = 5 * SEC},
		0);
	*state = f;
	return 0;
}

static int end(void **state)
{
	struct fixture *f = *state;

	session_destroy(f->session);
	manifest_fini(&f->manifest);
	free(f);
	return 0;
}

/* A PULL that grants credit and asks for nothing. */
static void make_pull(struct fixture *f, uint64_t pn, uint64_t credit)
{
	const struct wire_pull pull = {.credit = credit};
	uint8_t *body = f->datagram + WIRE_HEADER_LEN;
	uint32_t len = wire_put_pull(body, &pull);
	const struct wire_header header = {.type = WIRE_PULL,
		.session_id = f->session->params.session_id,
		.payload_len = (uint16_t)len,
		.payload_crc = crc32c(body, len)};

	wire_put_header(
		f->datagram, &header, f->session->params.rx_key, &f->session->self, pn);
	f->frame = (struct ether_frame){.kind = ETHER_UDP,
		.src_mac = {2, 0, 0, 0, 0, 9},
		.payload = f->datagram,
		.payload_len = WIRE_HEADER_LEN + len};
}

/* Makes the header again after the test changed what it says. */
static void reseal(struct fixture *f, struct wire_header *header, uint64_t pn)
{
	wire_put_header(
		f->datagram, header, f->session->params.rx_key, &f->session->self, pn);
}

static enum verdict hear(struct fixture *f)
{
	return session_on_packet(f->session, &f->frame, 1);
}

static uint64_t count_of(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

/* The sender's credit, which any accepted PULL would raise, is what it was. */
static void check_dropped(struct fixture *f, enum verdict verdict)
{
	const struct sender *sender = &f->session->machine.sender;
	uint64_t bad = count_of(&f->session->counters.packets_bad);

	assert_int_equal(hear(f), verdict);
	assert_true(sender->credit == 0);
	assert_true(sender->watch.heard_at == 0);
	assert_true(f->session->received.next == 0);
	assert_false(f->session->is_path_known);
	assert_true(count_of(&f->session->counters.packets_bad) == bad + 1);
	assert_true(count_of(&f->session->counters.wire_bytes) == 0);
}

static void a_sealed_packet_of_the_peer_is_taken(void **state)
{
	struct fixture *f = *state;

	make_pull(f, 0, 77);
	assert_int_equal(hear(f), ACCEPTED);
	assert_true(f->session->machine.sender.credit == 77);
	assert_true(f->session->received.next == 1);
	/* and shows where the peer is */
	assert_true(f->session->is_path_known);
	assert_int_equal(f->session->path.dst_mac[5], 9);
	assert_true(count_of(&f->session->counters.wire_bytes) ==
		    ETHER_UDP_HEADERS + f->frame.payload_len + ETHER_WIRE_OVERHEAD);
}

static void a_replay_is_a_duplicate_and_moves_nothing(void **state)
{
	struct fixture *f = *state;

	make_pull(f, 0, 77);
	assert_int_equal(hear(f), ACCEPTED);
	f->frame.src_mac[5] = 66; /* from somewhere else */
	assert_int_equal(hear(f), DUPLICATE);
	assert_int_equal(f->session->path.dst_mac[5], 9);
	make_pull(f, 2 * PN_WINDOW, 78);
	assert_int_equal(hear(f), ACCEPTED);
	make_pull(f, 1, 99);
	assert_int_equal(hear(f), STALE);
	assert_true(f->session->machine.sender.credit == 78);
}

/* Whoever gets no answer tries another way, and that is another source port. */
static void a_packet_of_the_peer_may_come_from_any_port(void **state)
{
	struct fixture *f = *state;

	for (uint32_t pn = 0; pn < 4; pn++) {
		make_pull(f, pn, 77 + pn);
		f->frame.src_port = (uint16_t)(pn * 20000);
		assert_int_equal(hear(f), ACCEPTED);
		assert_true(f->session->machine.sender.credit == 77 + pn);
	}
}

static void a_packet_of_another_epoch_is_dropped_and_counted(void **state)
{
	struct fixture *f = *state;
	struct wire_header header;

	f->session->machine.sender.epoch = 5; /* 1 in the packet */
	for (uint32_t epoch = 0; epoch < 4; epoch++) {
		make_pull(f, 0, 77);
		(void)wire_get_header(f->datagram, f->frame.payload_len, &header);
		header.flags = wire_epoch_flags(epoch);
		reseal(f, &header, 0);
		if (epoch != 1)
			check_dropped(f, STALE);
	}
	header.flags = wire_epoch_flags(5);
	reseal(f, &header, 0);
	assert_int_equal(hear(f), ACCEPTED);
}

/* The machine says when; the port is one of IANA's dynamic range, each time another. */
static void another_path_is_another_source_port(void **state)
{
	struct fixture *f = *state;
	struct packet packet;
	uint16_t last = 4791;

	f->session->path.src_port = last;
	(void)session_poll(f->session, &packet, true, 1);
	assert_int_equal(f->session->path.src_port, 4791);
	for (int i = 0; i < 1000; i++) {
		f->session->machine.sender.path_changes++;
		(void)session_poll(f->session, &packet, true, 1);
		assert_int_not_equal(f->session->path.src_port, last);
		last = f->session->path.src_port;
		assert_in_range(last, SESSION_PORT_MIN, UINT16_MAX);
		(void)session_poll(f->session, &packet, true, 1);
		assert_int_equal(f->session->path.src_port, last);
	}
}

static void a_suspension_is_reported_once_and_so_is_its_end(void **state)
{
	struct fixture *f = *state;
	struct transfer_report report;
	struct packet packet;

	make_pull(f, 0, 77);
	assert_int_equal(hear(f), ACCEPTED); /* at 1 */
	f->session->machine.sender.config.stall_timeout = 60 * SEC;
	assert_false(session_next_report(f->session, &report));
	(void)session_poll(f->session, &packet, true, 6 * SEC);
	assert_true(session_next_report(f->session, &report));
	assert_int_equal(report.event, REPORT_SUSPENDED);
	assert_true(report.silence == 6 * SEC - 1);
	assert_false(session_next_report(f->session, &report));
	make_pull(f, 1, 77);
	assert_int_equal(session_on_packet(f->session, &f->frame, 8 * SEC), ACCEPTED);
	assert_true(session_next_report(f->session, &report));
	assert_int_equal(report.event, REPORT_RESUMED);
	assert_true(report.silence == 8 * SEC - 1);
	assert_false(session_next_report(f->session, &report));
}

static void another_generation_is_a_dead_session(void **state)
{
	struct fixture *f = *state;
	struct wire_header header;

	for (uint32_t generation = 0; generation < 16; generation++) {
		if (generation == GENERATION)
			continue;
		make_pull(f, 0, 77);
		assert_int_equal(
			wire_get_header(f->datagram, f->frame.payload_len, &header),
			ACCEPTED);
		header.session_id = session_make_id(3, generation);
		reseal(f, &header, 0); /* even with the right seal */
		check_dropped(f, STALE);
	}
}

static void every_changed_bit_is_dropped(void **state)
{
	struct fixture *f = *state;

	make_pull(f, 0, 77);
	for (uint32_t bit = 0; bit < 8 * f->frame.payload_len; bit++) {
		enum verdict verdict;

		f->datagram[bit / 8] ^= (uint8_t)(1 << bit % 8);
		verdict = hear(f);
		assert_true(verdict == CORRUPT || verdict == STALE);
		f->datagram[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_true(f->session->machine.sender.credit == 0);
	assert_int_equal(hear(f), ACCEPTED);
}

static void a_packet_cut_anywhere_is_dropped(void **state)
{
	struct fixture *f = *state;
	uint32_t whole;

	make_pull(f, 0, 77);
	whole = f->frame.payload_len;
	for (uint32_t len = 0; len < whole; len++) {
		uint8_t *cut = malloc(len > 0 ? len : 1);

		memcpy(cut, f->datagram, len);
		f->frame.payload = cut;
		f->frame.payload_len = len;
		check_dropped(f, CORRUPT);
		free(cut);
	}
}

/* What only a receiver gets, or a body of another type's length. */
static void types_that_make_no_sense_here_are_corrupt(void **state)
{
	static const enum wire_type types[] = {
		WIRE_DATA, WIRE_PROBE, WIRE_PROBE_ACK, WIRE_ACK, WIRE_CLOSE};
	struct fixture *f = *state;
	struct wire_header header;

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		make_pull(f, 0, 77);
		(void)wire_get_header(f->datagram, f->frame.payload_len, &header);
		header.type = types[i];
		reseal(f, &header, 0);
		check_dropped(f, CORRUPT);
	}
}

static void the_number_goes_on_after_2_to_the_32(void **state)
{
	struct fixture *f = *state;
	const uint64_t wrap = (uint64_t)1 << 32;

	f->session->received.next = wrap - 1;
	make_pull(f, wrap - 1, 1);
	assert_int_equal(hear(f), ACCEPTED);
	make_pull(f, wrap, 2);
	assert_int_equal(hear(f), ACCEPTED);
	assert_true(f->session->received.next == wrap + 1);
	/* the packet that had these low bits a lap ago has another seal */
	make_pull(f, 1, 99);
	assert_int_equal(hear(f), CORRUPT);
	assert_true(f->session->machine.sender.credit == 2);
}

static void what_is_sent_bears_the_peers_id_and_our_seal(void **state)
{
	struct fixture *f = *state;
	const struct transfer_session *params = &f->session->params;
	struct packet packet = {
		.header = {.type = WIRE_PROBE_ACK}, .pn = 5, .payload = packet.body};
	uint8_t out[WIRE_HEADER_LEN];
	struct wire_header header;
	struct nic_tx frame = {.payload_len = 0};

	(void)session_frame(f->session, &packet, &frame);
	memcpy(out, frame.head + f->session->headers, sizeof(out));
	assert_int_equal(wire_get_header(out, sizeof(out), &header), ACCEPTED);
	assert_int_equal(header.session_id, params->peer_session_id);
	assert_true(wire_is_authentic(out, params->tx_key, &f->session->peer, 5));
	assert_false(wire_is_authentic(out, params->rx_key, &f->session->peer, 5));
	/* reflected to us it is not taken for the peer's */
	f->frame = (struct ether_frame){
		.kind = ETHER_UDP, .payload = out, .payload_len = sizeof(out)};
	check_dropped(f, STALE);
}

/* Not even under the right key: a worker has one stripe of a session. */
static void a_packet_of_another_stripe_is_dropped(void **state)
{
	struct fixture *f = *state;
	struct wire_header header;

	make_pull(f, 0, 77);
	assert_int_equal(
		wire_get_header(f->datagram, f->frame.payload_len, &header), ACCEPTED);
	header.path = 1;
	reseal(f, &header, 0);
	check_dropped(f, STALE);
}

/* Only what the peer says of our present port counts, and only under its seal. */
static void packets_that_land_wrong_are_sent_from_another_port(void **state)
{
	struct fixture *f = *state;
	struct wire_header header;
	uint16_t port = 4791;

	f->session->path.src_port = port;
	steering_init(&f->session->steering, 0, port);
	for (uint64_t pn = 0; pn < 20; pn++) {
		make_pull(f, pn, 77);
		assert_int_equal(
			wire_get_header(f->datagram, f->frame.payload_len, &header),
			ACCEPTED);
		header.hint = steering_hint(1, port);
		reseal(f, &header, pn);
		assert_int_equal(hear(f), ACCEPTED);
		assert_int_not_equal(f->session->path.src_port, port);
		assert_true(f->session->path.src_port >= SESSION_PORT_MIN);
		port = f->session->path.src_port;
	}
	assert_int_equal(f->session->steering.ntries, 20);
}

static void an_end_is_reported_with_its_reason(void **state)
{
	struct fixture *f = *state;
	const struct wire_close close = {.code = ENOSPC, .chunk = 0};
	struct transfer_report report;

	assert_false(session_next_report(f->session, &report));
	(void)sender_on_close(&f->session->machine.sender, &close, 1);
	assert_true(session_next_report(f->session, &report));
	assert_int_equal(report.event, REPORT_FAILED);
	assert_int_equal(report.code, -ENOSPC);
	assert_true(report.by_peer);
	assert_int_equal(report.chunk, 0);
	assert_int_equal(report.session_id, session_make_id(3, GENERATION));
	assert_false(session_next_report(f->session, &report));
}

static void ids_hold_slot_and_generation(void **state)
{
	(void)state;
	assert_int_equal(session_slot(session_make_id(63, 4095)), 63);
	assert_int_equal(session_make_id(1, 4096), session_make_id(1, 0));
	assert_int_not_equal(session_make_id(1, 1), session_make_id(1, 2));
	assert_int_equal(session_slot(UINT32_MAX), 0xfffff);
}

static void the_window_leaves_room_for_the_lost(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(f->session->window, INFLIGHT_WINDOW_MAX);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_sealed_packet_of_the_peer_is_taken),
		STORY(a_replay_is_a_duplicate_and_moves_nothing),
		STORY(a_packet_of_the_peer_may_come_from_any_port),
		STORY(a_packet_of_another_epoch_is_dropped_and_counted),
		STORY(another_path_is_another_source_port),
		STORY(a_suspension_is_reported_once_and_so_is_its_end),
		STORY(another_generation_is_a_dead_session),
		STORY(every_changed_bit_is_dropped),
		STORY(a_packet_cut_anywhere_is_dropped),
		STORY(types_that_make_no_sense_here_are_corrupt),
		STORY(the_number_goes_on_after_2_to_the_32),
		STORY(what_is_sent_bears_the_peers_id_and_our_seal),
		STORY(a_packet_of_another_stripe_is_dropped),
		STORY(packets_that_land_wrong_are_sent_from_another_port),
		STORY(an_end_is_reported_with_its_reason),
		cmocka_unit_test(ids_hold_slot_and_generation),
		STORY(the_window_leaves_room_for_the_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
