/* SPDX-License-Identifier: BSD-3-Clause */
/* A leader: sends references, and keeps the snapshots open that they name. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/raft/adapter.h"
#include "dataplane/base/log.h"

enum {
	/* One that is being fetched, perhaps by a process that has died meanwhile, and
	 * one for a follower that starts anew. */
	OFFERS_A_SERVER = 2,
	/* A follower that lives and still needs it is reminded every few seconds; an
	 * older offer would only keep a superseded snapshot on disk. */
	IDLE_MS = 60000,
};

struct sending {
	struct raft_io_send req;
	struct raft_io_send *original;
	raft_io_send_cb cb;
	uint8_t *reference;
};

static void remove_offer(struct offer **link)
{
	struct offer *offer = *link;

	*link = offer->next;
	snapline_reader_close(offer->reader);
	free(offer);
}

/* Closes the server's offers up to that index; those being fetched, too, if so wanted. */
static void close_offers(
	struct snapline_raft *snapline, raft_id server, raft_index index, bool all)
{
	struct offer **link = &snapline->offers;

	while (*link != NULL) {
		struct offer *offer = *link;

		if (offer->server == server && offer->index <= index &&
			(all || !snapline_reader_is_fetched(offer->reader)))
			remove_offer(link);
		else
			link = &offer->next;
	}
}

static unsigned count_offers(const struct snapline_raft *snapline, raft_id server)
{
	unsigned count = 0;

	for (const struct offer *it = snapline->offers; it != NULL; it = it->next)
		count += it->server == server;
	return count;
}

static int open_offer(
	struct snapline_raft *snapline, struct offer *offer, struct snapline_error *error)
{
	struct snapline_meta meta;
	int err = snapline_reader_open(snapline->node, &offer->reader, error);

	if (err != 0)
		return err;
	snapline_reader_meta(offer->reader, &meta);
	if ((raft_index)meta.index != offer->index) {
		/* between the commit here and libraft's own note of it */
		error->code = err = -EAGAIN;
		(void)snprintf(error->text, sizeof(error->text),
			"the store holds the snapshot at %lld, libraft means %llu",
			(long long)meta.index, offer->index);
		goto close_reader;
	}
	err = snapline_reader_uri(offer->reader, offer->uri, sizeof(offer->uri));
	if (err != 0) {
		error->code = err;
		(void)snprintf(error->text, sizeof(error->text),
			"the snapshot at %llu cannot be offered: %s", offer->index,
			strerror(-err));
		goto close_reader;
	}
	snapline_reader_root(offer->reader, offer->root);
	return 0;
close_reader:
	snapline_reader_close(offer->reader);
	return err;
}

static struct offer *find_free(
	struct snapline_raft *snapline, raft_id server, raft_index index)
{
	struct offer *offer = snapline->offers;

	while (offer != NULL && (offer->server != server || offer->index != index ||
					snapline_reader_is_fetched(offer->reader)))
		offer = offer->next;
	return offer;
}

/* An offer of that snapshot which nobody is fetching. */
static int find_offer(struct snapline_raft *snapline, raft_id server, raft_index index,
	struct offer **found, struct snapline_error *error)
{
	struct offer *offer = find_free(snapline, server, index);
	int err;

	if (offer != NULL) {
		*found = offer;
		return 0;
	}
	close_offers(snapline, server, index, false);
	if (count_offers(snapline, server) >= OFFERS_A_SERVER) {
		error->code = -EBUSY;
		(void)snprintf(error->text, sizeof(error->text),
			"server %llu is fetching %d snapshots already", server,
			OFFERS_A_SERVER);
		return -EBUSY;
	}
	offer = calloc(1, sizeof(*offer));
	if (offer == NULL) {
		(void)snprintf(error->text, sizeof(error->text), "no memory");
		return -ENOMEM;
	}
	offer->server = server;
	offer->index = index;
	err = open_offer(snapline, offer, error);
	if (err != 0) {
		free(offer);
		return err;
	}
	offer->next = snapline->offers;
	snapline->offers = offer;
	*found = offer;
	return 0;
}

static void on_sent(struct raft_io_send *req, int status)
{
	struct sending *sending = req->data;

	free(sending->reference);
	sending->cb(sending->original, status);
	free(sending);
}

/* The same message with a reference that the follower can follow. */
static int send_reference(struct snapline_raft *snapline, struct sending *sending,
	const struct raft_message *message, const struct offer *offer)
{
	struct raft_message copy = *message;
	struct raft_install_snapshot *install = &copy.install_snapshot;
	struct reference reference = {
		.index = (int64_t)install->last_index,
		.term = (int64_t)install->last_term,
	};
	size_t len;
	int rv;

	memcpy(reference.root, offer->root, sizeof(reference.root));
	memcpy(reference.uri, offer->uri, sizeof(reference.uri));
	memcpy(reference.leader_id, snapline->peer_id, sizeof(reference.leader_id));
	if (reference_encode(&reference, &sending->reference, &len) != 0)
		return RAFT_NOMEM;
	install->data = (struct raft_buffer){.base = sending->reference, .len = len};
	sending->req.data = sending;
	rv = snapline->inner->send(snapline->inner, &sending->req, &copy, on_sent);
	if (rv != 0)
		free(sending->reference);
	return rv;
}

int offer_send(struct snapline_raft *snapline, struct raft_io_send *req,
	const struct raft_message *message, raft_io_send_cb cb)
{
	const raft_index index = message->install_snapshot.last_index;
	struct snapline_error error = {0};
	struct sending *sending;
	struct offer *offer;
	int rv;

	if (snapline->is_closing)
		return RAFT_CANCELED;
	if (find_offer(snapline, message->server_id, index, &offer, &error) != 0) {
		/* the engine tries again with its next heartbeat */
		log_line(LOG_DEBUG, "raft", "event=no_offer to=%llu text=\"%s\"",
			message->server_id, error.text);
		return RAFT_BUSY;
	}
	sending = calloc(1, sizeof(*sending));
	if (sending == NULL)
		return RAFT_NOMEM;
	sending->original = req;
	sending->cb = cb;
	if (offer->sent == 0)
		log_line(LOG_INFO, "raft", "event=offer to=%llu index=%llu uri=%s",
			message->server_id, index, offer->uri);
	offer->sent = snapline->inner->time(snapline->inner);
	rv = send_reference(snapline, sending, message, offer);
	if (rv != 0)
		free(sending);
	return rv;
}

void offer_on_result(struct snapline_raft *snapline, const struct raft_message *message)
{
	const struct raft_append_entries_result *result = &message->append_entries_result;

	if (result->rejected == 0 && snapline->offers != NULL)
		close_offers(snapline, message->server_id, result->last_log_index, true);
}

static bool is_member(const struct raft *raft, raft_id server)
{
	for (unsigned i = 0; i < raft->configuration.n; i++) {
		if (raft->configuration.servers[i].id == server)
			return true;
	}
	return false;
}

void offer_on_tick(struct snapline_raft *snapline)
{
	raft_time now = snapline->inner->time(snapline->inner);
	struct offer **link = &snapline->offers;

	while (*link != NULL) {
		struct offer *offer = *link;
		bool is_over = now - offer->sent > IDLE_MS ||
			       raft_state(snapline->raft) != RAFT_LEADER ||
			       !is_member(snapline->raft, offer->server);

		/* a follower that is at it may end, whoever leads by now */
		if (is_over && !snapline_reader_is_fetched(offer->reader))
			remove_offer(link);
		else
			link = &offer->next;
	}
}

void offer_close_all(struct snapline_raft *snapline)
{
	while (snapline->offers != NULL)
		remove_offer(&snapline->offers);
}
