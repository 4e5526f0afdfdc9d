/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/reference_codec.h"

#include <errno.h>
#include <string.h>

#include "control/pb_codec.h"
#include "proto/snapline.pb-c.h"

int reference_encode(const struct reference *reference, uint8_t **bytes, size_t *len)
{
	Snapline__SnapshotReference message = SNAPLINE__SNAPSHOT_REFERENCE__INIT;

	message.index = reference->index;
	message.term = reference->term;
	message.root.data = (uint8_t *)reference->root;
	message.root.len = sizeof(reference->root);
	if (reference->leader_id[0] != '\0')
		message.leader_id = (char *)reference->leader_id;
	if (reference->uri[0] != '\0')
		message.uri = (char *)reference->uri;
	return pb_pack(&message.base, bytes, len);
}

static int from_message(
	struct reference *reference, const Snapline__SnapshotReference *message)
{
	int err;

	if (message->index < 1 || message->term < 1 ||
		message->root.len != sizeof(reference->root))
		return -EBADMSG;
	reference->index = message->index;
	reference->term = message->term;
	memcpy(reference->root, message->root.data, sizeof(reference->root));
	err = pb_copy_string(
		reference->leader_id, sizeof(reference->leader_id), message->leader_id);
	if (err == 0)
		err = pb_copy_string(
			reference->uri, sizeof(reference->uri), message->uri);
	return err;
}

int reference_decode(struct reference *reference, const uint8_t *bytes, size_t len)
{
	ProtobufCMessage *message;
	struct reference decoded;
	int err = pb_unpack(&snapline__snapshot_reference__descriptor, bytes, len,
		REFERENCE_MAX, &message);

	if (err != 0)
		return err;
	err = from_message(&decoded, (const Snapline__SnapshotReference *)message);
	pb_free(message);
	if (err == 0)
		*reference = decoded;
	return err;
}
