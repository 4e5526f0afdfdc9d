/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/route.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/base/bytes.h"

enum { SLICE_MIN = 1024, SLICE_UNIT = 64 };

char *route_format_ip(char text[static 16], const uint8_t ip[static 4])
{
	(void)snprintf(text, 16, "%u.%u.%u.%u", ip[0], ip[1], ip[2], ip[3]);
	return text;
}

int route_parse_ip(
	const char *text, uint8_t ip[static 4], uint8_t *prefix_len, struct fault *fault)
{
	unsigned int part[5];
	char end;

	/* sscanf alone takes blanks and signs before each number */
	if (text[strspn(text, "0123456789./")] != '\0' ||
		sscanf(text, "%3u.%3u.%3u.%3u/%2u%c", &part[0], &part[1], &part[2],
			&part[3], &part[4], &end) != 5 ||
		part[4] > 32)
		return fault_set(fault, -EINVAL,
			"'%.40s' is not an IPv4 address with a prefix length, such as "
			"10.0.0.1/24",
			text);
	for (size_t i = 0; i < 4; i++) {
		if (part[i] > 255)
			return fault_set(fault, -EINVAL,
				"'%.40s': %u is not a number from 0 to 255", text,
				part[i]);
		ip[i] = (uint8_t)part[i];
	}
	*prefix_len = (uint8_t)part[4];
	return 0;
}

/* Whether the subnet of `of` holds `address`. */
static bool holds(
	const struct transfer_endpoint *of, const struct transfer_endpoint *address)
{
	uint32_t differ = get_be32(of->ip) ^ get_be32(address->ip);

	if (of->prefix_len == 0 ||
		of->prefix_len > 32) /* no shift by 32 or less than 0 */
		return of->prefix_len == 0;
	return differ >> (32 - of->prefix_len) == 0;
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
	return (one->has_gateway || holds(one, other)) &&
	       (other->has_gateway || holds(other, one));
}

int route_find(struct route *route, const struct transfer_endpoint *local,
	uint32_t nlocal, const struct transfer_endpoint *peer, uint32_t npeer,
	struct fault *fault)
{
	char ours[16] = "no device";
	char theirs[16] = "no device";
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
		(void)route_format_ip(ours, local[0].ip);
	if (npeer > 0)
		(void)route_format_ip(theirs, peer[0].ip);
	return fault_set(fault, -EHOSTUNREACH,
		"no data plane path: this node has %s%s, the peer has %s%s; give both a "
		"--dev with an --ip in one subnet, or a --gateway",
		ours, nlocal > 1 ? " and more" : "", theirs,
		npeer > 1 ? " and more" : "");
}
