/* SPDX-License-Identifier: BSD-3-Clause */
/* Which of our devices talks to which of the peer's. */
#ifndef ROUTE_H
#define ROUTE_H

#include <stdint.h>

#include "dataplane/base/fault.h"
#include "dataplane/transfer.h"

struct route {
	uint32_t local;      /* index into our endpoints */
	uint32_t peer;       /* index into the peer's */
	uint32_t slice_size; /* bytes, what both take */
	uint32_t stripes;    /* the fewer queues of both */
};

/* The first pair of which one side's subnet holds the other's address; without one, the
 * first of which each side has the other in its subnet or a gateway. Returns 0;
 * -EHOSTUNREACH when there is none, naming addresses; -EINVAL when a pair cannot carry
 * the smallest slice (CACHE_SLICE_MIN). */
int route_find(struct route *route, const struct transfer_endpoint *local,
	uint32_t nlocal, const struct transfer_endpoint *peer, uint32_t npeer,
	struct fault *fault);

/* "10.0.0.1/24" or "fd00::1/64", of a device. Returns 0 or -EINVAL with what is wrong. */
int route_parse_ip(
	const char *text, struct ip *ip, uint8_t *prefix_len, struct fault *fault);

/* "10.0.0.2=02:00:00:00:00:02": the MAC of a host. Returns 0 or -EINVAL with what is
 * wrong. */
int route_parse_neighbor(
	const char *text, struct transfer_neighbor *neighbor, struct fault *fault);

/* "10.0.0.254" or "fe80::1", a router that the device `of` reaches: of its family, in its
 * subnet or link-local. Returns 0 or -EINVAL with what is wrong. */
int route_parse_gateway(
	const char *text, struct transfer_device *of, struct fault *fault);

#endif
