/* SPDX-License-Identifier: BSD-3-Clause */
/* One follower with its disk, its log and its state machine, and the group around it: all
 * that the executor decides about, as plain numbers. Whatever the executor asks for is
 * carried out in the order it must be, and ends at random: well, badly, at once or later.
 * A promise that does not hold fails the test and prints the seed. */
#ifndef FOLLOWER_H
#define FOLLOWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/executor.h"
#include "control/throttle_braft.h"

enum { FOLLOWER_INDEX_MAX = 1 << 15, FOLLOWER_CALLS_MAX = 4096 };

enum follower_job {
	FOLLOWER_NO_JOB,
	FOLLOWER_RUNNING,
	FOLLOWER_CANCELLED,
	FOLLOWER_COMMITTING,
};

struct follower_call {
	int64_t index; /* asked for; 0: a save */
	int64_t term;  /* of the leader that asked */
	uint32_t answers;
	bool is_lost; /* its node died */
};

/* What the stories met, to prove that they go everywhere. */
struct follower_tally {
	uint64_t events, answers, successes, lives, deaths, node_faults;
	uint64_t actions[LOG_RESET + 1];
	uint64_t states[EXECUTOR_LOADING + 1];
	uint64_t eintr, ebusy, ecanceled, estale, einval, ehostdown, eperm;
};

struct follower {
	uint64_t seed, random;
	int event;
	struct follower_tally *tally;
	struct executor executor;
	struct throttle_braft throttle;
	/* the group: each committed entry has one term, and each term one leader */
	int64_t term_of[FOLLOWER_INDEX_MAX];
	int64_t committed;
	/* this node's disk, log and state machine */
	struct log_id store;
	struct log_rule rule;
	struct log_range log;
	int64_t in_log[FOLLOWER_INDEX_MAX];
	int64_t applied;
	/* what is under way */
	enum follower_job copier, saver;
	bool is_loading;
	bool is_dying; /* right after a commit, before anybody heard of it */
	struct log_id arriving, saving;
	struct follower_call calls[FOLLOWER_CALLS_MAX];
	size_t ncalls;
};

/* An empty node in term 1, alive. */
void follower_init(struct follower *f, uint64_t seed, struct follower_tally *tally);

void follower_expect(struct follower *f, bool is_true, const char *what);
int64_t follower_below(struct follower *f, int64_t bound); /* random, from 0 */
/* The term of an entry of its log, or 0. */
int64_t follower_logged(const struct follower *f, int64_t index);

/* What may happen to it. */
void follower_ask_install(struct follower *f);
void follower_ask_save(struct follower *f);
void follower_append(struct follower *f);
void follower_apply(struct follower *f);
void follower_make_progress(struct follower *f);
void follower_step_down(struct follower *f);
/* Stops in order: everything that was asked is answered, unless it dies of it. */
void follower_stop(struct follower *f);
/* kill -9: the disk keeps what was made durable, and nobody is answered. */
void follower_die(struct follower *f);
/* After either: starts again from the disk, and misses nothing. */
void follower_live(struct follower *f);

#endif
