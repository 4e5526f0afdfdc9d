/* SPDX-License-Identifier: BSD-3-Clause */
/* A Snapline node: serves its store to followers, receives snapshots from leaders, and
 * obeys an operator's socket. One Raft group.
 *
 *   TCP  braft.RaftService.install_snapshot, snapline.TransferService
 *   unix snapline.AdminService
 *   DPDK the data plane */
#ifndef NODE_H
#define NODE_H

#include "dataplane/base/fault.h"
#include "dataplane/transfer.h"

struct node_options {
	const char *store;                /* directory, created when missing */
	const char *listen;               /* HOST:PORT */
	const char *group;                /* group id */
	const char *peer_id;              /* IP:PORT:IDX */
	const char *admin;                /* unix socket; NULL: none */
	struct transfer_options transfer; /* wake is set by the node */
};

/* Runs until SIGTERM or SIGINT. Returns 0, or a negative errno with the fault. */
int node_run(const struct node_options *options, struct fault *fault);

#endif
