/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/wire.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include <sodium/crypto_shorthash.h>

#include "dataplane/base/bytes.h"

enum {
	OFF_VERSION_TYPE = 0,
	OFF_FLAGS = 1,
	OFF_SLICE = 2,
	OFF_SESSION = 4,
	OFF_PN = 8,
	OFF_CHUNK = 12,
	OFF_TX_TIME = 16,
	OFF_PAYLOAD_LEN = 20,
	OFF_PATH = 22,
	OFF_HINT = 23,
	OFF_PAYLOAD_CRC = 24,
	OFF_SENT_UNITS = 28,
	OFF_MAC = 32,

	PULL_LEN = 24,
	RUN_LEN = 8,
	ACK_LEN = 32,
	CLOSE_LEN = 8,
	UDP_LEN = 8,
	ERRNO_MAX = 4095, /* of Linux */
};

static_assert(crypto_shorthash_KEYBYTES == WIRE_KEY_LEN, "SipHash-2-4 key");
static_assert(crypto_shorthash_BYTES == WIRE_HEADER_LEN - OFF_MAC, "SipHash-2-4 tag");
static_assert(PULL_LEN + WIRE_RUNS_MAX * RUN_LEN <= WIRE_BODY_MAX, "a full PULL fits");
static_assert(ACK_LEN + WIRE_ACK_BITS / 8 <= WIRE_BODY_MAX, "a full ACK fits");

uint32_t wire_slice_size(uint32_t mtu, uint32_t ip_header_len)
{
	uint32_t headers = ip_header_len + UDP_LEN + WIRE_HEADER_LEN;

	if (mtu < headers + WIRE_UNIT)
		return 0;
	return u32_min((mtu - headers) / WIRE_UNIT * WIRE_UNIT, WIRE_SLICE_MAX);
}

/* What the MAC covers: the header up to there, then the destination and the whole packet
 * number. It is written in the words that SipHash reads: one that was stored in parts
 * just now would have to be in the cache before it can be read as one. */
enum { MESSAGE_LEN = OFF_MAC + IP_LEN + 2 + 8 };

static void seal(uint8_t tag[static 8], uint8_t message[static MESSAGE_LEN],
	const uint8_t key[static WIRE_KEY_LEN], const struct wire_address *destination,
	uint64_t pn64)
{
	uint8_t *out = message + OFF_MAC;

	memcpy(out, destination->ip.bytes, IP_LEN);
	out += IP_LEN;
	put_be64(out, (uint64_t)destination->port << 48 | pn64 >> 16);
	put_be16(out + 8, (uint16_t)pn64);
	(void)crypto_shorthash(tag, message, MESSAGE_LEN, key);
}

static uint64_t join(uint32_t high, uint32_t low)
{
	return (uint64_t)high << 32 | low;
}

static void put_twice(uint8_t *out, uint8_t *message, uint64_t word)
{
	put_be64(out, word);
	put_be64(message, word);
}

void wire_put_header(uint8_t out[static WIRE_HEADER_LEN],
	const struct wire_header *header, const uint8_t key[static WIRE_KEY_LEN],
	const struct wire_address *destination, uint64_t pn64)
{
	uint32_t first = WIRE_VERSION << 28 | (uint32_t)header->type << 24 |
			 (uint32_t)header->flags << 16 | header->slice;
	uint32_t sixth = (uint32_t)header->payload_len << 16 |
			 (uint32_t)header->path << 8 | header->hint;
	uint8_t message[MESSAGE_LEN];

	put_twice(out + OFF_VERSION_TYPE, message + OFF_VERSION_TYPE,
		join(first, header->session_id));
	put_twice(out + OFF_PN, message + OFF_PN, join((uint32_t)pn64, header->chunk));
	put_twice(out + OFF_TX_TIME, message + OFF_TX_TIME, join(header->tx_time, sixth));
	put_twice(out + OFF_PAYLOAD_CRC, message + OFF_PAYLOAD_CRC,
		join(header->payload_crc, header->sent_units));
	seal(out + OFF_MAC, message, key, destination, pn64);
}

static bool is_known(unsigned int type)
{
	return type == WIRE_DATA || type == WIRE_PULL || type == WIRE_ACK ||
	       type == WIRE_PROBE || type == WIRE_PROBE_ACK || type == WIRE_CLOSE;
}

enum verdict wire_get_header(
	const uint8_t *bytes, uint32_t len, struct wire_header *header)
{
	unsigned int type;

	if (len < WIRE_HEADER_LEN)
		return CORRUPT;
	type = bytes[OFF_VERSION_TYPE] & 15;
	if (bytes[OFF_VERSION_TYPE] >> 4 != WIRE_VERSION || !is_known(type))
		return STALE;
	header->type = (enum wire_type)type;
	header->flags = bytes[OFF_FLAGS];
	header->slice = get_be16(bytes + OFF_SLICE);
	header->session_id = get_be32(bytes + OFF_SESSION);
	header->pn = get_be32(bytes + OFF_PN);
	header->chunk = get_be32(bytes + OFF_CHUNK);
	header->tx_time = get_be32(bytes + OFF_TX_TIME);
	header->payload_len = get_be16(bytes + OFF_PAYLOAD_LEN);
	header->path = bytes[OFF_PATH];
	header->hint = bytes[OFF_HINT];
	header->payload_crc = get_be32(bytes + OFF_PAYLOAD_CRC);
	header->sent_units = get_be32(bytes + OFF_SENT_UNITS);
	return header->payload_len == len - WIRE_HEADER_LEN ? ACCEPTED : CORRUPT;
}

bool wire_is_authentic(const uint8_t *bytes, const uint8_t key[static WIRE_KEY_LEN],
	const struct wire_address *destination, uint64_t pn64)
{
	uint8_t message[MESSAGE_LEN];
	uint8_t tag[8];

	memcpy(message, bytes, OFF_MAC);
	seal(tag, message, key, destination, pn64);
	return get_be64(tag) == get_be64(bytes + OFF_MAC);
}

uint32_t wire_put_pull(uint8_t *out, const struct wire_pull *pull)
{
	uint8_t *run = out + PULL_LEN;

	put_be64(out, pull->credit);
	put_be32(out + 8, pull->max_rate_mbps);
	put_be32(out + 12, pull->first_request);
	put_be16(out + 16, (uint16_t)pull->nruns);
	memset(out + 18, 0, 6);
	for (uint32_t i = 0; i < pull->nruns; i++, run += RUN_LEN) {
		put_be32(run, pull->runs[i].first);
		put_be16(run + 4, pull->runs[i].count);
		run[6] = pull->runs[i].flags;
		run[7] = 0;
	}
	return (uint32_t)(run - out);
}

bool wire_get_pull(const uint8_t *bytes, uint32_t len, struct wire_pull *pull)
{
	const uint8_t *run = bytes + PULL_LEN;

	if (len < PULL_LEN)
		return false;
	pull->credit = get_be64(bytes);
	pull->max_rate_mbps = get_be32(bytes + 8);
	pull->first_request = get_be32(bytes + 12);
	pull->nruns = get_be16(bytes + 16);
	if (pull->nruns > WIRE_RUNS_MAX || len != PULL_LEN + pull->nruns * RUN_LEN)
		return false;
	for (uint32_t i = 0; i < pull->nruns; i++, run += RUN_LEN) {
		pull->runs[i].first = get_be32(run);
		pull->runs[i].count = get_be16(run + 4);
		pull->runs[i].flags = run[6];
	}
	return true;
}

uint32_t wire_put_ack(uint8_t *out, const struct wire_ack *ack)
{
	uint32_t words = (ack->nbits + 63u) / 64;

	put_be32(out, ack->largest_pn);
	put_be16(out + 4, ack->delay_us);
	put_be16(out + 6, ack->away_us);
	put_be32(out + 8, ack->echo_time);
	put_be32(out + 12, ack->ce_count << 8);
	put_be64(out + 16, ack->credit);
	put_be32(out + 24, ack->base_pn);
	put_be16(out + 28, ack->nbits);
	put_be16(out + 30, 0);
	for (uint32_t i = 0; i < words; i++)
		put_be64(out + ACK_LEN + i * 8, ack->bits[i]);
	return ACK_LEN + words * 8;
}

bool wire_get_ack(const uint8_t *bytes, uint32_t len, struct wire_ack *ack)
{
	uint32_t words;

	if (len < ACK_LEN)
		return false;
	ack->largest_pn = get_be32(bytes);
	ack->delay_us = get_be16(bytes + 4);
	ack->away_us = get_be16(bytes + 6);
	ack->echo_time = get_be32(bytes + 8);
	ack->ce_count = get_be32(bytes + 12) >> 8;
	ack->credit = get_be64(bytes + 16);
	ack->base_pn = get_be32(bytes + 24);
	ack->nbits = get_be16(bytes + 28);
	words = (ack->nbits + 63u) / 64;
	if (ack->nbits > WIRE_ACK_BITS || len != ACK_LEN + words * 8)
		return false;
	for (uint32_t i = 0; i < words; i++)
		ack->bits[i] = get_be64(bytes + ACK_LEN + i * 8);
	return true;
}

uint32_t wire_put_probe(uint8_t *out, const struct wire_probe *probe)
{
	put_be32(out, probe->epoch);
	put_be32(out + 4, probe->slice_size);
	put_be32(out + 8, probe->unanswered);
	put_be32(out + 12, 0);
	return WIRE_PROBE_LEN;
}

bool wire_get_probe(const uint8_t *bytes, uint32_t len, struct wire_probe *probe)
{
	if (len < WIRE_PROBE_LEN)
		return false;
	probe->epoch = get_be32(bytes);
	probe->slice_size = get_be32(bytes + 4);
	probe->unanswered = get_be32(bytes + 8);
	return true;
}

uint32_t wire_put_close(uint8_t *out, const struct wire_close *close)
{
	put_be32(out, close->code);
	put_be32(out + 4, close->chunk);
	return CLOSE_LEN;
}

bool wire_get_close(const uint8_t *bytes, uint32_t len, struct wire_close *close)
{
	if (len != CLOSE_LEN)
		return false;
	close->code = get_be32(bytes);
	close->chunk = get_be32(bytes + 4);
	return true;
}

int wire_close_error(const struct wire_close *close)
{
	return close->code <= ERRNO_MAX ? -(int)close->code : -EPROTO;
}
