/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/bench_codec.h"

#include <errno.h>

#include "control/pb_codec.h"
#include "proto/snapline.pb-c.h"

int bench_set_request_encode(
	const struct bench_settings *settings, uint8_t **bytes, size_t *len)
{
	Snapline__BenchSetRequest message = SNAPLINE__BENCH_SET_REQUEST__INIT;

	message.has_window = settings->window != 0;
	message.window = settings->window;
	message.has_buffers = settings->buffers != 0;
	message.buffers = settings->buffers;
	message.has_rate_bps = settings->rate_bps != 0;
	message.rate_bps = settings->rate_bps;
	message.has_burst = settings->burst != 0;
	message.burst = settings->burst;
	return pb_pack(&message.base, bytes, len);
}

/* Said as 0 is said wrongly: absent is the word for "as it was". */
static int copy_request(
	struct bench_settings *settings, const Snapline__BenchSetRequest *message)
{
	*settings = (struct bench_settings){
		.window = message->has_window ? message->window : 0,
		.buffers = message->has_buffers ? message->buffers : 0,
		.rate_bps = message->has_rate_bps ? message->rate_bps : 0,
		.burst = message->has_burst ? message->burst : 0,
	};
	if ((message->has_window && settings->window == 0) ||
		(message->has_buffers && settings->buffers == 0) ||
		(message->has_rate_bps && settings->rate_bps == 0) ||
		(message->has_burst && settings->burst == 0))
		return -EBADMSG;
	return 0;
}

int bench_set_request_decode(
	struct bench_settings *settings, const uint8_t *bytes, size_t len)
{
	ProtobufCMessage *unpacked;
	int err = pb_unpack(&snapline__bench_set_request__descriptor, bytes, len,
		PB_SMALL_MAX, &unpacked);

	if (err != 0)
		return err;
	err = copy_request(settings, (const Snapline__BenchSetRequest *)unpacked);
	pb_free(unpacked);
	return err;
}

int bench_set_response_encode(
	const struct bench_settings *settings, uint8_t **bytes, size_t *len)
{
	Snapline__BenchSetResponse message = SNAPLINE__BENCH_SET_RESPONSE__INIT;

	message.window = settings->window;
	message.buffers = settings->buffers;
	message.rate_bps = settings->rate_bps;
	message.burst = settings->burst;
	return pb_pack(&message.base, bytes, len);
}

int bench_set_response_decode(
	struct bench_settings *settings, const uint8_t *bytes, size_t len)
{
	ProtobufCMessage *unpacked;
	const Snapline__BenchSetResponse *message;
	int err = pb_unpack(&snapline__bench_set_response__descriptor, bytes, len,
		PB_SMALL_MAX, &unpacked);

	if (err != 0)
		return err;
	message = (const Snapline__BenchSetResponse *)unpacked;
	*settings = (struct bench_settings){.window = message->window,
		.buffers = message->buffers,
		.rate_bps = message->rate_bps,
		.burst = message->burst};
	pb_free(unpacked);
	return 0;
}

/* 0 is always in range: it is not said. */
static int check(
	const char *name, uint64_t value, uint64_t min, uint64_t max, struct fault *fault)
{
	if (value == 0 || (value >= min && value <= max))
		return 0;
	return fault_set(fault, -EINVAL, "%s %llu: %llu to %llu are possible", name,
		(unsigned long long)value, (unsigned long long)min,
		(unsigned long long)max);
}

int bench_settings_check(const struct bench_settings *settings, struct fault *fault)
{
	int err = check("window", settings->window, TRANSFER_WINDOW_MIN,
		TRANSFER_WINDOW_MAX, fault);

	if (err == 0)
		err = check("buffers", settings->buffers, TRANSFER_BUFFERS_MIN,
			TRANSFER_BUFFERS_MAX, fault);
	if (err == 0)
		err = check("burst", settings->burst, BUCKET_BURST_MIN, BUCKET_BURST_MAX,
			fault);
	if (err == 0 && settings->rate_bps < RATE_AUTO)
		err = check("rate", settings->rate_bps, RATE_MIN, RATE_MAX, fault);
	return err;
}

/* A number may be more than others leave: only an automatic rate of its own knows. */
static uint64_t merge_rate(uint64_t own, uint64_t asked)
{
	if (own == 0)
		own = RATE_UNLIMITED;
	if (asked == 0 || own == RATE_AUTO)
		return own;
	return own == RATE_UNLIMITED || asked < own ? asked : own;
}

struct bench_settings bench_settings_merge(
	const struct bench_settings *own, const struct bench_settings *asked)
{
	struct bench_settings merged = *own;

	if (asked->window != 0)
		merged.window = asked->window;
	if (asked->buffers != 0)
		merged.buffers = u32_min(asked->buffers, own->buffers);
	merged.rate_bps = merge_rate(own->rate_bps, asked->rate_bps);
	if (asked->burst != 0)
		merged.burst = asked->burst;
	return merged;
}
