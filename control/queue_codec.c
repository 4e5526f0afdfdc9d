/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/queue_codec.h"

#include <errno.h>
#include <stdlib.h>

#include "control/pb_codec.h"
#include "control/rank_codec.h"
#include "proto/snapline.pb-c.h"

static void queue_to_message(
	const struct transfer_queue *queue, Snapline__QueueInfo *message)
{
	snapline__queue_info__init(message);
	message->port = queue->limit.port;
	message->queue = queue->limit.queue;
	message->limit_bps = queue->limit.rate_bps;
	message->burst = queue->limit.burst;
	message->port_limit_bps = queue->port_rate_bps;
	message->hardware = queue->is_hardware;
	message->rate_bps = queue->rate_now_bps;
	message->bytes = queue->bytes;
	message->packets = queue->packets;
	message->backlog = queue->backlog;
	message->throttled_ns = queue->throttled_ns;
	message->drops = queue->drops;
	message->auto_bps = queue->auto_bps;
	message->has_auto_bps = queue->auto_bps != 0;
	message->added_ns = (uint64_t)queue->added;
	message->has_added_ns = queue->auto_bps != 0;
	message->read_at_ns = queue->read_at;
}

static void queue_from_message(
	struct transfer_queue *queue, const Snapline__QueueInfo *message)
{
	*queue = (struct transfer_queue){
		.limit =
			{
				.port = message->port,
				.queue = message->queue,
				.rate_bps = message->limit_bps,
				.burst = message->burst,
			},
		.port_rate_bps = message->port_limit_bps,
		.is_hardware = message->hardware != 0,
		.rate_now_bps = message->rate_bps,
		.bytes = message->bytes,
		.packets = message->packets,
		.backlog = message->backlog,
		.throttled_ns = message->throttled_ns,
		.drops = message->drops,
		.auto_bps = message->auto_bps,
		.added = (nsec)message->added_ns,
		.read_at = message->read_at_ns,
	};
}

static void disk_to_message(const struct transfer_disk *disk, Snapline__DiskInfo *message)
{
	snapline__disk_info__init(message);
	message->limit_bps = disk->limit_bps;
	message->burst = disk->burst;
	message->rate_bps = disk->rate_now_bps;
	message->bytes = disk->bytes;
	message->throttled_ns = disk->throttled_ns;
	message->read_at_ns = disk->read_at;
}

static void disk_from_message(
	struct transfer_disk *disk, const Snapline__DiskInfo *message)
{
	*disk = (struct transfer_disk){
		.limit_bps = message->limit_bps,
		.burst = message->burst,
		.rate_now_bps = message->rate_bps,
		.bytes = message->bytes,
		.throttled_ns = message->throttled_ns,
		.read_at = message->read_at_ns,
	};
}

int queue_list_encode(const struct queue_list *list, uint8_t **bytes, size_t *len)
{
	Snapline__QueuesResponse message = SNAPLINE__QUEUES_RESPONSE__INIT;
	Snapline__DiskInfo disk;
	size_t room = list->count > 0 ? list->count : 1;
	Snapline__QueueInfo *infos = calloc(room, sizeof(*infos));
	Snapline__QueueInfo **pointers = calloc(room, sizeof(*pointers));
	int err = -ENOMEM;

	if (infos == NULL || pointers == NULL)
		goto free_infos;
	for (size_t i = 0; i < list->count; i++) {
		queue_to_message(&list->queues[i], &infos[i]);
		pointers[i] = &infos[i];
	}
	message.n_queues = list->count;
	message.queues = pointers;
	if (list->has_disk) {
		disk_to_message(&list->disk, &disk);
		message.disk = &disk;
	}
	err = pb_pack(&message.base, bytes, len);

free_infos:
	free(pointers);
	free(infos);
	return err;
}

static int copy_queues(struct queue_list *list, const Snapline__QueuesResponse *message)
{
	size_t count = message->n_queues;
	struct transfer_queue *queues;

	if (count > QUEUES_MAX)
		return -EBADMSG;
	queues = calloc(count > 0 ? count : 1, sizeof(*queues));
	if (queues == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		queue_from_message(&queues[i], message->queues[i]);
	*list = (struct queue_list){
		.queues = queues, .count = count, .has_disk = message->disk != NULL};
	if (list->has_disk)
		disk_from_message(&list->disk, message->disk);
	return 0;
}

int queue_list_decode(struct queue_list *list, const uint8_t *bytes, size_t len)
{
	ProtobufCMessage *unpacked;
	int err = pb_unpack(&snapline__queues_response__descriptor, bytes, len,
		PB_SMALL_MAX, &unpacked);

	if (err != 0)
		return err;
	err = copy_queues(list, (const Snapline__QueuesResponse *)unpacked);
	pb_free(unpacked);
	return err;
}

void queue_list_fini(struct queue_list *list)
{
	free(list->queues);
	*list = (struct queue_list){.count = 0};
}

static bool is_rate(uint64_t rate_bps)
{
	return rate_bps == 0 || rate_bps >= RATE_AUTO ||
	       (rate_bps >= RATE_MIN && rate_bps <= RATE_MAX);
}

static bool is_ceiling(nsec ceiling)
{
	return ceiling == 0 ||
	       (ceiling >= AUTO_CEILING_MIN && ceiling <= AUTO_CEILING_MAX);
}

int set_rate_request_encode(
	const struct transfer_rate *request, uint8_t **bytes, size_t *len)
{
	Snapline__SetRateRequest message = SNAPLINE__SET_RATE_REQUEST__INIT;

	message.port = request->port;
	message.has_queue = request->queue != TRANSFER_ALL_QUEUES;
	message.queue = request->queue;
	message.rate_bps = request->rate_bps;
	message.has_burst = request->burst != 0;
	message.burst = request->burst;
	message.has_ceiling_ns = request->ceiling != 0;
	message.ceiling_ns = (uint64_t)request->ceiling;
	return pb_pack(&message.base, bytes, len);
}

int set_rate_request_decode(
	struct transfer_rate *request, const uint8_t *bytes, size_t len)
{
	ProtobufCMessage *unpacked;
	const Snapline__SetRateRequest *message;
	int err = pb_unpack(&snapline__set_rate_request__descriptor, bytes, len,
		PB_SMALL_MAX, &unpacked);

	if (err != 0)
		return err;
	message = (const Snapline__SetRateRequest *)unpacked;
	*request = (struct transfer_rate){
		.port = message->port,
		.queue = message->has_queue ? message->queue : TRANSFER_ALL_QUEUES,
		.rate_bps = message->rate_bps,
		.burst = message->has_burst ? message->burst : 0,
		.ceiling = message->has_ceiling_ns ? (nsec)message->ceiling_ns : 0,
	};
	pb_free(unpacked);
	if (!is_rate(request->rate_bps) || !is_ceiling(request->ceiling) ||
		(request->burst != 0 && (request->burst < BUCKET_BURST_MIN ||
						request->burst > BUCKET_BURST_MAX)))
		return -EBADMSG;
	return 0;
}

int disk_rate_request_encode(uint64_t rate_bps, uint8_t **bytes, size_t *len)
{
	Snapline__SetDiskRateRequest message = SNAPLINE__SET_DISK_RATE_REQUEST__INIT;

	message.rate_bps = rate_bps;
	return pb_pack(&message.base, bytes, len);
}

int disk_rate_request_decode(uint64_t *rate_bps, const uint8_t *bytes, size_t len)
{
	ProtobufCMessage *unpacked;
	int err = pb_unpack(&snapline__set_disk_rate_request__descriptor, bytes, len,
		PB_SMALL_MAX, &unpacked);

	if (err != 0)
		return err;
	*rate_bps = ((const Snapline__SetDiskRateRequest *)unpacked)->rate_bps;
	pb_free(unpacked);
	return is_rate(*rate_bps) && *rate_bps != RATE_AUTO ? 0 : -EBADMSG;
}

int throttle_request_encode(
	const struct throttle_request *request, uint8_t **bytes, size_t *len)
{
	Snapline__ThrottleRequest message = SNAPLINE__THROTTLE_REQUEST__INIT;
	Snapline__Rank rank;

	message.id = request->id;
	message.has_rate_bps = request->has_rate;
	message.rate_bps = request->rate_bps;
	message.rank = rank_to_message(&request->rank, &rank);
	return pb_pack(&message.base, bytes, len);
}

int throttle_request_decode(
	struct throttle_request *request, const uint8_t *bytes, size_t len)
{
	ProtobufCMessage *unpacked;
	const Snapline__ThrottleRequest *message;
	int err = pb_unpack(&snapline__throttle_request__descriptor, bytes, len,
		PB_SMALL_MAX, &unpacked);

	if (err != 0)
		return err;
	message = (const Snapline__ThrottleRequest *)unpacked;
	request->id = message->id;
	request->has_rate = message->has_rate_bps != 0;
	request->rate_bps = request->has_rate ? message->rate_bps : 0;
	err = rank_from_message(&request->rank, message->rank);
	pb_free(unpacked);
	if (err == 0 && (!is_rate(request->rate_bps) ||
				(!request->has_rate && rank_is_empty(&request->rank))))
		err = -EBADMSG;
	return err;
}
