/* SPDX-License-Identifier: BSD-3-Clause */
/* One worker on its link: whom it answers, whom it ignores, and what a full nic costs. */
#include "dataplane/base/bytes.h"
#include "tests/unit/worker_paper.h"

static void arp_for_us_is_answered(void **state)
{
	struct fixture *f = *state;
	struct ether_frame frame;

	hear_arp(f, &us, &them, false, 1);
	assert_int_equal(f->nout, 1);
	frame = sent(f, 0);
	assert_int_equal(frame.kind, ETHER_ANSWER);
	assert_memory_equal(frame.src_mac, mac1, 6);
	assert_memory_equal(f->out[0].bytes, mac2, 6);
	/* for somebody else: silence */
	hear_arp(f, &them, &them, false, 2);
	assert_int_equal(f->nout, 0);
	assert_true(f->worker.frames_bad == 1);
}

/* Else the time that a nic takes over it would count as sleep. */
static void a_turn_that_sends_what_was_left_is_a_busy_one(void **state)
{
	struct fixture *f = *state;

	turn(f, 1);
	assert_false(f->worker.turns.was_busy);
	f->capacity = 0;
	hear_arp(f, &us, &them, false, 2);
	f->capacity = FRAMES;
	turn(f, 3);
	assert_int_equal(f->nout, 1);
	assert_true(f->worker.turns.was_busy);
	turn(f, 4);
	assert_false(f->worker.turns.was_busy);
}

static void make_ping(struct fixture *f, uint32_t data_len)
{
	struct ether_frame message = {.payload_len = 8 + data_len};
	uint8_t *icmp = f->in.bytes + 34;
	uint8_t zeros[1600] = {0};

	message.payload = zeros;
	f->in.len = ether_put_echo(f->in.bytes, sizeof(f->in.bytes), &to_us, &message);
	icmp[0] = 8;
}

static void a_ping_is_answered_when_it_fits_inline(void **state)
{
	struct fixture *f = *state;

	make_ping(f, 56);
	turn(f, 1);
	assert_int_equal(f->nout, 1);
	assert_int_equal(f->out[0].len, 98);
	assert_int_equal(f->out[0].bytes[34], 0);
	assert_memory_equal(f->out[0].bytes, mac2, 6);
	make_ping(f, NIC_HEAD_MAX - 42);
	turn(f, 1);
	assert_int_equal(f->nout, 1);
	make_ping(f, NIC_HEAD_MAX - 41);
	turn(f, 1);
	assert_int_equal(f->nout, 0);
}

static void what_is_for_nobody_is_counted_and_dropped(void **state)
{
	static const struct {
		uint32_t at;
		uint8_t value;
	} changes[] = {
		{33, 9},    /* another IP */
		{37, 9},    /* another port */
		{46, 0xff}, /* no such slot: beyond the table */
		{48, 0x40}, /* an empty one */
		{42, 0x20}, /* another version */
		{62, 1},    /* lengths that disagree */
	};
	struct fixture *f = *state;
	uint64_t bad;

	add_session(f, TRANSFER_SEND, 0);
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		const struct wire_header header = {
			.type = WIRE_PROBE_ACK, .session_id = session_make_id(3, 7)};

		ether_put_udp(f->in.bytes, &to_us, WIRE_HEADER_LEN);
		wire_put_header(f->in.bytes + ETHER_UDP_HEADERS, &header,
			f->session->params.rx_key, &f->session->self, 0);
		f->in.bytes[changes[i].at] = changes[i].value;
		if (changes[i].at == 33) /* 8 more in the sum */
			put_be16(f->in.bytes + 24,
				(uint16_t)(get_be16(f->in.bytes + 24) - 8));
		f->in.len = ETHER_UDP_HEADERS + WIRE_HEADER_LEN;
		bad = f->worker.frames_bad;
		turn(f, 1);
		assert_true(f->worker.frames_bad == bad + 1);
		assert_true(f->session->counters.packets_bad == 0);
	}
}

static void frames_that_are_nothing_of_ours_are_not_even_counted(void **state)
{
	struct fixture *f = *state;

	memset(f->in.bytes, 0x55, sizeof(f->in.bytes));
	f->in.len = 60;
	turn(f, 1);
	assert_int_equal(f->nout, 0);
	assert_true(f->worker.frames_bad == 0);
}

static bool has_target(const struct fixture *f, const struct ip *ip)
{
	struct ether_frame frame = sent(f, 0);

	return ip_is_equal(&frame.dst_ip, ip);
}

static void the_peers_mac_is_asked_for_first(void **state)
{
	struct fixture *f = *state;
	nsec now = 1;

	add_session(f, TRANSFER_RECEIVE, 0);
	turn(f, now);
	turn(f, ++now);
	assert_int_equal(f->nout, 1);
	assert_int_equal(sent(f, 0).kind, ETHER_QUESTION);
	assert_true(has_target(f, &them));
	hear_arp(f, &us, &them, true, ++now);
	now += 300 * MSEC; /* the first PULL was for nobody; this is the next */
	turn(f, now);
	assert_int_equal(f->nout, 1);
	assert_int_equal(sent_type(f, 0), WIRE_PULL);
	assert_memory_equal(f->out[0].bytes, mac2, 6);
}

static void a_far_peer_is_reached_through_the_gateway(void **state)
{
	struct fixture *f = *state;
	const struct ip gateway = IP_V4(10, 0, 3, 254);

	add_session(f, TRANSFER_RECEIVE, 4); /* 10.0.4.2 is not in 10.0.0.0/22 */
	turn(f, 1);
	turn(f, 2);
	assert_int_equal(f->nout, 1);
	assert_true(has_target(f, &gateway));
}

static void a_peer_in_the_subnet_is_reached_directly(void **state)
{
	struct fixture *f = *state;
	const struct ip peer = IP_V4(10, 0, 3, 2);

	add_session(f, TRANSFER_RECEIVE, 3);
	turn(f, 1);
	turn(f, 2);
	assert_int_equal(f->nout, 1);
	assert_true(has_target(f, &peer));
}

static void a_full_nic_loses_nothing(void **state)
{
	struct fixture *f = *state;

	f->capacity = 0;
	add_session(f, TRANSFER_SEND, 0);
	hear_pull(f, 1);
	finish_request(f);
	turn(f, 2);
	make_ping(f, 8);
	turn(f, 3);
	assert_int_equal(f->nout, 0);
	f->capacity = 1;
	turn(f, 4);
	assert_int_equal(f->nout, 1);
	assert_int_equal(sent_type(f, 0), WIRE_DATA);
	turn(f, 5);
	assert_int_equal(f->nout, 1);
	assert_int_equal(f->out[0].bytes[34], 0); /* the pong */
	turn(f, 6);
	assert_int_equal(f->nout, 0);
}

static void an_endless_stall_of_the_nic_drops_pongs_not_the_worker(void **state)
{
	struct fixture *f = *state;

	f->capacity = 0;
	for (nsec now = 1; now < 200; now++) {
		make_ping(f, 8);
		turn(f, now);
	}
	f->capacity = FRAMES;
	turn(f, 200);
	assert_int_equal(f->nout, NIC_BURST);
}

static void hear_answer_of(struct fixture *f, const uint8_t *mac, nsec now)
{
	struct ether_path path = {.src_ip = them, .dst_ip = us};

	memcpy(path.src_mac, mac, 6);
	f->in.len = ether_put_answer(f->in.bytes, &path);
	turn(f, now);
}

/* A peer that comes back on another port or card is silent: its MAC is asked for. */
static void a_silent_peer_is_asked_for_again(void **state)
{
	struct fixture *f = *state;
	nsec now = 1;

	add_session(f, TRANSFER_SEND, 0);
	hear_pull(f, now);
	assert_memory_equal(f->session->path.dst_mac, mac2, 6);
	for (; now < 450 * MSEC; now += 10 * MSEC) {
		turn(f, now);
		for (uint32_t i = 0; i < f->nout; i++)
			assert_int_not_equal(sent(f, i).kind, ETHER_QUESTION);
	}
	do {
		now += 10 * MSEC;
		turn(f, now);
		assert_true(now < 600 * MSEC);
	} while (f->nout == 0 || sent(f, 0).kind != ETHER_QUESTION);
	assert_memory_equal(f->session->path.dst_mac, mac2, 6); /* till it is answered */
	hear_answer_of(f, mac3, now);
	turn(f, now);
	assert_memory_equal(f->session->path.dst_mac, mac3, 6);
	/* and nobody is believed who was not asked */
	hear_answer_of(f, mac2, now + 1);
	turn(f, now + 600 * MSEC);
	assert_memory_equal(f->session->path.dst_mac, mac3, 6);
}

static void a_set_neighbor_is_never_asked_for(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(worker_set_neighbor(&f->worker, &them, mac3), 0);
	add_session(f, TRANSFER_SEND, 0);
	hear_pull(f, 1); /* from another MAC */
	hear_answer_of(f, mac2, 2);
	for (nsec now = 3; now < 2 * SEC; now += 100 * MSEC) {
		turn(f, now);
		for (uint32_t i = 0; i < f->nout; i++)
			assert_int_not_equal(sent(f, i).kind, ETHER_QUESTION);
		assert_memory_equal(f->session->path.dst_mac, mac3, 6);
	}
}

static void a_duplicate_of_our_address_is_noticed_and_not_answered(void **state)
{
	struct fixture *f = *state;

	hear_arp(f, &them, &us, false, 1); /* asks about somebody, as if it were us */
	assert_int_equal(f->nout, 0);
	hear_arp(f, &us, &us, true, 2); /* announces itself */
	assert_int_equal(f->nout, 0);
	assert_true(f->worker.duplicates == 2);
	assert_memory_equal(f->worker.duplicate_mac, mac2, 6);
	hear_arp(f, &us, &them, false, 3);
	assert_int_equal(f->nout, 1);
	assert_true(f->worker.duplicates == 2);
}

static void frames_of_another_vlan_are_not_for_us(void **state)
{
	static const struct {
		uint16_t ours, theirs;
		bool answered;
	} cases[] = {
		{0, 0, true}, {0, 5, false}, {5, 0, false}, {5, 5, true}, {5, 6, false}};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ether_path path = {.src_mac = {2, 0, 0, 0, 0, 2},
			.src_ip = them,
			.dst_ip = us,
			.vlan = cases[i].theirs};

		f->worker.config.vlan = cases[i].ours;
		f->in.len = ether_put_question(f->in.bytes, &path);
		turn(f, (nsec)i);
		assert_int_equal(f->nout, cases[i].answered);
		if (cases[i].answered)
			assert_int_equal(sent(f, 0).vlan, cases[i].ours);
	}
	assert_true(f->worker.frames_bad == 0);
}

static void an_ipv6_host_answers_for_itself(void **state)
{
	static const struct ip us6 = {{0xfe, 0x80, [15] = 1}};
	struct ether_path path = {.src_mac = {2, 0, 0, 0, 0, 2},
		.src_ip = {{0xfe, 0x80, [15] = 2}},
		.dst_ip = {{0xfe, 0x80, [15] = 1}}};
	struct fixture *f = *state;

	f->worker.config.ip = us6;
	f->worker.config.prefix_len = 64;
	f->in.len = ether_put_question(f->in.bytes, &path);
	turn(f, 1);
	assert_int_equal(f->nout, 1);
	assert_int_equal(sent(f, 0).kind, ETHER_ANSWER);
	assert_memory_equal(sent(f, 0).src_mac, mac1, 6);
	path.dst_ip.bytes[15] = 3;
	f->in.len = ether_put_question(f->in.bytes, &path);
	turn(f, 2);
	assert_int_equal(f->nout, 0);
}

static void a_wrong_checksum_is_counted_and_dropped(void **state)
{
	struct fixture *f = *state;

	add_session(f, TRANSFER_SEND, 0);
	f->wrong_sum = true;
	hear_pull(f, 1);
	assert_true(f->worker.frames_bad == 1);
	assert_false(f->session->is_path_known);
	f->nic_says_good = true; /* who has hardware for it is believed */
	hear_pull(f, 2);
	assert_true(f->worker.frames_bad == 1);
	assert_true(f->session->is_path_known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(arp_for_us_is_answered),
		STORY(a_turn_that_sends_what_was_left_is_a_busy_one),
		STORY(a_ping_is_answered_when_it_fits_inline),
		STORY(what_is_for_nobody_is_counted_and_dropped),
		STORY(frames_that_are_nothing_of_ours_are_not_even_counted),
		STORY(the_peers_mac_is_asked_for_first),
		STORY(a_far_peer_is_reached_through_the_gateway),
		STORY(a_peer_in_the_subnet_is_reached_directly),
		STORY(a_full_nic_loses_nothing),
		STORY(an_endless_stall_of_the_nic_drops_pongs_not_the_worker),
		STORY(a_silent_peer_is_asked_for_again),
		STORY(a_set_neighbor_is_never_asked_for),
		STORY(a_duplicate_of_our_address_is_noticed_and_not_answered),
		STORY(frames_of_another_vlan_are_not_for_us),
		STORY(an_ipv6_host_answers_for_itself),
		STORY(a_wrong_checksum_is_counted_and_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
