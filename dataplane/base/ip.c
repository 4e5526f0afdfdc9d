/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/base/ip.h"

#include <arpa/inet.h>
#include <errno.h>

#include "dataplane/base/parse.h"

bool ip_is_none(const struct ip *ip)
{
	static const struct ip none;

	return ip_is_equal(ip, &none);
}

bool ip_is_link_local(const struct ip *ip)
{
	return ip->bytes[0] == 0xfe && (ip->bytes[1] & 0xc0) == 0x80;
}

bool ip_is_unicast(const struct ip *ip)
{
	static const struct ip loopback = {{[IP_LEN - 1] = 1}};
	uint8_t first = ip->bytes[IP_V4_AT];

	if (ip_is_v4(ip)) /* 224 and above: groups, reserved, broadcast */
		return first != 0 && first != 127 && first < 224;
	return !ip_is_none(ip) && ip->bytes[0] != 0xff && !ip_is_equal(ip, &loopback);
}

uint32_t ip_bits(const struct ip *ip)
{
	return ip_is_v4(ip) ? 8 * IP_V4_LEN : 8 * IP_LEN;
}

bool ip_is_in(const struct ip *ip, const struct ip *subnet, uint32_t prefix_len)
{
	bool v4 = ip_is_v4(subnet);
	uint32_t bits = prefix_len + (v4 ? IP_V4_PREFIX : 0);
	uint32_t whole = bits / 8;
	uint32_t mask = 0xff00u >> bits % 8 & 0xff;

	if (ip_is_v4(ip) != v4 || bits > 8 * IP_LEN ||
		memcmp(ip->bytes, subnet->bytes, whole) != 0)
		return false;
	return whole == IP_LEN || ((ip->bytes[whole] ^ subnet->bytes[whole]) & mask) == 0;
}

bool ip_is_on_link(const struct ip *ip, const struct ip *device, uint32_t prefix_len)
{
	return ip_is_in(ip, device, prefix_len) ||
	       (ip_is_link_local(ip) && !ip_is_v4(device));
}

int ip_parse(struct ip *ip, const char *text)
{
	uint8_t v4[IP_V4_LEN];
	struct ip v6;

	if (inet_pton(AF_INET, text, v4) == 1) {
		ip_set_v4(ip, v4);
		return 0;
	}
	if (inet_pton(AF_INET6, text, v6.bytes) != 1 || ip_is_v4(&v6))
		return -EINVAL;
	*ip = v6;
	return 0;
}

int ip_parse_subnet(struct ip *ip, uint8_t *prefix_len, const char *text)
{
	const char *slash = strchr(text, '/');
	char address[IP_TEXT_MAX];
	uint64_t bits;
	struct ip parsed;

	if (slash == NULL || slash - text >= IP_TEXT_MAX)
		return -EINVAL;
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	if (ip_parse(&parsed, address) != 0 || parse_u64(slash + 1, &bits) != 0 ||
		bits > ip_bits(&parsed))
		return -EINVAL;
	*ip = parsed;
	*prefix_len = (uint8_t)bits;
	return 0;
}

char *ip_format(char text[static IP_TEXT_MAX], const struct ip *ip)
{
	if (ip_is_v4(ip))
		(void)inet_ntop(AF_INET, ip->bytes + IP_V4_AT, text, IP_TEXT_MAX);
	else
		(void)inet_ntop(AF_INET6, ip->bytes, text, IP_TEXT_MAX);
	return text;
}
