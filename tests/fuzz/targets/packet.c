/* SPDX-License-Identifier: BSD-3-Clause */
/* One frame from the wire: what is parsed lies inside it, and what is read is written
 * again the same.
 *
 *   how u8 | bytes     how 0: a frame; 1: one whose IPv4 checksum is put right; 2: a
 * datagram; 3, 4, 5: the body of a PULL, an ACK, a CLOSE */
#include "tests/fuzz/targets/fuzz.h"

#include "dataplane/base/bytes.h"
#include "dataplane/ether.h"
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
	case WIRE_CLOSE:
		check_close(bytes, header.payload_len);
		break;
	default:
		break;
	}
}

/* Our answer to an echo is a frame of the same length that nobody answers. */
static void check_echo(const struct ether_frame *request)
{
	const struct ether_path path = {
		.src_ip = IP_V4(10, 0, 0, 1), .dst_ip = IP_V4(10, 0, 0, 2)};
	struct ether_frame answer;
	uint32_t max = ETHER_HEADER_LEN + ETHER_IPV4_LEN + request->payload_len;
	uint8_t *out = malloc(max);

	MUST(out != NULL);
	MUST(ether_put_echo(out, max - 1, &path, request) == 0);
	MUST(ether_put_echo(out, max, &path, request) == max);
	ether_parse(out, max, &answer);
	MUST(answer.kind == ETHER_OTHER);
	free(out);
}

static void check_frame(const uint8_t *bytes, uint32_t len)
{
	struct ether_frame frame;

	memset(&frame, 0, sizeof(frame));
	ether_parse(bytes, len, &frame);
	if (frame.kind != ETHER_UDP && frame.kind != ETHER_ECHO)
		return;
	MUST(frame.payload >= bytes + ETHER_HEADER_LEN + ETHER_IPV4_LEN);
	MUST(frame.payload + frame.payload_len <= bytes + len);
	if (frame.kind == ETHER_ECHO)
		check_echo(&frame);
	else
		check_datagram(frame.payload, frame.payload_len);
}

static void fix_checksum(uint8_t *frame, uint32_t len)
{
	uint8_t *ip = frame + ETHER_HEADER_LEN;
	uint32_t header_len, sum = 0;

	if (len < ETHER_HEADER_LEN + ETHER_IPV4_LEN)
		return;
	header_len = (ip[0] & 15u) * 4;
	if (header_len < ETHER_IPV4_LEN || header_len > len - ETHER_HEADER_LEN)
		return;
	put_be16(ip + 10, 0);
	for (uint32_t i = 0; i < header_len; i += 2)
		sum += get_be16(ip + i);
	sum = (sum & 0xffff) + (sum >> 16);
	put_be16(ip + 10, (uint16_t) ~(sum + (sum >> 16)));
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
	default:
		check_frame(bytes, len);
		break;
	}
	free(bytes);
	return 0;
}
