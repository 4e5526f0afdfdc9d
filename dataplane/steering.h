/* SPDX-License-Identifier: BSD-3-Clause */
/* Finds a UDP source port whose packets land on the right queue of the peer's device.
 *
 *   we ── packet, source port p ──► the device hashes ports ──► some queue q
 *   we ◄── header's hint: "from p they land on q" ───────────── the peer
 *
 * While q is not the queue of our stripe, another port is tried. A port is named by its
 * low four bits, so that what is said of an earlier one is not taken for the present
 * one. Nothing depends on it: the peer hands such packets on to the right worker, it only
 * costs a copy. A peer that gives no hint leaves the port as it is. */
#ifndef STEERING_H
#define STEERING_H

#include <stdbool.h>
#include <stdint.h>

enum {
	STEERING_TRIES = 64,     /* ports; one of 8 queues is missed once in 5000 times */
	STEERING_PATIENCE = 16,  /* wrong hints about a port that was right before */
	STEERING_QUEUES_MAX = 8, /* what a hint can name */
};

/* How a packet for a stripe's UDP port comes to the queue of its worker. */
enum steered_by {
	STEERED_BY_ONE_QUEUE, /* there is no other */
	STEERED_BY_FLOW_RULE,
	STEERED_BY_QUEUE_IDENTITY, /* what is sent on queue r arrives on queue r */
	STEERED_BY_SOURCE_PORT,    /* one was found that the device hashes to it */
	STEERED_BY_HAND_OFF,       /* it does not: the worker it comes to passes it on */
};

struct steering {
	uint8_t wanted;   /* queue */
	uint8_t port;     /* low bits of the present one */
	bool is_settled;  /* it was seen to land right */
	uint32_t ntries;  /* ports tried in vain */
	uint32_t nmisses; /* wrong hints in a row since it was settled */
};

void steering_init(struct steering *steering, uint32_t wanted, uint16_t port);

/* What the peer says. Returns whether another port shall be used from now on. */
bool steering_on_hint(struct steering *steering, uint8_t hint);
/* The port was changed, for this reason or for another. */
void steering_on_port(struct steering *steering, uint16_t port);

/* "flow rule" */
const char *steering_name(enum steered_by steered_by);

/* What we say: packets from that port land on our queue. Never 0, which says nothing. */
uint8_t steering_hint(uint32_t queue, uint16_t port);

#endif
