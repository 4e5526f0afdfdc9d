/* SPDX-License-Identifier: BSD-3-Clause */
/* The RpcMeta of a frame; used by frame.c alone. */
#ifndef FRAME_CODEC_H
#define FRAME_CODEC_H

#include <stddef.h>
#include <stdint.h>

struct frame;

enum { FRAME_META_MAX = 64 << 10 }; /* bytes; a real one has some hundred */

/* What the meta says about the payload. */
struct frame_payload {
	int32_t compress_type;
	int32_t attachment_size;
};

/* Fills all but message and attachment. Returns 0, -EBADMSG or -ENOMEM. */
int frame_codec_decode(struct frame *frame, struct frame_payload *payload,
	const uint8_t *bytes, size_t len);

/* *bytes is malloc'ed with *len bytes of meta behind `room` unused bytes, and with `tail`
 * more after them. Returns 0 or -ENOMEM. */
int frame_codec_encode(const struct frame *frame, size_t room, size_t tail,
	uint8_t **bytes, size_t *len);

#endif
