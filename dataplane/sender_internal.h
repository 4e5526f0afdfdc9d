/* SPDX-License-Identifier: BSD-3-Clause */
/* What sender.c, sender_requests.c and sender_poll.c share. */
#ifndef SENDER_INTERNAL_H
#define SENDER_INTERNAL_H

#include "dataplane/sender.h"

void sender_move(struct sender *sender, enum sender_state to);

void sender_finish_request(struct sender *sender, struct sender_request *request);
/* Gets blocks for requests that wait for one, within what the window fills. */
void sender_prepare_requests(struct sender *sender, nsec now);
void sender_drop_requests(struct sender *sender);

/* Gives all blocks back; what is not acknowledged goes out again from the start. */
void sender_rewind(struct sender *sender);

void sender_fail(struct sender *sender, int code, uint32_t chunk);
/* Tells congestion control what an ACK or a timer has shown in sender->outcome. */
void sender_judge(struct sender *sender, nsec rtt, uint32_t nmarked, nsec now);
/* Marks what sender->outcome acknowledges, and queues again what it lost. */
void sender_apply(struct sender *sender);

/* sender_path.c: what is done when the way to the receiver, or the receiver, fails. */
void sender_on_heard(struct sender *sender, nsec now);
void sender_on_timers(struct sender *sender, nsec now);
nsec sender_timers_deadline(const struct sender *sender);
bool sender_poll_probe(struct sender *sender, struct packet *packet, nsec now);
/* Takes config.slice_size into use. */
void sender_slice(struct sender *sender);

static inline bool sender_is_over(const struct sender *sender)
{
	return sender->state > SENDER_SUSPENDED;
}

/* The unfinished request of that number, or NULL. */
static inline struct sender_request *sender_find_request(
	struct sender *sender, uint32_t number)
{
	struct sender_request *request = &sender->requests[number % SENDER_REQUESTS];

	if (request->state == REQUEST_FREE || request->number != number)
		return NULL;
	return request;
}

/* Packets that may be in flight now. */
static inline uint32_t sender_window(const struct sender *sender)
{
	return u32_min(cc_window(&sender->cc), sender->config.window);
}

#endif
