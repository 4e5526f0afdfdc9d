/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "dataplane/base/bytes.h"
#include "dataplane/ether_internal.h"

/* ff02::1, all nodes of the link, and its MAC (RFC 2464). */
static const struct ip all_nodes = {{0xff, 2, [IP_LEN - 1] = 1}};
static const uint8_t all_nodes_mac[ETHER_MAC_LEN] = {0x33, 0x33, 0, 0, 0, 1};

static uint8_t *put_link(uint8_t *out, const struct ether_path *path, uint16_t type)
{
	memcpy(out, path->dst_mac, ETHER_MAC_LEN);
	memcpy(out + ETHER_MAC_LEN, path->src_mac, ETHER_MAC_LEN);
	out += 2 * ETHER_MAC_LEN;
	if (path->vlan != 0) {
		put_be16(out, TYPE_VLAN);
		put_be16(out + 2, path->vlan);
		out += ETHER_VLAN_LEN;
	}
	put_be16(out, type);
	return out + 2;
}

static uint32_t add_halves(uint32_t word)
{
	return (word >> 16) + (word & 0xffff);
}

/* The sum is made of what is written, not of the bytes: a wide load of bytes that were
 * stored in parts just now has to wait until they are in the cache. */
static void put_ipv4(uint8_t *ip, const struct ether_path *path, uint8_t protocol,
	uint32_t payload_len)
{
	uint32_t traffic_class = (uint32_t)path->dscp << 2 | ECN_ECT0;
	uint32_t first =
		0x45u << 24 | traffic_class << 16 | (ETHER_IPV4_LEN + payload_len);
	uint32_t third = (uint32_t)IP_HOPS << 24 | (uint32_t)protocol << 16;
	uint32_t src = get_be32(path->src_ip.bytes + IP_V4_AT);
	uint32_t dst = get_be32(path->dst_ip.bytes + IP_V4_AT);
	uint32_t sum = add_halves(first) + IP_DF + add_halves(third) + add_halves(src) +
		       add_halves(dst);

	put_be32(ip, first);
	put_be32(ip + 4, IP_DF); /* the identification means nothing (RFC 6864) */
	put_be32(ip + 8, third | (uint16_t)~sum16_fold(sum));
	put_be32(ip + 12, src);
	put_be32(ip + 16, dst);
}

/* The ports as 20 bits, for routers that spread flows without looking behind the header
 * (RFC 6437). */
static uint32_t flow_label(const struct ether_path *path)
{
	return ((uint32_t)path->src_port << 16 | path->dst_port) * 2654435761u >> 12;
}

static void put_ipv6(uint8_t *ip, const struct ether_path *path, uint8_t protocol,
	uint32_t payload_len)
{
	uint32_t traffic_class = (uint32_t)path->dscp << 2 | ECN_ECT0;

	put_be32(ip, 6u << 28 | traffic_class << 20 | flow_label(path));
	put_be16(ip + 4, (uint16_t)payload_len);
	ip[6] = protocol;
	ip[7] = IP_HOPS;
	memcpy(ip + 8, path->src_ip.bytes, IP_LEN);
	memcpy(ip + 24, path->dst_ip.bytes, IP_LEN);
}

void ether_put_udp(uint8_t *out, const struct ether_path *path, uint32_t payload_len)
{
	uint32_t len = ETHER_UDP_LEN + payload_len;
	uint8_t *ip, *udp;

	if (ip_is_v4(&path->src_ip)) {
		ip = put_link(out, path, TYPE_IPV4);
		put_ipv4(ip, path, PROTO_UDP, len);
		udp = ip + ETHER_IPV4_LEN;
	} else {
		ip = put_link(out, path, TYPE_IPV6);
		put_ipv6(ip, path, PROTO_UDP, len);
		udp = ip + ETHER_IPV6_LEN;
	}
	put_be16(udp, path->src_port);
	put_be16(udp + 2, path->dst_port);
	put_be16(udp + 4, (uint16_t)len);
	put_be16(udp + 6,
		path->sum != ETHER_SUM_NIC
			? 0
			: ether_pseudo_sum(&path->src_ip, &path->dst_ip, PROTO_UDP, len));
}

void ether_seal_udp(uint8_t *out, const struct ether_path *path, uint32_t head_len,
	uint16_t payload_sum)
{
	uint32_t before = ether_udp_headers(path) - ETHER_UDP_LEN;
	uint8_t *udp = out + before;
	uint16_t sum;

	if (path->sum != ETHER_SUM_SOFT)
		return;
	sum = ether_pseudo_sum(
		&path->src_ip, &path->dst_ip, PROTO_UDP, get_be16(udp + 4));
	sum = sum16_add(sum, sum16(udp, head_len - before));
	sum = (uint16_t)~sum16_add(sum, payload_sum);
	put_be16(udp + 6, sum == 0 ? 0xffff : sum); /* 0 would say there is none */
}

static uint32_t put_arp(uint8_t *out, const struct ether_path *path, uint16_t operation)
{
	static const uint8_t broadcast[ETHER_MAC_LEN] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	bool asks = operation == ARP_REQUEST;
	uint8_t *arp = put_link(out, path, TYPE_ARP);

	if (asks)
		memcpy(out, broadcast, ETHER_MAC_LEN);
	memcpy(arp, ether_arp_ipv4, sizeof(ether_arp_ipv4));
	put_be16(arp + 6, operation);
	memcpy(arp + 8, path->src_mac, ETHER_MAC_LEN);
	memcpy(arp + 14, path->src_ip.bytes + IP_V4_AT, IP_V4_LEN);
	memset(arp + 18, 0, ETHER_MAC_LEN);
	if (!asks)
		memcpy(arp + 18, path->dst_mac, ETHER_MAC_LEN);
	memcpy(arp + 24, path->dst_ip.bytes + IP_V4_AT, IP_V4_LEN);
	return (uint32_t)(arp + ARP_LEN - out);
}

static void seal_icmpv6(uint8_t *icmp, const struct ether_path *path, uint32_t len)
{
	uint16_t sum = ether_pseudo_sum(&path->src_ip, &path->dst_ip, PROTO_ICMPV6, len);

	put_be16(icmp + 2, 0);
	put_be16(icmp + 2, (uint16_t)~sum16_add(sum, sum16(icmp, len)));
}

/* type and flags as one number. */
static uint32_t put_nd(uint8_t *out, const struct ether_path *path, uint16_t type_flags,
	const struct ip *target)
{
	enum { LEN = ND_LEN + ND_OPTION_LEN };
	bool asks = type_flags >> 8 == ND_SOLICITATION;
	uint8_t *ip = put_link(out, path, TYPE_IPV6);
	uint8_t *nd = ip + ETHER_IPV6_LEN;

	put_ipv6(ip, path, PROTO_ICMPV6, LEN);
	ip[7] = ND_HOPS;
	memset(nd, 0, 8);
	nd[0] = (uint8_t)(type_flags >> 8);
	nd[4] = (uint8_t)type_flags;
	memcpy(nd + 8, target->bytes, IP_LEN);
	nd[24] = asks ? ND_SOURCE_MAC : ND_TARGET_MAC;
	nd[25] = ND_OPTION_LEN / 8;
	memcpy(nd + 26, path->src_mac, ETHER_MAC_LEN);
	seal_icmpv6(nd, path, LEN);
	return (uint32_t)(nd + LEN - out);
}

/* The group that all hosts join whose address ends like this one: ff02::1:ffxx:xxxx. */
static void solicited_node(struct ip *group, uint8_t *mac, const struct ip *ip)
{
	static const struct ip prefix = {{0xff, 2, [11] = 1, [12] = 0xff}};

	*group = prefix;
	memcpy(group->bytes + 13, ip->bytes + 13, 3);
	mac[0] = 0x33;
	mac[1] = 0x33;
	memcpy(mac + 2, group->bytes + 12, 4);
}

uint32_t ether_put_question(uint8_t *out, const struct ether_path *path)
{
	struct ether_path to_group = *path;

	if (ip_is_v4(&path->src_ip))
		return put_arp(out, path, ARP_REQUEST);
	solicited_node(&to_group.dst_ip, to_group.dst_mac, &path->dst_ip);
	return put_nd(out, &to_group, ND_SOLICITATION << 8, &path->dst_ip);
}

uint32_t ether_put_answer(uint8_t *out, const struct ether_path *path)
{
	uint16_t type_flags = ND_ADVERTISEMENT << 8 | ND_OVERRIDE;
	struct ether_path to_all = *path;

	if (ip_is_v4(&path->src_ip))
		return put_arp(out, path, ARP_REPLY);
	if (!ip_is_none(&path->dst_ip))
		return put_nd(out, path, type_flags | ND_SOLICITED, &path->src_ip);
	to_all.dst_ip = all_nodes;
	memcpy(to_all.dst_mac, all_nodes_mac, ETHER_MAC_LEN);
	return put_nd(out, &to_all, type_flags, &path->src_ip);
}

uint32_t ether_put_echo(uint8_t *out, uint32_t max, const struct ether_path *path,
	const struct ether_frame *request)
{
	bool v4 = ip_is_v4(&path->src_ip);
	uint32_t before = ether_link_len(path) + ether_ip_len(&path->src_ip);
	uint32_t len = request->payload_len;
	uint8_t *icmp = out + before;
	uint8_t *ip;

	if (before + len > max)
		return 0;
	ip = put_link(out, path, v4 ? TYPE_IPV4 : TYPE_IPV6);
	memcpy(icmp, request->payload, len);
	if (v4) {
		put_ipv4(ip, path, PROTO_ICMP, len);
		icmp[0] = ICMP_ECHO_REPLY;
		put_be16(icmp + 2, 0);
		put_be16(icmp + 2, (uint16_t)~sum16(icmp, len));
	} else {
		put_ipv6(ip, path, PROTO_ICMPV6, len);
		icmp[0] = ICMPV6_ECHO_REPLY;
		seal_icmpv6(icmp, path, len);
	}
	return before + len;
}
