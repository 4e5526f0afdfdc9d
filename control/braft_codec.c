/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/braft_codec.h"

#include <errno.h>

#include "control/pb_codec.h"
#include "control/snapshot_meta.h"
#include "control/snapshot_meta_codec.h"
#include "proto/braft.pb-c.h"

int install_snapshot_request_encode(
	const struct install_snapshot_request *request, uint8_t **bytes, size_t *len)
{
	Braft__InstallSnapshotRequest message = BRAFT__INSTALL_SNAPSHOT_REQUEST__INIT;
	Braft__SnapshotMeta meta;

	snapshot_meta_to_message(&request->meta, &meta);
	message.group_id = (char *)request->group_id;
	message.server_id = (char *)request->server_id;
	message.peer_id = (char *)request->peer_id;
	message.term = request->term;
	message.meta = &meta;
	message.uri = (char *)request->uri;
	return pb_pack(&message.base, bytes, len);
}

static int copy_install_request(struct install_snapshot_request *request,
	const Braft__InstallSnapshotRequest *message)
{
	request->term = message->term;
	if (pb_copy_string(request->group_id, sizeof(request->group_id),
		    message->group_id) != 0 ||
		pb_copy_string(request->server_id, sizeof(request->server_id),
			message->server_id) != 0 ||
		pb_copy_string(request->peer_id, sizeof(request->peer_id),
			message->peer_id) != 0 ||
		pb_copy_string(request->uri, sizeof(request->uri), message->uri) != 0)
		return -EBADMSG;
	return snapshot_meta_from_message(&request->meta, message->meta);
}

int install_snapshot_request_decode(
	struct install_snapshot_request *request, const uint8_t *bytes, size_t len)
{
	ProtobufCMessage *unpacked;
	int err = pb_unpack(&braft__install_snapshot_request__descriptor, bytes, len,
		PB_SMALL_MAX, &unpacked);

	if (err != 0)
		return err;
	err = copy_install_request(
		request, (const Braft__InstallSnapshotRequest *)unpacked);
	pb_free(unpacked);
	return err;
}

void install_snapshot_request_fini(struct install_snapshot_request *request)
{
	snapshot_meta_fini(&request->meta);
}

int install_snapshot_response_encode(
	const struct install_snapshot_response *response, uint8_t **bytes, size_t *len)
{
	Braft__InstallSnapshotResponse message = BRAFT__INSTALL_SNAPSHOT_RESPONSE__INIT;

	message.term = response->term;
	message.success = response->success;
	return pb_pack(&message.base, bytes, len);
}

int install_snapshot_response_decode(
	struct install_snapshot_response *response, const uint8_t *bytes, size_t len)
{
	ProtobufCMessage *unpacked;
	const Braft__InstallSnapshotResponse *message;
	int err = pb_unpack(&braft__install_snapshot_response__descriptor, bytes, len,
		PB_SMALL_MAX, &unpacked);

	if (err != 0)
		return err;
	message = (const Braft__InstallSnapshotResponse *)unpacked;
	response->term = message->term;
	response->success = message->success != 0;
	pb_free(unpacked);
	return 0;
}

int get_file_request_encode(
	const struct get_file_request *request, uint8_t **bytes, size_t *len)
{
	Braft__GetFileRequest message = BRAFT__GET_FILE_REQUEST__INIT;

	message.reader_id = request->reader_id;
	message.filename = (char *)request->filename;
	message.count = request->count;
	message.offset = request->offset;
	message.has_read_partly = request->has_read_partly;
	message.read_partly = request->read_partly;
	return pb_pack(&message.base, bytes, len);
}

int get_file_request_decode(
	struct get_file_request *request, const uint8_t *bytes, size_t len)
{
	ProtobufCMessage *unpacked;
	const Braft__GetFileRequest *message;
	int err = pb_unpack(&braft__get_file_request__descriptor, bytes, len,
		PB_SMALL_MAX, &unpacked);

	if (err != 0)
		return err;
	message = (const Braft__GetFileRequest *)unpacked;
	request->reader_id = message->reader_id;
	request->count = message->count;
	request->offset = message->offset;
	request->has_read_partly = message->has_read_partly != 0;
	request->read_partly = message->read_partly != 0;
	err = pb_copy_string(
		request->filename, sizeof(request->filename), message->filename);
	pb_free(unpacked);
	return err;
}

int get_file_response_encode(
	const struct get_file_response *response, uint8_t **bytes, size_t *len)
{
	Braft__GetFileResponse message = BRAFT__GET_FILE_RESPONSE__INIT;

	message.eof = response->eof;
	message.has_read_size = response->has_read_size;
	message.read_size = response->read_size;
	return pb_pack(&message.base, bytes, len);
}

int get_file_response_decode(
	struct get_file_response *response, const uint8_t *bytes, size_t len)
{
	ProtobufCMessage *unpacked;
	const Braft__GetFileResponse *message;
	int err = pb_unpack(&braft__get_file_response__descriptor, bytes, len,
		PB_SMALL_MAX, &unpacked);

	if (err != 0)
		return err;
	message = (const Braft__GetFileResponse *)unpacked;
	response->eof = message->eof != 0;
	response->has_read_size = message->has_read_size != 0;
	response->read_size = message->read_size;
	pb_free(unpacked);
	return 0;
}
