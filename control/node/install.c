/* SPDX-License-Identifier: BSD-3-Clause */
/* InstallSnapshot: sent to a follower at the operator's word, obeyed when a leader sends
 * it.
 *
 * One call lasts as long as the whole transfer, as in braft: the follower answers when
 * the snapshot is committed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/braft_codec.h"
#include "control/node/machine.h"
#include "control/node/node_state.h"
#include "control/uri.h"
#include "dataplane/base/log.h"

/* An operator's `start` that waits for the newest snapshot to be read in. */
struct starting {
	uv_timer_t timer;
	struct node *node;
	struct install_starter starter;
	struct peer_id peer;
};

static void free_starting(uv_handle_t *handle)
{
	free(handle->data);
}

static void on_installed(void *ctx, const struct rpc_result *result)
{
	struct outgoing *outgoing = ctx;
	struct install_snapshot_response response = {0};
	struct fault fault = {0};

	if (result->code == RPC_EFAILEDSOCKET)
		(void)fault_set(&fault, -ECONNRESET,
			"the follower %s went away before it had committed the snapshot: "
			"start the transfer again when it is back",
			outgoing->peer);
	else if (result->code ==
		 ENOENT) /* braft's words, for a peer that has no remedy */
		(void)fault_set(&fault, -ENOENT,
			"%s: it is not '%s' of group '%s': compare --group and --peer-id "
			"of both nodes",
			result->text, outgoing->peer, outgoing->group_id);
	else if (result->code != 0)
		(void)fault_set(&fault, -result->code, "%s", result->text);
	else if (install_snapshot_response_decode(
			 &response, result->message.data, result->message.len) != 0)
		(void)fault_set(
			&fault, -RPC_ERESPONSE, "%s answers nonsense", outgoing->peer);
	else if (!response.success)
		(void)fault_set(&fault, -ESTALE,
			"%s refused: it is in term %lld, newer than this leader's",
			outgoing->peer, (long long)response.term);
	if (fault.code == 0 && outgoing->session_id == 0 && !outgoing->is_tcp)
		outgoing->bytes_reused =
			outgoing->bytes; /* it had this snapshot already */
	outgoing_end(outgoing, &fault);
}

static int call_install(struct node *node, struct outgoing *outgoing,
	const struct peer_id *peer, struct fault *fault)
{
	const struct served *served = outgoing->served;
	struct install_snapshot_request request = {.meta = served->reader->table.meta};
	struct uri uri = {.reader_id = outgoing->reader_id};
	char address[PEER_ID_TEXT_MAX];
	uint8_t *bytes;
	size_t len;
	int err;

	peer_id_format_address(&node->executor.self, uri.address);
	peer_id_format_address(peer, address);
	(void)snprintf(request.group_id, sizeof(request.group_id), "%s", node->group);
	peer_id_format(&node->executor.self, request.server_id);
	peer_id_format(peer, request.peer_id);
	request.term = outgoing->term > node->executor.term ? outgoing->term
							    : node->executor.term;
	err = uri_format(&uri, request.uri, sizeof(request.uri));
	if (err != 0)
		return fault_set(fault, err, "the uri of this node is too long");
	err = install_snapshot_request_encode(&request, &bytes, &len);
	if (err != 0)
		return fault_set(fault, err, "cannot encode InstallSnapshot");
	err = rpc_client_open(&outgoing->client, node->loop, address, fault);
	if (err != 0)
		goto free_bytes;
	/* the answer may take hours, the connection may not */
	rpc_client_set_connect_timeout(
		outgoing->client, (int)node->settings.connect_timeout_ms);
	rpc_client_call(outgoing->client, "braft.RaftService", "install_snapshot",
		(struct rpc_bytes){bytes, len}, RPC_NO_TIMEOUT, on_installed, outgoing);
free_bytes:
	free(bytes);
	return err;
}

/* A second InstallSnapshot would interrupt the first at the follower. */
static const struct outgoing *find_install(
	const struct outgoing_list *list, const char *peer)
{
	const struct outgoing *it = list->first;

	while (it != NULL &&
		(it->is_ended || it->client == NULL || strcmp(it->peer, peer) != 0))
		it = it->next;
	return it;
}

static void on_newest(void *ctx, struct served *served, const struct fault *unreadable)
{
	struct starting *starting = ctx;
	struct install_starter *starter = &starting->starter;
	struct node *node = starting->node;
	const struct outgoing *other;
	struct outgoing *outgoing = NULL;
	struct fault fault = {0};
	char peer[PEER_ID_TEXT_MAX];

	peer_id_format_address(&starting->peer, peer);
	other = find_install(&node->outgoing, peer);
	if (served == NULL)
		fault = *unreadable;
	else if (node->is_stopping)
		(void)fault_set(&fault, -EHOSTDOWN, "Node is stopped");
	else if (other != NULL)
		(void)fault_set(&fault, -EBUSY,
			"transfer %lld brings %s up to date already: see it with "
			"'snapline transfer list'",
			(long long)other->id, peer);
	else
		(void)outgoing_create(&outgoing, &node->outgoing, served, peer, &fault);
	if (fault.code != 0) {
		if (served != NULL)
			served_release(served);
		starter->started(starter->ctx, 0, &fault);
	} else {
		outgoing->is_install = true;
		outgoing_order_rank(outgoing, &starter->rank);
		outgoing_on_served(outgoing);
		outgoing->on_end = starter->ended;
		outgoing->on_end_ctx = starter->ctx;
		starter->started(starter->ctx, outgoing->id, NULL);
		if (call_install(node, outgoing, &starting->peer, &fault) != 0)
			outgoing_end(outgoing, &fault);
	}
	uv_close((uv_handle_t *)&starting->timer, free_starting);
}

static void on_unblocked(uv_timer_t *timer)
{
	struct starting *starting = timer->data;

	served_acquire(&starting->node->served, on_newest, starting);
}

/* A follower that has just refused is left alone for a while, as braft's replicator does:
 * how long yet, in milliseconds. */
static uint64_t blocked_ms(const struct node *node, const struct peer_id *peer)
{
	char address[PEER_ID_TEXT_MAX];
	nsec left = 0;

	peer_id_format_address(peer, address);
	for (const struct outgoing *it = node->outgoing.first; it != NULL;
		it = it->next) {
		nsec block;

		if (!it->is_install || !it->is_ended || it->fault.code == 0 ||
			strcmp(it->peer, address) != 0)
			continue;
		block = snapshot_options_block(&node->settings, -it->fault.code);
		left = nsec_max(left, (nsec)it->ended + block - (nsec)uv_hrtime());
	}
	return (uint64_t)((left + MSEC - 1) / MSEC);
}

void install_start(
	struct node *node, const char *peer, const struct install_starter *starter)
{
	struct starting *starting = calloc(1, sizeof(*starting));
	char address[PEER_ID_TEXT_MAX];
	struct fault fault = {0};

	if (starting == NULL)
		(void)fault_set(&fault, -ENOMEM, "no memory for another transfer");
	else if (peer_id_parse(&starting->peer, peer, &fault) == 0 &&
		 peer_id_is_equal(&starting->peer, &node->executor.self))
		(void)fault_set(&fault, -EINVAL,
			"%s is this node itself: name the follower", peer);
	if (fault.code == 0 && node->is_stopping)
		(void)fault_set(&fault, -EHOSTDOWN, "Node is stopped");
	if (fault.code == 0 && !starter->is_forced) {
		peer_id_format_address(&starting->peer, address);
		(void)outgoing_check_barred(&node->outgoing, address, &fault);
	}
	if (fault.code != 0) {
		starter->started(starter->ctx, 0, &fault);
		free(starting);
		return;
	}
	starting->node = node;
	starting->starter = *starter;
	starting->timer.data = starting;
	(void)uv_timer_init(node->loop, &starting->timer);
	(void)uv_timer_start(
		&starting->timer, on_unblocked, blocked_ms(node, &starting->peer), 0);
}

void install_on_request(void *ctx, struct rpc_call *call)
{
	struct node *node = ctx;
	const struct ask ask = {.kind = ASK_RPC, .call = call};
	struct rpc_bytes message = rpc_call_message(call);
	struct install_snapshot_request request;
	struct executor_request asked;
	struct ask *waiting;

	if (install_snapshot_request_decode(&request, message.data, message.len) != 0) {
		rpc_call_fail(call, RPC_EREQUEST, "malformed InstallSnapshotRequest");
		return;
	}
	asked = (struct executor_request){
		.group_id = request.group_id,
		.server_id = request.server_id,
		.peer_id = request.peer_id,
		.term = request.term,
		.index = request.meta.index,
		.uri = request.uri,
	};
	waiting = ask_create(&ask);
	if (waiting == NULL)
		rpc_call_fail(call, ENOMEM, "no memory to remember the call");
	else
		machine_install(node, &asked, waiting);
	install_snapshot_request_fini(&request);
}
