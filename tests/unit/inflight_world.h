/* SPDX-License-Identifier: BSD-3-Clause */
/* A sender's packets under way, and the ACKs that come for them. */
#ifndef INFLIGHT_WORLD_H
#define INFLIGHT_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/base/bitmap.h"
#include "dataplane/inflight.h"

static struct inflight inflight;
static struct inflight_outcome outcome;

static inline int start(void **state)
{
	(void)state;
	inflight_init(&inflight);
	memset(&outcome, 0, sizeof(outcome));
	return 0;
}

/* Sends a slice that names its own packet. */
static inline uint64_t send(nsec now)
{
	const struct inflight_slice what = {
		.request = (uint32_t)inflight.next_pn, .slice = 1, .units = 22};

	assert_true(inflight_has_room(&inflight));
	return inflight_send(&inflight, &what, now);
}

static inline void send_many(uint32_t count, nsec now)
{
	for (uint32_t i = 0; i < count; i++)
		(void)send(now);
}

/* An ACK of the packets from first to last, sent at echo. */
static inline struct wire_ack ack_of(uint64_t first, uint64_t last, nsec echo)
{
	struct wire_ack ack = {.largest_pn = (uint32_t)last,
		.echo_time = wire_time(echo),
		.base_pn = (uint32_t)first,
		.nbits = (uint16_t)(last - first + 1)};

	for (uint32_t i = 0; i < ack.nbits; i++)
		bitmap_set(ack.bits, i);
	return ack;
}

static inline bool hear(uint64_t first, uint64_t last, nsec echo, nsec now)
{
	struct wire_ack ack = ack_of(first, last, echo);

	return inflight_on_ack(&inflight, &ack, &outcome, now);
}

#endif
