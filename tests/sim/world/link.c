/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/world/link.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/bytes.h"
#include "dataplane/sum16.h"
#include "tests/sim/world/world.h"

#define BURST_MAX (1 * MSEC)

static bool happens(struct world *world, uint32_t ppm)
{
	return ppm != 0 && world_random(world, 1000000) < ppm;
}

/* Gilbert and Elliott: in the bad state everything is lost. A pause ends it: what kept
 * the link busy has gone. */
static bool is_lost(struct world *world, struct link_pipe *pipe)
{
	const struct world_link *link = &world->options.link;
	uint64_t to_bad;

	if (link->loss_burst <= 1)
		return happens(world, link->loss_ppm);
	to_bad = (uint64_t)link->loss_ppm * 1000000 / (1000000 - link->loss_ppm) /
		 link->loss_burst;
	if (world->now - pipe->last_at > BURST_MAX)
		pipe->is_losing = false;
	pipe->last_at = world->now;
	if (pipe->is_losing)
		pipe->is_losing = !happens(world, 1000000 / link->loss_burst);
	else
		pipe->is_losing = happens(world, (uint32_t)to_bad);
	return pipe->is_losing;
}

/* The two bytes before the destination port, the length and the checksum of UDP. */
static uint32_t source_port(const struct nic_tx *tx, uint32_t headers)
{
	const uint8_t *udp = tx->head + headers - ETHER_UDP_LEN;

	return (uint32_t)udp[0] << 8 | udp[1];
}

static bool falls_in(const struct world_end *end, const struct nic_tx *tx)
{
	const struct world_link *link = &end->world->options.link;
	uint32_t headers = ether_udp_headers(&end->world->path);
	bool is_udp = tx->head_len >= headers + WIRE_HEADER_LEN;
	uint8_t type = is_udp ? tx->head[headers] & 0xf : UINT8_MAX;

	if (link->hole_to != 0 && link->hole_to != 2 - (uint32_t)end->number)
		return false;
	switch (link->hole) {
	case HOLE_ALL:
		return true;
	case HOLE_DATA:
		return type == WIRE_DATA;
	case HOLE_ACKS:
		return type == WIRE_ACK;
	case HOLE_WAY:
		return is_udp && source_port(tx, headers) % link->ways == link->dead_way;
	case HOLE_LARGE:
		return tx->head_len + tx->payload_len > link->hole_above;
	default:
		return false;
	}
}

/* Whether a worker will hand the frame to its session, whose own bytes are wrong. */
static bool is_seen_corrupt(const struct link_frame *frame, const uint8_t *before)
{
	struct ether_frame was, is;
	struct wire_header header, old;

	ether_parse(before, frame->len, &was);
	ether_parse(frame->bytes, frame->len, &is);
	return was.kind == ETHER_UDP && is.kind == ETHER_UDP &&
	       ip_is_equal(&is.dst_ip, &was.dst_ip) && is.dst_port == was.dst_port &&
	       is.vlan == was.vlan && ether_is_intact(&is, false) &&
	       wire_get_header(is.payload, is.payload_len, &header) == ACCEPTED &&
	       wire_get_header(was.payload, was.payload_len, &old) == ACCEPTED &&
	       session_slot(header.session_id) == session_slot(old.session_id) &&
	       (is.payload_len != was.payload_len ||
		       memcmp(is.payload, was.payload, is.payload_len) != 0);
}

/* Different bits: two flips of one would undo each other. */
static void corrupt(struct world *world, struct link_pipe *pipe, struct link_frame *frame)
{
	uint32_t most = world->options.link.corrupt_bits;
	uint32_t flips = 1 + world_random(world, most == 0 ? 8 : most);
	uint32_t stride = frame->len * 8 / flips;
	uint8_t before[LINK_FRAME_MAX];

	memcpy(before, frame->bytes, frame->len);
	for (uint32_t i = 0; i < flips; i++) {
		uint32_t bit = i * stride + world_random(world, stride);

		frame->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	frame->is_corrupt = is_seen_corrupt(frame, before);
	pipe->corrupted++;
}

/* Sets CE in the IP header, as a switch does, and mends IPv4's checksum (RFC 1624). */
static void mark(
	const struct world *world, struct link_pipe *pipe, struct link_frame *frame)
{
	enum { CE = 3 };
	uint8_t *ip = frame->bytes + ether_link_len(&world->path);
	uint32_t before = ip[1];
	uint32_t sum;

	if (frame->len < ether_udp_headers(&world->path))
		return;
	if (world->options.is_ipv6) {
		ip[1] |= CE << 4;
		pipe->marked++;
		return;
	}
	if ((before & CE) == 0)
		return;
	ip[1] |= CE;
	sum = (~((uint32_t)ip[10] << 8 | ip[11]) & 0xffff) + (~before & 0xffff) + ip[1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;
	pipe->marked++;
}

/* Finishes the UDP checksum as a NIC does, from the sum of the pseudo header. */
static void finish_sum(struct link_frame *frame, const struct nic_tx *tx)
{
	uint32_t before = tx->link_len + (tx->is_ipv6 ? ETHER_IPV6_LEN : ETHER_IPV4_LEN);
	uint8_t *udp = frame->bytes + before;
	uint16_t sum = (uint16_t)~sum16(udp, frame->len - before);

	put_be16(udp + 6, sum == 0 ? 0xffff : sum);
}

static nsec time_of(const struct world_link *link, uint64_t bytes)
{
	return (nsec)(bytes * 8 * 1000000 / (link->rate_bps / 1000));
}

/* Waits its turn in the queue of a bottleneck. Returns when its last bit has left, or
 * NEVER: no room. */
static nsec queue(struct world *world, struct link_pipe *pipe, struct link_frame *frame)
{
	const struct world_link *link = &world->options.link;
	uint64_t len = frame->len + ETHER_WIRE_OVERHEAD;
	nsec wait = nsec_max(pipe->free_at - world->now, 0);
	uint64_t backlog = (uint64_t)wait * (link->rate_bps / 1000) / (8 * 1000000);

	if (link->rate_bps == 0)
		return world->now;
	if (link->queue != 0 && backlog + len > link->queue) {
		pipe->dropped++;
		return NEVER;
	}
	if (link->mark != 0 && backlog >= link->mark)
		mark(world, pipe, frame);
	pipe->delays[u64_min((uint64_t)(wait / USEC), LINK_DELAY_SLOTS - 1)]++;
	pipe->ndelays++;
	pipe->accepted += len;
	pipe->free_at = nsec_max(pipe->free_at, world->now - time_of(link, link->burst)) +
			time_of(link, len);
	return nsec_max(pipe->free_at, world->now);
}

static nsec travel_time(struct world *world)
{
	const struct world_link *link = &world->options.link;
	nsec span = link->reorder_span != 0 ? link->reorder_span : 20 * link->delay;
	nsec time = link->delay;

	if (link->jitter > 0)
		time += world_random(world, (uint32_t)link->jitter);
	if (happens(world, link->reorder_ppm))
		time += world_random(world, (uint32_t)span + 1);
	return time;
}

static bool is_earlier(const struct link_frame *a, const struct link_frame *b)
{
	return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static void push(struct link_pipe *pipe, struct link_frame *frame)
{
	uint32_t at = pipe->nframes++;

	for (; at > 0 && is_earlier(frame, pipe->frames[(at - 1) / 2]); at = (at - 1) / 2)
		pipe->frames[at] = pipe->frames[(at - 1) / 2];
	pipe->frames[at] = frame;
}

static struct link_frame *pop(struct link_pipe *pipe)
{
	struct link_frame *top = pipe->frames[0];
	const struct link_frame *last = pipe->frames[--pipe->nframes];
	uint32_t at = 0;

	for (uint32_t child = 1; child < pipe->nframes; child = 2 * at + 1) {
		if (child + 1 < pipe->nframes &&
			is_earlier(pipe->frames[child + 1], pipe->frames[child]))
			child++;
		if (!is_earlier(pipe->frames[child], last))
			break;
		pipe->frames[at] = pipe->frames[child];
		at = child;
	}
	pipe->frames[at] = pipe->frames[pipe->nframes];
	return top;
}

/* from: the end that sends it, or -1. */
static void launch(struct world *world, int from, int to, const struct nic_tx *tx)
{
	struct link_pipe *pipe = &world->pipes[to];
	bool is_uplink = world->options.uplink && from == 0;
	struct link_frame *frame;
	nsec left;

	if (pipe->nframes == LINK_FRAMES)
		return; /* a loss like any other */
	frame = world->nspare > 0 ? world->spare[--world->nspare]
				  : malloc(sizeof(*frame));
	frame->len = tx->head_len + tx->payload_len;
	assert(frame->len <= LINK_FRAME_MAX);
	memcpy(frame->bytes, tx->head, tx->head_len);
	if (tx->payload_len > 0)
		memcpy(frame->bytes + tx->head_len, tx->payload, tx->payload_len);
	world->longest = u32_max(world->longest, frame->len);
	if (tx->wants_sum)
		finish_sum(frame, tx);
	left = queue(world, is_uplink ? &world->uplink : pipe, frame);
	if (left == NEVER) {
		world->spare[world->nspare++] = frame;
		return;
	}
	frame->at = left + travel_time(world);
	frame->order = world->launched++;
	frame->is_corrupt = false;
	if (happens(world, world->options.link.corrupt_ppm))
		corrupt(world, pipe, frame);
	push(pipe, frame);
}

/* Slot 4 of the receiver is the first session's, see make_session. */
static void count_slice(struct world *world, const struct nic_tx *tx)
{
	uint32_t slices = world_slices(world);
	struct wire_header header;
	uint32_t headers = ether_udp_headers(&world->path);
	uint32_t which;

	if (tx->head_len < headers + WIRE_HEADER_LEN ||
		wire_get_header(tx->head + headers,
			tx->head_len - headers + tx->payload_len, &header) != ACCEPTED ||
		header.type != WIRE_DATA)
		return;
	which = (session_slot(header.session_id) - 4) / 2;
	if (which < WORLD_SESSIONS && header.chunk < world->manifest.nchunks &&
		header.slice < slices)
		world->copies[which].sends[header.chunk * slices + header.slice]++;
}

/* A MAC and an address end in the end's number, see make_end; a question goes to whom it
 * is about. */
static int find_end(
	const struct world *world, const struct world_end *from, const struct nic_tx *tx)
{
	uint32_t number = tx->head[ETHER_MAC_LEN - 1];
	struct ether_frame frame;

	if (world->nends == 2)
		return 1 - from->number;
	ether_parse(tx->head, tx->head_len, &frame);
	if (frame.kind == ETHER_QUESTION)
		number = frame.dst_ip.bytes[IP_LEN - 1] - 1u;
	return (int)number;
}

static int link_tx(void *self, const struct nic_tx frames[], int count)
{
	struct world_end *end = self;
	struct world *world = end->world;
	const struct world_link *link = &world->options.link;

	if (end->is_leaving)
		return 0;
	for (int i = 0; i < count; i++) {
		int to = find_end(world, end, &frames[i]);

		end->frames_sent++;
		end->bytes_sent +=
			frames[i].head_len + frames[i].payload_len + ETHER_WIRE_OVERHEAD;
		count_slice(world, &frames[i]);
		if (end->is_cut || falls_in(end, &frames[i]) ||
			is_lost(world, &world->pipes[to]))
			continue;
		launch(world, end->number, to, &frames[i]);
		if (happens(world, link->duplicate_ppm))
			launch(world, end->number, to, &frames[i]);
	}
	return count;
}

void link_inject(struct world *world, int to, const uint8_t *bytes, uint32_t len)
{
	struct nic_tx tx = {.head_len = 0, .payload = bytes, .payload_len = len};

	launch(world, -1, to, &tx);
}

static int link_rx(void *self, struct nic_rx frames[], int max)
{
	struct world_end *end = self;
	struct link_pipe *pipe = &end->world->pipes[end->number];
	int count = 0;

	for (; count < max && pipe->nframes > 0; count++) {
		struct link_frame *frame;

		if (pipe->frames[0]->at > end->world->now)
			break;
		frame = pop(pipe);
		pipe->corrupt_arrived += frame->is_corrupt;
		frames[count] = (struct nic_rx){frame->bytes, frame->len, frame, false};
	}
	return count;
}

static void link_release(void *self, struct nic_rx frames[], int count)
{
	struct world_end *end = self;

	for (int i = 0; i < count; i++)
		end->world->spare[end->world->nspare++] = frames[i].handle;
}

const struct nic_ops link_ops = {
	.rx = link_rx,
	.release = link_release,
	.tx = link_tx,
};

nsec link_deadline(const struct world *world, uint32_t end)
{
	const struct link_pipe *pipe = &world->pipes[end];

	return pipe->nframes > 0 ? pipe->frames[0]->at : NEVER;
}

void link_fini(struct world *world)
{
	for (uint32_t i = 0; i < world->nends; i++) {
		while (world->pipes[i].nframes > 0)
			free(world->pipes[i].frames[--world->pipes[i].nframes]);
	}
	while (world->nspare > 0)
		free(world->spare[--world->nspare]);
}

uint32_t link_delay_percentile(const struct link_pipe *pipe, uint32_t percent)
{
	uint64_t seen = 0;
	uint32_t slot = 0;

	for (; slot < LINK_DELAY_SLOTS - 1; slot++) {
		seen += pipe->delays[slot];
		if (seen * 100 >= (uint64_t)pipe->ndelays * percent)
			break;
	}
	return slot;
}

void link_forget_delays(struct link_pipe *pipe)
{
	memset(pipe->delays, 0, sizeof(pipe->delays));
	pipe->ndelays = 0;
}
