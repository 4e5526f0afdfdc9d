/* SPDX-License-Identifier: BSD-3-Clause */
/* Fetches one snapshot from a leader and commits it: open, prepare, move, commit, close.
 *
 *   OPENING ─► PREPARING ─► MOVING ─► STOPPING ─► COMMITTING ─► CLOSING ─► ENDED
 *      │           │           ▲          ├─failed─► ABORTING ──┘
 *      │           │           └─wrong─ VERIFYING ─► COMMITTING
 *      └───────────┴──────────────── a fault ──────────┘
 *
 * Bytes move over the data plane, or over get_file when a side has no device; a leader
 * that does not know `open` is a stock braft node, whose table is all there is to go by.
 * Blocking work (directories, fsync) runs on libuv's thread pool, the rest on
 * the loop. Whatever happens, the store keeps its old snapshot until
 * the new one is durable, and on_end is called once. */
#ifndef COPIER_H
#define COPIER_H

#include "control/fetch_call.h"
#include "control/node/plane.h"
#include "control/storage/storage.h"
#include "control/transfer_codec.h"

struct uv_loop_s;
struct copier;
struct throttle_request;

enum copier_path {
	COPIER_AUTO, /* over a device when both sides have one that reaches the other */
	COPIER_DPDK, /* or not at all */
	COPIER_TCP,
};

struct copier_options {
	struct uv_loop_s *loop;
	struct storage *storage;
	struct plane *plane; /* NULL: this node has no device */
	enum copier_path path;
	struct fetch_policy policy; /* of the TCP path */
	bool meta_only;             /* no files: a witness */
	bool filters; /* use also what other snapshots and stock leaders left here */
	const char *address; /* of the leader's control port; copied */
	const char *group_id;
	const char *self; /* who asks, for the leader's operator */
	struct rank rank; /* what the leader is asked for */
	bool has_reader_id;
	int64_t reader_id; /* else the newest snapshot */
	int64_t index;     /* the one that was announced; 0: any */
	/* May refuse: the last moment before the commit, after which cancel has no
	 * effect. */
	bool (*may_commit)(void *ctx);
	/* fault is NULL on success. The copier is still readable; destroy it when done.
	 */
	void (*on_end)(void *ctx, const struct fault *fault);
	void *ctx;
};

/* Returns 0, -EINVAL (address), -ENOMEM or -EBUSY (no session slot). */
int copier_start(struct copier **copier, const struct copier_options *options,
	struct fault *fault);

/* Ends it with -ECANCELED unless it is committing already. on_end may be called inside.
 */
void copier_cancel(struct copier *copier, const char *why);

/* What an operator may order. Return 0, or -EBUSY: it is too late, or the leader's
 * operator holds it up. */
int copier_pause(struct copier *copier, bool is_paused, struct fault *fault);
/* How fast the leader may send. Returns 0, -EBUSY, -ENODEV: it goes over TCP, or -EINVAL:
 * before whom it goes is the leader's. */
int copier_throttle(struct copier *copier, const struct throttle_request *request,
	struct fault *fault);
/* As copier_cancel; says too whether what came is kept. */
int copier_give_up(struct copier *copier, const char *why, struct fault *fault);

/* After on_end, also from inside it. */
void copier_destroy(struct copier *copier);

/* Whether it failed by this node's own disk or memory, not by the leader or the network.
 */
bool copier_is_own_fault(const struct copier *copier);

/* Bytes that an interrupted copy or another snapshot had left here; of these, unchecked
 * the ones that were to be compared with the manifest while others come. */
uint64_t copier_found(const struct copier *copier, uint64_t *unchecked);

/* Numbers and stage for operators; id and peer are the caller's to fill. */
void copier_describe(struct copier *copier, struct transfer_info *info);

#endif
