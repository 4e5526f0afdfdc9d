/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/ether.h"

#include <string.h>

#include "dataplane/base/bytes.h"

enum {
	TYPE_IPV4 = 0x0800,
	TYPE_ARP = 0x0806,
	PROTO_ICMP = 1,
	PROTO_UDP = 17,
	ARP_REQUEST = 1,
	ARP_REPLY = 2,
	ICMP_ECHO_REPLY = 0,
	ICMP_ECHO_REQUEST = 8,
	ICMP_LEN = 8,
	IP_DF = 0x4000,
	IP_FRAGMENT = 0x3fff, /* more fragments, or an offset */
	IP_TTL = 64,
	ECN_ECT0 = 2,
	ECN_CE = 3,
};

/* RFC 1071. */
static uint16_t checksum(const uint8_t *bytes, uint32_t len)
{
	uint32_t sum = 0;

	for (; len >= 2; len -= 2, bytes += 2)
		sum += get_be16(bytes);
	if (len == 1)
		sum += (uint32_t)bytes[0] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void parse_arp(const uint8_t *arp, uint32_t len, struct ether_frame *out)
{
	static const uint8_t ethernet_ipv4[6] = {0, 1, 8, 0, 6, 4};
	uint16_t operation;

	if (len < ETHER_ARP_FRAME - ETHER_HEADER_LEN ||
		memcmp(arp, ethernet_ipv4, sizeof(ethernet_ipv4)) != 0)
		return;
	operation = get_be16(arp + 6);
	if (operation != ARP_REQUEST && operation != ARP_REPLY)
		return;
	memcpy(out->src_mac, arp + 8, ETHER_MAC_LEN);
	ip_set_v4(&out->src_ip, arp + 14);
	ip_set_v4(&out->dst_ip, arp + 24);
	out->kind = operation == ARP_REQUEST ? ETHER_ARP_REQUEST : ETHER_ARP_REPLY;
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

static void parse_ipv4(const uint8_t *ip, uint32_t len, struct ether_frame *out)
{
	uint32_t header_len;
	uint32_t total;

	if (len < ETHER_IPV4_LEN || ip[0] >> 4 != 4)
		return;
	header_len = (ip[0] & 15u) * 4;
	total = get_be16(ip + 2);
	if (header_len < ETHER_IPV4_LEN || total < header_len || total > len ||
		checksum(ip, header_len) != 0 || (get_be16(ip + 6) & IP_FRAGMENT) != 0)
		return;
	ip_set_v4(&out->src_ip, ip + 12);
	ip_set_v4(&out->dst_ip, ip + 16);
	out->is_ce = (ip[1] & 3) == ECN_CE;
	if (ip[9] == PROTO_UDP) {
		parse_udp(ip + header_len, total - header_len, out);
	} else if (ip[9] == PROTO_ICMP && total - header_len >= ICMP_LEN &&
		   ip[header_len] == ICMP_ECHO_REQUEST) {
		out->payload = ip + header_len;
		out->payload_len = total - header_len;
		out->kind = ETHER_ECHO;
	}
}

void ether_parse(const uint8_t *frame, uint32_t len, struct ether_frame *out)
{
	out->kind = ETHER_OTHER;
	out->queue = 0;
	if (len < ETHER_HEADER_LEN)
		return;
	memcpy(out->src_mac, frame + ETHER_MAC_LEN, ETHER_MAC_LEN);
	switch (get_be16(frame + 12)) {
	case TYPE_ARP:
		parse_arp(frame + ETHER_HEADER_LEN, len - ETHER_HEADER_LEN, out);
		break;
	case TYPE_IPV4:
		parse_ipv4(frame + ETHER_HEADER_LEN, len - ETHER_HEADER_LEN, out);
		break;
	default:
		break;
	}
}

static void put_ipv4(uint8_t *out, const struct ether_path *path, uint8_t protocol,
	uint32_t payload_len)
{
	uint8_t *ip = out + ETHER_HEADER_LEN;

	memcpy(out, path->dst_mac, ETHER_MAC_LEN);
	memcpy(out + ETHER_MAC_LEN, path->src_mac, ETHER_MAC_LEN);
	put_be16(out + 12, TYPE_IPV4);
	ip[0] = 0x45;
	ip[1] = (uint8_t)(path->dscp << 2 | ECN_ECT0);
	put_be16(ip + 2, (uint16_t)(ETHER_IPV4_LEN + payload_len));
	put_be16(ip + 4, 0); /* DF: the identification means nothing (RFC 6864) */
	put_be16(ip + 6, IP_DF);
	ip[8] = IP_TTL;
	ip[9] = protocol;
	put_be16(ip + 10, 0);
	memcpy(ip + 12, path->src_ip.bytes + IP_V4_AT, IP_V4_LEN);
	memcpy(ip + 16, path->dst_ip.bytes + IP_V4_AT, IP_V4_LEN);
	put_be16(ip + 10, checksum(ip, ETHER_IPV4_LEN));
}

void ether_put_udp(uint8_t *out, const struct ether_path *path, uint32_t payload_len)
{
	uint8_t *udp = out + ETHER_HEADER_LEN + ETHER_IPV4_LEN;

	put_ipv4(out, path, PROTO_UDP, ETHER_UDP_LEN + payload_len);
	put_be16(udp, path->src_port);
	put_be16(udp + 2, path->dst_port);
	put_be16(udp + 4, (uint16_t)(ETHER_UDP_LEN + payload_len));
	put_be16(udp + 6, 0);
}

void ether_put_arp(uint8_t *out, const struct ether_path *path, const uint8_t *target_mac)
{
	static const uint8_t ethernet_ipv4[6] = {0, 1, 8, 0, 6, 4};
	uint8_t *arp = out + ETHER_HEADER_LEN;

	if (target_mac != NULL)
		memcpy(out, target_mac, ETHER_MAC_LEN);
	else
		memset(out, 0xff, ETHER_MAC_LEN);
	memcpy(out + ETHER_MAC_LEN, path->src_mac, ETHER_MAC_LEN);
	put_be16(out + 12, TYPE_ARP);
	memcpy(arp, ethernet_ipv4, sizeof(ethernet_ipv4));
	put_be16(arp + 6, target_mac != NULL ? ARP_REPLY : ARP_REQUEST);
	memcpy(arp + 8, path->src_mac, ETHER_MAC_LEN);
	memcpy(arp + 14, path->src_ip.bytes + IP_V4_AT, IP_V4_LEN);
	if (target_mac != NULL)
		memcpy(arp + 18, target_mac, ETHER_MAC_LEN);
	else
		memset(arp + 18, 0, ETHER_MAC_LEN);
	memcpy(arp + 24, path->dst_ip.bytes + IP_V4_AT, IP_V4_LEN);
}

uint32_t ether_put_echo(uint8_t *out, uint32_t max, const struct ether_path *path,
	const struct ether_frame *request)
{
	uint8_t *icmp = out + ETHER_HEADER_LEN + ETHER_IPV4_LEN;
	uint32_t len = ETHER_HEADER_LEN + ETHER_IPV4_LEN + request->payload_len;

	if (len > max)
		return 0;
	put_ipv4(out, path, PROTO_ICMP, request->payload_len);
	memcpy(icmp, request->payload, request->payload_len);
	icmp[0] = ICMP_ECHO_REPLY;
	put_be16(icmp + 2, 0);
	put_be16(icmp + 2, checksum(icmp, request->payload_len));
	return len;
}
