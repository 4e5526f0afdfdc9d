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
#include "control/node/node_state.h"
#include "control/uri.h"
#include "dataplane/base/log.h"

/* An operator's `start` that waits for the newest snapshot to be read in. */
struct starting {
	struct node *node;
	struct rpc_call *call;
	struct peer_id peer;
};

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
	if (fault.code == 0 && outgoing->session_id == 0)
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
	(void)snprintf(
		request.group_id, sizeof(request.group_id), "%s", node->options->group);
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
	err = rpc_client_open(&outgoing->client, &node->loop, address, fault);
	if (err == 0)
		rpc_client_call(outgoing->client, "braft.RaftService", "install_snapshot",
			(struct rpc_bytes){bytes, len}, RPC_NO_TIMEOUT, on_installed,
			outgoing);
	free(bytes);
	return err;
}

static void answer_start(struct rpc_call *call, int64_t id)
{
	const struct start_response response = {.id = id};
	uint8_t *bytes;
	size_t len;

	if (start_response_encode(&response, &bytes, &len) != 0) {
		rpc_call_fail(call, ENOMEM, "no memory for an answer");
		return;
	}
	rpc_call_reply(call, (struct rpc_bytes){bytes, len}, (struct rpc_bytes){0});
	free(bytes);
}

static void on_newest(void *ctx, struct served *served, const struct fault *fault)
{
	struct starting *starting = ctx;
	struct node *node = starting->node;
	struct outgoing *outgoing;
	struct fault failed = {0};
	char peer[PEER_ID_TEXT_MAX];

	peer_id_format_address(&starting->peer, peer);
	if (served == NULL) {
		rpc_call_fail(starting->call, -fault->code, "%s", fault->text);
	} else if (node->is_stopping) {
		served_release(served);
		rpc_call_fail(starting->call, EHOSTDOWN, "Node is stopped");
	} else if (outgoing_create(&outgoing, &node->outgoing, served,
			   node->options->group, peer) != 0) {
		served_release(served);
		rpc_call_fail(starting->call, ENOMEM, "no memory for another transfer");
	} else {
		answer_start(starting->call, outgoing->id);
		if (call_install(node, outgoing, &starting->peer, &failed) != 0)
			outgoing_end(outgoing, &failed);
	}
	free(starting);
}

void install_start(struct node *node, const char *peer, struct rpc_call *call)
{
	struct starting *starting = calloc(1, sizeof(*starting));
	struct fault fault = {0};

	if (starting == NULL)
		(void)fault_set(&fault, -ENOMEM, "no memory for another transfer");
	else if (peer_id_parse(&starting->peer, peer, &fault) == 0 &&
		 peer_id_is_equal(&starting->peer, &node->executor.self))
		(void)fault_set(&fault, -EINVAL,
			"%s is this node itself: name the follower", peer);
	if (fault.code == 0 && node->is_stopping)
		(void)fault_set(&fault, -EHOSTDOWN, "Node is stopped");
	if (fault.code != 0) {
		rpc_call_fail(call, -fault.code, "%s", fault.text);
		free(starting);
		return;
	}
	starting->node = node;
	starting->call = call;
	served_acquire(&node->served, on_newest, starting);
}

static void answer(struct rpc_call *call, const struct executor_answer *answer)
{
	const struct install_snapshot_response response = {
		.term = answer->term, .success = answer->success};
	uint8_t *bytes;
	size_t len;

	if (answer->code != 0) {
		rpc_call_fail(call, answer->code, "%s", answer->text);
		return;
	}
	if (install_snapshot_response_encode(&response, &bytes, &len) != 0) {
		rpc_call_fail(call, ENOMEM, "no memory for an answer");
		return;
	}
	rpc_call_reply(call, (struct rpc_bytes){bytes, len}, (struct rpc_bytes){0});
	free(bytes);
}

static void carry_out(
	struct node *node, const struct executor_update *update, const char *why);

static bool may_commit(void *ctx)
{
	struct node *node = ctx;

	return executor_on_commit(&node->executor);
}

static void on_copied(void *ctx, const struct fault *fault)
{
	struct node *node = ctx;
	struct incoming *incoming = &node->incoming;
	struct executor_update update;
	/* the fault does not say whose disk failed, and only our own may end the node */
	struct executor_end end = {.is_remote = true};

	copier_describe(incoming->copier, &incoming->last);
	incoming->last.id = incoming->id;
	incoming->has_last = true;
	(void)snprintf(
		incoming->last.peer, sizeof(incoming->last.peer), "%s", incoming->peer);
	end.snapshot = (struct log_id){incoming->last.index, incoming->last.term};
	if (fault != NULL) {
		end.code = -fault->code;
		end.text = fault->text;
	}
	executor_on_copied(&node->executor, &end, &update);
	if (fault != NULL)
		log_line(LOG_WARN, "install", "event=failed from=%s text=\"%s\"",
			incoming->peer, fault->text);
	else
		log_line(LOG_INFO, "install",
			"event=done from=%s index=%lld term=%lld files=%llu bytes=%llu "
			"ms=%llu path=dpdk",
			incoming->peer, (long long)incoming->last.index,
			(long long)incoming->last.term,
			(unsigned long long)incoming->last.files,
			(unsigned long long)incoming->last.bytes_total,
			(unsigned long long)incoming->last.elapsed_ns / 1000000);
	carry_out(node, &update, NULL);
	copier_destroy(incoming->copier);
	incoming->copier = NULL;
}

static void start_copier(struct node *node)
{
	struct incoming *incoming = &node->incoming;
	struct executor_end end = {.is_remote = true};
	struct executor_update update;
	struct fault fault = {0};
	struct uri uri = {0};
	struct copier_options options = {
		.loop = &node->loop,
		.storage = node->storage,
		.plane = node->plane,
		.group_id = node->options->group,
		.self = node->options->peer_id,
		.has_reader_id = true,
		.may_commit = may_commit,
		.on_end = on_copied,
		.ctx = node,
	};

	if (uri_parse(&uri, node->executor.uri, NULL) != 0) {
		executor_on_bad_uri(&node->executor, &update);
		carry_out(node, &update, NULL);
		return;
	}
	options.address = uri.address;
	options.reader_id = uri.reader_id;
	if (copier_start(&incoming->copier, &options, &fault) != 0) {
		end.code = -fault.code;
		end.text = fault.text;
		executor_on_copied(&node->executor, &end, &update);
		carry_out(node, &update, NULL);
		return;
	}
	incoming->id = node->outgoing.next_id++;
	(void)snprintf(incoming->peer, sizeof(incoming->peer), "%.255s", uri.address);
	log_line(LOG_INFO, "install", "event=start from=%s index=%lld term=%lld",
		uri.address, (long long)node->executor.downloading,
		(long long)node->executor.owner_term);
}

static void do_work(
	struct node *node, const struct executor_update *update, const char *why)
{
	const struct executor_end loaded = {.snapshot = update->snapshot};
	struct executor_update next;

	switch (update->work) {
	case EXECUTOR_COPY:
		start_copier(node);
		break;
	case EXECUTOR_CANCEL_COPY:
		copier_cancel(node->incoming.copier, why);
		break;
	case EXECUTOR_LOAD: /* there is no state machine here */
		executor_on_loaded(&node->executor, &loaded, false, &next);
		carry_out(node, &next, NULL);
		break;
	case EXECUTOR_NO_WORK:
	case EXECUTOR_SAVE:
	case EXECUTOR_COMMIT_SAVE:
	case EXECUTOR_ABORT_SAVE:
		break;
	}
}

/* why: what a copier that is cancelled tells its leader. */
static void carry_out(
	struct node *node, const struct executor_update *update, const char *why)
{
	do_work(node, update, why);
	for (size_t i = 0; i < update->nanswers; i++)
		answer(update->answers[i].call, &update->answers[i]);
}

void install_on_request(void *ctx, struct rpc_call *call)
{
	struct node *node = ctx;
	struct rpc_bytes message = rpc_call_message(call);
	struct install_snapshot_request request;
	struct executor_request asked;
	struct executor_update update;

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
	executor_on_install(&node->executor, &asked, call, &update);
	install_snapshot_request_fini(&request);
	carry_out(node, &update,
		"interrupted by a newer InstallSnapshot; nothing was committed");
}

void install_on_stop(struct node *node)
{
	struct executor_update update;

	executor_on_stop(&node->executor, &update);
	carry_out(node, &update, "the follower is being stopped; nothing was committed");
}
