/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of the copier share. */
#ifndef COPIER_STATE_H
#define COPIER_STATE_H

#include <uv.h>

#include "control/node/copier.h"
#include "control/node/effort_mark.h"
#include "control/node/tcp_copy.h"
#include "control/node/tcp_read.h"
#include "control/offer.h"
#include "control/rpc/rpc.h"

enum copier_state {
	COPIER_OPENING,
	COPIER_PREPARING,
	COPIER_MOVING,
	COPIER_STOPPING,
	COPIER_VERIFYING, /* all is here; some of it is only said to be */
	COPIER_COMMITTING,
	COPIER_ABORTING,
	COPIER_CLOSING,
	COPIER_ENDED,
};

struct copier {
	struct copier_options options;
	enum copier_state state;
	struct fault fault; /* why it failed; code 0: it has not */
	struct fault work_fault;
	char *address;
	char *group_id;
	struct rpc_client *client;
	uv_timer_t timer;
	uv_work_t work;
	bool is_progress_due; /* no progress call is under way */
	uint32_t failed_calls;
	uint64_t done_at_failure;
	uint32_t session_id;
	uint8_t nonce[TRANSFER_NONCE_LEN];
	bool has_session; /* session_id is reserved and not started */
	bool is_own_fault;
	bool is_paused;        /* by this node's operator */
	bool is_leader_paused; /* by the leader's, who says so */
	bool has_convergence;  /* the leader has said how it stands: */
	struct transfer_convergence convergence;
	bool has_rate;          /* this node's operator has limited it */
	uint64_t rate_bps;      /* 0: nothing may come */
	bool is_session_paused; /* what the worker was told last */
	uint64_t silent_at;     /* suspended: when a packet came last; 0: it is not */
	bool is_stock;          /* the leader is braft's: no manifest, no close */
	enum copier_path path;  /* taken; AUTO: not chosen yet */
	struct tcp_read *table; /* being read from a stock leader */
	struct tcp_copy *tcp;
	uint64_t *skip; /* stock: a bit a file of the table that is here; NULL: none */
	bool has_offer;
	bool is_here_already;
	struct offer offer;
	struct transfer_endpoint leader;
	struct storage_writer *writer;
	struct store_object *object;
	struct journal_file *journal; /* of what comes into the object; NULL: none */
	struct resume_check *check;   /* of what the last journal says; NULL: none */
	uint64_t *sound;    /* a bit a chunk but those found wrong; NULL: none was */
	uint64_t found;     /* bytes that were here, checked or believed */
	uint64_t unchecked; /* of these, believed */
	struct transfer_stats before; /* of the move before what was wrong came again */
	struct transfer_stats stats;
	uint64_t began;
	uint64_t ended;
	uint64_t entered; /* when the state was */
	struct effort_mark mark;
	struct effort_report report;
};

/* Asserts that the move is allowed. */
void copier_move(struct copier *copier, enum copier_state to);

/* copier_open.c: what is offered; ends in copier_prepare or copier_close_at_leader */
int copier_call_open(struct copier *copier, struct fault *fault);
void copier_cancel_open(struct copier *copier);

/* copier_move.c: the bytes; ends in copier_commit or copier_abort */
void copier_prepare(struct copier *copier);
/* Pulls the chunks that are not in copier->sound, over get_file. */
int copier_repair(struct copier *copier);
/* Commits, or gives up: nothing writes to the files any more. */
void copier_settle(struct copier *copier);
/* Ends the move early, or at its end. */
void copier_stop_move(struct copier *copier);
void copier_read_stats(struct copier *copier);
void copier_on_report(void *ctx, const struct transfer_report *report);
void copier_release_session(struct copier *copier);

/* copier_resume.c: what was here before */
int copier_open_files(struct copier *copier, struct fault *fault);
/* Closes what copier_open_files has opened; is_kept: for a later attempt. Returns 0, or
 * an errno when a sync has failed: temp is not to be trusted. Blocks. */
int copier_close_files(struct copier *copier, bool is_kept, struct fault *fault);
/* While VERIFYING: goes on when it is known what of it was right. */
void copier_on_check(struct copier *copier);

/* copier_pause.c: the wire follows what both operators want */
void copier_apply_pause(struct copier *copier);
/* What was ordered before holds for the session. Returns what transfer_set_session_rate
 * does. */
int copier_apply_rate(struct copier *copier);

/* copier_leader.c: what the leader is told */
void copier_report_progress(struct copier *copier);
/* Says goodbye with copier->fault, then ends. */
void copier_close_at_leader(struct copier *copier);

/* copier_commit.c: what the thread pool does with the disk */
typedef void (*copier_worker)(uv_work_t *work);
void copier_run_work(struct copier *copier, copier_worker work, uv_after_work_cb after);
void copier_abort(struct copier *copier);
void copier_commit(struct copier *copier);

#endif
