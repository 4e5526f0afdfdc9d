/* SPDX-License-Identifier: BSD-3-Clause */
/* SNAPLINE ADD, PROMOTE, REMOVE and TRANSFER: who is in the group, and who leads it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/kv/client.h"

struct change {
	struct raft_change req; /* first */
	struct kv *kv;
	struct reply *reply;
	raft_id id;
	bool is_added; /* what remains is to let it receive the log */
};

struct transfer {
	struct raft_transfer req; /* first */
	struct reply *reply;
};

static void end(struct change *change, int status)
{
	if (status == 0)
		reply_fill(change->reply, "+OK");
	else
		reply_fill(change->reply, "-ERR server %llu: %s", change->id,
			raft_strerror(status));
	free(change);
}

static void on_changed(struct raft_change *req, int status)
{
	end((struct change *)req, status);
}

/* A spare receives nothing; a standby is brought up to date and does not vote, so that
 * adding one that needs hours for its snapshot costs no quorum. */
static void on_added(struct raft_change *req, int status)
{
	struct change *change = (struct change *)req;

	if (status == 0)
		status = raft_assign(&change->kv->raft, &change->req, change->id,
			RAFT_STANDBY, on_changed);
	if (status != 0)
		end(change, status);
}

static void change_members(struct client *client, const struct resp_request *request,
	raft_id id, const char *address)
{
	struct kv *kv = client->kv;
	struct change *change = calloc(1, sizeof(*change));
	int rv;

	if (change != NULL)
		change->reply = client_defer(client);
	if (change == NULL || change->reply == NULL) {
		free(change);
		return;
	}
	change->kv = kv;
	change->id = id;
	if (address != NULL)
		rv = raft_add(&kv->raft, &change->req, id, address, on_added);
	else if (resp_is(&request->words[1], "promote"))
		rv = raft_assign(&kv->raft, &change->req, id, RAFT_VOTER, on_changed);
	else
		rv = raft_remove(&kv->raft, &change->req, id, on_changed);
	if (rv != 0)
		end(change, rv);
}

static void on_transferred(struct raft_transfer *req)
{
	struct transfer *transfer = (struct transfer *)req;

	reply_fill(transfer->reply, "+OK");
	free(transfer);
}

static void transfer_leadership(struct client *client, raft_id id)
{
	struct transfer *transfer = calloc(1, sizeof(*transfer));
	int rv;

	if (transfer != NULL)
		transfer->reply = client_defer(client);
	if (transfer == NULL || transfer->reply == NULL) {
		free(transfer);
		return;
	}
	rv = raft_transfer(&client->kv->raft, &transfer->req, id, on_transferred);
	if (rv == 0)
		return;
	reply_fill(transfer->reply, "-ERR server %llu: %s", id, raft_strerror(rv));
	free(transfer);
}

void member_run(struct client *client, const struct resp_request *request)
{
	const struct resp_word *verb = &request->words[1];
	bool adds = resp_is(verb, "add") && request->count == 4;
	char text[KV_ADDRESS_MAX];
	char address[KV_ADDRESS_MAX];
	struct fault fault = {0};
	uint64_t id = 0;

	if (request->count < 3 || (request->count == 4 && !adds) ||
		(!adds && !resp_is(verb, "promote") && !resp_is(verb, "remove") &&
			!resp_is(verb, "transfer"))) {
		client_error(client, "ERR SNAPLINE ADD id ip:port | PROMOTE id | REMOVE "
				     "id | TRANSFER id");
		return;
	}
	if (resp_number(&request->words[2], UINT32_MAX, &id) != 0 || id == 0) {
		client_error(client, "ERR the id of a server is a number from 1 on");
		return;
	}
	if (resp_is(verb, "transfer")) {
		transfer_leadership(client, id);
		return;
	}
	if (adds) {
		(void)snprintf(text, sizeof(text), "%.*s",
			(int)request->words[3].len % KV_ADDRESS_MAX,
			request->words[3].bytes);
		if (kv_address(text, 1, address, &fault) != 0) {
			client_error(client, "ERR %s", fault.text);
			return;
		}
	}
	change_members(client, request, id, adds ? address : NULL);
}
