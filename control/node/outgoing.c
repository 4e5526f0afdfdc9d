/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/node/outgoing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <uv.h>

#include "control/node/copier_fault.h"
#include "control/node/pins.h"
#include "control/node/session_setup.h"
#include "control/rpc/rpc.h"
#include "control/snapshot_options.h"
#include "dataplane/base/log.h"

void outgoing_init(struct outgoing_list *list, const struct outgoing_list *with)
{
	*list = *with;
	list->first = NULL;
	list->next_id = 1;
}

void outgoing_fini(struct outgoing_list *list)
{
	while (list->first != NULL) {
		struct outgoing *outgoing = list->first;

		list->first = outgoing->next;
		if (outgoing->served != NULL)
			served_release(outgoing->served);
		free(outgoing);
	}
}

/* Forgets the oldest ended ones beyond OUTGOING_KEPT. */
static void prune(struct outgoing_list *list)
{
	uint32_t kept = 0;

	for (struct outgoing **link = &list->first; *link != NULL;) {
		struct outgoing *outgoing = *link;

		if (outgoing->is_ended && outgoing->served == NULL &&
			outgoing->pin.state == PIN_NONE && ++kept > OUTGOING_KEPT) {
			*link = outgoing->next;
			free(outgoing);
		} else {
			link = &outgoing->next;
		}
	}
}

/* Once neither a session nor get_file refers to it. */
static void let_go(struct outgoing *outgoing)
{
	if (outgoing->session != SESSION_NONE || outgoing->is_offered)
		return;
	if (outgoing->served != NULL)
		served_release(outgoing->served);
	outgoing->served = NULL;
}

static void on_withdrawn(void *ctx)
{
	struct outgoing *outgoing = ctx;

	outgoing->is_offered = false;
	let_go(outgoing);
}

static int offer(struct outgoing *outgoing)
{
	const struct served *served = outgoing->served;
	const struct tcp_source source = {
		.reader_id = outgoing->reader_id,
		.path = served->reader->path,
		.table = &served->reader->table,
		.table_bytes = served->table,
		.table_len = served->table_len,
		.released = on_withdrawn,
		.ctx = outgoing,
	};
	int err = tcp_serve_add(outgoing->list->tcp, &source);

	outgoing->is_offered = err == 0;
	return err;
}

static int create(struct outgoing **outgoing, struct outgoing_list *list,
	struct served *served, int64_t reader_id)
{
	struct outgoing *made = calloc(1, sizeof(*made));

	if (made == NULL)
		return -ENOMEM;
	made->reader_id = reader_id;
	made->list = list;
	made->served = served;
	if (offer(made) != 0) {
		free(made);
		return -ENOMEM;
	}
	made->id = list->next_id++;
	made->index = served->reader->index;
	made->term = served->reader->term;
	made->files = served->reader->manifest.nfiles;
	made->bytes = served->reader->manifest.bytes;
	made->began = uv_hrtime();
	made->heard_at = made->began;
	made->rank =
		rank_of(list->settings->transfer_class, list->settings->transfer_weight);
	(void)snprintf(made->group_id, sizeof(made->group_id), "%s", list->group_id);
	made->next = list->first;
	list->first = made;
	*outgoing = made;
	return 0;
}

static uint32_t count_live(const struct outgoing_list *list)
{
	uint32_t count = 0;

	for (const struct outgoing *it = list->first; it != NULL; it = it->next)
		count += !it->is_ended;
	return count;
}

int outgoing_create(struct outgoing **outgoing, struct outgoing_list *list,
	struct served *served, const char *peer, struct fault *fault)
{
	int64_t reader_id;

	prune(list);
	if (count_live(list) >= OUTGOING_LIVE)
		return fault_set(fault, -EBUSY,
			"the leader serves %d followers already: try again when one has "
			"ended",
			OUTGOING_LIVE);
	if (getrandom(&reader_id, sizeof(reader_id), 0) != sizeof(reader_id) ||
		create(outgoing, list, served, reader_id) != 0)
		return fault_set(fault, -ENOMEM, "no memory for another transfer");
	(void)snprintf((*outgoing)->peer, sizeof((*outgoing)->peer), "%s", peer);
	return 0;
}

int outgoing_offer(struct outgoing_list *list, struct served *served, int64_t *reader_id)
{
	struct outgoing *made;
	int err = outgoing_create(&made, list, served, "", NULL);

	if (err != 0)
		return err;
	served_ref(served);
	made->is_held = true;
	made->is_offer = true;
	pins_on_offered(list->pins, made);
	*reader_id = made->reader_id;
	return 0;
}

/* The next follower that comes with the same uri finds it again. */
static void offer_again(const struct outgoing *ended, struct served *served)
{
	struct outgoing *again;

	if (create(&again, ended->list, served, ended->reader_id) != 0)
		return;
	served_ref(served);
	again->is_held = true;
	again->is_offer = true;
}

void outgoing_withdraw(struct outgoing_list *list, int64_t reader_id)
{
	struct outgoing *outgoing = outgoing_find_reader(list, reader_id);
	struct fault fault = {0};

	if (outgoing == NULL)
		return;
	(void)fault_set(&fault, -ECANCELED, "the leader's reader was closed");
	outgoing->is_held = false;
	outgoing_end(outgoing, &fault);
}

struct outgoing *outgoing_find_reader(struct outgoing_list *list, int64_t reader_id)
{
	struct outgoing *outgoing = list->first;

	while (outgoing != NULL &&
		(outgoing->reader_id != reader_id || outgoing->is_ended))
		outgoing = outgoing->next;
	return outgoing;
}

static void read_stats(struct outgoing *outgoing)
{
	struct tcp_serve_stats tcp;

	if (tcp_serve_get_stats(outgoing->list->tcp, outgoing->reader_id, &tcp) &&
		tcp.calls > 0) {
		/* a stock follower does not say so */
		outgoing->is_tcp = outgoing->session_id == 0;
		outgoing->stats.bytes_done = tcp.bytes;
		if ((uint64_t)tcp.last > outgoing->heard_at)
			outgoing->heard_at = (uint64_t)tcp.last;
	}
	if (outgoing->session == SESSION_RUNNING)
		transfer_get_stats(plane_transfer(outgoing->list->plane),
			outgoing->session_id, &outgoing->stats);
}

bool outgoing_is_unused(const struct outgoing *outgoing)
{
	return outgoing->is_offer && !outgoing->is_opened && !outgoing->is_tcp;
}

static void log_end(const struct outgoing *outgoing)
{
	if (outgoing_is_unused(outgoing))
		return;
	if (outgoing->fault.code != 0)
		log_line(LOG_WARN, "outgoing", "event=failed id=%lld peer=%s text=\"%s\"",
			(long long)outgoing->id, outgoing->peer, outgoing->fault.text);
	else
		log_line(LOG_INFO, "outgoing", "event=done id=%lld peer=%s index=%lld",
			(long long)outgoing->id, outgoing->peer,
			(long long)outgoing->index);
}

void outgoing_end(struct outgoing *outgoing, const struct fault *fault)
{
	struct served *served;

	if (outgoing->is_ended)
		return;
	outgoing->is_ended = true;
	outgoing->ended = uv_hrtime();
	outgoing->stage = STAGE_DONE;
	if (outgoing->pin.is_lost)
		fault = &outgoing->cancelled; /* whatever the follower calls it */
	if (fault != NULL && fault->code != 0) {
		outgoing->fault = *fault;
		outgoing->stage = STAGE_FAILED;
	}
	read_stats(outgoing);
	log_end(outgoing);
	pins_on_ended(outgoing->list->pins, outgoing);
	if (outgoing->client != NULL)
		rpc_client_close(outgoing->client);
	outgoing->client = NULL;
	if (outgoing->session == SESSION_RUNNING) {
		session_log_stripes("outgoing", outgoing->peer, &outgoing->stats);
		outgoing->session = SESSION_STOPPING;
		(void)transfer_stop(
			plane_transfer(outgoing->list->plane), outgoing->session_id);
	}
	served = outgoing->served;
	if (served != NULL)
		served_ref(served); /* withdrawing may let go */
	tcp_serve_remove(outgoing->list->tcp, outgoing->reader_id);
	if (outgoing->on_end != NULL)
		outgoing->on_end(outgoing->on_end_ctx, &outgoing->fault);
	if (outgoing->is_held && served != NULL)
		offer_again(outgoing, served);
	if (served != NULL)
		served_release(served);
}

void outgoing_on_report(void *ctx, const struct transfer_report *report)
{
	struct outgoing *outgoing = ctx;
	struct fault fault = {0};

	switch (report->event) {
	case REPORT_STOPPED:
		outgoing->session = SESSION_NONE;
		let_go(outgoing);
		break;
	case REPORT_FAILED:
		if (outgoing->is_ended || outgoing->served == NULL)
			break;
		server_fault_of_report(&fault, report,
			&outgoing->served->reader->manifest, outgoing->served->object,
			&outgoing->follower);
		/* a follower that gave up says why over TCP, in its own words */
		if (report->by_peer)
			outgoing->fault = fault;
		else
			outgoing_end(outgoing, &fault);
		break;
	case REPORT_SUSPENDED:
	case REPORT_RESUMED:
		(void)session_on_silence(
			&outgoing->silent_at, report, "outgoing", outgoing->peer);
		break;
	case REPORT_DONE:
		break; /* every chunk is there; the commit is what counts */
	}
}

void outgoing_watch(struct outgoing_list *list)
{
	uint64_t now = uv_hrtime();

	for (struct outgoing *it = list->first; it != NULL; it = it->next) {
		struct fault fault = {0};

		if (!it->is_ended)
			outgoing_watch_cancelled(it);
		/* an install ends with its own connection, a session by its own timer */
		if (it->is_ended || it->client != NULL || it->session != SESSION_NONE ||
			(it->is_held && !it->is_tcp))
			continue;
		read_stats(it);
		if (now - it->heard_at < (uint64_t)list->stall_timeout)
			continue;
		(void)fault_set(&fault, -ETIMEDOUT,
			"nothing from the follower for the stall timeout: check that it "
			"runs, then pull again");
		outgoing_end(it, &fault);
	}
}

static uint64_t done_of(const struct outgoing *outgoing)
{
	uint64_t done = outgoing->stats.bytes_done + outgoing->bytes_reused;

	return done < outgoing->follower_done ? outgoing->follower_done : done;
}

void outgoing_on_served(struct outgoing *outgoing)
{
	pins_on_served(outgoing->list->pins, outgoing);
}

/* While the follower prepares there is nothing to judge by; the limits hold all the same.
 */
void outgoing_measure(struct outgoing *outgoing, nsec now)
{
	const struct transfer_stats *stats = &outgoing->stats;
	uint64_t done, moved;

	read_stats(outgoing);
	done = u64_min(done_of(outgoing), outgoing->bytes);
	/* a stock follower tells of no stage */
	if (outgoing->is_opened ? outgoing->stage == STAGE_OPEN : done == 0)
		return;
	moved = done - u64_min(outgoing->bytes_reused, done);
	/* whole chunks are too coarse for a slow link */
	if (!outgoing->is_tcp)
		moved = stats->wire_bytes -
			u64_min(stats->bytes_resent, stats->wire_bytes);
	convergence_on_progress(
		&outgoing->pin.convergence, moved, outgoing->bytes - done, now);
}

void outgoing_describe(struct outgoing *outgoing, struct transfer_info *info)
{
	read_stats(outgoing);
	memset(info, 0, sizeof(*info));
	info->id = outgoing->id;
	info->sending = true;
	(void)snprintf(info->peer, sizeof(info->peer), "%s", outgoing->peer);
	(void)snprintf(info->group_id, sizeof(info->group_id), "%s", outgoing->group_id);
	if (outgoing->is_tcp || outgoing->session_id != 0)
		(void)snprintf(info->path, sizeof(info->path), "%s",
			outgoing->is_tcp ? "tcp" : "dpdk");
	info->index = outgoing->index;
	info->term = outgoing->term;
	info->stage = outgoing->stage;
	if (outgoing->is_paused && outgoing->stage <= STAGE_WIRE)
		info->stage = STAGE_PAUSED;
	session_describe_silence(outgoing->silent_at, info);
	info->files = outgoing->files;
	info->bytes_total = outgoing->bytes;
	if (!outgoing->is_tcp) {
		session_describe(&outgoing->stats, info);
		info->rank = outgoing->rank;
	}
	info->bytes_resent = outgoing->stats.bytes_resent;
	info->bytes_reused = outgoing->bytes_reused;
	info->bytes_done = done_of(outgoing);
	if (outgoing->stage == STAGE_DONE)
		info->bytes_done = outgoing->bytes;
	info->elapsed_ns =
		(outgoing->is_ended ? outgoing->ended : uv_hrtime()) - outgoing->began;
	info->has_convergence = (!outgoing->is_ended || outgoing->pin.is_lost) &&
				pin_describe(&outgoing->pin, &info->convergence);
	if (outgoing->is_ended) {
		info->error_code = -outgoing->fault.code;
		(void)snprintf(info->error_text, sizeof(info->error_text), "%s",
			outgoing->fault.text);
	}
}

bool outgoing_is_busy(const struct outgoing_list *list)
{
	for (const struct outgoing *it = list->first; it != NULL; it = it->next) {
		if (it->served != NULL)
			return true;
	}
	return false;
}
