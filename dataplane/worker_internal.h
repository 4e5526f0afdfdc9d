/* SPDX-License-Identifier: BSD-3-Clause */
/* What worker.c, worker_link.c, worker_receive.c, worker_send.c and
 * worker_auto.c share. */
#ifndef WORKER_INTERNAL_H
#define WORKER_INTERNAL_H

#include "dataplane/worker.h"

/* The next free frame of the burst, or NULL when the nic does not take more now. */
struct nic_tx *worker_next_frame(struct worker *worker);

/* Sends what the sessions have to send, as far as nic and shaper let them. Returns
 * whether there was anything. */
bool worker_send(struct worker *worker, nsec now);
/* A session's own limits have changed. */
void worker_limit(struct worker *worker, struct session *session, nsec now);

/* Whether the rate is automatic may have changed. */
void worker_choose_auto(struct worker *worker, nsec now);
/* Before a turn of sending, ahead of the data: by its own frames a PROBE would measure
 * how long these take. */
void worker_ask_echoes(struct worker *worker, nsec now);
/* When to look for the ACKs of an automatic rate's packets, which must not lie here while
 * the worker sleeps: that would be taken for a queue. NEVER without any. */
nsec worker_look_deadline(const struct worker *worker);
/* At the end of a turn of sending: sets the automatic rate when it is time. */
void worker_follow_auto(struct worker *worker, nsec now);

/* Frames from the nic and from other workers. Returns whether there were any. */
bool worker_receive(struct worker *worker, nsec now);

/* The UDP port of this worker's queue. */
static inline uint16_t worker_port(const struct worker *worker)
{
	return (uint16_t)(worker->config.port + worker->config.queue);
}

/* A path from us to nobody yet. */
struct ether_path worker_own_path(const struct worker *worker);
/* Where a session that begins sends its frames. */
void worker_find_path(struct worker *worker, struct session *session, nsec now);
/* Whether the MAC of the next hop is known; asks for it if not, or when the peer has been
 * silent for so long that it may be elsewhere. */
bool worker_has_path(struct worker *worker, struct session *session, nsec now);

/* Sends the questions that are due. Returns whether there were any. */
bool worker_poll_neighbors(struct worker *worker, nsec now);
/* A question, an answer or an echo. */
void worker_on_neighbor(struct worker *worker, const struct ether_frame *frame, nsec now);

#endif
