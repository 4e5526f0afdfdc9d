/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of a node share: one struct, all of it on the loop's thread. */
#ifndef NODE_STATE_H
#define NODE_STATE_H

#include <uv.h>

#include "control/executor.h"
#include "control/node/copier.h"
#include "control/node/engine_queue.h"
#include "control/node/mailbox.h"
#include "control/node/node.h"
#include "control/node/outgoing.h"
#include "control/node/pins.h"
#include "control/node/saver.h"
#include "control/node/served.h"
#include "control/node/tcp_serve.h"
#include "control/node/tuning.h"
#include "control/rpc/rpc.h"
#include "control/snapshot_timer.h"
#include "control/throttle_braft.h"

/* The snapshot being received, and what became of the last one. */
struct incoming {
	struct copier *copier; /* NULL: none */
	int64_t id;
	char peer[TRANSFER_PEER_MAX];
	bool has_last;
	struct transfer_info last;
};

struct node {
	uv_loop_t *loop;
	char *group;
	char *peer_id;
	char *listen;
	char *admin_path; /* NULL: none */
	struct snapshot_options settings;
	struct storage *storage;
	struct engine engine;
	struct engine_queue queue;
	struct mailbox mailbox;
	struct executor executor;
	struct saver *saver; /* NULL: none */
	struct throttle_braft throttle;
	struct snapshot_timer timer;
	uv_timer_t timer_handle;
	struct engine_job log_job; /* measures the log for the timer */
	bool is_measuring;
	uint64_t log_entries; /* since the newest snapshot, as last measured */
	uint64_t log_bytes;
	struct plane *plane; /* NULL: no device */
	struct tcp_serve *tcp;
	uv_timer_t watcher;
	uv_timer_t stopper;
	bool is_stopping;
	uint32_t stop_polls;
	struct served_list served;
	struct outgoing_list outgoing;
	struct pins pins;
	struct tuning tuning;
	struct incoming incoming;
	struct rpc_server *server;
	struct rpc_server *admin;
};

/* node.c: what the settings say of get_file calls */
struct fetch_policy node_fetch_policy(struct node *node);
/* Something was decided and answered: the executor may be idle again. */
void node_on_settled(struct node *node);

/* node_timer.c: when this node saves by itself */
void node_timer_start(struct node *node);
void node_timer_on_settled(struct node *node);
void node_timer_on_settings(struct node *node);
void node_timer_stop(struct node *node);

/* serve.c: TransferService and FileService */
void serve_open(void *ctx, struct rpc_call *call);
void serve_progress(void *ctx, struct rpc_call *call);
void serve_close(void *ctx, struct rpc_call *call);
void serve_get_file(void *ctx, struct rpc_call *call);

/* install.c: InstallSnapshot, both ways */
void install_on_request(void *ctx, struct rpc_call *call);

/* Who waits for a snapshot to be sent. */
struct install_starter {
	/* It is under way as transfer id, or could not start: id 0 and why. Once. */
	void (*started)(void *ctx, int64_t id, const struct fault *fault);
	/* After it was started: the end, code 0 when the follower has it. May be NULL. */
	void (*ended)(void *ctx, const struct fault *fault);
	void *ctx;
	bool is_forced;   /* also to a follower that has lately not converged */
	struct rank rank; /* not said: as the settings say */
};

/* Brings a peer up to date with this node's newest snapshot. */
void install_start(
	struct node *node, const char *peer, const struct install_starter *starter);

/* admin_queue.c: queues and rates on the operator's socket */
void admin_queues(void *ctx, struct rpc_call *call);
void admin_set_rate(void *ctx, struct rpc_call *call);
void admin_set_disk_rate(void *ctx, struct rpc_call *call);
void admin_throttle(void *ctx, struct rpc_call *call);
/* admin.c: who has transfer id, unless it has ended. *outgoing is NULL when it is the
 * incoming one. Returns 0 or -ENOENT. */
int admin_find(
	struct node *node, int64_t id, struct outgoing **outgoing, struct fault *fault);

/* admin.c: the operator's socket */
extern const struct rpc_method admin_methods[];

#endif
