/* SPDX-License-Identifier: BSD-3-Clause */
/* A peer gone mad that holds the key, a disk and a nic with moods, and a worker that must
 * bear it: sealed packets in any order, as the input says.
 *
 *   first u8 (bit 0: role, bits 1-5: chunks already there) | step … step
 *   step: kind u8 (low half: which, high half: packet numbers skipped) | its numbers
 *
 * No buffer is lost, no packet number used twice, no wrong byte written or sent, every
 * session can be stopped, and a worker with nothing to do says so. */
#include <errno.h>

#include "tests/fuzz/targets/session_desk.h"

enum { STEPS_MAX = 256, TURNS_MAX = 4000, SAME_NUMBER = 15 };

static const struct ether_path to_us = {.src_mac = {2, 0, 0, 0, 0, 2},
	.dst_mac = {2, 0, 0, 0, 0, 1},
	.src_ip = IP_V4(10, 0, 0, 2),
	.dst_ip = IP_V4(10, 0, 0, 1),
	.src_port = DESK_PORT,
	.dst_port = DESK_PORT};

/* Nothing to do, and nothing due: a deadline that stays in the past would spin. A nic
 * that is full keeps what is due waiting. */
static bool is_at_rest(struct desk *desk)
{
	return !worker_run(&desk->worker, desk->now) &&
	       (desk->capacity != UINT32_MAX ||
		       worker_deadline(&desk->worker) > desk->now);
}

/* Turns the worker at one instant until it rests. */
static void settle(struct desk *desk)
{
	uint32_t turns = 0;

	while (!is_at_rest(desk))
		MUST(++turns < TURNS_MAX);
	MUST(desk->pool.nfree <= DESK_BUFFERS);
}

static void check_inflight(const struct desk *desk)
{
	const struct sender *sender = &desk->session->machine.sender;
	uint32_t sent = 0;

	if (desk->session->params.role != TRANSFER_SEND ||
		sender->state != SENDER_RUNNING || desk->nstopped > 0)
		return;
	for (size_t i = 0; i < INFLIGHT_RING; i++)
		sent += sender->inflight.ring[i].state == INFLIGHT_SENT;
	MUST(sender->inflight.count == sent);
}

static uint32_t epoch_of(const struct desk *desk)
{
	return desk->session->params.role == TRANSFER_SEND
		       ? desk->session->machine.sender.epoch
		       : desk->session->machine.receiver.epoch;
}

/* The peer sends a packet: its body is already behind the headers in desk->in. */
static void hear(struct desk *desk, struct wire_header *header, uint32_t len)
{
	uint8_t *wire = desk->in + ETHER_UDP_HEADERS;

	header->session_id = desk->session->params.session_id;
	header->flags ^= wire_epoch_flags(epoch_of(desk));
	header->tx_time = wire_time(desk->now);
	header->payload_len = (uint16_t)len;
	header->payload_crc = crc32c(wire + WIRE_HEADER_LEN, len);
	ether_put_udp(desk->in, &to_us, WIRE_HEADER_LEN + len);
	wire_put_header(wire, header, desk->session->params.rx_key, &desk->session->self,
		desk->pn);
	desk->in_len = ETHER_UDP_HEADERS + WIRE_HEADER_LEN + len;
}

static uint8_t *body_of(struct desk *desk)
{
	return desk->in + ETHER_UDP_HEADERS + WIRE_HEADER_LEN;
}

static void hear_data(struct desk *desk, struct input *input)
{
	struct wire_header header = {.type = WIRE_DATA};
	uint32_t at, len, size;

	header.chunk = (uint32_t)input_take(input, 1) % DESK_CHUNKS;
	header.slice = (uint16_t)input_take(input, 1);
	header.flags = (uint8_t)input_take(input, 1);
	header.sent_units = (uint32_t)input_take(input, 2);
	size = desk->session->params.role == TRANSFER_SEND
		       ? desk->session->machine.sender.config.slice_size
		       : desk->session->machine.receiver.config.slice_size;
	at = (uint32_t)header.slice * size;
	len = manifest_chunk_len(&desk->manifest, header.chunk);
	len = at < len ? u32_min(size, len - at) : 0;
	if (desk_is_zero(header.chunk))
		memset(body_of(desk), 0, len);
	else if (len > 0)
		memcpy(body_of(desk), desk_content(desk, header.chunk) + at, len);
	hear(desk, &header, len);
}

static void hear_wrong_data(struct desk *desk, struct input *input)
{
	struct wire_header header = {.type = WIRE_DATA};
	uint32_t len;

	header.chunk = (uint32_t)input_take(input, 4);
	header.slice = (uint16_t)input_take(input, 2);
	header.flags = (uint8_t)input_take(input, 1);
	header.sent_units = (uint32_t)input_take(input, 4);
	len = (uint32_t)input_take(input, 2) % 1500;
	memset(body_of(desk), (int)input_take(input, 1), len);
	hear(desk, &header, len);
}

static void hear_pull(struct desk *desk, struct input *input)
{
	struct wire_header header = {.type = WIRE_PULL};
	struct wire_pull pull = {.max_rate_mbps = 0};

	header.flags = (uint8_t)input_take(input, 1);
	pull.credit = input_take(input, 2) << input_take(input, 1) % 64;
	pull.first_request = (uint32_t)input_take(input, 1);
	if (pull.first_request >= 128) /* near to what it expects, or beyond the end */
		pull.first_request += desk->session->machine.sender.next_request - 132;
	pull.nruns = (uint32_t)input_take(input, 1) % (WIRE_RUNS_MAX + 1);
	for (uint32_t i = 0; i < pull.nruns; i++) {
		struct wire_run *run = &pull.runs[i];
		uint64_t shape = input_take(input, 2);

		run->first = shape == UINT16_MAX ? UINT32_MAX : shape >> 12 & 7;
		run->count = shape & 0x800 ? (uint16_t)(shape << 6) : shape >> 8 & 7;
		run->flags = (uint8_t)shape;
		for (uint64_t j = 0; j < run->count && run->first + j < DESK_CHUNKS; j++)
			desk->pulled |= 1u << (run->first + j);
	}
	hear(desk, &header, wire_put_pull(body_of(desk), &pull));
}

static void hear_ack(struct desk *desk, struct input *input)
{
	uint32_t next = (uint32_t)desk->next_pn;
	struct wire_header header = {.type = WIRE_ACK};
	struct wire_ack ack = {.away_us = 0};
	uint64_t pattern;

	/* as a rule about what was sent; counted back from there */
	ack.largest_pn = next - 1 - (uint32_t)input_take(input, 1);
	ack.base_pn = ack.largest_pn - (uint32_t)input_take(input, 2);
	ack.nbits = (uint16_t)(input_take(input, 2) % (WIRE_ACK_BITS + 1));
	ack.delay_us = (uint16_t)input_take(input, 2);
	ack.echo_time = wire_time(desk->now) - (uint32_t)input_take(input, 3);
	ack.credit = input_take(input, 2) << input_take(input, 1) % 64;
	pattern = input_take(input, 4);
	for (size_t i = 0; i < ARRAY_LEN(ack.bits); i++)
		ack.bits[i] = (pattern << 32 | pattern) << (i * pattern % 7);
	hear(desk, &header, wire_put_ack(body_of(desk), &ack));
}

static void hear_close(struct desk *desk, struct input *input)
{
	struct wire_header header = {.type = WIRE_CLOSE};
	struct wire_close close;

	close.code = (uint32_t)input_take(input, 2);
	close.chunk = (uint32_t)input_take(input, 4);
	if (close.code == UINT16_MAX)
		close.code = (uint32_t)INT32_MAX + 1;
	desk->may_be_done |= close.code == 0;
	hear(desk, &header, wire_put_close(body_of(desk), &close));
}

static void hear_probe(struct desk *desk, struct input *input)
{
	struct wire_header header = {.type = WIRE_PROBE, .flags = WIRE_ACK_NOW};
	uint64_t shape = input_take(input, 1);
	struct wire_probe probe = {.epoch = epoch_of(desk) + (shape & 3),
		.slice_size = (uint32_t)input_take(input, 1) * WIRE_UNIT,
		.unanswered = shape >> 4 & 15};

	if (shape == UINT8_MAX)
		probe.epoch = (uint32_t)input_take(input, 4);
	memset(body_of(desk), 0, DESK_SLICE);
	(void)wire_put_probe(body_of(desk), &probe);
	hear(desk, &header, shape & 8 ? DESK_SLICE : WIRE_PROBE_LEN);
}

/* Any body under any type. What it may mean is taken for granted: a PULL of every chunk,
 * a CLOSE that all is well. */
static void hear_body(struct desk *desk, struct input *input)
{
	struct wire_header header = {.type = (enum wire_type)(input_take(input, 1) % 16)};
	uint32_t len = (uint32_t)input_take(input, 1);

	header.sent_units = (uint32_t)input_take(input, 4);
	for (uint32_t i = 0; i < len; i++)
		body_of(desk)[i] = (uint8_t)input_take(input, 1);
	if (header.type == WIRE_PULL)
		desk->pulled = UINT32_MAX;
	desk->may_be_done |= header.type == WIRE_CLOSE;
	hear(desk, &header, len);
}

static void hear_frame(struct desk *desk, struct input *input)
{
	uint32_t len = 1 + (uint32_t)input_take(input, 1);

	for (uint32_t i = 0; i < len; i++)
		desk->in[i] = (uint8_t)input_take(input, 1);
	desk->in_len = len;
}

static void hear_arp(struct desk *desk, struct input *input)
{
	struct ether_path path = to_us;
	bool is_reply = (input_take(input, 1) & 1) != 0;

	desk->in_len = is_reply ? ether_put_answer(desk->in, &path)
				: ether_put_question(desk->in, &path);
}

static void wait_for_deadline(struct desk *desk, struct input *input)
{
	nsec deadline = worker_deadline(&desk->worker);

	(void)input;
	if (deadline != NEVER)
		desk->now = nsec_max(desk->now, deadline);
}

static void wait_a_while(struct desk *desk, struct input *input)
{
	desk->now += (nsec)input_take(input, 2) * 10 * USEC;
}

static void finish_request(struct desk *desk, struct input *input)
{
	static const int errors[] = {0, 0, -EIO, -EBADMSG, -ENOSPC};
	uint64_t how = input_take(input, 1);
	uint32_t which = how % DESK_REQUESTS;
	size_t error = how / DESK_REQUESTS % ARRAY_LEN(errors);

	desk_finish(desk, which, errors[error], error == 1);
}

static void limit_nic(struct desk *desk, struct input *input)
{
	uint64_t capacity = input_take(input, 1);

	desk->capacity = capacity == UINT8_MAX ? UINT32_MAX : (uint32_t)capacity;
}

static void touch(struct desk *desk, struct input *input)
{
	(void)input;
	worker_touch(&desk->worker, desk->session->params.session_id, desk->now);
}

static void stop(struct desk *desk, struct input *input)
{
	(void)input;
	worker_stop(&desk->worker, desk->session->params.session_id);
}

static void (*const steps[16])(struct desk *desk, struct input *input) = {
	hear_data,
	hear_pull,
	hear_ack,
	finish_request,
	wait_for_deadline,
	wait_a_while,
	hear_wrong_data,
	hear_close,
	hear_body,
	hear_frame,
	hear_arp,
	limit_nic,
	touch,
	stop,
	hear_probe,
	hear_ack,
};

static void step(struct desk *desk, struct input *input)
{
	uint8_t kind = (uint8_t)input_take(input, 1);

	if (kind >> 4 != SAME_NUMBER)
		desk->pn += 1 + (kind >> 4);
	steps[kind & 15](desk, input);
	settle(desk);
	check_inflight(desk);
}

/* Whatever state it is in, a session can be stopped and gives everything back. */
static void check_stop(struct desk *desk)
{
	desk->capacity = UINT32_MAX;
	worker_stop(&desk->worker, desk->session->params.session_id);
	for (uint32_t turn = 0; turn < TURNS_MAX && desk->nstopped == 0; turn++) {
		desk_finish(desk, 0, 0, false);
		settle(desk);
		desk->now += 1 * MSEC;
	}
	MUST(desk->nstopped == 1 && desk->worker.nsessions == 0);
	MUST(worker_deadline(&desk->worker) == NEVER);
	MUST(desk->pool.nfree == DESK_BUFFERS && desk->nrequests == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	uint64_t first = input_take(&input, 1);
	struct desk *desk = malloc(sizeof(*desk));

	MUST(desk != NULL);
	desk_init(desk, first & 1 ? TRANSFER_RECEIVE : TRANSFER_SEND, first >> 1 & 31);
	settle(desk);
	for (uint32_t i = 0; i < STEPS_MAX && input.left > 0; i++)
		step(desk, &input);
	check_stop(desk);
	desk_fini(desk);
	free(desk);
	return 0;
}
