/* SPDX-License-Identifier: BSD-3-Clause */
/* Performs what the executor decides: copies, saves, loads, what the log may forget, and
 * who is answered when. Loop thread. */
#ifndef MACHINE_H
#define MACHINE_H

#include "control/node/ask.h"

struct node;

/* Prepares node->executor from the options; storage and engine are open. Returns 0 or
 * -EINVAL. */
int machine_init(struct node *node, struct fault *fault);

/* A leader wants its snapshot installed. Takes ask over. */
void machine_install(
	struct node *node, const struct executor_request *request, struct ask *ask);
/* Takes ask over; NULL for the timer. */
void machine_save(struct node *node, struct ask *ask);
/* The log could not be cut: the node is in error. The engine has been told. */
void machine_on_log_fault(struct node *node, const struct fault *fault);
void machine_step_down(struct node *node, int64_t term);
void machine_stop(struct node *node);
/* Nothing is under way, everybody has been answered. */
bool machine_is_done(const struct node *node);

#endif
