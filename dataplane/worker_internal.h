/* SPDX-License-Identifier: BSD-3-Clause */
/* What worker.c, worker_send.c and worker_receive.c share. */
#ifndef WORKER_INTERNAL_H
#define WORKER_INTERNAL_H

#include "dataplane/worker.h"

/* The next free frame of the burst, or NULL when the nic does not take more now. */
struct nic_tx *worker_next_frame(struct worker *worker);
/* Whether the MAC of the next hop is known; asks for it if not. */
bool worker_has_path(struct worker *worker, struct session *session, nsec now);

/* Sends what the sessions have to send, as far as nic and shaper let them. Returns
 * whether there was anything. */
bool worker_send(struct worker *worker, nsec now);
/* A session's own limits have changed. */
void worker_limit(struct worker *worker, struct session *session, nsec now);

/* Frames from the nic and from other workers. Returns whether there were any. */
bool worker_receive(struct worker *worker, nsec now);

/* target_mac NULL asks, else it answers. Dropped when the nic takes no more now. */
void worker_send_arp(
	struct worker *worker, const struct ip *ip, const uint8_t *target_mac);
void worker_send_echo(struct worker *worker, const struct ether_frame *request);

/* The UDP port of this worker's queue. */
static inline uint16_t worker_port(const struct worker *worker)
{
	return (uint16_t)(worker->config.port + worker->config.queue);
}

#endif
