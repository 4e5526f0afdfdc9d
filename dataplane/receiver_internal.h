/* SPDX-License-Identifier: BSD-3-Clause */
/* What receiver.c and receiver_poll.c share. */
#ifndef RECEIVER_INTERNAL_H
#define RECEIVER_INTERNAL_H

#include "dataplane/receiver.h"

#define PULL_INTERVAL_MIN (5 * MSEC)
#define PULL_INTERVAL_MAX (250 * MSEC)

void receiver_move(struct receiver *receiver, enum receiver_state to);
void receiver_on_heard(struct receiver *receiver, nsec now);
/* Opens as many chunks as there are buffers and request numbers for. */
void receiver_ask_more(struct receiver *receiver);
/* The lowest number of an open request, or next_request. */
uint32_t receiver_oldest_request(const struct receiver *receiver);
void receiver_on_stall(struct receiver *receiver);

static inline bool receiver_is_over(const struct receiver *receiver)
{
	return receiver->state > RECEIVER_SUSPENDED;
}

#endif
