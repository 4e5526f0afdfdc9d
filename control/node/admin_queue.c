/* SPDX-License-Identifier: BSD-3-Clause */
/* The operator's socket: what the queues may send and do, and how to change that. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "control/node/node_state.h"
#include "control/queue_codec.h"
#include "dataplane/base/format.h"
#include "dataplane/base/log.h"

static void collect(const struct node *node, struct queue_list *list)
{
	struct transfer *transfer = plane_transfer(node->plane);

	for (uint32_t port = 0; port < TRANSFER_DEVICES_MAX; port++) {
		uint32_t queue = 0;

		while (list->count < QUEUES_MAX &&
			transfer_get_queue(
				transfer, port, queue, &list->queues[list->count])) {
			list->count++;
			queue++;
		}
	}
	transfer_get_disk(transfer, &list->disk);
	list->has_disk = true;
}

void admin_queues(void *ctx, struct rpc_call *call)
{
	struct node *node = ctx;
	struct queue_list list = {0};
	uint8_t *bytes;
	size_t len;

	list.queues = calloc(QUEUES_MAX, sizeof(*list.queues));
	if (list.queues == NULL) {
		rpc_call_fail(call, ENOMEM, "no memory for the list");
		return;
	}
	if (node->plane != NULL)
		collect(node, &list);
	if (queue_list_encode(&list, &bytes, &len) != 0) {
		rpc_call_fail(call, ENOMEM, "no memory for the list");
	} else {
		rpc_call_reply(
			call, (struct rpc_bytes){bytes, len}, (struct rpc_bytes){0});
		free(bytes);
	}
	queue_list_fini(&list);
}

static int set_rate(
	struct node *node, const struct transfer_rate *rate, struct fault *fault)
{
	int err = -EINVAL;

	if (node->plane != NULL)
		err = transfer_set_rate(plane_transfer(node->plane), rate);
	if (err == -EAGAIN)
		return fault_set(fault, err,
			"the data plane takes no orders now: try again in a moment");
	if (err == 0)
		return 0;
	if (rate->queue == TRANSFER_ALL_QUEUES)
		return fault_set(fault, -ENOENT,
			"this node has no port %u: see which there are with 'snapline "
			"queue list'",
			rate->port);
	return fault_set(fault, -ENOENT,
		"this node has no queue %u:%u: see which there are with 'snapline queue "
		"list'",
		rate->port, rate->queue);
}

/* Fails for a rate out of range alone: the options and disk_rate_request_decode let none
 * through. */
static void set_disk_rate(const struct node *node, uint64_t rate_bps)
{
	int err = transfer_set_disk_rate(plane_transfer(node->plane), rate_bps);

	assert(err == 0);
	(void)err;
}

int node_set_rates(struct node *node, const struct node_rates *rates, struct fault *fault)
{
	struct transfer_rate rate = {.queue = TRANSFER_ALL_QUEUES,
		.rate_bps = rates->rate_bps,
		.burst = rates->burst,
		.ceiling = rates->auto_ceiling};
	uint32_t ndevices = node->plane == NULL
				    ? 0
				    : transfer_count_devices(plane_transfer(node->plane));
	int err = 0;

	for (; rate.port < ndevices && err == 0; rate.port++) {
		err = set_rate(node, &rate, fault);
		if (err == 0)
			plane_set_rate(node->plane, rate.port, rate.rate_bps);
	}
	if (err == 0 && node->plane != NULL)
		set_disk_rate(node, rates->disk_rate_bps);
	return err;
}

void admin_set_rate(void *ctx, struct rpc_call *call)
{
	struct rpc_bytes message = rpc_call_message(call);
	struct transfer_rate rate;
	struct fault fault = {0};
	char text[FORMAT_MAX];

	if (set_rate_request_decode(&rate, message.data, message.len) != 0) {
		rpc_call_fail(call, RPC_EREQUEST, "malformed SetRateRequest");
		return;
	}
	if (set_rate(ctx, &rate, &fault) != 0) {
		rpc_call_fail(call, -fault.code, "%s", fault.text);
		return;
	}
	log_line(LOG_INFO, "admin", "event=set_rate port=%u queue=%d rate=\"%s\"",
		rate.port, (int)rate.queue, format_rate(rate.rate_bps, text));
	rpc_call_reply(call, (struct rpc_bytes){0}, (struct rpc_bytes){0});
}

void admin_set_disk_rate(void *ctx, struct rpc_call *call)
{
	const struct node *node = ctx;
	struct rpc_bytes message = rpc_call_message(call);
	uint64_t rate_bps;
	char text[FORMAT_MAX];

	if (disk_rate_request_decode(&rate_bps, message.data, message.len) != 0) {
		rpc_call_fail(call, RPC_EREQUEST, "malformed SetDiskRateRequest");
		return;
	}
	if (node->plane == NULL) {
		rpc_call_fail(call, ENOENT,
			"this node has no device: over TCP its "
			"--snapshot-throttle-rate limits reading and writing");
		return;
	}
	set_disk_rate(node, rate_bps);
	log_line(LOG_INFO, "admin", "event=set_disk_rate rate=\"%s\"",
		format_rate(rate_bps, text));
	rpc_call_reply(call, (struct rpc_bytes){0}, (struct rpc_bytes){0});
}

static int throttle(
	struct node *node, const struct throttle_request *request, struct fault *fault)
{
	struct outgoing *outgoing;
	int err = admin_find(node, request->id, &outgoing, fault);

	if (err != 0)
		return err;
	err = outgoing != NULL ? outgoing_throttle(outgoing, request, fault)
			       : copier_throttle(node->incoming.copier, request, fault);
	if (err != 0)
		fault_prefix(fault, "transfer %lld", (long long)request->id);
	return err;
}

void admin_throttle(void *ctx, struct rpc_call *call)
{
	struct rpc_bytes message = rpc_call_message(call);
	struct throttle_request request;
	struct fault fault = {0};
	char text[FORMAT_MAX];

	if (throttle_request_decode(&request, message.data, message.len) != 0) {
		rpc_call_fail(call, RPC_EREQUEST, "malformed ThrottleRequest");
		return;
	}
	if (throttle(ctx, &request, &fault) != 0) {
		rpc_call_fail(call, -fault.code, "%s", fault.text);
		return;
	}
	log_line(LOG_INFO, "admin",
		"event=throttle id=%lld rate=\"%s\" class=%s weight=%u",
		(long long)request.id,
		request.has_rate ? format_rate(request.rate_bps, text) : "",
		request.rank.has_class ? rank_classes[request.rank.class] : "",
		request.rank.weight);
	rpc_call_reply(call, (struct rpc_bytes){0}, (struct rpc_bytes){0});
}
