/* SPDX-License-Identifier: BSD-3-Clause */
/* Will a follower in flight find the log it needs when its snapshot has arrived?
 *
 *   log ─── snapshot ──┬───────── kept for the follower ─────────┬──► grows
 *                      first entry it needs                      last entry
 *
 *   horizon  until what is kept reaches its limit, at the growth of late
 *   need     until the snapshot is there, at the rate of late
 *   need <= horizon: converging, by that margin; otherwise it will not, and then, in this
 *   order: say so, raise the transfer, keep more log, and at last give up with the
 * reason.
 *
 * Elsewhere this loops for ever: the leader compacts, the follower asks for the next
 * snapshot, and so on. Pure: the caller measures, acts and owns the clock. */
#ifndef CONVERGENCE_H
#define CONVERGENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/units.h"

enum {
	CONVERGENCE_SAMPLES = 16,
	CONVERGENCE_TEXT_MAX = 160,   /* bytes that hold any description */
	CONVERGENCE_REASON_MAX = 320, /* bytes that hold any reason */
};

enum convergence_verdict {
	CONVERGENCE_MEASURING, /* too little seen yet: about a second */
	CONVERGENCE_YES,
	CONVERGENCE_NO,
	CONVERGENCE_LOST, /* the hard limit was reached: CONVERGENCE_FAIL was said */
};

/* What the caller shall do; each is said once, FAIL as the last. */
enum convergence_action {
	CONVERGENCE_NOTHING,
	CONVERGENCE_SAY,   /* the verdict has changed: log it */
	CONVERGENCE_RAISE, /* give the transfer all that its limits allow */
	CONVERGENCE_PIN,   /* the soft limit no longer holds: keep up to the hard one */
	CONVERGENCE_FAIL,  /* let the log go and fail the transfer */
};

/* Of the log kept for a follower; UINT64_MAX: none. */
struct convergence_limit {
	uint64_t bytes;
	uint64_t entries;
};

struct convergence_config {
	struct convergence_limit soft;
	struct convergence_limit hard; /* at least soft */
};

/* How fast a count has grown over the newest samples. */
struct convergence_meter {
	uint32_t nsamples; /* in all */
	struct {
		uint64_t count;
		nsec at;
	} samples[CONVERGENCE_SAMPLES];
};

struct convergence {
	struct convergence_config config;
	enum convergence_verdict verdict;
	bool is_said; /* the caller knows the verdict */
	bool is_raised;
	bool is_stretched; /* the hard limit rules */
	bool is_missing;   /* entries it will need are gone */
	nsec doubt_since;  /* the measure contradicts the verdict; NEVER: it does not */
	nsec no_since;
	uint64_t bytes_left; /* of the snapshot */
	struct convergence_limit kept;
	struct convergence_meter moved;
	struct convergence_meter log_bytes;
	struct convergence_meter log_entries;
};

void convergence_init(
	struct convergence *convergence, const struct convergence_config *config);

/* The log kept for the follower: everything behind its snapshot. bytes is 0 where the
 * engine does not know. */
void convergence_on_log(
	struct convergence *convergence, uint64_t bytes, uint64_t entries, nsec now);

/* The log begins behind the first entry it will need: it needs another snapshot after
 * this one. */
void convergence_on_missing(struct convergence *convergence);

/* moved: bytes that came over, without what was there already; left: bytes still to
 * come. */
void convergence_on_progress(
	struct convergence *convergence, uint64_t moved, uint64_t left, nsec now);

/* The limits have been changed while it runs. */
void convergence_set_config(
	struct convergence *convergence, const struct convergence_config *config);

/* Call a few times a second, until it returns NOTHING. */
enum convergence_action convergence_poll(struct convergence *convergence, nsec now);

/* Until the limit in force is reached; NEVER: not at this growth. */
nsec convergence_horizon(const struct convergence *convergence);
/* Until the snapshot is there; NEVER: it does not move. */
nsec convergence_need(const struct convergence *convergence);

/* need and horizon apart; NEVER: no limit in sight, 0: it will not converge. */
nsec convergence_margin(const struct convergence *convergence);

/* The limit in force. */
const struct convergence_limit *convergence_limit(const struct convergence *convergence);

/* "converging (margin 41 s)", "will not converge: log horizon passes in 12 s, needs 30
 * s", … Returns text. */
char *convergence_describe(
	const struct convergence *convergence, char text[static CONVERGENCE_TEXT_MAX]);

/* Why it was given up, and what helps: "the log grew 120.0 MiB/s, …". Returns text. */
char *convergence_reason(
	const struct convergence *convergence, char text[static CONVERGENCE_REASON_MAX]);

/* "measuring", "converging", "will-not-converge", "lost": for programs. */
const char *convergence_name(enum convergence_verdict verdict);

#endif
