/* SPDX-License-Identifier: BSD-3-Clause */
/* Ethernet, ARP, IPv4, ICMP echo and UDP as bytes: reading checks every length here.
 *
 * IPv4 headers are written with DF set and no options; the UDP checksum is 0, as IPv4
 * allows: Snapline's own header and payload are covered by a MAC and a CRC-32C. */
#ifndef ETHER_H
#define ETHER_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/wire.h"

enum {
	ETHER_MAC_LEN = 6,
	ETHER_HEADER_LEN = 14,
	ETHER_IPV4_LEN = 20,
	ETHER_UDP_LEN = 8,
	ETHER_UDP_HEADERS = ETHER_HEADER_LEN + ETHER_IPV4_LEN + ETHER_UDP_LEN,
	ETHER_ARP_FRAME = 42,
	ETHER_WIRE_OVERHEAD = 24, /* preamble 8, FCS 4, gap 12 */
};

enum ether_kind {
	ETHER_OTHER,
	ETHER_ARP_REQUEST,
	ETHER_ARP_REPLY,
	ETHER_ECHO,
	ETHER_UDP
};

struct ether_frame {
	enum ether_kind kind;
	uint8_t src_mac[ETHER_MAC_LEN];
	struct ip src_ip; /* ARP: of the sender */
	struct ip dst_ip; /* ARP: of the target */
	uint16_t src_port;
	uint16_t dst_port;
	uint32_t queue;         /* of our device, which it came to; 0 after ether_parse */
	bool is_ce;             /* the network marked congestion (RFC 3168) */
	const uint8_t *payload; /* of UDP; of ECHO: the ICMP message */
	uint32_t payload_len;
};

struct ether_path {
	uint8_t src_mac[ETHER_MAC_LEN];
	uint8_t dst_mac[ETHER_MAC_LEN];
	struct ip src_ip;
	struct ip dst_ip;
	uint16_t src_port;
	uint16_t dst_port;
	uint8_t dscp; /* 0 to 63 */
};

/* Reads a frame. Anything that is not for our purpose is ETHER_OTHER: other protocols,
 * fragments, IP options beyond the frame, bad header checksums, truncation. Padding
 * behind the IP packet is ignored. */
void ether_parse(const uint8_t *frame, uint32_t len, struct ether_frame *out);

/* Writes ETHER_UDP_HEADERS bytes for payload_len bytes of UDP payload. */
void ether_put_udp(uint8_t *out, const struct ether_path *path, uint32_t payload_len);

/* Writes an ARP frame of ETHER_ARP_FRAME bytes. Requests are broadcast: target_mac is
 * NULL. */
void ether_put_arp(
	uint8_t *out, const struct ether_path *path, const uint8_t *target_mac);

/* Writes the answer to an ICMP echo request into out, which holds max bytes. Returns its
 * length, or 0 when it does not fit. */
uint32_t ether_put_echo(uint8_t *out, uint32_t max, const struct ether_path *path,
	const struct ether_frame *request);

#endif
