/* SPDX-License-Identifier: BSD-3-Clause */
/* Who has which MAC: the ARP table of one port (RFC 826).
 *
 * Entries are made by the first neighbor_resolve for an address and learn only from
 * replies to what we asked for, or from requests addressed to us by somebody we already
 * want to reach. Nothing a stranger sends creates an entry. */
#ifndef NEIGHBOR_H
#define NEIGHBOR_H

#include "dataplane/ether.h"

enum { NEIGHBORS_MAX = 64 };

struct neighbor {
	bool used;
	bool is_known;  /* mac is valid */
	bool is_asking; /* a request should go out at ask_at */
	bool was_asked; /* a request went out, a reply may overwrite mac */
	struct ip ip;
	uint8_t mac[ETHER_MAC_LEN];
	nsec ask_at;
	nsec retry; /* until the next request: 20 ms, doubling to 1 s */
};

struct neighbors {
	struct neighbor table[NEIGHBORS_MAX];
};

void neighbors_init(struct neighbors *neighbors);

/* The MAC of an on-link address. Returns false while it is not known; the question is
 * asked by the following polls, after 20 ms at first, then ever more slowly. A known MAC
 * is asked for again every 30 s, so that a peer that came back on another port is found.
 */
bool neighbors_resolve(struct neighbors *neighbors, const struct ip *ip,
	uint8_t mac[static ETHER_MAC_LEN], nsec now);

/* Asks again at once: a peer may have come back with another MAC. */
void neighbors_refresh(struct neighbors *neighbors, const struct ip *ip, nsec now);

/* An ARP frame came in. */
void neighbors_on_arp(
	struct neighbors *neighbors, const struct ether_frame *frame, nsec now);

/* The next address to send an ARP request for; false when there is none now. */
bool neighbors_poll(struct neighbors *neighbors, struct ip *ip, nsec now);

nsec neighbors_deadline(const struct neighbors *neighbors);

#endif
