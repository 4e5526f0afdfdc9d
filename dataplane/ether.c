/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/ether.h"

#include <string.h>

#include "dataplane/base/bytes.h"
#include "dataplane/ether_internal.h"

static void parse_arp(const uint8_t *arp, uint32_t len, struct ether_frame *out)
{
	uint16_t operation;

	if (len < ARP_LEN || memcmp(arp, ether_arp_ipv4, sizeof(ether_arp_ipv4)) != 0)
		return;
	operation = get_be16(arp + 6);
	if (operation != ARP_REQUEST && operation != ARP_REPLY)
		return;
	memcpy(out->src_mac, arp + 8, ETHER_MAC_LEN);
	ip_set_v4(&out->src_ip, arp + 14);
	ip_set_v4(&out->dst_ip, arp + 24);
	out->kind = operation == ARP_REQUEST ? ETHER_QUESTION : ETHER_ANSWER;
}

static void parse_udp(const uint8_t *udp, uint32_t len, struct ether_frame *out)
{
	uint32_t udp_len;

	if (len < ETHER_UDP_LEN)
		return;
	udp_len = get_be16(udp + 4);
	if (udp_len < ETHER_UDP_LEN || udp_len > len)
		return;
	out->src_port = get_be16(udp);
	out->dst_port = get_be16(udp + 2);
	out->payload = udp + ETHER_UDP_LEN;
	out->payload_len = udp_len - ETHER_UDP_LEN;
	out->kind = ETHER_UDP;
}

static void parse_echo(const uint8_t *icmp, uint32_t len, struct ether_frame *out)
{
	out->payload = icmp;
	out->payload_len = len;
	out->kind = ETHER_ECHO;
}

static void parse_ipv4(const uint8_t *ip, uint32_t len, struct ether_frame *out)
{
	uint32_t header_len;
	uint32_t total;

	if (len < ETHER_IPV4_LEN || ip[0] >> 4 != 4)
		return;
	header_len = (ip[0] & 15u) * 4;
	total = get_be16(ip + 2);
	if (header_len < ETHER_IPV4_LEN || total < header_len || total > len ||
		sum16(ip, header_len) != 0xffff || (get_be16(ip + 6) & IP_FRAGMENT) != 0)
		return;
	ip_set_v4(&out->src_ip, ip + 12);
	ip_set_v4(&out->dst_ip, ip + 16);
	out->is_ce = (ip[1] & 3) == ECN_CE;
	if (ip[9] == PROTO_UDP)
		parse_udp(ip + header_len, total - header_len, out);
	else if (ip[9] == PROTO_ICMP && total - header_len >= ICMP_LEN &&
		 ip[header_len] == ICMP_ECHO_REQUEST)
		parse_echo(ip + header_len, total - header_len, out);
}

/* Finds the option that holds a MAC. Returns false when the options are malformed; *mac
 * stays when it is not among them. */
static bool find_option(
	const uint8_t *options, uint32_t len, uint8_t type, const uint8_t **mac)
{
	while (len > 0) {
		uint32_t option_len = len < 2 ? 0 : options[1] * 8u;

		if (option_len == 0 || option_len > len)
			return false;
		if (options[0] == type && option_len == ND_OPTION_LEN)
			*mac = options + 2;
		options += option_len;
		len -= option_len;
	}
	return true;
}

static bool is_group(const struct ip *ip)
{
	return ip->bytes[0] == 0xff;
}

/* RFC 4861, section 7.1. Without an option that says the MAC, it is the frame's. */
static void parse_nd(const uint8_t *nd, uint32_t len, struct ether_frame *out)
{
	bool asks = nd[0] == ND_SOLICITATION;
	const uint8_t *mac = NULL;
	struct ip target;

	if (len < ND_LEN || nd[1] != 0 ||
		!find_option(nd + ND_LEN, len - ND_LEN,
			asks ? ND_SOURCE_MAC : ND_TARGET_MAC, &mac))
		return;
	memcpy(target.bytes, nd + 8, IP_LEN);
	if (is_group(&target) || ip_is_v4(&target) || is_group(&out->src_ip))
		return;
	if (asks) { /* from no address: whoever asks wants to take this one */
		if (ip_is_none(&out->src_ip) && (mac != NULL || !is_group(&out->dst_ip)))
			return;
		out->dst_ip = target;
	} else {
		if (is_group(&out->dst_ip) && (nd[4] & ND_SOLICITED) != 0)
			return;
		out->src_ip = target;
	}
	if (mac != NULL)
		memcpy(out->src_mac, mac, ETHER_MAC_LEN);
	out->kind = asks ? ETHER_QUESTION : ETHER_ANSWER;
}

static void parse_ipv6(const uint8_t *ip, uint32_t len, struct ether_frame *out)
{
	const uint8_t *payload = ip + ETHER_IPV6_LEN;
	uint32_t payload_len;

	if (len < ETHER_IPV6_LEN || ip[0] >> 4 != 6)
		return;
	payload_len = get_be16(ip + 4);
	if (payload_len > len - ETHER_IPV6_LEN)
		return;
	memcpy(out->src_ip.bytes, ip + 8, IP_LEN);
	memcpy(out->dst_ip.bytes, ip + 24, IP_LEN);
	/* an IPv4 address has no business here: it would pass for one of that family */
	if (ip_is_v4(&out->src_ip) || ip_is_v4(&out->dst_ip))
		return;
	out->is_ce = (ip[1] >> 4 & 3) == ECN_CE;
	if (ip[6] == PROTO_UDP) {
		parse_udp(payload, payload_len, out);
		return;
	}
	if (ip[6] != PROTO_ICMPV6 || payload_len < ICMP_LEN ||
		sum16_add(ether_pseudo_sum(
				  &out->src_ip, &out->dst_ip, PROTO_ICMPV6, payload_len),
			sum16(payload, payload_len)) != 0xffff)
		return;
	if (payload[0] == ICMPV6_ECHO_REQUEST)
		parse_echo(payload, payload_len, out);
	else if ((payload[0] == ND_SOLICITATION || payload[0] == ND_ADVERTISEMENT) &&
		 ip[7] == ND_HOPS)
		parse_nd(payload, payload_len, out);
}

void ether_parse(const uint8_t *frame, uint32_t len, struct ether_frame *out)
{
	uint32_t at = ETHER_HEADER_LEN;
	uint16_t type;

	out->kind = ETHER_OTHER;
	out->queue = 0;
	out->vlan = 0;
	if (len < ETHER_HEADER_LEN)
		return;
	memcpy(out->src_mac, frame + ETHER_MAC_LEN, ETHER_MAC_LEN);
	type = get_be16(frame + 12);
	if (type == TYPE_VLAN) {
		if (len < ETHER_HEADER_LEN + ETHER_VLAN_LEN)
			return;
		out->vlan = get_be16(frame + at) & VLAN_ID;
		type = get_be16(frame + at + 2);
		at += ETHER_VLAN_LEN;
	}
	if (type == TYPE_IPV4)
		parse_ipv4(frame + at, len - at, out);
	else if (type == TYPE_IPV6)
		parse_ipv6(frame + at, len - at, out);
	else if (type == TYPE_ARP)
		parse_arp(frame + at, len - at, out);
}

bool ether_is_intact(const struct ether_frame *frame, bool is_sum_good)
{
	const uint8_t *udp = frame->payload - ETHER_UDP_LEN;
	uint32_t len = ETHER_UDP_LEN + frame->payload_len;

	if (get_be16(udp + 6) == 0)
		return ip_is_v4(&frame->src_ip);
	return is_sum_good ||
	       sum16_add(ether_pseudo_sum(&frame->src_ip, &frame->dst_ip, PROTO_UDP, len),
		       sum16(udp, len)) == 0xffff;
}
