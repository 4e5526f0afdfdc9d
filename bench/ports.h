/* SPDX-License-Identifier: BSD-3-Clause */
/* DPDK ports for a bench, and an end's nic on two of them. Once in a process.
 *
 *   sender ──tx──► ports 0 ──rx──► receiver        (a net_ring loops back, so what one
 *   sender ◄──rx── ports 1 ◄──tx── receiver         end sends is the other's to take) */
#ifndef PORTS_H
#define PORTS_H

#include <stdint.h>

#include "dataplane/dpdk/eal.h"
#include "dataplane/dpdk/nic_dpdk.h"

enum { PORTS_MAX = 2, PORTS_MTU = 9000 };

struct end;

struct ports {
	struct eal *eal;
	uint32_t count;
	struct nic_dpdk *dpdk[PORTS_MAX];
	struct nic nics[PORTS_MAX];
};

/* An end's: sends into one port, receives from the other. */
struct cross {
	struct nic *out;
	struct nic *in;
	uint64_t packets; /* of data, sent */
	uint64_t bytes;   /* on the wire, sent */
};

/* Exits with a line when they cannot be had. */
void ports_open(struct ports *ports, const char *const devices[], uint32_t count);
void ports_close(struct ports *ports);

/* The first port refers to the end's chunk buffers instead of copying from them. All
 * chunks are alike, so one may be filled again while frames refer to it. Before the end
 * starts, once. */
void ports_share(const struct ports *ports, const struct end *end);

/* number 0 is the sender's. */
struct nic ports_cross(struct ports *ports, struct cross *cross, int number);

#endif
