/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/frame_codec.h"
#include "dataplane/base/bytes.h"
#include "dataplane/base/units.h"

static const uint8_t magic[4] = {'P', 'R', 'P', 'C'};

static void cut_payload(struct frame *frame, const struct frame_payload *payload,
	const uint8_t *bytes, size_t len)
{
	size_t attachment_len = (size_t)payload->attachment_size;

	if (payload->attachment_size < 0 || attachment_len > len) {
		frame->refused = "the attachment is larger than the payload";
		return;
	}
	/* a failure has no payload worth unpacking, whatever its compression */
	if (payload->compress_type != 0 && frame->error_code == 0) {
		frame->refused = "compressed messages are not supported";
		return;
	}
	frame->message = bytes;
	frame->message_len = len - attachment_len;
	if (attachment_len > 0) {
		frame->attachment = bytes + frame->message_len;
		frame->attachment_len = attachment_len;
	}
}

int frame_parse(struct frame *frame, const uint8_t *bytes, size_t len, size_t *size)
{
	struct frame_payload payload;
	uint32_t body_size;
	uint32_t meta_size;
	int err;

	if (len > 0 && memcmp(bytes, magic, u64_min(len, sizeof(magic))) != 0)
		return -EBADMSG;
	*size = FRAME_HEADER_LEN;
	if (len < FRAME_HEADER_LEN)
		return -EAGAIN;
	body_size = get_be32(bytes + 4);
	meta_size = get_be32(bytes + 8);
	if (body_size > FRAME_BODY_MAX || meta_size > body_size ||
		meta_size > FRAME_META_MAX)
		return -EBADMSG;
	*size = FRAME_HEADER_LEN + (size_t)body_size;
	if (len < *size)
		return -EAGAIN;
	err = frame_codec_decode(frame, &payload, bytes + FRAME_HEADER_LEN, meta_size);
	if (err != 0)
		return err;
	cut_payload(frame, &payload, bytes + FRAME_HEADER_LEN + meta_size,
		body_size - meta_size);
	return 0;
}

int frame_encode(const struct frame *frame, uint8_t **bytes, size_t *size)
{
	size_t tail = 0;
	size_t meta_len;
	uint8_t *whole;
	uint8_t *at;
	int err;

	if (frame->kind == FRAME_REQUEST || frame->error_code == 0) {
		if (frame->message_len > FRAME_BODY_MAX ||
			frame->attachment_len > FRAME_BODY_MAX)
			return -EMSGSIZE;
		tail = frame->message_len + frame->attachment_len;
	}
	err = frame_codec_encode(frame, FRAME_HEADER_LEN, tail, &whole, &meta_len);
	if (err != 0)
		return err;
	if (meta_len + tail > FRAME_BODY_MAX) {
		err = -EMSGSIZE;
		goto free_whole;
	}
	memcpy(whole, magic, sizeof(magic));
	put_be32(whole + 4, (uint32_t)(meta_len + tail));
	put_be32(whole + 8, (uint32_t)meta_len);
	at = whole + FRAME_HEADER_LEN + meta_len;
	if (tail > 0 && frame->message_len > 0)
		memcpy(at, frame->message, frame->message_len);
	if (tail > 0 && frame->attachment_len > 0)
		memcpy(at + frame->message_len, frame->attachment, frame->attachment_len);
	*bytes = whole;
	*size = FRAME_HEADER_LEN + meta_len + tail;
	return 0;

free_whole:
	free(whole);
	return err;
}
