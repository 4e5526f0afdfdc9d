/* SPDX-License-Identifier: BSD-3-Clause */
/* libraft catches its followers up through Snapline: a layer between the engine and its
 * I/O. README.md beside this file shows the lines that a program needs.
 *
 *   raft ─ raft_io ─► [ snapline_raft ] ─ raft_io ─► raft_uv
 *        ─ raft_fsm ► [               ] ─ snapline_raft_fsm ─► your state machine
 *                            │
 *                      snapline_node: snapshots on disk, and between nodes
 *
 * What libraft stores and sends as "the snapshot" is a reference of some hundred bytes;
 * the files are in Snapline's store and travel by Snapline's paths. An InstallSnapshot is
 * held back until its files are on the follower's disk, so heartbeats, votes and reads go
 * on meanwhile; what a leader repeats joins the transfer under way; a newer leader's
 * message continues it from there.
 *
 * Threads: every function here is called on the thread of the engine's uv loop. The
 * callbacks of struct snapline_raft_fsm say where they run. */
#ifndef SNAPLINE_RAFT_H
#define SNAPLINE_RAFT_H

#include <raft.h>

#include <snapline.h>

#ifdef __cplusplus
extern "C" {
#endif

struct uv_loop_s;
struct snapline_raft;

/* The state machine. Functions return 0 or a negative errno. A frozen state is kept until
 * thaw, a loaded one until adopt or discard. */
struct snapline_raft_fsm {
	void *ctx;
	/* Loop. Carries out one entry; the entry stays libraft's. *result is what the
	 * callback of raft_apply gets. A failure stops the engine: it is for bugs. */
	int (*apply)(void *ctx, const struct raft_buffer *entry, void **result);
	/* Loop. Remembers the state as it is now, without waiting: by copy on write. */
	int (*freeze)(void *ctx, void **frozen);
	/* Snapline's thread. Writes the frozen state to files below snapline_writer_path
	 * and adds each to the writer. Equal states should give equal bytes: then a
	 * transfer goes on when the leader changes, and what has not changed since the
	 * last snapshot is not sent. */
	int (*save)(void *ctx, void *frozen, struct snapline_writer *writer);
	/* Loop. Saved or not, it is no longer needed. */
	void (*thaw)(void *ctx, void *frozen);
	/* Snapline's thread, or the loop at start. Reads a snapshot into a new state
	 * beside the one in use. A failure puts the node in error. */
	int (*load)(void *ctx, const struct snapline_reader *reader, void **loaded);
	/* Loop. The loaded state becomes the state. */
	void (*adopt)(void *ctx, void *loaded);
	/* Any thread. It was not needed. */
	void (*discard)(void *ctx, void *loaded);
};

struct snapline_raft_options {
	struct raft *raft;      /* passed to raft_init afterwards; must outlive this */
	struct raft_io *io;     /* libraft's own: raft_uv_init; must outlive this */
	struct uv_loop_s *loop; /* of io */
	/* store, group, peer_id and so on; fsm and log are ours. The settings keep what
	 * a broken transfer has received unless they say otherwise. */
	struct snapline_options node;
	struct snapline_raft_fsm fsm;
};

/* Opens the store, reads its newest snapshot, starts the node. Returns what snapline_open
 * does. */
SNAPLINE_API int snapline_raft_open(struct snapline_raft **snapline,
	const struct snapline_raft_options *options, struct snapline_error *error);

/* What raft_init takes. */
SNAPLINE_API struct raft_io *snapline_raft_io(struct snapline_raft *snapline);
SNAPLINE_API struct raft_fsm *snapline_raft_fsm(struct snapline_raft *snapline);

/* After raft_init: values that long transfers live with. The timeout of InstallSnapshot
 * becomes 2 s: it only says how often a leader repeats the reference, and so how soon a
 * follower that was restarted goes on; pre-vote is on, so that a follower that has been
 * away does not unseat the leader that brings it up to date. */
SNAPLINE_API void snapline_raft_tune(struct snapline_raft *snapline);

/* After raft_close has called back (which has stopped the node), and before
 * raft_uv_close. If raft_start was never called successfully it stops the node itself,
 * and the loop must run once more. */
SNAPLINE_API void snapline_raft_close(struct snapline_raft *snapline);

/* For snapline_get_status, snapline_set_option and readers. */
SNAPLINE_API struct snapline_node *snapline_raft_node(struct snapline_raft *snapline);

struct snapline_raft_status {
	raft_index first_index; /* of the log: the first entry kept in memory */
	raft_index last_index;
	raft_index snapshot_index; /* of the newest that libraft knows, 0: none */
	bool is_saving;
	bool is_pulling;          /* an InstallSnapshot is held back */
	raft_index pulling_index; /* of its snapshot */
	unsigned offers;          /* snapshots held open for followers */
	uint64_t installs;        /* handed to the engine since the start */
	uint64_t joins;           /* repeated messages that joined a transfer */
	uint64_t failures;        /* transfers that ended without a snapshot */
};

SNAPLINE_API void snapline_raft_get_status(
	const struct snapline_raft *snapline, struct snapline_raft_status *status);

#ifdef __cplusplus
}
#endif

#endif
