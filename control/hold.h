/* SPDX-License-Identifier: BSD-3-Clause */
/* A Raft engine whose InstallSnapshot carries a reference instead of the bytes: what its
 * follower does with the messages that leaders send and repeat while the bytes come
 * another way. The message is held back until they are here, so that the engine goes on
 * with heartbeats and votes and never sees a snapshot that it would have to wait for.
 *
 *   IDLE ─install─► PULLING ─pulled─► IDLE: the engine gets the message, or it is dropped
 *                      └─newer leader─► CANCELLING ─pulled─► PULLING or IDLE
 *
 * Pure. One message is held at a time, and at most one of a newer leader waits. */
#ifndef HOLD_H
#define HOLD_H

#include <stdbool.h>
#include <stdint.h>

enum hold_state { HOLD_IDLE, HOLD_PULLING, HOLD_CANCELLING };

struct hold {
	enum hold_state state;
	bool is_stopped;
	bool has_next; /* CANCELLING: a newer leader's message waits */
	uint64_t term; /* of the leader whose message was taken last */
	int64_t index; /* PULLING: of the snapshot under way */
};

/* What becomes of a message, or of the pull that has ended. */
enum hold_verdict {
	HOLD_PASS,    /* the engine gets it now */
	HOLD_START,   /* keep it, and pull what it names */
	HOLD_JOIN,    /* a retry of what is under way, or no better: drop it */
	HOLD_REPLACE, /* keep it as the next one, and cancel the pull */
	HOLD_DROP,    /* forget what was held: the leader sends it again */
};

/* InstallSnapshot of a leader in that term. committed: what this node's log holds up to
 * there is committed, so that the engine needs no snapshot up to there and only answers.
 */
enum hold_verdict hold_on_install(
	struct hold *hold, uint64_t term, int64_t index, int64_t committed);

/* A leader of that term sent log entries or a heartbeat. Returns whether the pull under
 * way has to be cancelled: the engine would refuse an older leader's message. */
bool hold_on_leader(struct hold *hold, uint64_t term);

/* The pull has ended; is_here: its snapshot is on this node's disk. Returns HOLD_PASS,
 * HOLD_START (the message that waited) or HOLD_DROP. */
enum hold_verdict hold_on_pulled(struct hold *hold, bool is_here);

/* Nothing is passed or started any more. Returns whether a pull has to be cancelled. */
bool hold_on_stop(struct hold *hold);

#endif
