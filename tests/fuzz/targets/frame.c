/* SPDX-License-Identifier: BSD-3-Clause */
/* A PRPC stream in pieces: however TCP cuts it, the same frames come out of it.
 *
 *   pieces u8 | so many lengths u8 | the stream */
#include "tests/fuzz/targets/fuzz.h"

#include <errno.h>

#include "control/frame.h"

static void check_bounds(const struct frame *frame, const uint8_t *bytes, size_t size)
{
	MUST(memchr(frame->service, '\0', sizeof(frame->service)) != NULL);
	MUST(memchr(frame->method, '\0', sizeof(frame->method)) != NULL);
	MUST(memchr(frame->error_text, '\0', sizeof(frame->error_text)) != NULL);
	if (frame->refused != NULL) {
		MUST(frame->message_len == 0 && frame->attachment_len == 0);
		return;
	}
	MUST(frame->message >= bytes + FRAME_HEADER_LEN);
	MUST(frame->message + frame->message_len <= bytes + size);
	MUST((frame->attachment == NULL) == (frame->attachment_len == 0));
	if (frame->attachment != NULL)
		MUST(frame->attachment == frame->message + frame->message_len);
	MUST(frame->message + frame->message_len + frame->attachment_len == bytes + size);
}

/* What is encoded is what was parsed; a failure carries no payload. */
static void check_round_trip(const struct frame *frame)
{
	struct frame again;
	uint8_t *bytes;
	size_t size, needed;

	if (frame->refused != NULL)
		return;
	MUST(frame_encode(frame, &bytes, &size) == 0);
	MUST(frame_parse(&again, bytes, size, &needed) == 0 && needed == size);
	MUST(again.refused == NULL && again.kind == frame->kind);
	MUST(again.correlation_id == frame->correlation_id);
	MUST(again.error_code == frame->error_code);
	MUST(strcmp(again.service, frame->service) == 0);
	MUST(strcmp(again.method, frame->method) == 0);
	if (frame->error_code == 0) {
		MUST(again.message_len == frame->message_len);
		MUST(memcmp(again.message, frame->message, again.message_len) == 0);
		MUST(again.attachment_len == frame->attachment_len);
	} else {
		MUST(strcmp(again.error_text, frame->error_text) == 0);
		MUST(again.message_len == 0 && again.attachment_len == 0);
	}
	free(bytes);
}

/* Asks about the first `len` bytes in a buffer of just that size. */
static int ask(const uint8_t *bytes, size_t len, size_t *size)
{
	uint8_t *part = input_copy(bytes, len, 0);
	struct frame frame;
	int err = frame_parse(&frame, part, len, size);

	MUST(err == 0 || err == -EAGAIN || err == -EBADMSG);
	if (err == 0) {
		MUST(*size >= FRAME_HEADER_LEN && *size <= len);
		check_bounds(&frame, part, *size);
		check_round_trip(&frame);
	} else if (err == -EAGAIN) {
		MUST(*size > len && *size <= FRAME_HEADER_LEN + FRAME_BODY_MAX);
	}
	free(part);
	return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	size_t count = (size_t)input_take(&input, 1) % 16;
	struct input cuts = input;
	size_t have = 0, next = 0, needed;
	int err;

	while (input.left > 0 && count-- > 0)
		(void)input_take(&input, 1);
	cuts.left -= input.left;
	while (have < input.left) {
		size_t piece = cuts.left > 0 ? 1 + (size_t)input_take(&cuts, 1)
					     : input.left - have;

		have += piece < input.left - have ? piece : input.left - have;
		while ((err = ask(input.at + next, have - next, &needed)) == 0) {
			/* one byte less would not have done */
			MUST(ask(input.at + next, needed - 1, &(size_t){0}) == -EAGAIN);
			next += needed;
		}
		if (err == -EBADMSG) {
			/* and more bytes make it no better */
			MUST(ask(input.at + next, input.left - next, &needed) == err);
			break;
		}
	}
	return 0;
}
