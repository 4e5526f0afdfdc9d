/* SPDX-License-Identifier: BSD-3-Clause */
/* When a get_file call may be made, and made again: throttle tokens, retries, and the
 * wait after a leader's EAGAIN.
 *
 *   READY ─begin─► SENT ─end─► READY (answered) or WAITING (again later) ─time─► begin
 *
 * EAGAIN means that the leader's throttle is used up, or that another read is under way.
 * braft waits a fixed second then, so that a throttle of ten cycles a second delivers an
 * eighth of what it allows. Here the wait begins at 1 ms, doubles, and is bounded by a
 * tenth of the leader's cycle, which is measured: it is the time from one answer after an
 * EAGAIN to the next such. So at most about a tenth of a cycle is lost. A throttle of
 * the follower's own only bounds this wait: its tokens went back, and it may not be the
 * one that is used up. */
#ifndef FETCH_CALL_H
#define FETCH_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "control/file_segment.h"
#include "control/throttle.h"
#include "dataplane/base/units.h"

#define FETCH_WAIT_MIN MSEC
#define FETCH_WAIT_MAX (100 * MSEC)

/* braft's options for a copy. */
struct fetch_policy {
	struct throttle *throttle; /* the follower's; NULL: none */
	uint32_t max_count;        /* bytes a call: raft_max_byte_count_per_rpc */
	bool read_partly;          /* raft_allow_read_partly_when_install_snapshot */
	uint32_t max_retry;        /* failures in a row, EAGAIN apart, before giving up */
	nsec retry_interval;       /* after a failure */
	nsec timeout;              /* of a call */
	nsec connect_timeout;      /* raft_rpc_channel_connect_timeout_ms; 0: none */
};

/* What all calls to one leader have learnt about its throttle. */
struct fetch_pace {
	bool is_stalled;   /* the last answer was EAGAIN */
	nsec recovered_at; /* 0: never yet */
	nsec cycle;        /* measured; 0: not yet */
};

struct fetch_call {
	enum { FETCH_CALL_READY, FETCH_CALL_WAITING, FETCH_CALL_SENT } state;
	nsec not_before;           /* while waiting */
	uint32_t failures;         /* in a row */
	uint32_t refusals;         /* EAGAIN in a row */
	struct throttle *throttle; /* that granted; NULL: none */
	uint64_t granted;          /* bytes */
	nsec granted_at;
};

/* A get_file to be sent. */
struct fetch_request {
	uint32_t call; /* goes back with the answer */
	const char *name;
	uint64_t offset;  /* bytes */
	uint64_t count;   /* bytes */
	bool read_partly; /* less is welcome */
	nsec timeout;
};

/* Its answer. */
struct fetch_reply {
	int code;         /* 0, or as on the wire */
	const char *text; /* of a failure */
	bool eof;
	bool has_read_size;
	int64_t read_size; /* bytes of the file covered, holes included */
	struct file_segment_cursor attachment;
};

/* How a copy stands. */
enum fetch_state { FETCH_RUNNING, FETCH_DONE, FETCH_FAILED };

/* How many bytes of the file, holes included, the answer to a request covers. An old peer
 * sends no read_size: then all that was asked for, or at eof what the segments hold.
 * Returns 0 or -EBADMSG: not an answer to this request. */
int fetch_reply_len(const struct fetch_reply *reply, const struct fetch_request *request,
	uint64_t *len);

/* 128 KiB a call, read partly, 3 retries, 1 s apart, 10 s each: braft's defaults. */
struct fetch_policy fetch_policy_default(void);

/* The call is to be made for up to want bytes, at least 1. Returns how many may be asked
 * for now; 0: not before fetch_call_deadline. */
uint64_t fetch_call_begin(struct fetch_call *call, const struct fetch_policy *policy,
	uint64_t want, nsec now);

/* The call was answered with code (0 or the wire code) and an attachment of used bytes.
 * Returns 0: use the answer; -EAGAIN: begin again, later; or -code: given up. */
int fetch_call_end(struct fetch_call *call, struct fetch_pace *pace,
	const struct fetch_policy *policy, int code, uint64_t used, nsec now);

/* The call will not be answered any more: its tokens go back. */
void fetch_call_abandon(struct fetch_call *call, nsec now);

/* When to begin again; NEVER unless waiting. */
nsec fetch_call_deadline(const struct fetch_call *call);

#endif
