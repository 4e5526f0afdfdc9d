/* SPDX-License-Identifier: BSD-3-Clause */
/* AdminService's calls about queues and rates as plain structs. Encoders and decoders
 * return what those of control/transfer_codec.h do; an empty message needs neither. */
#ifndef QUEUE_CODEC_H
#define QUEUE_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/transfer.h"

enum { QUEUES_MAX = 512 }; /* of a node */

struct queue_list {
	struct transfer_queue *queues; /* owned after decoding */
	size_t count;
	struct transfer_disk disk; /* with has_disk */
	bool has_disk;             /* false: the node has no device */
};

struct throttle_request {
	int64_t id; /* of a transfer */
	bool has_rate;
	uint64_t rate_bps; /* as in struct transfer_rate */
	struct rank rank;
};

int queue_list_encode(const struct queue_list *list, uint8_t **bytes, size_t *len);
int queue_list_decode(struct queue_list *list, const uint8_t *bytes, size_t len);
void queue_list_fini(struct queue_list *list);

/* Decoding refuses a rate, a burst or a rank out of range, and a throttle that changes
 * nothing. */
int set_rate_request_encode(
	const struct transfer_rate *request, uint8_t **bytes, size_t *len);
int set_rate_request_decode(
	struct transfer_rate *request, const uint8_t *bytes, size_t len);
/* Decoding refuses a rate out of range. */
int disk_rate_request_encode(uint64_t rate_bps, uint8_t **bytes, size_t *len);
int disk_rate_request_decode(uint64_t *rate_bps, const uint8_t *bytes, size_t len);
int throttle_request_encode(
	const struct throttle_request *request, uint8_t **bytes, size_t *len);
int throttle_request_decode(
	struct throttle_request *request, const uint8_t *bytes, size_t len);

#endif
