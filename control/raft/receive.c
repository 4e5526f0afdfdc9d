/* SPDX-License-Identifier: BSD-3-Clause */
/* A follower: holds InstallSnapshot back until its snapshot is here. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/raft/adapter.h"
#include "dataplane/base/log.h"

/* Before it asks a leader again that has said that it does not serve it for a while. */
enum { BARRED_MS = 5000 };

static void free_content(struct raft_message *message)
{
	raft_configuration_close(&message->install_snapshot.conf);
	raft_free(message->install_snapshot.data.base);
}

static void forget(struct held *held)
{
	if (held->is_used)
		free_content(&held->message);
	free(held->address);
	*held = (struct held){.is_used = false};
}

/* Takes over what the message owns. Returns false without memory: it is freed then. */
static bool keep(struct held *held, struct raft_message *message,
	const struct reference *reference)
{
	forget(held);
	held->address = strdup(message->server_address);
	if (held->address == NULL) {
		free_content(message);
		return false;
	}
	held->message = *message;
	held->message.server_address = held->address;
	held->reference = *reference;
	held->is_used = true;
	return true;
}

/* Snapline's thread. */
static void on_installed(
	void *ctx, int code, const char *text, int64_t response_term, bool success)
{
	struct snapline_raft *snapline = ctx;
	struct news *news = &snapline->news;

	(void)response_term;
	uv_mutex_lock(&snapline->lock);
	news->is_pulled = true;
	news->is_here = code == 0 && success;
	news->is_barred = code == ESTALE;
	(void)snprintf(news->why, sizeof(news->why), "%s",
		code != 0 ? text : "a newer term is known here");
	uv_mutex_unlock(&snapline->lock);
	(void)uv_async_send(&snapline->async);
}

static void pull(struct snapline_raft *snapline)
{
	const struct held *held = &snapline->held;
	const struct snapline_install install = {
		.term = (int64_t)held->message.install_snapshot.term,
		.leader_id = held->reference.leader_id,
		.index = held->reference.index,
		.uri = held->reference.uri,
	};

	log_line(LOG_INFO, "raft", "event=pull from=%llu index=%lld term=%llu uri=%s",
		held->message.server_id, (long long)held->reference.index,
		held->message.install_snapshot.term, held->reference.uri);
	snapline_install_snapshot(snapline->node, &install, on_installed, snapline);
}

static void no_memory(void)
{
	log_line(LOG_WARN, "raft",
		"event=dropped text=\"no memory to hold an InstallSnapshot; the leader "
		"sends it again\"");
}

static void start(struct snapline_raft *snapline, struct raft_message *message,
	const struct reference *reference)
{
	if (keep(&snapline->held, message, reference)) {
		pull(snapline);
		return;
	}
	(void)hold_on_pulled(&snapline->hold, false);
	no_memory();
}

static void replace(struct snapline_raft *snapline, struct raft_message *message,
	const struct reference *reference)
{
	const uint64_t term = message->install_snapshot.term;

	if (!keep(&snapline->next, message, reference)) {
		snapline->hold.has_next = false;
		no_memory();
	}
	snapline_step_down(snapline->node, (int64_t)term);
}

/* The engine is storing a snapshot: it would answer RAFT_BUSY, which it takes for a
 * failure of its own. */
static bool is_engine_busy(const struct raft *raft)
{
	return raft->snapshot.pending.term != 0 || raft->snapshot.put.data != NULL;
}

static void pass(struct snapline_raft *snapline, struct raft_message *message)
{
	if (is_engine_busy(snapline->raft)) {
		free_content(message); /* it comes again */
		return;
	}
	snapline->recv(&snapline->io, message);
}

static bool is_barred(const struct snapline_raft *snapline, raft_term term)
{
	return term <= snapline->bar_term &&
	       snapline->inner->time(snapline->inner) < snapline->pull_at;
}

static void on_install(struct snapline_raft *snapline, struct raft_message *message)
{
	const struct raft_install_snapshot *install = &message->install_snapshot;
	struct reference reference;

	if (reference_decode(&reference, install->data.base, install->data.len) != 0 ||
		reference.uri[0] == '\0' || reference.leader_id[0] == '\0' ||
		(raft_index)reference.index != install->last_index) {
		log_line(LOG_WARN, "raft",
			"event=bad_install from=%llu text=\"not a reference to a "
			"snapshot: does that node run the same release, with "
			"Snapline?\"",
			message->server_id);
		free_content(message);
		return;
	}
	if (install->term < snapline->raft->current_term) {
		pass(snapline,
			message); /* the engine tells the sender of the newer term */
		return;
	}
	if (is_barred(snapline, install->term)) {
		snapline->joins++;
		free_content(message);
		return;
	}
	switch (hold_on_install(&snapline->hold, install->term, reference.index,
		(int64_t)snapline->raft->commit_index)) {
	case HOLD_PASS:
		pass(snapline, message);
		break;
	case HOLD_START:
		start(snapline, message, &reference);
		break;
	case HOLD_REPLACE:
		replace(snapline, message, &reference);
		break;
	case HOLD_JOIN:
	case HOLD_DROP:
		snapline->joins++;
		free_content(message);
		break;
	}
}

void receive_message(struct snapline_raft *snapline, struct raft_message *message)
{
	switch (message->type) {
	case RAFT_IO_INSTALL_SNAPSHOT:
		on_install(snapline, message);
		return;
	case RAFT_IO_APPEND_ENTRIES:
		if (hold_on_leader(&snapline->hold, message->append_entries.term))
			snapline_step_down(
				snapline->node, (int64_t)message->append_entries.term);
		break;
	case RAFT_IO_APPEND_ENTRIES_RESULT:
		offer_on_result(snapline, message);
		break;
	default:
		break;
	}
	snapline->recv(&snapline->io, message);
}

static void deliver(struct snapline_raft *snapline)
{
	struct held held = snapline->held;

	snapline->held = (struct held){.is_used = false};
	snapline->installs++;
	log_line(LOG_INFO, "raft", "event=install from=%llu index=%lld",
		held.message.server_id, (long long)held.reference.index);
	pass(snapline, &held.message);
	free(held.address);
}

void receive_on_news(struct snapline_raft *snapline, const struct news *news)
{
	switch (hold_on_pulled(&snapline->hold, news->is_here)) {
	case HOLD_PASS:
		deliver(snapline);
		break;
	case HOLD_START:
		forget(&snapline->held);
		snapline->held = snapline->next;
		snapline->next = (struct held){.is_used = false};
		pull(snapline);
		break;
	default:
		snapline->failures++;
		log_line(LOG_WARN, "raft", "event=pull_ended index=%lld text=\"%s\"",
			(long long)snapline->held.reference.index,
			news->is_here ? "its leader has been replaced" : news->why);
		if (news->is_barred) {
			snapline->pull_at =
				snapline->inner->time(snapline->inner) + BARRED_MS;
			snapline->bar_term = snapline->hold.term;
		}
		forget(&snapline->held);
		break;
	}
}

void receive_stop(struct snapline_raft *snapline)
{
	(void)hold_on_stop(&snapline->hold); /* snapline_close cancels */
}

void receive_fini(struct snapline_raft *snapline)
{
	forget(&snapline->held);
	forget(&snapline->next);
}
