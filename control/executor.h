/* SPDX-License-Identifier: BSD-3-Clause */
/* Decides what becomes of an InstallSnapshot request, in braft's order and with braft's
 * codes (NodeImpl::handle_install_snapshot_request, register_downloading_snapshot).
 *
 *   IDLE ──start──► DOWNLOADING ──copied, commit begins──► COMMITTING ──► IDLE
 *                      └─cancel─► CANCELLING ──────────────────────────────┘
 *
 * Pure: the caller performs the step that comes back, then answers. A call is an opaque
 * token of the caller's; every call is answered exactly once. */
#ifndef EXECUTOR_H
#define EXECUTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "control/peer_id.h"

enum executor_state {
	EXECUTOR_IDLE,
	EXECUTOR_DOWNLOADING,
	EXECUTOR_CANCELLING, /* the copier was told to stop */
	EXECUTOR_COMMITTING, /* can no longer be interrupted */
};

struct executor {
	enum executor_state state;
	bool is_stopped;
	char group_id[256];
	struct peer_id self;
	int64_t term; /* the newest seen */
	bool has_leader;
	struct peer_id leader; /* of that term */
	int64_t last_index;    /* of the newest snapshot, 0: none */
	int64_t downloading;   /* index under way, when not IDLE */
	void *owner;           /* the call that its end answers; NULL: nobody waits */
};

struct executor_request {
	const char *group_id;
	const char *server_id;
	const char *peer_id;
	int64_t term;
	int64_t index; /* last_included_index */
};

enum executor_step {
	EXECUTOR_ANSWER, /* answer the call now */
	EXECUTOR_START,  /* start the copier; its end answers the call */
	EXECUTOR_JOIN, /* the running copier's end answers the call; answer `replaced` */
	EXECUTOR_CANCEL, /* cancel the copier, and answer the call now */
};

struct executor_answer {
	int code;         /* 0: a response, else an RPC error */
	const char *text; /* of the error */
	int64_t term;     /* of the response */
	bool success;     /* of the response */
	void *replaced;   /* JOIN: this older call gets code and text */
};

/* Returns 0 or -EINVAL for a peer_id that does not parse or a group that is too long. */
int executor_init(struct executor *executor, const char *group_id, const char *peer_id,
	int64_t last_index, struct fault *fault);

enum executor_step executor_on_install(struct executor *executor,
	const struct executor_request *request, void *call,
	struct executor_answer *answer);

/* The copier begins to commit. Returns false when it was cancelled meanwhile. */
bool executor_on_commit(struct executor *executor);

/* The copier has ended: code 0 with the committed index, or a positive errno with its
 * text. Returns the call to answer, or NULL. */
void *executor_on_copied(struct executor *executor, int code, const char *text,
	int64_t index, struct executor_answer *answer);

/* The node stops. Returns whether a copier is to be cancelled. */
bool executor_on_stop(struct executor *executor);

#endif
