/* SPDX-License-Identifier: BSD-3-Clause */
/* What worker.c and worker_send.c share. */
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

#endif
