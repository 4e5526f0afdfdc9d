/* SPDX-License-Identifier: BSD-3-Clause */
/* One frame from the wire: what is parsed lies inside it, and what is read is written
 * again the same.
 *
 *   how u8 | bytes     how 0: a frame; 1: one whose checksum of IPv4 or ICMPv6 is put
 * right; 2: a datagram; 3, 4, 5, 6: the body of a PULL, an ACK, a CLOSE,
 * a PROBE */
#include "tests/fuzz/targets/fuzz.h"

#include "dataplane/base/bytes.h"
#include "dataplane/ether.h"
#include "dataplane/sum16.h"
#include "dataplane/wire.h"

enum { HEADER_SEALED = 32 /* bytes before the MAC */ };

static void check_pull(const uint8_t *bytes, uint32_t len)
{
	struct wire_pull pull, again;
	uint8_t body[WIRE_BODY_MAX];
	uint32_t put;

	memset(&pull, 0, sizeof(pull));
	memset(&again, 0, sizeof(again));
	if (!wire_get_pull(bytes, len, &pull))
		return;
	MUST(pull.nruns <= WIRE_RUNS_MAX);
	put = wire_put_pull(body, &pull);
	MUST(put == len && wire_get_pull(body, put, &again));
	MUST(memcmp(&pull, &again, sizeof(pull)) == 0);
}

static void check_ack(const uint8_t *bytes, uint32_t len)
{
	struct wire_ack ack, again;
	uint8_t body[WIRE_BODY_MAX];
	uint32_t put;

	memset(&ack, 0, sizeof(ack));
	memset(&again, 0, sizeof(again));
	if (!wire_get_ack(bytes, len, &ack))
		return;
	MUST(ack.nbits <= WIRE_ACK_BITS && ack.ce_count < 1 << 24);
	put = wire_put_ack(body, &ack);
	MUST(put == len && wire_get_ack(body, put, &again));
	MUST(memcmp(&ack, &again, sizeof(ack)) == 0);
}

static void check_close(const uint8_t *bytes, uint32_t len)
{
	struct wire_close close;
	uint8_t body[WIRE_BODY_MAX];

	if (wire_get_close(bytes, len, &close))
		MUST(wire_put_close(body, &close) == len &&
			memcmp(body, bytes, len) == 0);
}

static void check_probe(const uint8_t *bytes, uint32_t len)
{
	struct wire_probe probe, again;
	uint8_t body[WIRE_BODY_MAX];

	if (!wire_get_probe(bytes, len, &probe))
		return;
	MUST(wire_put_probe(body, &probe) == WIRE_PROBE_LEN && len >= WIRE_PROBE_LEN);
	MUST(wire_get_probe(body, WIRE_PROBE_LEN, &again));
	MUST(memcmp(&probe, &again, sizeof(probe)) == 0);
}

static void check_datagram(const uint8_t *bytes, uint32_t len)
{
	static const uint8_t key[WIRE_KEY_LEN] = {1};
	const struct wire_address here = {.port = 4791};
	struct wire_header header;
	uint8_t again[WIRE_HEADER_LEN];

	if (wire_get_header(bytes, len, &header) != ACCEPTED)
		return;
	MUST(header.payload_len == len - WIRE_HEADER_LEN);
	wire_put_header(again, &header, key, &here, header.pn);
	MUST(memcmp(again, bytes, HEADER_SEALED) == 0);
	MUST(wire_is_authentic(again, key, &here, header.pn));
	MUST(!wire_is_authentic(again, key, &here, header.pn + ((uint64_t)1 << 32)));
	bytes += WIRE_HEADER_LEN;
	switch (header.type) {
	case WIRE_PULL:
		check_pull(bytes, header.payload_len);
		break;
	case WIRE_ACK:
		check_ack(bytes, header.payload_len);
		break;
	case WIRE_PROBE:
		check_probe(bytes, header.payload_len);
		break;
	case WIRE_CLOSE:
		check_close(bytes, header.payload_len);
		break;
	default:
		break;
	}
}

/* Where an answer to this frame goes. */
static struct ether_path back(const struct ether_frame *frame)
{
	struct ether_path path = {.src_ip = frame->dst_ip, .dst_ip = frame->src_ip};

	path.vlan = frame->vlan;
	return path;
}

/* Our answer to an echo is a frame as long that nobody answers. */
static void check_echo(const struct ether_frame *request)
{
	const struct ether_path path = back(request);
	struct ether_frame answer;
	uint32_t max =
		ether_link_len(&path) + ether_ip_len(&path.src_ip) + request->payload_len;
	uint8_t *out = malloc(max);

	MUST(out != NULL);
	MUST(ether_put_echo(out, max - 1, &path, request) == 0);
	MUST(ether_put_echo(out, max, &path, request) == max);
	ether_parse(out, max, &answer);
	MUST(answer.kind == ETHER_OTHER);
	free(out);
}

/* Our answer to a question is read as one, and about what was asked for. */
static void check_question(const struct ether_frame *question)
{
	const struct ether_path path = back(question);
	uint8_t out[ETHER_QUESTION_MAX];
	struct ether_frame answer;
	uint32_t len = ether_put_answer(out, &path);

	MUST(len <= sizeof(out));
	ether_parse(out, len, &answer);
	MUST(answer.kind == ETHER_ANSWER);
	MUST(ip_is_equal(&answer.src_ip, &question->dst_ip));
	MUST(answer.vlan == question->vlan);
}

static void check_frame(const uint8_t *bytes, uint32_t len)
{
	struct ether_frame frame;

	memset(&frame, 0, sizeof(frame));
	ether_parse(bytes, len, &frame);
	if (frame.kind == ETHER_QUESTION)
		check_question(&frame);
	if (frame.kind != ETHER_UDP && frame.kind != ETHER_ECHO)
		return;
	MUST(ip_is_v4(&frame.src_ip) == ip_is_v4(&frame.dst_ip));
	MUST(frame.payload >= bytes + ETHER_HEADER_LEN + ether_ip_len(&frame.src_ip));
	MUST(frame.payload + frame.payload_len <= bytes + len);
	if (frame.kind == ETHER_ECHO) {
		check_echo(&frame);
		return;
	}
	(void)ether_is_intact(&frame, false);
	check_datagram(frame.payload, frame.payload_len);
}

static void fix_ipv4(uint8_t *ip, uint32_t len)
{
	uint32_t header_len = len < ETHER_IPV4_LEN ? 0 : (ip[0] & 15u) * 4;

	if (header_len < ETHER_IPV4_LEN || header_len > len)
		return;
	put_be16(ip + 10, 0);
	put_be16(ip + 10, (uint16_t)~sum16(ip, header_len));
}

static void fix_icmpv6(uint8_t *ip, uint32_t len)
{
	uint32_t payload_len = len < ETHER_IPV6_LEN + 4 ? 0 : get_be16(ip + 4);
	uint8_t *icmp = ip + ETHER_IPV6_LEN;

	if (payload_len < 4 || payload_len > len - ETHER_IPV6_LEN)
		return;
	put_be16(icmp + 2, 0);
	put_be16(icmp + 2, (uint16_t)~sum16_fold(payload_len + 58 + sum16(ip + 8, 32) +
						 sum16(icmp, payload_len)));
}

static void fix_checksum(uint8_t *frame, uint32_t len)
{
	uint32_t at = ETHER_HEADER_LEN;

	if (len < at + ETHER_VLAN_LEN)
		return;
	if (get_be16(frame + 12) == 0x8100)
		at += ETHER_VLAN_LEN;
	if (get_be16(frame + at - 2) == 0x86dd)
		fix_icmpv6(frame + at, len - at);
	else
		fix_ipv4(frame + at, len - at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	uint64_t how = input_take(&input, 1);
	uint8_t *bytes = input_copy(input.at, input.left, 0);
	uint32_t len = (uint32_t)input.left;

	if (how == 1)
		fix_checksum(bytes, len);
	switch (how) {
	case 2:
		check_datagram(bytes, len);
		break;
	case 3:
		check_pull(bytes, len);
		break;
	case 4:
		check_ack(bytes, len);
		break;
	case 5:
		check_close(bytes, len);
		break;
	case 6:
		check_probe(bytes, len);
		break;
	default:
		check_frame(bytes, len);
		break;
	}
	free(bytes);
	return 0;
}
