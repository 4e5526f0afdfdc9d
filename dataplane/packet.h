/* SPDX-License-Identifier: BSD-3-Clause */
/* A packet that a sender or receiver wants to send, before it is sealed and framed. */
#ifndef PACKET_H
#define PACKET_H

#include "dataplane/wire.h"

struct packet {
	struct wire_header header; /* without session id and pn, which the session adds */
	uint64_t pn;
	uint32_t payload_len;
	uint16_t payload_sum;   /* sum16 of a slice; 0 when nobody wants sums */
	const uint8_t *payload; /* a slice in a chunk buffer, or body */
	const uint8_t *padding; /* a PROBE's, behind body */
	uint32_t padding_len;
	uint8_t body[WIRE_BODY_MAX];
};

#endif
