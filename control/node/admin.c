/* SPDX-License-Identifier: BSD-3-Clause */
/* The operator's socket: start a transfer, list transfers, hold one up or give it up. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/node/node_state.h"
#include "dataplane/base/log.h"

static void on_started(void *ctx, int64_t id, const struct fault *fault)
{
	const struct start_response response = {.id = id};
	struct rpc_call *call = ctx;
	uint8_t *bytes;
	size_t len;

	if (fault != NULL) {
		rpc_call_fail(call, -fault->code, "%s", fault->text);
		return;
	}
	if (start_response_encode(&response, &bytes, &len) != 0) {
		rpc_call_fail(call, ENOMEM, "no memory for an answer");
		return;
	}
	rpc_call_reply(call, (struct rpc_bytes){bytes, len}, (struct rpc_bytes){0});
	free(bytes);
}

static void on_start(void *ctx, struct rpc_call *call)
{
	struct install_starter starter = {
		.started = on_started, .ctx = call, .is_forced = true};
	struct rpc_bytes message = rpc_call_message(call);
	struct start_request request;

	if (start_request_decode(&request, message.data, message.len) != 0) {
		rpc_call_fail(call, RPC_EREQUEST, "malformed StartRequest");
		return;
	}
	starter.rank = request.rank;
	install_start(ctx, request.peer, &starter);
}

static size_t add_incoming(
	const struct incoming *incoming, struct transfer_info *infos, size_t count)
{
	struct transfer_info *info = &infos[count];

	if (incoming->has_last)
		infos[count++] = incoming->last;
	if (incoming->copier == NULL)
		return count;
	info = &infos[count++];
	*info = (struct transfer_info){.id = incoming->id};
	copier_describe(incoming->copier, info);
	(void)snprintf(info->peer, sizeof(info->peer), "%s", incoming->peer);
	return count;
}

static void on_list(void *ctx, struct rpc_call *call)
{
	struct node *node = ctx;
	struct rpc_bytes message = rpc_call_message(call);
	struct list_request request;
	struct transfer_list list = {0};
	size_t most = 2;
	uint8_t *bytes;
	size_t len;

	if (list_request_decode(&request, message.data, message.len) != 0) {
		rpc_call_fail(call, RPC_EREQUEST, "malformed ListRequest");
		return;
	}
	for (struct outgoing *it = node->outgoing.first; it != NULL; it = it->next)
		most++;
	list.transfers = calloc(most, sizeof(*list.transfers));
	if (list.transfers == NULL) {
		rpc_call_fail(call, ENOMEM, "no memory for the list");
		return;
	}
	for (struct outgoing *it = node->outgoing.first; it != NULL; it = it->next) {
		if (!outgoing_is_unused(it))
			outgoing_describe(it, &list.transfers[list.count++]);
	}
	list.count = add_incoming(&node->incoming, list.transfers, list.count);
	if (request.has_id) {
		size_t at = 0;

		while (at < list.count && list.transfers[at].id != request.id)
			at++;
		if (at < list.count)
			list.transfers[0] = list.transfers[at];
		list.count = at < list.count ? 1 : 0;
	}
	if (transfer_list_encode(&list, &bytes, &len) != 0) {
		rpc_call_fail(call, ENOMEM, "no memory for the list");
	} else {
		rpc_call_reply(
			call, (struct rpc_bytes){bytes, len}, (struct rpc_bytes){0});
		free(bytes);
	}
	transfer_list_fini(&list);
}

enum order { ORDER_PAUSE, ORDER_RESUME, ORDER_CANCEL };

static int give_outgoing(struct node *node, struct outgoing *outgoing, enum order order,
	struct fault *fault)
{
	if (order == ORDER_CANCEL)
		return outgoing_cancel(outgoing, node->peer_id, fault);
	return outgoing_pause(outgoing, order == ORDER_PAUSE, fault);
}

static int give_incoming(struct node *node, enum order order, struct fault *fault)
{
	char why[TRANSFER_TEXT_MAX];

	if (order != ORDER_CANCEL)
		return copier_pause(node->incoming.copier, order == ORDER_PAUSE, fault);
	(void)snprintf(why, sizeof(why), "cancelled by the operator of the follower %s",
		node->peer_id);
	return copier_give_up(node->incoming.copier, why, fault);
}

int admin_find(
	struct node *node, int64_t id, struct outgoing **found, struct fault *fault)
{
	const struct incoming *incoming = &node->incoming;
	struct outgoing *outgoing = outgoing_find(&node->outgoing, id);

	if ((outgoing != NULL && outgoing->is_ended) ||
		(incoming->has_last && incoming->last.id == id))
		return fault_set(fault, -ENOENT,
			"transfer %lld has ended: see how with 'snapline transfer list'",
			(long long)id);
	if (outgoing == NULL && (incoming->copier == NULL || incoming->id != id))
		return fault_set(fault, -ENOENT,
			"there is no transfer %lld: see which there are with 'snapline "
			"transfer list'",
			(long long)id);
	*found = outgoing;
	return 0;
}

static int give_order(
	struct node *node, int64_t id, enum order order, struct fault *fault)
{
	struct outgoing *outgoing;
	int err = admin_find(node, id, &outgoing, fault);

	if (err != 0)
		return err;
	err = outgoing != NULL ? give_outgoing(node, outgoing, order, fault)
			       : give_incoming(node, order, fault);
	if (err != 0)
		fault_prefix(fault, "transfer %lld", (long long)id);
	return err;
}

static void on_order(struct node *node, struct rpc_call *call, enum order order)
{
	static const char *const names[] = {"pause", "resume", "cancel"};
	struct rpc_bytes message = rpc_call_message(call);
	struct order_request request;
	struct fault fault = {0};

	if (order_request_decode(&request, message.data, message.len) != 0) {
		rpc_call_fail(call, RPC_EREQUEST, "malformed OrderRequest");
		return;
	}
	if (give_order(node, request.id, order, &fault) != 0) {
		rpc_call_fail(call, -fault.code, "%s", fault.text);
		return;
	}
	log_line(LOG_INFO, "admin", "event=%s id=%lld", names[order],
		(long long)request.id);
	rpc_call_reply(call, (struct rpc_bytes){0}, (struct rpc_bytes){0});
}

static void on_pause(void *ctx, struct rpc_call *call)
{
	on_order(ctx, call, ORDER_PAUSE);
}

static void on_resume(void *ctx, struct rpc_call *call)
{
	on_order(ctx, call, ORDER_RESUME);
}

static void on_cancel(void *ctx, struct rpc_call *call)
{
	on_order(ctx, call, ORDER_CANCEL);
}

const struct rpc_method admin_methods[] = {
	{"snapline.AdminService", "start", on_start},
	{"snapline.AdminService", "list", on_list},
	{"snapline.AdminService", "pause", on_pause},
	{"snapline.AdminService", "resume", on_resume},
	{"snapline.AdminService", "cancel", on_cancel},
	{"snapline.AdminService", "throttle", admin_throttle},
	{"snapline.AdminService", "queues", admin_queues},
	{"snapline.AdminService", "set_rate", admin_set_rate},
	{"snapline.AdminService", "set_disk_rate", admin_set_disk_rate},
	{NULL, NULL, NULL},
};
