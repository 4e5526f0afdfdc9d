/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of a node share: one struct, all of it on the loop's thread. */
#ifndef NODE_STATE_H
#define NODE_STATE_H

#include <uv.h>

#include "control/executor.h"
#include "control/node/copier.h"
#include "control/node/node.h"
#include "control/node/outgoing.h"
#include "control/node/served.h"
#include "control/rpc/rpc.h"

/* The snapshot being received, and what became of the last one. */
struct incoming {
	struct copier *copier; /* NULL: none */
	int64_t id;
	char peer[TRANSFER_PEER_MAX];
	bool has_last;
	struct transfer_info last;
};

struct node {
	const struct node_options *options;
	uv_loop_t loop;
	uv_signal_t on_sigterm;
	uv_signal_t on_sigint;
	uv_timer_t stopper;
	bool is_stopping;
	uint32_t stop_polls;
	struct storage *storage;
	struct plane *plane;
	struct executor executor;
	struct served_list served;
	struct outgoing_list outgoing;
	struct incoming incoming;
	struct rpc_server *server;
	struct rpc_server *admin;
};

/* serve.c: TransferService, and the end of every outgoing transfer */
void serve_open(void *ctx, struct rpc_call *call);
void serve_progress(void *ctx, struct rpc_call *call);
void serve_close(void *ctx, struct rpc_call *call);

/* install.c: InstallSnapshot, both ways */
void install_on_request(void *ctx, struct rpc_call *call);
void install_on_stop(struct node *node);
/* The operator wants this node to bring a peer up to date. Answers the call. */
void install_start(struct node *node, const char *peer, struct rpc_call *call);

/* admin.c: the operator's socket */
extern const struct rpc_method admin_methods[];

#endif
