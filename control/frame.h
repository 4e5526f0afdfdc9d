/* SPDX-License-Identifier: BSD-3-Clause */
/* PRPC (baidu_std) frames: bytes of a stream in, calls and answers out, and back.
 *
 *   "PRPC" | body size u32 | meta size u32 | RpcMeta | message | attachment
 *
 * Pure: the caller owns the buffer, and a parsed frame points into it. */
#ifndef FRAME_H
#define FRAME_H

#include <stddef.h>
#include <stdint.h>

enum {
	FRAME_HEADER_LEN = 12,
	FRAME_BODY_MAX = 64 << 20, /* bytes after the header; a stock peer's limit too */
	FRAME_NAME_MAX = 128,      /* bytes with the NUL */
	FRAME_TEXT_MAX = 512,      /* bytes with the NUL */
};

enum frame_kind { FRAME_REQUEST, FRAME_RESPONSE };

struct frame {
	enum frame_kind kind;
	int64_t correlation_id;          /* opaque */
	char service[FRAME_NAME_MAX];    /* request; cut when longer */
	char method[FRAME_NAME_MAX];     /* request; cut when longer */
	int32_t error_code;              /* response: 0, or the wire code */
	char error_text[FRAME_TEXT_MAX]; /* response; cut, control characters blanked */
	const uint8_t *message;          /* serialised protobuf */
	size_t message_len;              /* bytes */
	const uint8_t *attachment;       /* NULL when there is none */
	size_t attachment_len;           /* bytes */
	const char *refused; /* parsed: NULL, or why a well-formed frame cannot be served:
				answer EREQUEST. message and attachment are empty then */
};

/* Looks at the first frame of a stream. *size: bytes of the whole frame when 0 is
 * returned; bytes needed before it is worth asking again when -EAGAIN is. Bytes that
 * cannot start a frame are refused as early as the first one. Returns 0, -EAGAIN, or
 * -EBADMSG: no frame, nothing after it can be trusted. */
int frame_parse(struct frame *frame, const uint8_t *bytes, size_t len, size_t *size);

/* The whole frame with message and attachment copied in. *bytes is malloc'ed. An error
 * response carries no payload. Returns 0, -EMSGSIZE (body above FRAME_BODY_MAX), or
 * -ENOMEM. */
int frame_encode(const struct frame *frame, uint8_t **bytes, size_t *size);

#endif
