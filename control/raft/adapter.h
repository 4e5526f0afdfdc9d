/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files behind snapline_raft.h share: one struct, on the loop's thread but for
 * what says otherwise. */
#ifndef ADAPTER_H
#define ADAPTER_H

#include <stdatomic.h>

#include <uv.h>

#include "control/hold.h"
#include "control/log_size.h"
#include "control/raft/snapline_raft.h"
#include "control/reference_codec.h"

/* A snapshot held open for one follower under a uri of its own. */
struct offer {
	struct offer *next;
	raft_id server;
	raft_index index;
	raft_time sent; /* ms, when it was last sent */
	struct snapline_reader *reader;
	char uri[URI_TEXT_MAX];
	uint8_t root[REFERENCE_ROOT_LEN];
};

/* An InstallSnapshot that the engine has not seen yet. */
struct held {
	bool is_used;
	struct raft_message message; /* owns conf and data */
	char *address;               /* of the message */
	struct reference reference;
};

/* How work on Snapline's threads ended; the lock guards it. */
struct news {
	bool is_pulled;
	bool is_here;
	bool is_barred; /* the leader serves it no snapshot for a while */
	char why[400];  /* not here */
	bool is_saved;
	int save_code; /* positive errno, braft's code, or 0 */
	char save_text[400];
	struct reference saved;
};

/* A state that was read and not adopted; the lock guards it. */
struct loaded {
	void *state; /* NULL: none */
	int64_t index;
	uint8_t root[REFERENCE_ROOT_LEN];
};

/* libraft's log, as Snapline's thread may look at it; the lock guards it. */
struct seen_log {
	int64_t first;
	int64_t last;
	struct log_size size;
};

struct snapline_raft {
	struct raft_io io;   /* what the engine sees */
	struct raft_fsm fsm; /* what the engine sees */
	struct raft *raft;
	struct raft_io *inner;
	struct snapline_raft_fsm user;
	struct snapline_node *node; /* NULL once it is closed */
	char peer_id[PEER_ID_TEXT_MAX];
	uv_async_t async;
	uv_mutex_t lock;
	struct news news;
	struct loaded loaded;
	struct seen_log seen;
	_Atomic int64_t applied; /* read by Snapline's threads */
	int64_t state_index;     /* of the snapshot that the state was loaded from */

	raft_io_tick_cb tick;
	raft_io_recv_cb recv;
	raft_io_close_cb closed;
	bool is_closing;

	struct hold hold;
	struct held held;  /* being pulled */
	struct held next;  /* waits for the end of a cancelled pull */
	raft_time pull_at; /* ms: not before, from the leader of bar_term */
	raft_term bar_term;
	uint64_t installs;
	uint64_t joins;
	uint64_t failures;

	struct offer *offers;

	/* one save at a time; written before it is asked for, so that Snapline's thread
	 * sees them */
	void *frozen; /* NULL: none */
	void *early;  /* frozen at early_index, in case the engine asks; NULL: none */
	int64_t early_index;
	int64_t last_command; /* index of the entry applied last */
	raft_time save_at;    /* ms: not before, after saves that failed */
	unsigned save_wait; /* ms, grows with every failure; 0: the last one succeeded */
	struct reference saving;
	struct raft_io_async_work *work;
	raft_io_async_work_cb worked;
};

/* keep.c: the log kept for followers in flight */
void keep_init(struct snapline_raft *snapline);
void keep_fill(struct snapline_log *log, struct snapline_raft *snapline);
void keep_on_load(struct snapline_raft *snapline, raft_index start,
	const struct raft_entry *entries, size_t count);
void keep_on_append(
	struct snapline_raft *snapline, const struct raft_entry *entries, unsigned count);
/* That entry and all behind it are gone. */
void keep_on_truncate(struct snapline_raft *snapline, raft_index first_gone);
int keep_snapshot_put(struct snapline_raft *snapline, unsigned trailing,
	struct raft_io_snapshot_put *req, const struct raft_snapshot *snapshot,
	raft_io_snapshot_put_cb cb);

/* save.c: the engine's snapshots */
void save_init(struct snapline_raft *snapline);
int save_async_work(
	struct raft_io *io, struct raft_io_async_work *req, raft_io_async_work_cb cb);
/* An entry is about to be applied. */
void save_before_apply(struct snapline_raft *snapline, int64_t index);
/* What was frozen early was not asked for. */
void save_forget_early(struct snapline_raft *snapline);
void save_on_news(struct snapline_raft *snapline, const struct news *news);
/* struct snapline_fsm */
void save_on_snapshot_save(
	void *ctx, struct snapline_writer *writer, struct snapline_save *save);

/* restore.c: loading what is in the store */
int restore_on_snapshot_load(void *ctx, const struct snapline_reader *reader);
int restore_fsm(struct raft_fsm *fsm, struct raft_buffer *buf);
/* Lets go of a state that was loaded and that the log has overtaken. */
void restore_on_tick(struct snapline_raft *snapline);
void restore_fini(struct snapline_raft *snapline);

/* receive.c: InstallSnapshot at a follower */
void receive_message(struct snapline_raft *snapline, struct raft_message *message);
void receive_on_news(struct snapline_raft *snapline, const struct news *news);
/* Cancels, and forgets what is held. */
void receive_stop(struct snapline_raft *snapline);
void receive_fini(struct snapline_raft *snapline);

/* offer.c: InstallSnapshot at a leader */
int offer_send(struct snapline_raft *snapline, struct raft_io_send *req,
	const struct raft_message *message, raft_io_send_cb cb);
void offer_on_result(struct snapline_raft *snapline, const struct raft_message *message);
/* Lets go of what nobody comes for any more. */
void offer_on_tick(struct snapline_raft *snapline);
void offer_close_all(struct snapline_raft *snapline);

#endif
