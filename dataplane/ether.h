/* SPDX-License-Identifier: BSD-3-Clause */
/* Ethernet with or without an 802.1Q tag, IPv4 with ARP and ICMP, IPv6 with neighbour
 * discovery and ICMPv6, and UDP, as bytes: reading (ether.c) checks every length, writing
 * is in ether_put.c.
 *
 * IP headers are written without options: DF, ECT(0), 64 hops. IPv4 allows a UDP checksum
 * of 0, and Snapline's own header and payload are covered by a MAC and a CRC-32C; IPv6
 * (RFC 8200, section 8.1) wants one. */
#ifndef ETHER_H
#define ETHER_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/wire.h"

enum {
	ETHER_MAC_LEN = 6,
	ETHER_HEADER_LEN = 14,
	ETHER_VLAN_LEN = 4,
	ETHER_VLAN_MAX = 4094,
	ETHER_IPV4_LEN = 20,
	ETHER_IPV6_LEN = 40,
	ETHER_UDP_LEN = 8,
	ETHER_UDP_HEADERS = /* of IPv4 without a tag */
	ETHER_HEADER_LEN + ETHER_IPV4_LEN + ETHER_UDP_LEN,
	ETHER_UDP_HEADERS_MAX =
		ETHER_HEADER_LEN + ETHER_VLAN_LEN + ETHER_IPV6_LEN + ETHER_UDP_LEN,
	ETHER_QUESTION_MAX = /* the longest, a neighbour solicitation */
	ETHER_HEADER_LEN + ETHER_VLAN_LEN + ETHER_IPV6_LEN + 32,
	ETHER_WIRE_OVERHEAD = 24, /* preamble 8, FCS 4, gap 12 */
};

enum ether_kind {
	ETHER_OTHER,
	ETHER_QUESTION, /* who has an address? ARP request, neighbour solicitation */
	ETHER_ANSWER,   /* ARP reply, neighbour advertisement */
	ETHER_ECHO,
	ETHER_UDP
};

struct ether_frame {
	enum ether_kind kind;
	uint8_t src_mac[ETHER_MAC_LEN]; /* QUESTION, ANSWER: as the message says */
	struct ip src_ip;               /* ANSWER: the address that src_mac has */
	struct ip dst_ip;               /* QUESTION: the address that is asked for */
	uint16_t vlan;                  /* 0: no tag, or one of priority alone */
	uint16_t src_port;
	uint16_t dst_port;
	uint32_t queue;         /* of our device, which it came to; 0 after ether_parse */
	bool is_ce;             /* the network marked congestion (RFC 3168) */
	const uint8_t *payload; /* of UDP; of ECHO: the ICMP message */
	uint32_t payload_len;
};

/* How the UDP checksum comes to be. */
enum ether_sum {
	ETHER_SUM_ZERO, /* IPv4 alone */
	ETHER_SUM_SOFT, /* here */
	ETHER_SUM_NIC,  /* the NIC adds what follows to the pseudo header's sum */
};

struct ether_path {
	uint8_t src_mac[ETHER_MAC_LEN];
	uint8_t dst_mac[ETHER_MAC_LEN];
	struct ip src_ip; /* says the family */
	struct ip dst_ip; /* of the same */
	uint16_t vlan;    /* 0: no tag */
	uint16_t src_port;
	uint16_t dst_port;
	uint8_t dscp; /* 0 to 63 */
	enum ether_sum sum;
};

/* Reads a frame. Anything that is not for our purpose is ETHER_OTHER: other protocols,
 * fragments, IPv4 options beyond the frame, IPv6 extension headers, bad checksums of IPv4
 * and ICMPv6, neighbour discovery that breaks RFC 4861's rules, truncation. Padding
 * behind the IP packet is ignored. */
void ether_parse(const uint8_t *frame, uint32_t len, struct ether_frame *out);

/* Whether a UDP frame's checksum is right, or zero over IPv4. Reads all of the payload,
 * unless the NIC has found it right. */
bool ether_is_intact(const struct ether_frame *frame, bool is_sum_good);

/* 14, or 18 with a tag. */
static inline uint32_t ether_link_len(const struct ether_path *path)
{
	return ETHER_HEADER_LEN + (path->vlan != 0 ? ETHER_VLAN_LEN : 0);
}

static inline uint32_t ether_ip_len(const struct ip *ip)
{
	return ip_is_v4(ip) ? ETHER_IPV4_LEN : ETHER_IPV6_LEN;
}

/* Bytes before the payload of UDP, at most ETHER_UDP_HEADERS_MAX. */
static inline uint32_t ether_udp_headers(const struct ether_path *path)
{
	return ether_link_len(path) + ether_ip_len(&path->src_ip) + ETHER_UDP_LEN;
}

/* Writes ether_udp_headers bytes for payload_len bytes of UDP payload. The checksum is
 * that of the pseudo header with ETHER_SUM_NIC, else 0. */
void ether_put_udp(uint8_t *out, const struct ether_path *path, uint32_t payload_len);

/* Sets the checksum of a frame whose first head_len bytes, an even number, lie in `out`;
 * payload_sum is the sum16 of what follows. Nothing but for ETHER_SUM_SOFT. */
void ether_seal_udp(uint8_t *out, const struct ether_path *path, uint32_t head_len,
	uint16_t payload_sum);

/* Asks all of the link who has path->dst_ip. Writes at most ETHER_QUESTION_MAX bytes and
 * returns how many. */
uint32_t ether_put_question(uint8_t *out, const struct ether_path *path);

/* Answers path->dst_ip at path->dst_mac that path->src_mac has path->src_ip; to everybody
 * when it asked from no address, as IPv6 hosts do before they take ours (RFC 4862). */
uint32_t ether_put_answer(uint8_t *out, const struct ether_path *path);

/* Writes the answer to an echo request into out, which holds max bytes. Returns its
 * length, or 0 when it does not fit. */
uint32_t ether_put_echo(uint8_t *out, uint32_t max, const struct ether_path *path,
	const struct ether_frame *request);

#endif
