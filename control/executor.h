/* SPDX-License-Identifier: BSD-3-Clause */
/* Decides what becomes of saves and of InstallSnapshot, in braft's order and with braft's
 * codes and texts (NodeImpl::handle_install_snapshot_request, SnapshotExecutor).
 *
 *   IDLE ─► SAVING ─► SAVE_COMMITTING ─► IDLE
 *   IDLE ─► DOWNLOADING ─► COMMITTING ─► LOADING ─► IDLE
 *               └─► CANCELLING ─► IDLE       any step that fails also leads to IDLE
 *
 * Pure. Each event fills an update, which the caller performs in field order: first the
 * work, whose end is again an event, then the log, then the answers. Work may end while
 * it is being started: the inner update is then performed inside the outer one. A call is
 * an opaque token of the caller's; every call is answered exactly once, provided that all
 * work reports its end, if need be with an error (EHOSTDOWN when a queue takes no more).
 * No state outlives its work, so nothing can be "saving" for ever. */
#ifndef EXECUTOR_H
#define EXECUTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/log_rule.h"
#include "control/peer_id.h"
#include "control/throttle.h"

enum executor_state {
	EXECUTOR_IDLE,
	EXECUTOR_SAVING,          /* the state machine writes */
	EXECUTOR_SAVE_COMMITTING, /* and the storage makes it durable */
	EXECUTOR_DOWNLOADING,
	EXECUTOR_CANCELLING, /* the copier was told to stop */
	EXECUTOR_COMMITTING, /* of the download; can no longer be interrupted */
	EXECUTOR_LOADING,    /* into the state machine */
};

enum {
	EXECUTOR_EREQUEST = 1003,  /* brpc's */
	EXECUTOR_EINTERNAL = 2001, /* brpc's */
	EXECUTOR_ANSWERS_MAX = 2,
	EXECUTOR_URI_MAX = 512, /* bytes with the NUL; a longer one counts as bad */
};

struct executor {
	enum executor_state state;
	bool is_stopped;
	/* set by the caller after init, when they differ from the defaults */
	bool is_unsupported;       /* there is no store */
	struct throttle *throttle; /* counts downloads; NULL: no cap */
	int64_t min_index_gap;     /* default 1; may change at any time */
	int64_t last_term;         /* of last_index */

	const char *inactive; /* braft's name of a state that is not active: "ERROR" */
	char group_id[256];
	struct peer_id self;
	int64_t term; /* the newest seen */
	bool has_leader;
	struct peer_id leader; /* of that term */
	int64_t last_index;    /* of the newest snapshot, 0: none */

	int64_t downloading; /* index under way, while there is a download */
	char uri[EXECUTOR_URI_MAX];
	void *owner;        /* the call that the download's end answers */
	int64_t owner_term; /* when it asked */
	struct log_id copied;

	void *saver;          /* which the save's end answers */
	struct log_id saving; /* while SAVE_COMMITTING */
};

struct executor_request {
	const char *group_id;
	const char *server_id;
	const char *peer_id;
	int64_t term;
	int64_t index; /* last_included_index */
	const char *uri;
};

enum executor_work {
	EXECUTOR_NO_WORK,
	EXECUTOR_COPY,        /* start the copier of executor.uri ─► on_copied */
	EXECUTOR_CANCEL_COPY, /* ─► on_copied with ECANCELED */
	EXECUTOR_LOAD, /* let the state machine load what was copied ─► on_loaded */
	EXECUTOR_SAVE, /* create a writer, let the state machine save ─► on_saved */
	EXECUTOR_COMMIT_SAVE, /* make durable what was saved ─► on_save_committed */
	EXECUTOR_ABORT_SAVE,  /* drop the writer, if there is one; reports nothing */
};

enum executor_log {
	EXECUTOR_LOG_NONE,
	EXECUTOR_LOG_SNAPSHOT, /* log_rule_on_snapshot with `snapshot` */
	EXECUTOR_LOG_IDLE,     /* log_rule_on_idle */
};

struct executor_answer {
	void *call;
	int code;       /* 0: a response, else an RPC error */
	int64_t term;   /* of InstallSnapshotResponse */
	bool success;   /* of InstallSnapshotResponse */
	char text[400]; /* of the error */
};

/* braft's ErrorType: what put the node in error. */
enum executor_fault {
	EXECUTOR_FAULT_NONE = 0,
	EXECUTOR_FAULT_SNAPSHOT = 3,
	EXECUTOR_FAULT_STATE_MACHINE = 4,
};

struct executor_update {
	enum executor_work work;
	enum executor_log log;
	struct log_id snapshot;
	bool adopts_configuration; /* take the group's members from the snapshot */
	enum executor_fault fault; /* the node is in error from now on */
	int fault_code;            /* positive errno */
	size_t nanswers;
	struct executor_answer answers[EXECUTOR_ANSWERS_MAX];
};

/* How a piece of work ended. */
struct executor_end {
	int code;         /* 0, or a positive errno or RPC code */
	const char *text; /* of the error */
	bool is_remote;   /* the code is a peer's: its broken disk is not ours */
	struct log_id snapshot;
};

/* Returns 0 or -EINVAL for a peer_id that does not parse or a group that is too long. */
int executor_init(struct executor *executor, const char *group_id, const char *peer_id,
	int64_t last_index, struct fault *fault);

/* AppendEntries with entries get EBUSY "Is installing snapshot"; no pre-vote begins. */
bool executor_is_installing(const struct executor *executor);

/* A leader's request. */
void executor_on_install(struct executor *executor,
	const struct executor_request *request, void *call,
	struct executor_update *update);
/* The copier could not even start, for its uri makes no sense. */
void executor_on_bad_uri(struct executor *executor, struct executor_update *update);
/* The copier begins to commit. Returns false when it was cancelled meanwhile. */
bool executor_on_commit(struct executor *executor);
/* The copier has ended; on success end->snapshot is durable (index 0: it cannot be read
 * back). EEXIST: it was durable before, when its load had failed. */
void executor_on_copied(struct executor *executor, const struct executor_end *end,
	struct executor_update *update);
/* What the state machine must not load: returns 0, or -ESTALE when it is ahead. */
int executor_check_load(
	const struct log_id *snapshot, int64_t last_applied, struct fault *fault);
/* The state machine has loaded what was copied, or could not. is_broken: its own code
 * failed, so that its state is neither the old nor the new. */
void executor_on_loaded(struct executor *executor, const struct executor_end *end,
	bool is_broken, struct executor_update *update);

/* Somebody wants a snapshot; call is NULL for the timer, which needs no answer. */
void executor_on_save(struct executor *executor, void *call, int64_t last_applied,
	struct executor_update *update);
/* The writer could not be created, the state machine's queue took no more, or the state
 * machine is done: end->snapshot is where its state stands in the log. */
void executor_on_saved(struct executor *executor, const struct executor_end *end,
	struct executor_update *update);
void executor_on_save_committed(struct executor *executor, const struct executor_end *end,
	struct executor_update *update);

/* A newer term, another leader (NULL: none known) or an end of leadership. */
void executor_on_step_down(struct executor *executor, int64_t term,
	const struct peer_id *leader, struct executor_update *update);
/* The node is in error: its log or its state machine failed elsewhere. */
void executor_on_error(struct executor *executor, struct executor_update *update);
/* The node stops. What is under way still reports its end, and then is answered;
 * executor_is_done tells when all has. */
void executor_on_stop(struct executor *executor, struct executor_update *update);
bool executor_is_done(const struct executor *executor);

#endif
