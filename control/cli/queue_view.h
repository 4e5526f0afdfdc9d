/* SPDX-License-Identifier: BSD-3-Clause */
/* The queues of a node as its operator reads them. */
#ifndef QUEUE_VIEW_H
#define QUEUE_VIEW_H

#include "control/cli/admin_client.h"
#include "control/queue_codec.h"

/* Asks the node; queue_list_fini after success. Returns what admin_client_call does. */
int queue_view_get(
	struct admin_client *admin, struct queue_list *list, struct fault *fault);

/* On standard output. */
void queue_view_print(const struct queue_list *list, bool json);

#endif
