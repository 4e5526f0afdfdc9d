/* SPDX-License-Identifier: BSD-3-Clause */
/* One blocking call at a time to a node's operator socket. */
#ifndef ADMIN_CLIENT_H
#define ADMIN_CLIENT_H

#include <uv.h>

#include "control/rpc/rpc.h"
#include "control/transfer_codec.h"

struct admin_client {
	uv_loop_t loop;
	struct rpc_client *client;
};

/* path is the node's --admin. Returns 0, -EINVAL or -ENOMEM. */
int admin_client_open(struct admin_client *admin, const char *path, struct fault *fault);
void admin_client_close(struct admin_client *admin);

/* Calls snapline.AdminService. On success *answer is malloc'ed. Returns 0, or a negative
 * errno or wire code with the node's own words. */
int admin_client_call(struct admin_client *admin, const char *method,
	struct rpc_bytes message, struct rpc_bytes *answer, struct fault *fault);

/* Calls `list`; transfer_list_fini after success. */
int admin_client_list(struct admin_client *admin, const struct list_request *request,
	struct transfer_list *list, struct fault *fault);

/* One transfer of the node's. Returns 0, -ENOENT when it is not listed any more, or what
 * admin_client_call does. */
int admin_client_find(struct admin_client *admin, int64_t id, struct transfer_info *info,
	struct fault *fault);

/* Waits without burning the CPU. */
void admin_client_sleep(unsigned int ms);

#endif
