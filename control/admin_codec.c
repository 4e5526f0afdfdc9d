/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/transfer_codec.h"

#include <errno.h>
#include <stdlib.h>

#include "control/convergence_codec.h"
#include "control/pb_codec.h"
#include "control/rank_codec.h"
#include "dataplane/base/units.h"
#include "proto/snapline.pb-c.h"

enum { LIST_MAX = 1 << 20 }; /* bytes of a ListResponse */

static const char *const stage_names[] = {
	[STAGE_OPEN] = "open",
	[STAGE_WIRE] = "wire",
	[STAGE_VERIFY] = "verify",
	[STAGE_FSYNC] = "fsync",
	[STAGE_LOAD] = "load",
	[STAGE_DONE] = "done",
	[STAGE_FAILED] = "failed",
	[STAGE_PAUSED] = "paused",
	[STAGE_SUSPENDED] = "suspended",
};

const char *transfer_stage_name(enum transfer_stage stage)
{
	return (size_t)stage < ARRAY_LEN(stage_names) ? stage_names[stage] : "unknown";
}

int start_request_encode(
	const struct start_request *request, uint8_t **bytes, size_t *len)
{
	Snapline__StartRequest message = SNAPLINE__START_REQUEST__INIT;
	Snapline__Rank rank;

	message.peer = (char *)request->peer;
	message.rank = rank_to_message(&request->rank, &rank);
	return pb_pack(&message.base, bytes, len);
}

int start_request_decode(struct start_request *request, const uint8_t *bytes, size_t len)
{
	ProtobufCMessage *unpacked;
	const Snapline__StartRequest *message;
	int err = pb_unpack(&snapline__start_request__descriptor, bytes, len,
		PB_SMALL_MAX, &unpacked);

	if (err != 0)
		return err;
	message = (const Snapline__StartRequest *)unpacked;
	err = pb_copy_string(request->peer, sizeof(request->peer), message->peer);
	if (err == 0)
		err = rank_from_message(&request->rank, message->rank);
	pb_free(unpacked);
	return err;
}

int start_response_encode(
	const struct start_response *response, uint8_t **bytes, size_t *len)
{
	Snapline__StartResponse message = SNAPLINE__START_RESPONSE__INIT;

	message.id = response->id;
	return pb_pack(&message.base, bytes, len);
}

int start_response_decode(
	struct start_response *response, const uint8_t *bytes, size_t len)
{
	ProtobufCMessage *unpacked;
	int err = pb_unpack(&snapline__start_response__descriptor, bytes, len,
		PB_SMALL_MAX, &unpacked);

	if (err != 0)
		return err;
	response->id = ((const Snapline__StartResponse *)unpacked)->id;
	pb_free(unpacked);
	return 0;
}

int order_request_encode(
	const struct order_request *request, uint8_t **bytes, size_t *len)
{
	Snapline__OrderRequest message = SNAPLINE__ORDER_REQUEST__INIT;

	message.id = request->id;
	return pb_pack(&message.base, bytes, len);
}

int order_request_decode(struct order_request *request, const uint8_t *bytes, size_t len)
{
	ProtobufCMessage *unpacked;
	int err = pb_unpack(&snapline__order_request__descriptor, bytes, len,
		PB_SMALL_MAX, &unpacked);

	if (err != 0)
		return err;
	request->id = ((const Snapline__OrderRequest *)unpacked)->id;
	pb_free(unpacked);
	return 0;
}

int list_request_encode(const struct list_request *request, uint8_t **bytes, size_t *len)
{
	Snapline__ListRequest message = SNAPLINE__LIST_REQUEST__INIT;

	message.has_id = request->has_id;
	message.id = request->id;
	return pb_pack(&message.base, bytes, len);
}

int list_request_decode(struct list_request *request, const uint8_t *bytes, size_t len)
{
	ProtobufCMessage *unpacked;
	const Snapline__ListRequest *message;
	int err = pb_unpack(
		&snapline__list_request__descriptor, bytes, len, PB_SMALL_MAX, &unpacked);

	if (err != 0)
		return err;
	message = (const Snapline__ListRequest *)unpacked;
	request->has_id = message->has_id != 0;
	request->id = message->id;
	pb_free(unpacked);
	return 0;
}

/* A transfer and what it refers to. */
struct info_message {
	Snapline__TransferInfo info;
	Snapline__Convergence convergence;
	Snapline__Rank rank;
};

static void info_to_message(const struct transfer_info *info, struct info_message *both)
{
	Snapline__TransferInfo *message = &both->info;

	snapline__transfer_info__init(message);
	message->id = info->id;
	message->sending = info->sending;
	message->peer = (char *)info->peer;
	message->group_id = (char *)info->group_id;
	message->index = info->index;
	message->term = info->term;
	message->stage = (Snapline__Stage)info->stage;
	message->path = (char *)info->path;
	message->files = info->files;
	message->bytes_total = info->bytes_total;
	message->bytes_done = info->bytes_done;
	message->bytes_resent = info->bytes_resent;
	message->bytes_reused = info->bytes_reused;
	message->elapsed_ns = info->elapsed_ns;
	message->has_silent_ns = info->stage == STAGE_SUSPENDED;
	message->silent_ns = info->silent_ns;
	message->has_slice_size = info->slice_size != 0;
	message->slice_size = info->slice_size;
	message->has_stripes = info->stripes > 0;
	message->stripes = info->stripes;
	if (info->steered_by[0] != '\0')
		message->steered_by = (char *)info->steered_by;
	message->has_strays = info->strays > 0;
	message->strays = info->strays;
	message->error_code = info->error_code;
	if (info->error_text[0] != '\0')
		message->error_text = (char *)info->error_text;
	message->rank = rank_to_message(&info->rank, &both->rank);
	if (info->has_convergence) {
		convergence_to_message(&info->convergence, &both->convergence);
		message->convergence = &both->convergence;
	}
}

static int info_from_message(
	struct transfer_info *info, const Snapline__TransferInfo *message)
{
	*info = (struct transfer_info){
		.id = message->id,
		.sending = message->sending != 0,
		.index = message->index,
		.term = message->term,
		.stage = (enum transfer_stage)message->stage,
		.files = message->files,
		.bytes_total = message->bytes_total,
		.bytes_done = message->bytes_done,
		.bytes_resent = message->bytes_resent,
		.bytes_reused = message->bytes_reused,
		.elapsed_ns = message->elapsed_ns,
		.silent_ns = message->has_silent_ns ? message->silent_ns : 0,
		.slice_size = message->has_slice_size ? message->slice_size : 0,
		.stripes = message->stripes,
		.strays = message->strays,
		.error_code = message->error_code,
	};
	if ((uint32_t)message->stage > STAGE_SUSPENDED ||
		pb_copy_string(info->peer, sizeof(info->peer), message->peer) != 0 ||
		pb_copy_string(
			info->group_id, sizeof(info->group_id), message->group_id) != 0 ||
		pb_copy_string(info->path, sizeof(info->path), message->path) != 0 ||
		rank_from_message(&info->rank, message->rank) != 0)
		return -EBADMSG;
	pb_copy_text(info->steered_by, sizeof(info->steered_by), message->steered_by);
	pb_copy_text(info->error_text, sizeof(info->error_text), message->error_text);
	info->has_convergence = message->convergence != NULL;
	if (info->has_convergence)
		return convergence_from_message(&info->convergence, message->convergence);
	return 0;
}

int transfer_list_encode(const struct transfer_list *list, uint8_t **bytes, size_t *len)
{
	Snapline__ListResponse message = SNAPLINE__LIST_RESPONSE__INIT;
	size_t room = list->count > 0 ? list->count : 1;
	struct info_message *infos = calloc(room, sizeof(*infos));
	Snapline__TransferInfo **pointers = calloc(room, sizeof(*pointers));
	int err = -ENOMEM;

	if (infos == NULL || pointers == NULL)
		goto free_infos;
	for (size_t i = 0; i < list->count; i++) {
		info_to_message(&list->transfers[i], &infos[i]);
		pointers[i] = &infos[i].info;
	}
	message.n_transfers = list->count;
	message.transfers = pointers;
	err = pb_pack(&message.base, bytes, len);

free_infos:
	free(pointers);
	free(infos);
	return err;
}

static int copy_list(struct transfer_list *list, const Snapline__ListResponse *message)
{
	size_t count = message->n_transfers;
	struct transfer_info *transfers =
		calloc(count > 0 ? count : 1, sizeof(*transfers));
	int err = 0;

	if (transfers == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < count && err == 0; i++)
		err = info_from_message(&transfers[i], message->transfers[i]);
	if (err != 0)
		goto free_transfers;
	*list = (struct transfer_list){.transfers = transfers, .count = count};
	return 0;

free_transfers:
	free(transfers);
	return err;
}

int transfer_list_decode(struct transfer_list *list, const uint8_t *bytes, size_t len)
{
	ProtobufCMessage *unpacked;
	int err = pb_unpack(
		&snapline__list_response__descriptor, bytes, len, LIST_MAX, &unpacked);

	if (err != 0)
		return err;
	err = copy_list(list, (const Snapline__ListResponse *)unpacked);
	pb_free(unpacked);
	return err;
}

void transfer_list_fini(struct transfer_list *list)
{
	free(list->transfers);
	*list = (struct transfer_list){.count = 0};
}
