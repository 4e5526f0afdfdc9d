/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/world/follower.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

void follower_expect(struct follower *f, bool is_true, const char *what)
{
	if (!is_true)
		fail_msg("SEED=%llu, event %d, state %d: %s", (unsigned long long)f->seed,
			f->event, f->executor.state, what);
}

/* splitmix64 */
static uint64_t draw(struct follower *f)
{
	uint64_t z = f->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

int64_t follower_below(struct follower *f, int64_t bound)
{
	return (int64_t)(draw(f) % (uint64_t)bound);
}

static bool chance(struct follower *f, int percent)
{
	return follower_below(f, 100) < percent;
}

int64_t follower_logged(const struct follower *f, int64_t index)
{
	return index >= f->log.first_index && index <= f->log.last_index
		       ? f->in_log[index]
		       : 0;
}

static void change_log(struct follower *f, struct log_update update)
{
	f->tally->actions[update.action]++;
	if (update.action == LOG_KEEP)
		return;
	follower_expect(
		f, update.index <= f->store.index + 1, "the log is cut beyond the store");
	follower_expect(
		f, update.index >= f->log.first_index, "the log grows at its front");
	f->log.first_index = update.index;
	if (update.action == LOG_RESET || f->log.last_index < update.index)
		f->log.last_index = update.index - 1;
}

static void tell_log(struct follower *f, struct log_id snapshot)
{
	change_log(f, log_rule_on_snapshot(&f->rule, snapshot, f->log,
			      follower_logged(f, snapshot.index)));
}

static void carry_out(struct follower *f, const struct executor_update *update);

static struct executor_end ended(int code, struct log_id snapshot)
{
	return (struct executor_end){.code = code, .text = "no", .snapshot = snapshot};
}

static int some_error(struct follower *f)
{
	static const int codes[] = {ENOSPC, ETIMEDOUT, ENOENT, EBADMSG, EPERM};

	return codes[follower_below(f, ARRAY_LEN(codes))];
}

/* Makes a snapshot durable, as storage_commit. */
static int commit(struct follower *f, struct log_id snapshot)
{
	if (snapshot.index == f->store.index)
		return EEXIST;
	if (snapshot.index < f->store.index)
		return ESTALE;
	f->store = snapshot;
	f->is_dying = chance(f, 3);
	return 0;
}

static void end_copy(struct follower *f)
{
	struct executor_end end = ended(0, f->arriving);
	struct executor_update update;

	if (f->copier == FOLLOWER_COMMITTING)
		end.code = chance(f, 10) ? ENOSPC : commit(f, f->arriving);
	else if (f->copier == FOLLOWER_CANCELLED)
		end.code = ECANCELED;
	else
		end.code = some_error(f);
	if (end.code != EEXIST && chance(f, 5)) {
		end.code = EIO;
		end.is_remote = chance(f, 80);
	}
	f->copier = FOLLOWER_NO_JOB;
	if (f->is_dying)
		return;
	executor_on_copied(&f->executor, &end, &update);
	carry_out(f, &update);
}

static void start_copy(struct follower *f)
{
	struct executor_update update;
	int64_t index = f->executor.downloading;

	follower_expect(f,
		f->copier == FOLLOWER_NO_JOB && f->saver == FOLLOWER_NO_JOB &&
			!f->is_loading,
		"a copy begins beside other work");
	f->arriving = (struct log_id){index, f->term_of[index]};
	f->copier = FOLLOWER_RUNNING;
	if (chance(f, 3)) {
		f->copier = FOLLOWER_NO_JOB;
		executor_on_bad_uri(&f->executor, &update);
		carry_out(f, &update);
	} else if (chance(f, 3)) {
		end_copy(f);
	}
}

static void end_load(struct follower *f)
{
	struct log_id snapshot = f->executor.copied;
	struct executor_end end = ended(0, snapshot);
	struct executor_update update;
	bool is_broken = false;

	f->is_loading = false;
	if (executor_check_load(&snapshot, f->applied, NULL) != 0) {
		end.code = ESTALE;
	} else if (chance(f, 5)) {
		is_broken = chance(f, 30);
		end.code = is_broken ? EPERM : EHOSTDOWN;
	} else {
		f->applied = snapshot.index;
	}
	executor_on_loaded(&f->executor, &end, is_broken, &update);
	carry_out(f, &update);
}

static void end_save(struct follower *f)
{
	struct executor_update update;
	struct executor_end end = ended(0, f->saving);

	if (chance(f, 20))
		end.code = chance(f, 15) ? EIO : some_error(f);
	if (f->saver == FOLLOWER_RUNNING) {
		executor_on_saved(&f->executor, &end, &update);
	} else {
		if (end.code == 0)
			end.code = commit(f, f->saving);
		f->saver = FOLLOWER_NO_JOB;
		if (f->is_dying)
			return;
		executor_on_save_committed(&f->executor, &end, &update);
	}
	carry_out(f, &update);
}

static void do_work(struct follower *f, const struct executor_update *update)
{
	switch (update->work) {
	case EXECUTOR_NO_WORK:
		break;
	case EXECUTOR_COPY:
		start_copy(f);
		break;
	case EXECUTOR_CANCEL_COPY:
		follower_expect(f, f->copier == FOLLOWER_RUNNING, "nothing to cancel");
		f->copier = FOLLOWER_CANCELLED;
		if (chance(f, 50)) /* copier_cancel may end it inside */
			end_copy(f);
		break;
	case EXECUTOR_LOAD:
		follower_expect(f, f->store.index == update->snapshot.index,
			"what is loaded is not durable");
		f->is_loading = true;
		if (chance(f, 50))
			end_load(f);
		break;
	case EXECUTOR_SAVE:
		follower_expect(f,
			f->copier == FOLLOWER_NO_JOB && f->saver == FOLLOWER_NO_JOB &&
				!f->is_loading,
			"a save begins beside other work");
		f->saver = FOLLOWER_RUNNING;
		f->saving = (struct log_id){f->applied, f->term_of[f->applied]};
		if (chance(f, 10))
			end_save(f);
		break;
	case EXECUTOR_COMMIT_SAVE:
		f->saver = FOLLOWER_COMMITTING;
		break;
	case EXECUTOR_ABORT_SAVE:
		f->saver = FOLLOWER_NO_JOB;
		break;
	}
}

static void count_answer(struct follower *f, const struct executor_answer *answer)
{
	f->tally->answers++;
	f->tally->successes += answer->success;
	f->tally->eintr += answer->code == EINTR;
	f->tally->ebusy += answer->code == EBUSY;
	f->tally->ecanceled += answer->code == ECANCELED;
	f->tally->estale += answer->code == ESTALE;
	f->tally->einval += answer->code == EINVAL;
	f->tally->ehostdown += answer->code == EHOSTDOWN;
	f->tally->eperm += answer->code == EPERM;
}

static void take_answer(struct follower *f, const struct executor_answer *answer)
{
	struct follower_call *call = answer->call;

	follower_expect(f, call != NULL, "an answer to nobody");
	follower_expect(f, ++call->answers == 1, "a call is answered twice");
	follower_expect(
		f, answer->code == 0 || !answer->success, "an error that succeeds");
	if (answer->success) {
		follower_expect(f, f->executor.last_index >= call->index,
			"success without the snapshot");
		follower_expect(f, call->index == 0 || answer->term >= call->term,
			"success in a term that is over");
	}
	count_answer(f, answer);
}

static void carry_out(struct follower *f, const struct executor_update *update)
{
	do_work(f, update);
	if (update->log == EXECUTOR_LOG_SNAPSHOT) {
		follower_expect(f, update->snapshot.index <= f->store.index,
			"the log hears of a snapshot that is not durable");
		tell_log(f, update->snapshot);
	} else if (update->log == EXECUTOR_LOG_IDLE) {
		change_log(f, log_rule_on_idle(&f->rule, f->log));
	}
	f->tally->node_faults += update->fault != EXECUTOR_FAULT_NONE;
	for (size_t i = 0; i < update->nanswers; i++)
		take_answer(f, &update->answers[i]);
}

static struct follower_call *new_call(struct follower *f, int64_t index, int64_t term)
{
	struct follower_call *call = &f->calls[f->ncalls++];

	follower_expect(f, f->ncalls < FOLLOWER_CALLS_MAX, "the story is too long");
	*call = (struct follower_call){.index = index, .term = term};
	return call;
}

void follower_ask_install(struct follower *f)
{
	const struct executor *executor = &f->executor;
	int64_t index = chance(f, 60) && executor->downloading > 0
				? executor->downloading + follower_below(f, 3) - 1
				: f->applied + follower_below(f, 40) - 10;
	int64_t term =
		executor->term + follower_below(f, 12) / 9 - (chance(f, 5) ? 1 : 0);
	char server[PEER_ID_TEXT_MAX];
	struct executor_request request = {.group_id = "g",
		.peer_id = "127.0.0.1:1:0",
		.server_id = server,
		.uri = "remote://127.0.0.1:9/1",
		.term = term};
	struct executor_update update;

	if (f->committed == 0)
		return; /* a leader's snapshots hold committed entries only */
	request.index = index < 1 ? 1 : index > f->committed ? f->committed : index;
	(void)snprintf(server, sizeof(server), "127.0.0.1:%d:0",
		(int)(100 + (chance(f, 3) ? term + 1 : term) % 3));
	executor_on_install(
		&f->executor, &request, new_call(f, request.index, term), &update);
	carry_out(f, &update);
}

void follower_ask_save(struct follower *f)
{
	struct executor_update update;

	executor_on_save(&f->executor, chance(f, 70) ? new_call(f, 0, 0) : NULL,
		f->applied, &update);
	carry_out(f, &update);
}

/* AppendEntries: the group goes on, and this node follows, sometimes wrongly at first. */
void follower_append(struct follower *f)
{
	int64_t to;

	for (int64_t n = follower_below(f, 12);
		n > 0 && f->committed < FOLLOWER_INDEX_MAX - 64; n--) {
		f->committed++;
		f->term_of[f->committed] =
			f->term_of[f->committed - 1] + (chance(f, 5) ? 1 : 0);
	}
	if (executor_is_installing(&f->executor))
		return; /* EBUSY "Is installing snapshot" */
	while (f->log.last_index > f->applied &&
		f->in_log[f->log.last_index] != f->term_of[f->log.last_index])
		f->log.last_index--; /* a conflict: the leader's word holds */
	to = f->log.last_index + follower_below(f, 10);
	while (f->log.last_index < to && f->log.last_index < f->committed) {
		int64_t index = ++f->log.last_index;

		f->in_log[index] = f->term_of[index] + (chance(f, 10) ? 1 : 0);
		if (f->in_log[index] != f->term_of[index])
			break; /* of a leader that was not to be */
	}
}

void follower_apply(struct follower *f)
{
	while (!executor_is_installing(&f->executor) && f->applied < f->log.last_index &&
		follower_logged(f, f->applied + 1) == f->term_of[f->applied + 1] &&
		chance(f, 90))
		f->applied++;
}

void follower_make_progress(struct follower *f)
{
	if (f->copier == FOLLOWER_RUNNING && chance(f, 60)) {
		if (executor_on_commit(&f->executor))
			f->copier = FOLLOWER_COMMITTING;
	} else if (f->copier != FOLLOWER_NO_JOB) {
		end_copy(f);
	}
	if (f->is_loading && chance(f, 50))
		end_load(f);
	if (f->saver != FOLLOWER_NO_JOB && chance(f, 50))
		end_save(f);
}

void follower_step_down(struct follower *f)
{
	struct executor_update update;

	executor_on_step_down(
		&f->executor, f->executor.term + follower_below(f, 3) - 1, NULL, &update);
	carry_out(f, &update);
}

void follower_live(struct follower *f)
{
	struct throttle_limits limits;
	int64_t term = f->executor.term;
	int64_t last = f->executor.last_index;

	f->tally->lives++;
	f->copier = f->saver = FOLLOWER_NO_JOB;
	f->is_loading = f->is_dying = false;
	follower_expect(f, log_rule_check_start(f->store.index, f->log, NULL) == 0,
		"entries are missing at start");
	for (int64_t i = f->store.index + 1; i <= f->applied; i++)
		follower_expect(f, follower_logged(f, i) == f->term_of[i],
			"a committed entry is lost");
	follower_expect(f, f->store.index >= last, "the newest snapshot is lost");
	assert_int_equal(
		executor_init(&f->executor, "g", "127.0.0.1:1:0", f->store.index, NULL),
		0);
	f->executor.last_term = f->store.term;
	f->executor.term = term; /* the Raft meta keeps it */
	f->executor.min_index_gap = 1 + follower_below(f, 6);
	throttle_limits_default(&limits);
	limits.max_install_tasks = (uint32_t)(1 + follower_below(f, 3));
	throttle_braft_init(&f->throttle, &limits, 0);
	f->executor.throttle = &f->throttle.port;
	log_rule_init(&f->rule);
	if (f->store.index > 0)
		tell_log(f, f->store);
	if (f->applied < f->store.index)
		f->applied = f->store.index;
	follower_expect(
		f, log_rule_check(&f->rule, f->log, NULL) == 0, "a gap after start");
}

void follower_stop(struct follower *f)
{
	struct executor_update update;

	executor_on_stop(&f->executor, &update);
	carry_out(f, &update);
	while (!executor_is_done(&f->executor) && !f->is_dying)
		follower_make_progress(f);
	if (f->is_dying) {
		follower_die(f);
		return;
	}
	if (chance(f, 50))
		follower_ask_install(f);
	if (chance(f, 50))
		follower_ask_save(f);
	for (size_t i = 0; i < f->ncalls; i++)
		follower_expect(f, f->calls[i].answers == 1 || f->calls[i].is_lost,
			"a call is not answered at stop");
	follower_expect(f, f->throttle.install_tasks == 0, "a task is left");
}

void follower_die(struct follower *f)
{
	f->tally->deaths++;
	for (size_t i = 0; i < f->ncalls; i++)
		f->calls[i].is_lost |= f->calls[i].answers == 0;
}

void follower_init(struct follower *f, uint64_t seed, struct follower_tally *tally)
{
	memset(f, 0, sizeof(*f));
	f->seed = f->random = seed;
	f->tally = tally;
	f->term_of[0] = 1;
	f->log.first_index = 1;
	f->executor.term = 1;
	follower_live(f);
}
