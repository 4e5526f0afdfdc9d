/* SPDX-License-Identifier: BSD-3-Clause */
/* The key-value server: what its files share. One uv loop on one thread. */
#ifndef KV_H
#define KV_H

#include <raft.h>
#include <raft/uv.h>
#include <uv.h>

#include "control/kv/entry.h"
#include "control/raft/snapline_raft.h"
#include "dataplane/base/fault.h"

enum { KV_ADDRESS_MAX = 64 }; /* bytes with the NUL of "IP:PORT" */

struct client;
struct batch;

struct kv {
	uv_loop_t loop;
	raft_id id;
	char address[KV_ADDRESS_MAX]; /* clients come here */
	char raft_address[KV_ADDRESS_MAX];
	struct raft_uv_transport transport;
	struct raft_io uv;
	struct raft raft;
	struct snapline_raft *snapline;

	struct keys *keys;
	uint8_t results[ENTRY_OPS_MAX]; /* of the entry applied last */

	uv_tcp_t listener;
	uv_prepare_t prepare; /* at the end of a loop's turn: proposes and flushes */
	uv_signal_t sigterm;
	uv_signal_t sigint;
	struct client *clients;
	struct batch *batch; /* writes of this turn; NULL: none */
	bool is_closing;
	bool has_raft; /* raft_init has succeeded */
	int exit_code;
};

/* machine.c: the state machine */
void machine_fill(struct snapline_raft_fsm *fsm, struct kv *kv);

/* client.c: connections. Returns 0, or a negative errno with the fault. */
int client_listen(struct kv *kv, struct fault *fault);
void client_flush_all(struct kv *kv);
void client_close_all(struct kv *kv);

/* write.c: proposes what has come in during this turn */
void write_propose(struct kv *kv);

/* Stops, once. Loop thread. */
void kv_stop(struct kv *kv, int exit_code);

/* The addresses of one server: clients at PORT, libraft at PORT + 1, Snapline at PORT
 * + 2. Returns 0, or -EINVAL with the fault. */
int kv_address(const char *text, int offset, char out[static KV_ADDRESS_MAX],
	struct fault *fault);

#endif
