/* SPDX-License-Identifier: BSD-3-Clause */
/* What a leader offers: `open`, or the table alone when it is a stock braft node. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/node/copier_state.h"
#include "dataplane/base/log.h"

enum {
	/* a snapshot of braft's is read once before it is served */
	OPEN_TIMEOUT_MS = 300000,
	TABLE_MAX = 64 << 20, /* bytes */
};

static int check_device(struct copier *copier)
{
	const struct open_response *response = &copier->offer.response;
	struct transfer_endpoint ours[TRANSFER_DEVICES_MAX];
	uint32_t size = copier->offer.manifest.chunk_size;
	uint32_t count;

	if (!copier->has_session)
		return fault_set(&copier->fault, -EBADMSG,
			"the leader chose a device, which this node does not have");
	count = plane_endpoints(copier->options.plane, ours);
	if (response->peer_endpoint >= count ||
		response->slice_size > ours[response->peer_endpoint].slice_size ||
		response->stripes - 1 >= ours[response->peer_endpoint].queues)
		return fault_set(&copier->fault, -EBADMSG,
			"the leader chose device %u with slices of %u bytes on %u "
			"queues, "
			"which this node does not have",
			response->peer_endpoint, response->slice_size, response->stripes);
	if (size > plane_buffer_size(copier->options.plane))
		return fault_set(&copier->fault, -EINVAL,
			"the snapshot has chunks of %u bytes, larger than this node's "
			"buffers: start it with --buffer-size %u",
			size, size);
	copier->path = COPIER_DPDK;
	copier->leader = response->endpoint;
	return 0;
}

static int choose_path(struct copier *copier)
{
	const struct open_response *response = &copier->offer.response;

	if (!response->is_tcp)
		return check_device(copier);
	if (copier->options.path == COPIER_DPDK)
		return fault_set(&copier->fault, -EHOSTUNREACH,
			"the path shall be dpdk and the leader offers tcp only: %s",
			copier->is_stock ? "it is a stock braft node" : response->reason);
	copier->path = COPIER_TCP;
	if (copier->has_session)
		log_line(LOG_WARN, "copier", "event=path path=tcp reason=\"%s\"",
			copier->is_stock ? "a stock braft leader" : response->reason);
	copier_release_session(copier);
	return 0;
}

static void check_offer(struct copier *copier)
{
	int64_t newest = storage_newest_index(copier->options.storage);
	int64_t index = copier->offer.response.index;

	copier->is_here_already = index == newest;
	if (copier->options.index != 0 && index != copier->options.index)
		(void)fault_set(&copier->fault, -EBADMSG,
			"the leader announced the snapshot at index %lld and offers %lld",
			(long long)copier->options.index, (long long)index);
	else if (index < newest)
		(void)fault_set(&copier->fault, -ESTALE,
			"the leader offers index %lld, the store already has %lld: ask a "
			"leader that is further",
			(long long)index, (long long)newest);
	else if (!copier->is_here_already)
		(void)choose_path(copier);
}

/* What was offered is known, or why nothing was. */
static void go_on(struct copier *copier)
{
	if (copier->fault.code == 0)
		check_offer(copier);
	if (copier->fault.code == 0 && !copier->is_here_already) {
		copier_prepare(copier);
		return;
	}
	copier_release_session(copier);
	if (copier->is_here_already)
		copier->stats.bytes_reused = copier->offer.manifest.bytes;
	copier_close_at_leader(copier);
}

static void on_table(
	void *ctx, const struct tcp_result *result, uint8_t *bytes, size_t len)
{
	struct copier *copier = ctx;

	copier->table = NULL;
	if (copier->fault.code == 0 && result->fault.code != 0)
		copier->fault = result->fault;
	if (copier->fault.code == 0 &&
		offer_parse_table(&copier->offer, bytes, len, &copier->fault) == 0)
		copier->has_offer = true;
	free(bytes);
	go_on(copier);
}

/* The leader does not know TransferService: braft's own way, then. */
static bool read_table(struct copier *copier)
{
	const struct tcp_read_options options = {
		.loop = copier->options.loop,
		.address = copier->address,
		.reader_id = copier->options.reader_id,
		.name = TABLE_NAME,
		.max = TABLE_MAX,
		.policy = copier->options.policy,
		.on_end = on_table,
		.ctx = copier,
	};

	copier->is_stock = true;
	if (!copier->options.has_reader_id)
		return fault_set(&copier->fault, -EPROTO,
			       "%s is a stock braft node, which hands out no snapshot by "
			       "itself: have it send InstallSnapshot, or give the uri",
			       copier->address) == 0;
	return tcp_read_start(&copier->table, &options, &copier->fault) == 0;
}

static void on_opened(void *ctx, const struct rpc_result *result)
{
	struct copier *copier = ctx;

	if ((result->code == RPC_ENOSERVICE || result->code == RPC_ENOMETHOD) &&
		copier->fault.code == 0) {
		if (read_table(copier))
			return;
	} else if (result->code != 0) {
		(void)fault_set(&copier->fault, -result->code, "%s", result->text);
	} else if (copier->fault.code == 0 &&
		   offer_parse(&copier->offer, result->message.data, result->message.len,
			   result->attachment.data, result->attachment.len,
			   &copier->fault) == 0) {
		copier->has_offer = true;
	}
	go_on(copier);
}

int copier_call_open(struct copier *copier, struct fault *fault)
{
	struct open_request request = {.version = OPEN_VERSION};
	uint8_t *bytes;
	size_t len;
	int err;

	(void)snprintf(
		request.group_id, sizeof(request.group_id), "%s", copier->group_id);
	(void)snprintf(
		request.peer_id, sizeof(request.peer_id), "%s", copier->options.self);
	request.has_reader_id = copier->options.has_reader_id;
	request.reader_id = copier->options.reader_id;
	if (copier->has_session)
		request.nendpoints =
			plane_endpoints(copier->options.plane, request.endpoints);
	memcpy(request.nonce, copier->nonce, sizeof(request.nonce));
	request.session_id = copier->session_id;
	request.rank = copier->options.rank;
	err = open_request_encode(&request, &bytes, &len);
	if (err != 0)
		return fault_set(fault, err, "cannot encode the open request");
	rpc_client_call(copier->client, "snapline.TransferService", "open",
		(struct rpc_bytes){bytes, len}, OPEN_TIMEOUT_MS, on_opened, copier);
	free(bytes);
	return 0;
}

/* The answer may be minutes away: nobody waits for it. */
void copier_cancel_open(struct copier *copier)
{
	if (copier->table != NULL) {
		tcp_read_cancel(copier->table); /* on_table goes on */
		return;
	}
	rpc_client_close(copier->client);
	copier->client = NULL;
	copier_release_session(copier);
	copier_close_at_leader(copier);
}
