/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/queue_view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "dataplane/base/format.h"
#include "dataplane/base/json.h"

int queue_view_get(
	struct admin_client *admin, struct queue_list *list, struct fault *fault)
{
	struct rpc_bytes answer = {0};
	int err =
		admin_client_call(admin, "queues", (struct rpc_bytes){0}, &answer, fault);

	if (err != 0)
		return err;
	err = queue_list_decode(list, answer.data, answer.len);
	free((void *)(uintptr_t)answer.data);
	if (err != 0)
		return fault_set(fault, err, "the node's answer is malformed");
	return 0;
}

static const char *mechanism(const struct transfer_queue *queue)
{
	return queue->is_hardware ? "hardware" : "software";
}

/* An operator or a follower made it automatic, and no other limit is tighter. */
static bool is_auto(const struct transfer_queue *queue)
{
	return queue->limit.rate_bps == RATE_AUTO ||
	       (queue->auto_bps != 0 && queue->auto_bps <= queue->limit.rate_bps);
}

/* null: no limit */
static void json_limit(struct json *json, const char *key, uint64_t rate_bps)
{
	if (rate_bps >= RATE_AUTO)
		json_string(json, key, NULL);
	else
		json_u64(json, key, rate_bps);
}

static void print_json_disk(struct json *json, const struct transfer_disk *disk)
{
	json_open_object(json, NULL);
	json_string(json, "port", "disk");
	json_limit(json, "limit_bps", disk->limit_bps);
	json_u64(json, "burst", disk->burst);
	json_u64(json, "rate_bps", disk->rate_now_bps);
	json_thousandths(json, "throttled_seconds", disk->throttled_ns / (uint64_t)MSEC);
	json_u64(json, "bytes", disk->bytes);
	json_u64(json, "read_at_ns", disk->read_at);
	json_close(json);
}

static void print_json(const struct queue_list *list)
{
	struct json json;

	json_init(&json, stdout);
	json_open_array(&json, NULL);
	for (size_t i = 0; i < list->count; i++) {
		const struct transfer_queue *queue = &list->queues[i];

		json_open_object(&json, NULL);
		json_u64(&json, "port", queue->limit.port);
		json_u64(&json, "queue", queue->limit.queue);
		json_limit(&json, "limit_bps",
			is_auto(queue) && queue->auto_bps != 0 ? queue->auto_bps
							       : queue->limit.rate_bps);
		json_bool(&json, "auto", is_auto(queue));
		json_limit(&json, "port_limit_bps", queue->port_rate_bps);
		json_string(&json, "mechanism", mechanism(queue));
		json_u64(&json, "burst", queue->limit.burst);
		json_u64(&json, "rate_bps", queue->rate_now_bps);
		if (queue->auto_bps != 0)
			json_u64(&json, "added_us", (uint64_t)(queue->added / USEC));
		json_u64(&json, "backlog", queue->backlog);
		json_thousandths(
			&json, "throttled_seconds", queue->throttled_ns / (uint64_t)MSEC);
		json_u64(&json, "drops", queue->drops);
		json_u64(&json, "bytes", queue->bytes);
		json_u64(&json, "packets", queue->packets);
		json_u64(&json, "read_at_ns", queue->read_at);
		json_close(&json);
	}
	if (list->has_disk)
		print_json_disk(&json, &list->disk);
	json_close(&json);
}

static const char *limit_text(uint64_t rate_bps, char text[static FORMAT_MAX])
{
	return rate_bps == 0 ? "paused" : format_rate(rate_bps, text);
}

static const char *queue_limit_text(
	const struct transfer_queue *queue, char text[static 2 * FORMAT_MAX])
{
	char rate[FORMAT_MAX];

	if (!is_auto(queue) || queue->auto_bps == 0) /* the worker has not begun */
		return limit_text(queue->limit.rate_bps, text);
	(void)snprintf(
		text, 2 * FORMAT_MAX, "auto (%s)", format_rate(queue->auto_bps, rate));
	return text;
}

static void print_queue(const struct transfer_queue *queue)
{
	char limit[2 * FORMAT_MAX], port[FORMAT_MAX], now[FORMAT_MAX], burst[FORMAT_MAX],
		backlog[FORMAT_MAX], throttled[FORMAT_MAX];

	(void)printf("%4" PRIu32 "  %5" PRIu32
		     "  %16s  %10s  %-9s  %10s  %10s  %10s  %10s  %6" PRIu64 "\n",
		queue->limit.port, queue->limit.queue, queue_limit_text(queue, limit),
		limit_text(queue->port_rate_bps, port), mechanism(queue),
		format_rate(queue->rate_now_bps, now),
		format_bytes(queue->limit.burst, burst),
		format_bytes(queue->backlog, backlog),
		format_duration((nsec)queue->throttled_ns, throttled), queue->drops);
}

static void print_disk(const struct transfer_disk *disk)
{
	char limit[FORMAT_MAX], now[FORMAT_MAX], burst[FORMAT_MAX], throttled[FORMAT_MAX];

	(void)printf("%4s  %5s  %16s  %10s  %-9s  %10s  %10s  %10s  %10s  %6s\n", "disk",
		"-", limit_text(disk->limit_bps, limit), "-", "software",
		format_rate(disk->rate_now_bps, now), format_bytes(disk->burst, burst),
		"-", format_duration((nsec)disk->throttled_ns, throttled), "-");
}

void queue_view_print(const struct queue_list *list, bool json)
{
	if (json) {
		print_json(list);
		return;
	}
	if (list->count == 0 && !list->has_disk) {
		(void)puts("no queues: the node has no device");
		return;
	}
	(void)printf("%4s  %5s  %16s  %10s  %-9s  %10s  %10s  %10s  %10s  %6s\n", "PORT",
		"QUEUE", "LIMIT", "PORT LIMIT", "MECHANISM", "RATE", "BURST", "BACKLOG",
		"THROTTLED", "DROPS");
	for (size_t i = 0; i < list->count; i++)
		print_queue(&list->queues[i]);
	if (list->has_disk)
		print_disk(&list->disk);
}
