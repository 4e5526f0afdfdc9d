/* SPDX-License-Identifier: BSD-3-Clause */
/* What every codec needs of protobuf-c. Included by files named *codec.c only. */
#ifndef PB_CODEC_H
#define PB_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

enum { PB_SMALL_MAX = 256 << 10 }; /* bytes; no message but a table is larger */

/* Returns 0, -EBADMSG (more than max bytes, or not this message), or -ENOMEM. *message is
 * freed with pb_free. */
int pb_unpack(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t len,
	size_t max, ProtobufCMessage **message);
void pb_free(ProtobufCMessage *message);

/* *bytes is malloc'ed and never NULL on success. Returns 0 or -ENOMEM. */
int pb_pack(const ProtobufCMessage *message, uint8_t **bytes, size_t *len);

/* Copies text with its NUL into to. A NULL text is an absent optional: to becomes empty.
 * Returns 0, or -EBADMSG when it is longer than size - 1 bytes. */
int pb_copy_string(char *to, size_t size, const char *text);

/* For words that end in a log line or on a terminal: cut to fit, control characters
 * become blanks. NULL becomes empty. */
void pb_copy_text(char *to, size_t size, const char *text);

#endif
