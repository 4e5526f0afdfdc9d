/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/pb_codec.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/utf8.h"

/* protobuf-c answers NULL both for bad bytes and for no memory; the flag tells which. */
static void *noting_alloc(void *out_of_memory, size_t size)
{
	void *bytes = malloc(size);

	if (bytes == NULL)
		*(bool *)out_of_memory = true;
	return bytes;
}

static void noting_free(void *out_of_memory, void *bytes)
{
	(void)out_of_memory;
	free(bytes);
}

int pb_unpack(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t len,
	size_t max, ProtobufCMessage **message)
{
	bool out_of_memory = false;
	ProtobufCAllocator allocator = {
		.alloc = noting_alloc,
		.free = noting_free,
		.allocator_data = &out_of_memory,
	};
	/* protobuf-c wants an address even for an empty message */
	const uint8_t none = 0;
	ProtobufCMessage *unpacked;

	if (len > max)
		return -EBADMSG;
	unpacked =
		protobuf_c_message_unpack(type, &allocator, len, len > 0 ? bytes : &none);
	if (unpacked == NULL)
		return out_of_memory ? -ENOMEM : -EBADMSG;
	*message = unpacked;
	return 0;
}

void pb_free(ProtobufCMessage *message)
{
	/* our allocator's free is free(3), as is the default one */
	protobuf_c_message_free_unpacked(message, NULL);
}

int pb_pack(const ProtobufCMessage *message, uint8_t **bytes, size_t *len)
{
	size_t size = protobuf_c_message_get_packed_size(message);
	uint8_t *packed = malloc(size > 0 ? size : 1);

	if (packed == NULL)
		return -ENOMEM;
	*len = protobuf_c_message_pack(message, packed);
	*bytes = packed;
	return 0;
}

int pb_copy_string(char *to, size_t size, const char *text)
{
	size_t len = text != NULL ? strlen(text) : 0;

	if (len >= size)
		return -EBADMSG;
	if (len > 0)
		memcpy(to, text, len);
	to[len] = '\0';
	return 0;
}

void pb_copy_text(char *to, size_t size, const char *text)
{
	size_t len = text != NULL ? strnlen(text, size - 1) : 0;

	if (len > 0)
		memcpy(to, text, len);
	to[len] = '\0';
	utf8_blank_controls(to, len);
}
