/* SPDX-License-Identifier: BSD-3-Clause */
/* The leader's end of a transfer: open, progress, close. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/node/node_state.h"
#include "control/node/pins.h"
#include "control/node/session_setup.h"
#include "control/route.h"
#include "dataplane/base/log.h"

/* An `open` that waits for the newest snapshot to be read in. */
struct pending {
	struct node *node;
	struct rpc_call *call;
	struct open_request request;
};

static void refuse(struct rpc_call *call, const struct fault *fault)
{
	rpc_call_fail(call, -fault->code, "%s", fault->text);
}

/* Names the devices that will talk, or says why none can. */
static int find_route(struct node *node, const struct served *served,
	const struct open_request *request, struct route *route, struct fault *fault)
{
	struct transfer_endpoint ours[TRANSFER_DEVICES_MAX];
	uint32_t size = served->reader->manifest.chunk_size;

	if (node->plane == NULL)
		return fault_set(fault, -ENODEV, "the leader has no device");
	if (request->nendpoints == 0)
		return fault_set(fault, -ENODEV, "the follower has no device");
	if (size > plane_buffer_size(node->plane))
		return fault_set(fault, -EINVAL,
			"the snapshot has chunks of %u bytes, larger than the leader's "
			"buffers: start it with --buffer-size %u",
			size, size);
	return route_find(route, ours, plane_endpoints(node->plane, ours),
		request->endpoints, request->nendpoints, fault);
}

static int start(struct node *node, struct outgoing *outgoing,
	const struct open_request *request, struct open_response *response,
	const struct route *route, struct fault *fault)
{
	struct transfer_endpoint ours[TRANSFER_DEVICES_MAX];
	const struct served *served = outgoing->served;
	struct session_setup setup;
	int err;

	err = session_setup_nonce(response->nonce, fault);
	if (err != 0)
		return err;
	err = plane_reserve(
		node->plane, outgoing_on_report, outgoing, &response->session_id);
	if (err != 0)
		return fault_set(fault, err,
			"all transfer slots of the leader are in use: try again later");
	(void)plane_endpoints(node->plane, ours);
	response->endpoint = ours[route->local];
	response->peer_endpoint = route->peer;
	response->slice_size = route->slice_size;
	response->stripes = route->stripes;
	outgoing->follower = request->endpoints[route->peer];
	rank_apply(&outgoing->rank, &request->rank);
	rank_apply(&outgoing->rank, &outgoing->ordered);
	setup = (struct session_setup){
		.role = TRANSFER_SEND,
		.group_id = outgoing->group_id,
		.index = outgoing->index,
		.term = outgoing->term,
		.sender_nonce = response->nonce,
		.receiver_nonce = request->nonce,
		.device = route->local,
		.session_id = response->session_id,
		.peer_session_id = request->session_id,
		.peer = &outgoing->follower,
		.slice_size = route->slice_size,
		.stripes = route->stripes,
		.manifest = &served->reader->manifest,
		.object = served->object,
		.rank = outgoing->rank,
	};
	err = session_setup_start(plane_transfer(node->plane), &setup, fault);
	if (err != 0) {
		plane_release(node->plane, response->session_id);
		return err;
	}
	effort_mark_set(&outgoing->mark, node->plane, served->object);
	outgoing->session = SESSION_RUNNING;
	outgoing->session_id = response->session_id;
	(void)outgoing_apply_rate(outgoing);
	return 0;
}

/* No device can be used: the files go over get_file, and both sides say so. */
static void start_tcp(struct outgoing *outgoing, struct open_response *response,
	const struct fault *why)
{
	response->is_tcp = true;
	(void)snprintf(response->reason, sizeof(response->reason), "%s", why->text);
	outgoing->is_tcp = true;
}

static int answer(const struct outgoing *outgoing, const struct open_response *response,
	struct rpc_call *call)
{
	const struct served *served = outgoing->served;
	const struct rpc_bytes offered = {
		served->offered, served->own_table_len + served->manifest_len};
	uint8_t *message;
	size_t len;
	int err = open_response_encode(response, &message, &len);

	if (err != 0)
		return err;
	rpc_call_reply(call, (struct rpc_bytes){message, len}, offered);
	free(message);
	return 0;
}

/* Every open of a transfer ends here. */
static void open_transfer(struct node *node, struct outgoing *outgoing,
	const struct open_request *request, struct rpc_call *call)
{
	struct open_response response = {
		.transfer_id = outgoing->reader_id, /* not to be guessed by others */
		.index = outgoing->index,
		.term = outgoing->term,
		.table_size = (uint32_t)outgoing->served->own_table_len,
		.manifest_size = (uint32_t)outgoing->served->manifest_len,
	};
	struct fault why = {0};
	struct fault fault = {0};
	struct route route;

	if (find_route(node, outgoing->served, request, &route, &why) != 0) {
		start_tcp(outgoing, &response, &why);
	} else if (start(node, outgoing, request, &response, &route, &fault) != 0) {
		refuse(call, &fault);
		outgoing_end(outgoing, &fault);
		return;
	}
	/* also beside a session: for chunks that the follower finds damaged at its end */
	tcp_serve_set_any_order(node->tcp, outgoing->reader_id, SERVE_MAX_READS);
	outgoing->stage = STAGE_WIRE;
	outgoing->is_opened = true;
	if (outgoing->peer[0] == '\0') /* an offer does not say for whom */
		(void)snprintf(
			outgoing->peer, sizeof(outgoing->peer), "%s", request->peer_id);
	outgoing_apply_pause(outgoing);
	log_line(LOG_INFO, "serve",
		"event=open id=%lld peer=%s index=%lld bytes=%llu files=%llu path=%s "
		"slice=%u stripes=%u reason=\"%s\"",
		(long long)outgoing->id, outgoing->peer, (long long)outgoing->index,
		(unsigned long long)outgoing->bytes, (unsigned long long)outgoing->files,
		outgoing->is_tcp ? "tcp" : "dpdk", response.slice_size, response.stripes,
		why.text);
	if (answer(outgoing, &response, call) != 0) {
		(void)fault_set(&fault, -ENOMEM, "no memory for the manifest");
		refuse(call, &fault);
		outgoing_end(outgoing, &fault);
	}
}

static void on_newest(void *ctx, struct served *served, const struct fault *unreadable)
{
	struct pending *pending = ctx;
	struct node *node = pending->node;
	const char *peer = pending->request.peer_id;
	struct outgoing *outgoing;
	struct fault fault = {0};

	if (peer[0] == '\0')
		peer = rpc_call_peer(pending->call);
	if (served == NULL)
		fault = *unreadable;
	else if (node->is_stopping)
		(void)fault_set(&fault, -EHOSTDOWN, "Node is stopped");
	else
		(void)(outgoing_check_barred(&node->outgoing, peer, &fault) == 0 &&
			outgoing_create(
				&outgoing, &node->outgoing, served, peer, &fault) == 0);
	if (fault.code == 0) {
		open_transfer(node, outgoing, &pending->request, pending->call);
	} else {
		if (served != NULL)
			served_release(served);
		refuse(pending->call, &fault);
	}
	free(pending);
}

static int check_request(
	struct node *node, const struct open_request *request, struct fault *fault)
{
	if (request->version != OPEN_VERSION)
		return fault_set(fault, -EPROTO,
			"the follower speaks version %u of TransferService, this node "
			"%d: "
			"run the same release on both",
			request->version, OPEN_VERSION);
	if (strcmp(request->group_id, node->group) != 0)
		return fault_set(fault, -ENOENT,
			"group '%.100s' is not here: this node serves '%s'",
			request->group_id, node->group);
	if (node->is_stopping)
		return fault_set(fault, -EHOSTDOWN, "Node is stopped");
	return 0;
}

/* Who is named by an install comes because this node has asked it to. */
static bool is_barred(const struct node *node, const struct outgoing *outgoing,
	const struct open_request *request, struct fault *fault)
{
	return !outgoing->is_install &&
	       outgoing_check_barred(&node->outgoing, request->peer_id, fault) != 0;
}

/* Only who was sent here by InstallSnapshot needs the log behind it: a pull by an
 * operator is a copy, and neither keeps the log nor fails because of it. */
static void serve_follower(struct node *node, struct outgoing *outgoing,
	const struct open_request *request, struct rpc_call *call)
{
	outgoing_on_served(outgoing);
	open_transfer(node, outgoing, request, call);
}

void serve_open(void *ctx, struct rpc_call *call)
{
	struct node *node = ctx;
	struct rpc_bytes message = rpc_call_message(call);
	struct pending *pending = calloc(1, sizeof(*pending));
	struct outgoing *outgoing;
	struct fault fault = {0};

	if (pending == NULL) {
		rpc_call_fail(call, ENOMEM, "no memory for another transfer");
		return;
	}
	if (open_request_decode(&pending->request, message.data, message.len) != 0)
		(void)fault_set(&fault, -RPC_EREQUEST, "malformed OpenRequest");
	else
		(void)check_request(node, &pending->request, &fault);
	if (fault.code != 0) {
		refuse(call, &fault);
		free(pending);
		return;
	}
	pending->node = node;
	pending->call = call;
	if (!pending->request.has_reader_id) {
		served_acquire(&node->served, on_newest, pending);
		return;
	}
	outgoing = outgoing_find_reader(&node->outgoing, pending->request.reader_id);
	if (outgoing == NULL || outgoing->served == NULL)
		rpc_call_fail(call, ENOENT,
			"Fail to find reader=%lld: the leader has ended this transfer; "
			"start "
			"a new one",
			(long long)pending->request.reader_id);
	else if (outgoing->session != SESSION_NONE || outgoing->is_tcp)
		rpc_call_fail(call, EAGAIN, "reader=%lld is being read already",
			(long long)pending->request.reader_id);
	else if (is_barred(node, outgoing, &pending->request, &fault))
		refuse(call, &fault);
	else
		serve_follower(node, outgoing, &pending->request, call);
	free(pending);
}

static void answer_progress(const struct outgoing *outgoing, struct rpc_call *call)
{
	struct progress_response response = {.is_paused = outgoing->is_paused};
	uint8_t *bytes;
	size_t len;

	response.has_convergence = pin_describe(&outgoing->pin, &response.convergence);
	if (progress_response_encode(&response, &bytes, &len) != 0) {
		rpc_call_fail(call, ENOMEM, "no memory for an answer");
		return;
	}
	rpc_call_reply(call, (struct rpc_bytes){bytes, len}, (struct rpc_bytes){0});
	free(bytes);
}

void serve_progress(void *ctx, struct rpc_call *call)
{
	struct node *node = ctx;
	struct rpc_bytes message = rpc_call_message(call);
	struct progress_request request;
	const struct outgoing *failed;
	struct outgoing *outgoing;
	struct fault fault = {0};

	if (progress_request_decode(&request, message.data, message.len) != 0) {
		rpc_call_fail(call, RPC_EREQUEST, "malformed ProgressRequest");
		return;
	}
	outgoing = outgoing_find_reader(&node->outgoing, request.transfer_id);
	failed = outgoing_find_failed(&node->outgoing, request.transfer_id);
	if (outgoing == NULL && failed != NULL && failed->cancelled.code != 0)
		refuse(call, &failed->cancelled);
	else if (outgoing == NULL && failed != NULL)
		rpc_call_fail(call, ENOENT, "%s", failed->fault.text);
	else if (outgoing == NULL)
		rpc_call_fail(
			call, ENOENT, "no transfer %lld", (long long)request.transfer_id);
	else if (outgoing_on_progress(outgoing, &request, &fault) != 0)
		refuse(call, &fault);
	else
		answer_progress(outgoing, call);
}

/* With what this end did for it, if it went over a device. */
static void answer_close(const struct outgoing *outgoing, struct rpc_call *call)
{
	struct close_response response = {0};
	uint8_t *bytes;
	size_t len;

	if (outgoing != NULL && outgoing->session != SESSION_NONE &&
		outgoing->served != NULL) {
		response.has_effort = true;
		effort_mark_measure(&outgoing->mark, outgoing->list->plane,
			outgoing->served->object, &response.effort);
	}
	if (close_response_encode(&response, &bytes, &len) != 0) {
		rpc_call_fail(call, ENOMEM, "no memory for an answer");
		return;
	}
	rpc_call_reply(call, (struct rpc_bytes){bytes, len}, (struct rpc_bytes){0});
	free(bytes);
}

void serve_close(void *ctx, struct rpc_call *call)
{
	struct node *node = ctx;
	struct rpc_bytes message = rpc_call_message(call);
	struct close_request request;
	struct outgoing *outgoing;
	struct fault fault = {0};

	if (close_request_decode(&request, message.data, message.len) != 0) {
		rpc_call_fail(call, RPC_EREQUEST, "malformed CloseRequest");
		return;
	}
	outgoing = outgoing_find_reader(&node->outgoing, request.transfer_id);
	answer_close(outgoing, call); /* first: it may be gone below */
	if (outgoing != NULL) {
		if (request.error_code != 0)
			(void)fault_set(
				&fault, -request.error_code, "%s", request.error_text);
		if (outgoing->client == NULL)
			outgoing_end(outgoing, &fault);
		/* else: the answer to InstallSnapshot is what counts, and it follows */
	}
}

void serve_get_file(void *ctx, struct rpc_call *call)
{
	struct node *node = ctx;

	tcp_serve_get_file(node->tcp, call);
}
