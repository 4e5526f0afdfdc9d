/* SPDX-License-Identifier: BSD-3-Clause */
/* Broken packets for two workers in the simulated world: by the thousand, by a seed.
 *
 * Without the key nothing may change: the snapshot arrives all the same. With the key,
 * from a peer gone mad, anything may fail, but no worker falls over, and every buffer
 * comes back. SEED=n replays one world alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/crc.h"
#include "tests/sim/world/world.h"

enum { FRAME_MAX = 2048, BUFFERS = 8, TURNS_MAX = 200000 };

static const uint64_t sizes[] = {
	MANIFEST_CHUNK_MIN + 12345, 1, 700, 3 * MANIFEST_CHUNK_MIN, 1408, 30000};

static struct world *make_world(uint64_t seed)
{
	const struct world_options options = {
		.seed = seed,
		.link = {.delay = 20 * USEC, .jitter = 5 * USEC, .loss_ppm = 10000},
		.slice_size = 1408,
		.chunk_size = MANIFEST_CHUNK_MIN,
		.buffers = BUFFERS,
		.sizes = sizes,
		.nfiles = ARRAY_LEN(sizes),
		.stall_timeout = 2 * SEC,
		.disk_delay = 200 * USEC,
	};

	return world_create(&options);
}

/* Flips, cuts, lengthens, repeats: whatever a frame can suffer. */
static uint32_t mutate(struct world *world, uint8_t *frame, uint32_t len)
{
	uint32_t times = 1 + world_random(world, 6);

	for (uint32_t i = 0; i < times; i++) {
		/* the headers are where it gets interesting */
		uint32_t at =
			world_random(world, world_random(world, 2) ? len : 90) % len;

		switch (world_random(world, 6)) {
		case 0:
			frame[at] ^= (uint8_t)(1u << world_random(world, 8));
			break;
		case 1:
			frame[at] = (uint8_t)world_random(world, 256);
			break;
		case 2:
			frame[at] = world_random(world, 2) ? 0 : 0xff;
			break;
		case 3:
			len = 1 + at;
			break;
		case 4:
			memmove(frame + at, frame + world_random(world, at + 1),
				len - at);
			break;
		default:
			if (len < FRAME_MAX)
				frame[len++] = (uint8_t)world_random(world, 256);
			break;
		}
	}
	return len;
}

/* A frame in flight, as others see it. Returns its length, 0 when there is none. */
static uint32_t overhear(struct world *world, uint8_t *frame)
{
	const struct link_pipe *pipe = &world->pipes[world_random(world, 2)];
	const struct link_frame *found;

	if (pipe->nframes == 0)
		return 0;
	found = pipe->frames[world_random(world, pipe->nframes)];
	memcpy(frame, found->bytes, u32_min(found->len, FRAME_MAX));
	return u32_min(found->len, FRAME_MAX);
}

static uint32_t any(struct world *world)
{
	static const uint32_t corners[] = {
		0, 1, 2, 63, 64, 65, 0x7fffffff, 0x80000000, UINT32_MAX - 1, UINT32_MAX};

	if (world_random(world, 2) == 0)
		return world_random(world, 200);
	return world_random(world, 2) == 0
		       ? corners[world_random(world, ARRAY_LEN(corners))]
		       : world_random(world, UINT32_MAX);
}

/* Each draw in a statement of its own: a seed means the same to every compiler. */
static uint64_t any64(struct world *world)
{
	uint64_t high = any(world);

	return high << 32 | any(world);
}

static uint32_t mad_pull(struct world *world, const struct world_end *to, uint8_t *body)
{
	struct wire_pull pull = {.credit = any64(world)};

	pull.credit >>= world_random(world, 64);
	pull.first_request = any(world);
	pull.nruns = world_random(world, WIRE_RUNS_MAX + 1);
	if (world_random(world, 2) == 0)
		pull.first_request =
			to->session->machine.sender.next_request - world_random(world, 3);
	for (uint32_t i = 0; i < pull.nruns; i++) {
		struct wire_run *run = &pull.runs[i];

		run->first = world_random(world, world->manifest.nchunks);
		run->count = (uint16_t)world_random(world, 3);
		run->flags = (uint8_t)world_random(world, 3);
		if (world_random(world, 100) == 0)
			run->first = any(world);
		if (world_random(world, 100) == 0)
			run->count = (uint16_t)any(world);
	}
	return wire_put_pull(body, &pull);
}

static uint32_t mad_ack(struct world *world, const struct world_end *to, uint8_t *body)
{
	uint32_t sent = (uint32_t)to->session->machine.sender.inflight.next_pn;
	struct wire_ack ack = {.echo_time = any(world)};

	ack.delay_us = (uint16_t)any(world);
	ack.credit = any64(world);
	ack.credit >>= world_random(world, 64);
	ack.nbits = (uint16_t)world_random(world, u32_min(sent + 1, 512));
	ack.base_pn = sent - ack.nbits;
	ack.largest_pn = sent - 1;
	if (world_random(world, 4) == 0)
		ack.nbits = (uint16_t)world_random(world, WIRE_ACK_BITS + 1);
	if (world_random(world, 4) == 0)
		ack.base_pn = any(world);
	if (world_random(world, 4) == 0)
		ack.largest_pn = any(world);
	for (uint32_t i = 0; i < WIRE_ACK_BITS / 64; i++)
		ack.bits[i] = any64(world);
	return wire_put_ack(body, &ack);
}

static uint32_t mad_body(struct world *world, const struct world_end *to,
	struct wire_header *header, uint8_t *body)
{
	switch (world_random(world, 200)) {
	case 0: {
		struct wire_close close = {.code = any(world)};

		close.chunk = any(world);
		header->type = WIRE_CLOSE;
		return wire_put_close(body, &close);
	}
	case 1:
		header->type = WIRE_PROBE_ACK;
		return world_random(world, 64);
	case 2: {
		struct wire_probe probe = {.slice_size = world_random(world, 24) * 64,
			.unanswered = world_random(world, 12)};

		probe.epoch =
			to->session->machine.receiver.epoch + world_random(world, 4) - 1;
		if (to->number != 1)
			break;
		header->type = WIRE_PROBE;
		return wire_put_probe(body, &probe) + world_random(world, 1000);
	}
	default:
		break;
	}
	if (to->number == 1) {
		header->type = WIRE_DATA;
		header->chunk = world_random(world, world->manifest.nchunks + 1);
		header->slice = (uint16_t)world_random(world, 190);
		return world_random(world, 3) == 0 ? world_random(world, 1409) : 1408;
	}
	if (world_random(world, 2) == 0) {
		header->type = WIRE_PULL;
		return mad_pull(world, to, body);
	}
	header->type = WIRE_ACK;
	return mad_ack(world, to, body);
}

static uint32_t epoch_of(const struct session *session)
{
	return session->params.role == TRANSFER_SEND ? session->machine.sender.epoch
						     : session->machine.receiver.epoch;
}

/* A packet that bears the right seal. Returns the frame's length. */
static uint32_t forge(struct world *world, const struct world_end *to, uint8_t *frame)
{
	const struct session *target = to->session;
	const struct ether_path *path = &world->ends[1 - to->number].session->path;
	uint8_t *body = frame + ETHER_UDP_HEADERS + WIRE_HEADER_LEN;
	struct wire_header header = {.session_id = target->params.session_id};
	uint64_t pn = target->received.next + world_random(world, 4);
	uint32_t len;

	for (uint32_t i = 0; i < 1500; i++)
		body[i] = (uint8_t)(i * 7);
	header.flags = (uint8_t)any(world);
	if (world_random(world, 4) != 0)
		header.flags = (uint8_t)((header.flags & 63) |
					 wire_epoch_flags(epoch_of(target)));
	header.tx_time = any(world);
	header.sent_units = any(world);
	len = mad_body(world, to, &header, body);
	if (world_random(world, 20) == 0 && len > 0)
		len -= world_random(world, len);
	if (world_random(world, 20) == 0 && len > 0)
		body[world_random(world, len)] ^= 1;
	header.payload_len = (uint16_t)len;
	header.payload_crc = crc32c(body, len);
	wire_put_header(frame + ETHER_UDP_HEADERS, &header, target->params.rx_key,
		&target->self, pn);
	ether_put_udp(frame, path, WIRE_HEADER_LEN + len);
	return ETHER_UDP_HEADERS + WIRE_HEADER_LEN + len;
}

static bool has_ended(const struct world *world)
{
	return world->ends[0].session->is_reported && world->ends[1].session->is_reported;
}

static void check_buffers_come_back(struct world *world)
{
	for (int i = 0; i < 2; i++)
		worker_stop(&world->ends[i].worker,
			world->ends[i].session->params.session_id);
	for (uint32_t turn = 0; turn < TURNS_MAX; turn++) {
		if (world->ends[0].nreports[REPORT_STOPPED] == 1 &&
			world->ends[1].nreports[REPORT_STOPPED] == 1)
			break;
		world_step(world);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(world->ends[i].nreports[REPORT_STOPPED], 1);
		assert_int_equal(world->ends[i].pool.nfree, BUFFERS);
	}
}

static uint64_t strangers_world(uint64_t seed)
{
	struct world *world = make_world(seed);
	uint8_t frame[FRAME_MAX + 8];
	uint64_t count = 0;

	while (!has_ended(world) && count < TURNS_MAX) {
		uint32_t len = overhear(world, frame);

		if (len > 0) {
			len = mutate(world, frame, len);
			link_inject(world, (int)world_random(world, 2), frame, len);
			count++;
		}
		world_step(world);
	}
	assert_true(world_is_identical(world));
	assert_int_equal(world->ends[0].last.code, 0);
	assert_int_equal(world->ends[1].last.code, 0);
	check_buffers_come_back(world);
	world_destroy(world);
	return count;
}

static uint64_t mad_peers_world(uint64_t seed)
{
	struct world *world = make_world(seed);
	uint8_t frame[FRAME_MAX + 8];
	uint64_t count = 0;

	for (uint32_t turn = 0; turn < 3000 && !has_ended(world); turn++) {
		struct world_end *to = &world->ends[world_random(world, 2)];

		if (world_random(world, 4) == 0 && to->session->is_path_known) {
			link_inject(world, to->number, frame, forge(world, to, frame));
			count++;
		}
		world_step(world);
	}
	/* what is counted in flight is what is marked so: nothing leaks, nothing is owed
	 */
	if (world->ends[0].session->machine.sender.state == SENDER_RUNNING) {
		const struct inflight *inflight =
			&world->ends[0].session->machine.sender.inflight;
		uint32_t sent = 0;

		for (size_t i = 0; i < INFLIGHT_RING; i++)
			sent += inflight->ring[i].state == INFLIGHT_SENT;
		assert_int_equal(inflight->count, sent);
	}
	check_buffers_come_back(world);
	world_destroy(world);
	return count;
}

static void run(uint64_t (*tell)(uint64_t), const char *name, uint64_t worlds)
{
	const char *only = getenv("SEED");
	uint64_t first = only != NULL ? strtoull(only, NULL, 10) : 1;
	uint64_t last = only != NULL ? first : worlds;
	uint64_t count = 0;

	for (uint64_t seed = first; seed <= last; seed++) {
		if (getenv("VERBOSE") != NULL)
			print_message("%s: SEED=%llu\n", name, (unsigned long long)seed);
		count += tell(seed);
	}
	print_message("%s: %llu packets in %llu worlds\n", name,
		(unsigned long long)count, (unsigned long long)(last - first + 1));
}

static void broken_packets_of_strangers_change_nothing(void **state)
{
	(void)state;
	run(strangers_world, "strangers", 120);
}

static void broken_packets_of_a_mad_peer_harm_only_its_session(void **state)
{
	(void)state;
	run(mad_peers_world, "mad peer", 150);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(broken_packets_of_strangers_change_nothing),
		cmocka_unit_test(broken_packets_of_a_mad_peer_harm_only_its_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
