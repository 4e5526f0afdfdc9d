/* SPDX-License-Identifier: BSD-3-Clause */
/* A Snapline node: serves its store to followers, receives snapshots from leaders, takes
 * its own, and obeys an operator's socket. One Raft group.
 *
 *   TCP  braft.RaftService.install_snapshot, braft.FileService, snapline.TransferService,
 *        snapline.BenchService
 *   unix snapline.AdminService
 *   DPDK the data plane
 *
 *   node_open ─► the loop runs ─► node_stop ─► stopped ─► the loop ends ─► node_free */
#ifndef NODE_H
#define NODE_H

#include "control/snapline.h"
#include "control/snapshot_options.h"
#include "dataplane/base/fault.h"
#include "dataplane/transfer.h"

struct uv_loop_s;
struct node;

/* What may be changed while a node runs. */
struct node_rates {
	uint64_t rate_bps;      /* of each device, as in struct transfer_device */
	uint64_t burst;         /* the same */
	nsec auto_ceiling;      /* as in struct transfer_options */
	uint64_t disk_rate_bps; /* as in struct transfer_disk */
};

struct node_options {
	const char *store;                /* directory, created when missing */
	const char *listen;               /* HOST:PORT */
	const char *group;                /* group id */
	const char *peer_id;              /* IP:PORT:IDX */
	const char *admin;                /* unix socket; NULL: none */
	struct transfer_options transfer; /* ndevices 0: none; wake is set by the node */
	struct snapshot_options settings;
	/* node_run only: reads what SIGHUP shall change. NULL: nothing. */
	int (*reload)(void *ctx, struct node_rates *rates, struct fault *fault);
	void *reload_ctx;
	bool is_bench;           /* a tuner may set what BenchService says */
	struct snapline_fsm fsm; /* all NULL: no state machine */
	struct snapline_log log; /* all NULL: no log */
};

/* Opens the store, loads the newest snapshot, listens. Copies options. Blocks. Returns 0
 * or a negative errno with the fault; the loop must then be run once to its end. */
int node_open(struct node **node, struct uv_loop_s *loop,
	const struct node_options *options, struct fault *fault);

/* Loop thread. Ends what is under way, answers everybody, closes all handles: then the
 * loop runs out. Twice is once. */
void node_stop(struct node *node);

/* Loop thread. Holds for transfers under way as for those to come; a limit of one queue
 * stays. Returns 0, or -EAGAIN with the fault. */
int node_set_rates(
	struct node *node, const struct node_rates *rates, struct fault *fault);

/* After the loop has run out. */
void node_free(struct node *node);

/* Opens a node on a loop of its own, runs it until SIGTERM or SIGINT. Returns 0, or a
 * negative errno with the fault. */
int node_run(const struct node_options *options, struct fault *fault);

#endif
