/* SPDX-License-Identifier: BSD-3-Clause */
/* BenchService's call as plain structs: what a tuner lets the far end of its measurement
 * try. Encoders and decoders return what those of control/transfer_codec.h do. */
#ifndef BENCH_CODEC_H
#define BENCH_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "dataplane/transfer.h"

struct bench_settings {
	uint32_t window;   /* packets; 0: what the bench was started with */
	uint32_t buffers;  /* a queue; 0: the same */
	uint64_t rate_bps; /* as in struct transfer_device; 0: the same */
	uint64_t burst;    /* bytes; 0: the default of the rate */
};

/* Ranges are bench_settings_check's. */
int bench_set_request_encode(
	const struct bench_settings *settings, uint8_t **bytes, size_t *len);
int bench_set_request_decode(
	struct bench_settings *settings, const uint8_t *bytes, size_t len);
int bench_set_response_encode(
	const struct bench_settings *settings, uint8_t **bytes, size_t *len);
int bench_set_response_decode(
	struct bench_settings *settings, const uint8_t *bytes, size_t len);

/* As the options of these names are checked. Returns 0, or -EINVAL with the fault. */
int bench_settings_check(const struct bench_settings *settings, struct fault *fault);

/* What holds at a bench with these settings of its own: its rate is not exceeded, and
 * buffers it has not got are not to be had. */
struct bench_settings bench_settings_merge(
	const struct bench_settings *own, const struct bench_settings *asked);

#endif
