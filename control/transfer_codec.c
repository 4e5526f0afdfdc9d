/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/transfer_codec.h"

#include <errno.h>
#include <string.h>

#include "control/convergence_codec.h"
#include "control/pb_codec.h"
#include "control/rank_codec.h"
#include "dataplane/base/units.h"
#include "proto/snapline.pb-c.h"

static void endpoint_to_message(
	const struct transfer_endpoint *endpoint, Snapline__Endpoint *message)
{
	snapline__endpoint__init(message);
	message->ip.data = (uint8_t *)endpoint->ip.bytes;
	message->ip.len = IP_LEN;
	if (ip_is_v4(&endpoint->ip)) {
		message->ip.data += IP_V4_AT;
		message->ip.len = IP_V4_LEN;
	}
	message->prefix_len = endpoint->prefix_len;
	message->port = endpoint->port;
	message->slice_size = endpoint->slice_size;
	message->has_queues = endpoint->queues > 1;
	message->queues = endpoint->queues;
	message->has_has_gateway = endpoint->has_gateway;
	message->has_gateway = endpoint->has_gateway;
}

static int endpoint_from_message(
	struct transfer_endpoint *endpoint, const Snapline__Endpoint *message)
{
	*endpoint = (struct transfer_endpoint){.slice_size = 0};
	if (message->ip.len == IP_LEN)
		memcpy(endpoint->ip.bytes, message->ip.data, IP_LEN);
	else if (message->ip.len == IP_V4_LEN)
		ip_set_v4(&endpoint->ip, message->ip.data);
	else
		return -EBADMSG;
	if (message->prefix_len > ip_bits(&endpoint->ip) || message->port == 0 ||
		message->port > UINT16_MAX)
		return -EBADMSG;
	endpoint->prefix_len = (uint8_t)message->prefix_len;
	endpoint->port = (uint16_t)message->port;
	endpoint->slice_size = message->slice_size;
	endpoint->queues = message->has_queues ? message->queues : 1;
	endpoint->has_gateway = message->has_gateway != 0;
	return 0;
}

static int copy_nonce(
	uint8_t nonce[static TRANSFER_NONCE_LEN], const ProtobufCBinaryData *bytes)
{
	if (bytes->len != TRANSFER_NONCE_LEN)
		return -EBADMSG;
	memcpy(nonce, bytes->data, TRANSFER_NONCE_LEN);
	return 0;
}

int open_request_encode(const struct open_request *request, uint8_t **bytes, size_t *len)
{
	Snapline__OpenRequest message = SNAPLINE__OPEN_REQUEST__INIT;
	Snapline__Endpoint endpoints[TRANSFER_DEVICES_MAX];
	Snapline__Endpoint *pointers[TRANSFER_DEVICES_MAX];
	Snapline__Rank rank;

	for (uint32_t i = 0; i < request->nendpoints; i++) {
		endpoint_to_message(&request->endpoints[i], &endpoints[i]);
		pointers[i] = &endpoints[i];
	}
	message.version = request->version;
	message.group_id = (char *)request->group_id;
	message.has_reader_id = request->has_reader_id;
	message.reader_id = request->reader_id;
	if (request->peer_id[0] != '\0')
		message.peer_id = (char *)request->peer_id;
	message.n_endpoints = request->nendpoints;
	message.endpoints = pointers;
	message.nonce.data = (uint8_t *)request->nonce;
	message.nonce.len = sizeof(request->nonce);
	message.session_id = request->session_id;
	message.rank = rank_to_message(&request->rank, &rank);
	return pb_pack(&message.base, bytes, len);
}

/* It goes into log lines and lists as one word. */
static bool is_word(const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text <= ' ' || *text >= 0x7f || *text == '"')
			return false;
	}
	return true;
}

static int copy_open_request(
	struct open_request *request, const Snapline__OpenRequest *message)
{
	*request = (struct open_request){
		.version = message->version,
		.has_reader_id = message->has_reader_id != 0,
		.reader_id = message->reader_id,
		.session_id = message->session_id,
	};
	if (pb_copy_string(request->group_id, sizeof(request->group_id),
		    message->group_id) != 0 ||
		pb_copy_string(request->peer_id, sizeof(request->peer_id),
			message->peer_id) != 0 ||
		!is_word(request->peer_id) ||
		copy_nonce(request->nonce, &message->nonce) != 0 ||
		message->n_endpoints > ARRAY_LEN(request->endpoints))
		return -EBADMSG;
	for (size_t i = 0; i < message->n_endpoints; i++) {
		int err = endpoint_from_message(
			&request->endpoints[i], message->endpoints[i]);

		if (err != 0)
			return err;
	}
	request->nendpoints = (uint32_t)message->n_endpoints;
	return rank_from_message(&request->rank, message->rank);
}

int open_request_decode(struct open_request *request, const uint8_t *bytes, size_t len)
{
	ProtobufCMessage *unpacked;
	int err = pb_unpack(
		&snapline__open_request__descriptor, bytes, len, PB_SMALL_MAX, &unpacked);

	if (err != 0)
		return err;
	err = copy_open_request(request, (const Snapline__OpenRequest *)unpacked);
	pb_free(unpacked);
	return err;
}

int open_response_encode(
	const struct open_response *response, uint8_t **bytes, size_t *len)
{
	Snapline__OpenResponse message = SNAPLINE__OPEN_RESPONSE__INIT;
	Snapline__Endpoint endpoint;

	endpoint_to_message(&response->endpoint, &endpoint);
	message.transfer_id = response->transfer_id;
	message.index = response->index;
	message.term = response->term;
	message.table_size = response->table_size;
	message.manifest_size = response->manifest_size;
	message.endpoint = response->is_tcp ? NULL : &endpoint;
	if (response->reason[0] != '\0')
		message.reason = (char *)(uintptr_t)response->reason;
	message.peer_endpoint = response->peer_endpoint;
	message.slice_size = response->slice_size;
	message.nonce.data = (uint8_t *)response->nonce;
	message.nonce.len = sizeof(response->nonce);
	message.session_id = response->session_id;
	message.has_stripes = response->stripes > 1;
	message.stripes = response->stripes;
	return pb_pack(&message.base, bytes, len);
}

static int copy_open_response(
	struct open_response *response, const Snapline__OpenResponse *message)
{
	*response = (struct open_response){
		.transfer_id = message->transfer_id,
		.index = message->index,
		.term = message->term,
		.table_size = message->table_size,
		.manifest_size = message->manifest_size,
		.peer_endpoint = message->peer_endpoint,
		.slice_size = message->slice_size,
		.session_id = message->session_id,
		.is_tcp = message->endpoint == NULL,
		.stripes = message->has_stripes ? message->stripes : 1,
	};
	pb_copy_text(response->reason, sizeof(response->reason), message->reason);
	if (message->endpoint != NULL &&
		endpoint_from_message(&response->endpoint, message->endpoint) != 0)
		return -EBADMSG;
	return copy_nonce(response->nonce, &message->nonce);
}

int open_response_decode(struct open_response *response, const uint8_t *bytes, size_t len)
{
	ProtobufCMessage *unpacked;
	int err = pb_unpack(&snapline__open_response__descriptor, bytes, len,
		PB_SMALL_MAX, &unpacked);

	if (err != 0)
		return err;
	err = copy_open_response(response, (const Snapline__OpenResponse *)unpacked);
	pb_free(unpacked);
	return err;
}

int progress_request_encode(
	const struct progress_request *request, uint8_t **bytes, size_t *len)
{
	Snapline__ProgressRequest message = SNAPLINE__PROGRESS_REQUEST__INIT;

	message.transfer_id = request->transfer_id;
	message.stage = (Snapline__Stage)request->stage;
	message.bytes_done = request->bytes_done;
	message.bytes_reused = request->bytes_reused;
	return pb_pack(&message.base, bytes, len);
}

int progress_request_decode(
	struct progress_request *request, const uint8_t *bytes, size_t len)
{
	ProtobufCMessage *unpacked;
	const Snapline__ProgressRequest *message;
	int err = pb_unpack(&snapline__progress_request__descriptor, bytes, len,
		PB_SMALL_MAX, &unpacked);

	if (err != 0)
		return err;
	message = (const Snapline__ProgressRequest *)unpacked;
	if ((uint32_t)message->stage > STAGE_SUSPENDED) {
		err = -EBADMSG;
		goto free_unpacked;
	}
	request->transfer_id = message->transfer_id;
	request->stage = (enum transfer_stage)message->stage;
	request->bytes_done = message->bytes_done;
	request->bytes_reused = message->bytes_reused;

free_unpacked:
	pb_free(unpacked);
	return err;
}

void progress_request_clamp(struct progress_request *request, uint64_t bytes)
{
	request->bytes_done = u64_min(request->bytes_done, bytes);
	request->bytes_reused = u64_min(request->bytes_reused, bytes);
}

int progress_response_encode(
	const struct progress_response *response, uint8_t **bytes, size_t *len)
{
	Snapline__ProgressResponse message = SNAPLINE__PROGRESS_RESPONSE__INIT;
	Snapline__Convergence convergence;

	message.has_paused = response->is_paused;
	message.paused = response->is_paused;
	if (response->has_convergence) {
		convergence_to_message(&response->convergence, &convergence);
		message.convergence = &convergence;
	}
	return pb_pack(&message.base, bytes, len);
}

int progress_response_decode(
	struct progress_response *response, const uint8_t *bytes, size_t len)
{
	ProtobufCMessage *unpacked;
	const Snapline__ProgressResponse *message;
	int err = pb_unpack(&snapline__progress_response__descriptor, bytes, len,
		PB_SMALL_MAX, &unpacked);

	if (err != 0)
		return err;
	message = (const Snapline__ProgressResponse *)unpacked;
	*response = (struct progress_response){
		.is_paused = message->paused != 0,
		.has_convergence = message->convergence != NULL,
	};
	if (response->has_convergence)
		err = convergence_from_message(
			&response->convergence, message->convergence);
	pb_free(unpacked);
	return err;
}

int close_request_encode(
	const struct close_request *request, uint8_t **bytes, size_t *len)
{
	Snapline__CloseRequest message = SNAPLINE__CLOSE_REQUEST__INIT;

	message.transfer_id = request->transfer_id;
	message.error_code = request->error_code;
	if (request->error_text[0] != '\0')
		message.error_text = (char *)request->error_text;
	return pb_pack(&message.base, bytes, len);
}

int close_request_decode(struct close_request *request, const uint8_t *bytes, size_t len)
{
	ProtobufCMessage *unpacked;
	const Snapline__CloseRequest *message;
	int err = pb_unpack(&snapline__close_request__descriptor, bytes, len,
		PB_SMALL_MAX, &unpacked);

	if (err != 0)
		return err;
	message = (const Snapline__CloseRequest *)unpacked;
	request->transfer_id = message->transfer_id;
	request->error_code = message->error_code;
	pb_copy_text(
		request->error_text, sizeof(request->error_text), message->error_text);
	pb_free(unpacked);
	return request->error_code >= 0 ? 0 : -EBADMSG;
}

int close_response_encode(
	const struct close_response *response, uint8_t **bytes, size_t *len)
{
	Snapline__CloseResponse message = SNAPLINE__CLOSE_RESPONSE__INIT;
	Snapline__Effort effort = SNAPLINE__EFFORT__INIT;
	const struct effort *from = &response->effort;

	effort.has_read = effort.has_checksum = effort.has_write = true;
	effort.has_worker = effort.has_rx = effort.has_tx = effort.has_cpu = true;
	effort.read = from->read;
	effort.checksum = from->checksum;
	effort.write = from->write;
	effort.worker = from->worker;
	effort.rx = from->rx;
	effort.tx = from->tx;
	effort.cpu = from->cpu;
	if (response->has_effort)
		message.effort = &effort;
	return pb_pack(&message.base, bytes, len);
}

int close_response_decode(
	struct close_response *response, const uint8_t *bytes, size_t len)
{
	ProtobufCMessage *unpacked;
	const Snapline__Effort *effort;
	int err = pb_unpack(&snapline__close_response__descriptor, bytes, len,
		PB_SMALL_MAX, &unpacked);

	if (err != 0)
		return err;
	*response = (struct close_response){0};
	effort = ((const Snapline__CloseResponse *)unpacked)->effort;
	if (effort != NULL) {
		response->has_effort = true;
		response->effort = (struct effort){.read = effort->read,
			.checksum = effort->checksum,
			.write = effort->write,
			.worker = effort->worker,
			.rx = effort->rx,
			.tx = effort->tx,
			.cpu = effort->cpu};
	}
	pb_free(unpacked);
	return 0;
}
