/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/route.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { SLICE_MIN = 1024, SLICE_UNIT = 64 };

int route_parse_ip(
	const char *text, struct ip *ip, uint8_t *prefix_len, struct fault *fault)
{
	struct ip parsed;

	if (ip_parse_subnet(&parsed, prefix_len, text) != 0)
		return fault_set(fault, -EINVAL,
			"'%.60s' is not an address with a prefix length, such as "
			"10.0.0.1/24 or fd00::1/64",
			text);
	if (!ip_is_unicast(&parsed))
		return fault_set(fault, -EINVAL,
			"'%.60s' is not an address of one host: give the device one of "
			"its own, such as 10.0.0.1/24 or fd00::1/64",
			text);
	*ip = parsed;
	return 0;
}

int route_parse_gateway(const char *text, struct transfer_device *of, struct fault *fault)
{
	char ip[IP_TEXT_MAX];
	struct ip parsed;

	if (ip_parse(&parsed, text) != 0 || !ip_is_unicast(&parsed))
		return fault_set(fault, -EINVAL,
			"'%.60s' is not the address of a router, such as 10.0.0.254 or "
			"fd00::fe",
			text);
	if (ip_is_v4(&parsed) != ip_is_v4(&of->ip))
		return fault_set(fault, -EINVAL,
			"%s is not of the family of %s: give a router that both speak",
			text, ip_format(ip, &of->ip));
	if (ip_is_equal(&parsed, &of->ip))
		return fault_set(fault, -EINVAL,
			"%s is the device itself: give the router's address", text);
	if (!ip_is_on_link(&parsed, &of->ip, of->prefix_len))
		return fault_set(fault, -EINVAL,
			"%s is not in the subnet of %s/%u: give a router on that link",
			text, ip_format(ip, &of->ip), of->prefix_len);
	of->gateway = parsed;
	return 0;
}

/* Six bytes in hexadecimal; the last of them ends the text. */
static bool parse_mac(const char *text, uint8_t mac[static 6])
{
	unsigned int byte[6];
	char end;

	/* sscanf alone takes blanks and signs before each number */
	if (text[strspn(text, "0123456789abcdefABCDEF:")] != '\0' ||
		sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &byte[0], &byte[1], &byte[2],
			&byte[3], &byte[4], &byte[5], &end) != 6)
		return false;
	for (size_t i = 0; i < 6; i++)
		mac[i] = (uint8_t)byte[i];
	return (mac[0] & 1) == 0; /* of one host, not of a group */
}

int route_parse_neighbor(
	const char *text, struct transfer_neighbor *neighbor, struct fault *fault)
{
	const char *equals = strchr(text, '=');
	char ip[IP_TEXT_MAX] = "";

	if (equals != NULL && equals - text < IP_TEXT_MAX)
		memcpy(ip, text, (size_t)(equals - text));
	if (ip_parse(&neighbor->ip, ip) != 0 || !ip_is_unicast(&neighbor->ip) ||
		!parse_mac(equals + 1, neighbor->mac))
		return fault_set(fault, -EINVAL,
			"'%.80s' is not the address and MAC of a host, such as "
			"10.0.0.2=02:00:00:00:00:02",
			text);
	return 0;
}

/* Whether the subnet of `of` holds `address`. */
static bool holds(
	const struct transfer_endpoint *of, const struct transfer_endpoint *address)
{
	return ip_is_in(&address->ip, &of->ip, of->prefix_len);
}

static int agree(struct route *route, const struct transfer_endpoint *local,
	const struct transfer_endpoint *peer, struct fault *fault)
{
	uint32_t size =
		u32_min(local[route->local].slice_size, peer[route->peer].slice_size);

	size -= size % SLICE_UNIT;
	if (size < SLICE_MIN)
		return fault_set(fault, -EINVAL,
			"the link carries slices of %u bytes only, %d are needed: raise "
			"the "
			"MTU to 1100 or more on both sides",
			size, SLICE_MIN);
	route->slice_size = size;
	route->stripes =
		u32_max(u32_min(local[route->local].queues, peer[route->peer].queues), 1);
	return 0;
}

static bool share_a_link(
	const struct transfer_endpoint *one, const struct transfer_endpoint *other)
{
	return holds(one, other) || holds(other, one);
}

static bool share_a_router(
	const struct transfer_endpoint *one, const struct transfer_endpoint *other)
{
	return ip_is_v4(&one->ip) == ip_is_v4(&other->ip) &&
	       (one->has_gateway || holds(one, other)) &&
	       (other->has_gateway || holds(other, one));
}

int route_find(struct route *route, const struct transfer_endpoint *local,
	uint32_t nlocal, const struct transfer_endpoint *peer, uint32_t npeer,
	struct fault *fault)
{
	char ours[IP_TEXT_MAX] = "no device";
	char theirs[IP_TEXT_MAX] = "no device";
	uint32_t npairs = nlocal * npeer;

	/* all pairs twice: a router is asked only when none shares a link */
	for (uint32_t i = 0; i < 2 * npairs; i++) {
		const struct transfer_endpoint *here = &local[i % npairs / npeer];
		const struct transfer_endpoint *there = &peer[i % npeer];
		bool reach = i < npairs ? share_a_link(here, there)
					: share_a_router(here, there);

		if (there->slice_size == 0 || !reach)
			continue;
		route->local = i % npairs / npeer;
		route->peer = i % npeer;
		return agree(route, local, peer, fault);
	}
	if (nlocal > 0)
		(void)ip_format(ours, &local[0].ip);
	if (npeer > 0)
		(void)ip_format(theirs, &peer[0].ip);
	return fault_set(fault, -EHOSTUNREACH,
		"no data plane path: this node has %s%s, the peer has %s%s; give both a "
		"--dev with an --ip in one subnet, or a --gateway",
		ours, nlocal > 1 ? " and more" : "", theirs,
		npeer > 1 ? " and more" : "");
}
