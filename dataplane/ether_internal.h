/* SPDX-License-Identifier: BSD-3-Clause */
/* What ether.c reads and ether_put.c writes: the protocols' numbers. */
#ifndef ETHER_INTERNAL_H
#define ETHER_INTERNAL_H

#include "dataplane/ether.h"
#include "dataplane/sum16.h"

enum {
	TYPE_IPV4 = 0x0800,
	TYPE_ARP = 0x0806,
	TYPE_VLAN = 0x8100,
	TYPE_IPV6 = 0x86dd,
	VLAN_ID = 0x0fff, /* below are priority bits */
	PROTO_ICMP = 1,
	PROTO_UDP = 17,
	PROTO_ICMPV6 = 58,
	ARP_LEN = 28,
	ARP_REQUEST = 1,
	ARP_REPLY = 2,
	ICMP_LEN = 8,
	ICMP_ECHO_REPLY = 0,
	ICMP_ECHO_REQUEST = 8,
	ICMPV6_ECHO_REQUEST = 128,
	ICMPV6_ECHO_REPLY = 129,
	ND_SOLICITATION = 135,
	ND_ADVERTISEMENT = 136,
	ND_LEN = 24,       /* before the options */
	ND_OPTION_LEN = 8, /* of one that holds a MAC */
	ND_SOURCE_MAC = 1, /* options */
	ND_TARGET_MAC = 2,
	ND_SOLICITED = 0x40, /* flags */
	ND_OVERRIDE = 0x20,
	ND_HOPS = 255, /* no router passes it on: it is from this link */
	IP_DF = 0x4000,
	IP_FRAGMENT = 0x3fff, /* more fragments, or an offset */
	IP_HOPS = 64,
	ECN_ECT0 = 2,
	ECN_CE = 3,
};

/* The first six bytes of an ARP message that asks about IPv4 on Ethernet. */
static const uint8_t ether_arp_ipv4[6] = {0, 1, 8, 0, 6, 4};

/* The sum of what UDP and ICMPv6 cover besides themselves (RFC 8200, section 8.1). */
static inline uint16_t ether_pseudo_sum(const struct ip *src, const struct ip *dst,
	uint8_t protocol, uint32_t payload_len)
{
	const uint8_t *one = src->bytes, *other = dst->bytes;
	size_t len = IP_LEN;
	uint32_t sum = protocol + payload_len;

	if (ip_is_v4(src)) {
		one += IP_V4_AT;
		other += IP_V4_AT;
		len = IP_V4_LEN;
	}
	return sum16_fold(sum + sum16(one, len) + sum16(other, len));
}

#endif
