/* SPDX-License-Identifier: BSD-3-Clause */
/* An IP address of either family, in one form: 16 bytes, IPv4 as ::ffff:a.b.c.d. */
#ifndef IP_H
#define IP_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
	IP_LEN = 16,
	IP_V4_LEN = 4,
	IP_V4_AT = 12,     /* where an IPv4 address stands in the 16 bytes */
	IP_V4_PREFIX = 96, /* bits before it */
	IP_TEXT_MAX = 46,  /* bytes with the NUL */
};

/* All zero: none. */
struct ip {
	uint8_t bytes[IP_LEN]; /* network byte order */
};

/* An initialiser. */
#define IP_V4(a, b, c, d)                                                                \
	{                                                                                \
		{                                                                        \
			0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, (a), (b), (c), (d)     \
		}                                                                        \
	}

/* Sets an IPv4 address from its four bytes. */
static inline void ip_set_v4(struct ip *ip, const uint8_t bytes[static IP_V4_LEN])
{
	static const uint8_t mapped[IP_V4_AT] = {[10] = 0xff, [11] = 0xff};

	memcpy(ip->bytes, mapped, IP_V4_AT);
	memcpy(ip->bytes + IP_V4_AT, bytes, IP_V4_LEN);
}

static inline bool ip_is_equal(const struct ip *one, const struct ip *other)
{
	return memcmp(one->bytes, other->bytes, IP_LEN) == 0;
}

static inline bool ip_is_v4(const struct ip *ip)
{
	static const struct ip v4 = IP_V4(0, 0, 0, 0);

	return memcmp(ip->bytes, v4.bytes, IP_V4_AT) == 0;
}

bool ip_is_none(const struct ip *ip);
/* fe80::/10 */
bool ip_is_link_local(const struct ip *ip);
/* What a device may have: not none, a group's, or loopback's. */
bool ip_is_unicast(const struct ip *ip);

/* 32 or 128. */
uint32_t ip_bits(const struct ip *ip);
/* Whether the first prefix_len bits are those of subnet; never across families. */
bool ip_is_in(const struct ip *ip, const struct ip *subnet, uint32_t prefix_len);

/* Whether a device with this address reaches `ip` without a router: in its subnet, or
 * link-local, for every IPv6 device has that link. */
bool ip_is_on_link(const struct ip *ip, const struct ip *device, uint32_t prefix_len);

/* "10.0.0.1" or "fd00::1". Returns 0 or -EINVAL; an IPv4 address written as IPv6 is
 * refused, for nobody can tell which of the two is meant. */
int ip_parse(struct ip *ip, const char *text);
/* The same with "/24". */
int ip_parse_subnet(struct ip *ip, uint8_t *prefix_len, const char *text);
char *ip_format(char text[static IP_TEXT_MAX], const struct ip *ip);

#endif
