/* SPDX-License-Identifier: BSD-3-Clause */
/* What the shim can tell of a frame from its first bytes. Apart from shim.c, because
 * DPDK's headers and ours both know a struct ip. */
#ifndef SIGHT_H
#define SIGHT_H

#include <stdbool.h>
#include <stdint.h>

enum {
	SIGHT_BYTES = 102,        /* Ethernet, IPv6, UDP and Snapline's header */
	SIGHT_WIRE_OVERHEAD = 24, /* a frame takes so many bytes more on the wire */
};

struct sight {
	bool is_udp;
	bool is_ours;     /* a Snapline packet */
	bool is_data;     /* DATA */
	uint16_t port;    /* UDP, where it goes, host byte order */
	uint32_t type;    /* enum wire_type */
	uint32_t payload; /* where the bytes behind all headers begin */
};

/* bytes: the first len of a frame of frame_len. */
void sight_look(
	struct sight *sight, const uint8_t *bytes, uint32_t len, uint32_t frame_len);

#endif
