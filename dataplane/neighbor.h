/* SPDX-License-Identifier: BSD-3-Clause */
/* Who has which MAC: the neighbours of one port, by ARP (RFC 826) or neighbour discovery
 * (RFC 4861).
 *
 * Entries are made by the first neighbors_resolve for an address and learn only from
 * answers to what we asked, or from questions to us by somebody we already want to reach.
 * Nothing a stranger sends creates an entry. What an operator has set is never asked for
 * nor changed. */
#ifndef NEIGHBOR_H
#define NEIGHBOR_H

#include "dataplane/ether.h"

enum { NEIGHBORS_MAX = 64 };

struct neighbor {
	bool used;
	bool is_set;    /* by an operator */
	bool is_known;  /* mac is valid */
	bool is_asking; /* a question should go out at ask_at */
	bool was_asked; /* a question went out, an answer may overwrite mac */
	struct ip ip;
	uint8_t mac[ETHER_MAC_LEN];
	nsec known_at; /* when mac was learnt */
	nsec ask_at;
	nsec retry; /* until the next question: 20 ms, doubling to 1 s */
};

struct neighbors {
	nsec quiet_until; /* no question is due before */
	struct neighbor table[NEIGHBORS_MAX];
};

void neighbors_init(struct neighbors *neighbors);

/* Sets the MAC of an address for good. Returns 0, or -ENOSPC when half of the table is
 * taken by such. */
int neighbors_set(struct neighbors *neighbors, const struct ip *ip,
	const uint8_t mac[static ETHER_MAC_LEN]);
bool neighbors_is_set(const struct neighbors *neighbors, const struct ip *ip);

/* The MAC as last learnt, however long ago. Returns false when it never was. */
bool neighbors_recall(const struct neighbors *neighbors, const struct ip *ip,
	uint8_t mac[static ETHER_MAC_LEN]);

/* The MAC of an on-link address, if it was learnt at `since` or later. Else returns false
 * and asks: the question comes with the following polls, after 20 ms again, then ever
 * more slowly. */
bool neighbors_resolve(struct neighbors *neighbors, const struct ip *ip, nsec since,
	uint8_t mac[static ETHER_MAC_LEN], nsec now);

/* A question or an answer came in. */
void neighbors_on_frame(
	struct neighbors *neighbors, const struct ether_frame *frame, nsec now);

/* The next address to ask for; false when there is none now. */
bool neighbors_poll(struct neighbors *neighbors, struct ip *ip, nsec now);

nsec neighbors_deadline(const struct neighbors *neighbors);

#endif
