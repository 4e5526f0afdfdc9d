/* SPDX-License-Identifier: BSD-3-Clause */
/* Snapline's packets as bytes: a 40-byte header behind UDP, then a body or a slice.
 *
 *    0        1        2                 4                                   8
 *   |ver|type| flags  |    slice        |            session id             |
 *   |        packet number (low 32)     |               chunk               |
 *   |     tx time, 62.5 ns units        |  payload_len    |  path  |  hint  |
 *   |        payload CRC-32C            |   sent units (64 B), cumulative   |
 *   |              SipHash-2-4 MAC over bytes 0-31, destination, 64-bit pn  |
 *
 * This file and wire.c are the only ones that know an offset. Numbers are big-endian.
 * Every control packet carries absolute values: losing, repeating or reordering one is
 * harmless. */
#ifndef WIRE_H
#define WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/ip.h"
#include "dataplane/base/units.h"

#define WIRE_RATE_AUTO UINT32_MAX /* in a PULL: as fast as others do not mind */

enum {
	WIRE_VERSION = 1,
	WIRE_HEADER_LEN = 40,
	WIRE_KEY_LEN = 16,
	WIRE_UNIT = 64, /* bytes of a credit unit; slices are multiples of it */
	WIRE_SLICE_MAX = 8192,
	WIRE_ACK_BITS = 1024,
	WIRE_RUNS_MAX = 32,
	WIRE_BODY_MAX = 320,
	WIRE_PROBE_LEN = 16, /* bytes, before the padding */
};

enum wire_type {
	WIRE_DATA = 0,
	WIRE_PULL = 3,
	WIRE_ACK = 4,
	WIRE_PROBE = 6,     /* the sender asks for an ACK; padded to a slice, or not */
	WIRE_PROBE_ACK = 7, /* the sender is alive but has nothing to send */
	WIRE_CLOSE = 8,
};

enum {
	WIRE_RETX = 1 << 0,    /* this slice was sent before */
	WIRE_ACK_NOW = 1 << 1, /* answer at once */
	WIRE_PACK = 1 << 2,    /* PROBE_ACK: others are at the header's chunk */
	WIRE_EPOCH_SHIFT = 6,  /* bits 6 and 7: the slice-size epoch, modulo 4 */
};

enum { PULL_REFRESH = 1 << 0 }; /* read the disk again, the cached chunk did not verify */

/* What a network may do is no error: it is counted. */
enum verdict { ACCEPTED, DUPLICATE, STALE, CORRUPT };

struct wire_header {
	enum wire_type type;
	uint8_t flags;
	uint16_t slice;
	uint32_t session_id; /* chosen by the packet's receiver */
	uint32_t pn;
	uint32_t chunk;
	uint32_t tx_time;
	uint16_t payload_len; /* bytes after the header */
	uint8_t path;         /* stripe */
	uint8_t hint;         /* where packets from the peer's port land: steering.h */
	uint32_t payload_crc;
	uint32_t sent_units;
};

struct wire_address {
	struct ip ip;
	uint16_t port; /* host byte order */
};

struct wire_run {
	uint32_t first; /* chunk */
	uint16_t count; /* chunks, each the next one of its stripe */
	uint8_t flags;
};

/* Requests are numbered from 0 in the order the receiver makes them; a PULL repeats all
 * that are still open. A request is served once, however often its PULL arrives. */
struct wire_pull {
	uint64_t credit;        /* units the sender may have sent in all */
	uint32_t max_rate_mbps; /* 0: no limit; WIRE_RATE_AUTO */
	uint32_t first_request; /* number of the first chunk of the first run */
	uint32_t nruns;
	struct wire_run runs[WIRE_RUNS_MAX];
};

struct wire_ack {
	uint32_t largest_pn;
	uint16_t delay_us;  /* from its arrival to this ACK */
	uint16_t away_us;   /* what the receiver itself may have added, see receiver.h */
	uint32_t echo_time; /* its tx_time */
	uint32_t ce_count;  /* 24 bits */
	uint64_t credit;
	uint32_t base_pn; /* packet number of bit 0 */
	uint16_t nbits;
	uint64_t bits[WIRE_ACK_BITS / 64];
};

/* Tells the receiver how chunks are sliced, each time with all it needs to know: lost,
 * doubled or late, the next one says the same. Acknowledged by its number, as DATA is. */
struct wire_probe {
	uint32_t epoch;      /* how often the slice size was changed */
	uint32_t slice_size; /* of that epoch, bytes */
	uint32_t unanswered; /* the sender's, since it heard the receiver last */
};

struct wire_close {
	uint32_t code;  /* errno value, 0: done */
	uint32_t chunk; /* UINT32_MAX: none */
};

static inline uint32_t wire_time(nsec now)
{
	return (uint32_t)((uint64_t)now * 2 / 125);
}

static inline nsec wire_time_to_nsec(uint32_t units)
{
	return (nsec)((uint64_t)units * 125 / 2);
}

static inline uint8_t wire_epoch_flags(uint32_t epoch)
{
	return (uint8_t)(epoch << WIRE_EPOCH_SHIFT);
}

static inline bool wire_is_of_epoch(const struct wire_header *header, uint32_t epoch)
{
	return header->flags >> WIRE_EPOCH_SHIFT == (epoch & 3);
}

static inline uint32_t wire_units(uint32_t bytes)
{
	return (bytes + WIRE_UNIT - 1) / WIRE_UNIT;
}

/* The largest slice for a link that carries IP packets of mtu bytes, or 0 when even the
 * smallest (64 bytes) does not fit. */
uint32_t wire_slice_size(uint32_t mtu, uint32_t ip_header_len);

/* Writes the header, sealed with the MAC. pn64 is the full packet number. */
void wire_put_header(uint8_t out[static WIRE_HEADER_LEN],
	const struct wire_header *header, const uint8_t key[static WIRE_KEY_LEN],
	const struct wire_address *destination, uint64_t pn64);

/* Reads a UDP payload of len bytes. Returns ACCEPTED, STALE for an unknown version or
 * type, or CORRUPT when lengths do not agree. The MAC is not checked yet. */
enum verdict wire_get_header(
	const uint8_t *bytes, uint32_t len, struct wire_header *header);

/* Whether the MAC is right, for the packet number that the receiver reconstructed. */
bool wire_is_authentic(const uint8_t *bytes, const uint8_t key[static WIRE_KEY_LEN],
	const struct wire_address *destination, uint64_t pn64);

/* Bodies. put returns the bytes written, at most WIRE_BODY_MAX; get returns false when
 * the body is malformed. */
uint32_t wire_put_pull(uint8_t *out, const struct wire_pull *pull);
bool wire_get_pull(const uint8_t *bytes, uint32_t len, struct wire_pull *pull);
uint32_t wire_put_ack(uint8_t *out, const struct wire_ack *ack);
bool wire_get_ack(const uint8_t *bytes, uint32_t len, struct wire_ack *ack);
/* What follows the first WIRE_PROBE_LEN bytes is padding. */
uint32_t wire_put_probe(uint8_t *out, const struct wire_probe *probe);
bool wire_get_probe(const uint8_t *bytes, uint32_t len, struct wire_probe *probe);
uint32_t wire_put_close(uint8_t *out, const struct wire_close *close);
bool wire_get_close(const uint8_t *bytes, uint32_t len, struct wire_close *close);

/* A CLOSE's code as 0 or a negative errno. A number that is no errno is -EPROTO: whatever
 * the peer means by it, it is not success. */
int wire_close_error(const struct wire_close *close);

#endif
