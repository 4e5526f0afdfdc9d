/* SPDX-License-Identifier: BSD-3-Clause */
/* A worker among several of a device: what comes to its queue for another is handed over
 * and wakes it, what others hand to it is taken as its own, and nothing goes in circles.
 */
#include "tests/unit/worker_paper.h"

enum { US = 1, OTHER = 2, NQUEUES = 3, PORT = 4791 };

struct company {
	struct strays strays;
	uint32_t woken; /* bit mask */
	uint32_t nwakes;
};

static struct company company;

static void on_wake(void *ctx, uint32_t queue)
{
	struct company *self = ctx;

	self->woken |= 1u << queue;
	self->nwakes++;
}

static int start_one_of_three(void **state)
{
	struct fixture *f;

	(void)start(state);
	f = *state;
	memset(&company, 0, sizeof(company));
	assert_int_equal(strays_init(&company.strays, NQUEUES, sizeof(f->in.bytes)), 0);
	f->worker.config.queue = US;
	f->worker.config.strays = &company.strays;
	f->worker.config.wake = on_wake;
	f->worker.config.wake_ctx = &company;
	return 0;
}

static int end_company(void **state)
{
	strays_fini(&company.strays);
	return end(state);
}

static uint32_t make_datagram(uint8_t *out, uint16_t port)
{
	const struct wire_header header = {.type = WIRE_PROBE_ACK};
	const uint8_t key[WIRE_KEY_LEN] = {0};
	const struct wire_address to = {.port = port};
	struct ether_path path = to_us;

	path.dst_port = port;
	ether_put_udp(out, &path, WIRE_HEADER_LEN);
	wire_put_header(out + ETHER_UDP_HEADERS, &header, key, &to, 0);
	return ETHER_UDP_HEADERS + WIRE_HEADER_LEN;
}

static uint32_t count_handed(uint32_t from, uint32_t to)
{
	uint32_t count = 0;

	for (; strays_front(&company.strays, from, to) != NULL; count++)
		strays_drop(&company.strays, from, to);
	return count;
}

static void what_is_for_another_worker_is_handed_over(void **state)
{
	struct fixture *f = *state;
	const struct stray *stray;

	f->in.len = make_datagram(f->in.bytes, PORT + OTHER);
	turn(f, 1);
	stray = strays_front(&company.strays, US, OTHER);
	assert_non_null(stray);
	assert_int_equal(stray->len, ETHER_UDP_HEADERS + WIRE_HEADER_LEN);
	assert_memory_equal(stray->bytes, f->in.bytes, stray->len);
	assert_int_equal(company.woken, 1u << OTHER);
	assert_true(f->worker.frames_bad == 0);
	assert_int_equal(count_handed(US, 0), 0);
}

static void a_port_of_no_worker_is_nobodys(void **state)
{
	static const uint16_t ports[] = {PORT - 1, PORT + NQUEUES, 0};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
		f->in.len = make_datagram(f->in.bytes, ports[i]);
		turn(f, 1);
		assert_true(f->worker.frames_bad == i + 1);
	}
	assert_int_equal(company.nwakes, 0);
}

static void a_full_ring_loses_and_counts(void **state)
{
	struct fixture *f = *state;

	for (uint32_t i = 0; i < STRAYS_SLOTS + 3; i++) {
		f->in.len = make_datagram(f->in.bytes, PORT + OTHER);
		turn(f, 1);
	}
	assert_true(f->worker.frames_lost == 3);
	assert_int_equal(count_handed(US, OTHER), STRAYS_SLOTS);
}

/* The peer hears where its packets came to, so that it can try another port. */
static void what_others_hand_over_is_taken_as_our_own(void **state)
{
	struct transfer_session params = {.role = TRANSFER_SEND,
		.session_id = session_make_id(3, 7),
		.peer_ip = IP_V4(10, 0, 0, 2),
		.peer_port = PORT,
		.stripes = NQUEUES,
		.stripe = US,
		.slice_size = SLICE};
	struct fixture *f = *state;
	const struct wire_pull pull = {.credit = 77};
	struct wire_header header = {
		.type = WIRE_PULL, .path = US, .session_id = params.session_id};
	uint8_t bytes[ETHER_UDP_HEADERS + WIRE_HEADER_LEN + WIRE_BODY_MAX];
	uint8_t *body = bytes + ETHER_UDP_HEADERS + WIRE_HEADER_LEN;
	struct ether_path path = to_us;

	params.manifest = &f->manifest;
	params.object = (struct store_object *)f;
	assert_int_equal(session_create(&f->session, &params, 1024, 5 * SEC), 0);
	worker_add(&f->worker, f->session, 0);
	assert_int_equal(f->session->path.dst_port, PORT + US);
	path.dst_port = PORT + US;
	header.payload_len = (uint16_t)wire_put_pull(body, &pull);
	header.payload_crc = crc32c(body, header.payload_len);
	ether_put_udp(bytes, &path, WIRE_HEADER_LEN + header.payload_len);
	wire_put_header(bytes + ETHER_UDP_HEADERS, &header, f->session->params.rx_key,
		&f->session->self, 0);
	assert_true(strays_put(&company.strays, 0, US, bytes,
		(uint32_t)(body - bytes) + header.payload_len));
	turn(f, 1);
	assert_true(f->session->machine.sender.credit == 77);
	assert_true(atomic_load(&f->session->counters.strays) == 1);
	assert_true(atomic_load(&f->session->counters.is_astray));
	assert_int_equal(f->session->hint, steering_hint(0, to_us.src_port));
	assert_int_equal(count_handed(0, US), 0);
}

static void what_was_handed_over_is_not_handed_on(void **state)
{
	struct fixture *f = *state;
	uint8_t bytes[128];
	uint32_t len = make_datagram(bytes, PORT + OTHER);

	assert_true(strays_put(&company.strays, 0, US, bytes, len));
	turn(f, 1);
	assert_int_equal(count_handed(US, OTHER), 0);
	assert_true(f->worker.frames_bad == 1);
	assert_int_equal(company.nwakes, 0);
}

static void an_answer_to_arp_is_shared_once(void **state)
{
	struct fixture *f = *state;

	hear_arp(f, &us, &them, true, 1);
	assert_int_equal(company.woken, 1u << 0 | 1u << OTHER);
	assert_int_equal(count_handed(US, OTHER), 1);
	/* the one that comes from another worker stays */
	assert_true(strays_put(&company.strays, 0, US, f->in.bytes, 60));
	company.woken = 0;
	turn(f, 2);
	assert_int_equal(company.woken, 0);
	assert_int_equal(count_handed(US, OTHER), 0);
}

#define ONE_OF_THREE(name)                                                               \
	cmocka_unit_test_setup_teardown(name, start_one_of_three, end_company)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ONE_OF_THREE(what_is_for_another_worker_is_handed_over),
		ONE_OF_THREE(a_port_of_no_worker_is_nobodys),
		ONE_OF_THREE(a_full_ring_loses_and_counts),
		ONE_OF_THREE(what_others_hand_over_is_taken_as_our_own),
		ONE_OF_THREE(what_was_handed_over_is_not_handed_on),
		ONE_OF_THREE(an_answer_to_arp_is_shared_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
