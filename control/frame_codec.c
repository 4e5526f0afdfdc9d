/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/frame_codec.h"

#include <errno.h>
#include <stdlib.h>

#include "control/frame.h"
#include "control/pb_codec.h"
#include "proto/rpc.pb-c.h"

int frame_codec_decode(struct frame *frame, struct frame_payload *payload,
	const uint8_t *bytes, size_t len)
{
	ProtobufCMessage *unpacked;
	const Brpc__Policy__RpcMeta *meta;
	int err = pb_unpack(&brpc__policy__rpc_meta__descriptor, bytes, len,
		FRAME_META_MAX, &unpacked);

	if (err != 0)
		return err;
	meta = (const Brpc__Policy__RpcMeta *)unpacked;
	*frame = (struct frame){
		.kind = meta->request != NULL ? FRAME_REQUEST : FRAME_RESPONSE,
		.correlation_id = meta->correlation_id,
	};
	if (meta->request != NULL) {
		pb_copy_text(frame->service, sizeof(frame->service),
			meta->request->service_name);
		pb_copy_text(
			frame->method, sizeof(frame->method), meta->request->method_name);
	} else if (meta->response != NULL) {
		frame->error_code = meta->response->error_code;
		pb_copy_text(frame->error_text, sizeof(frame->error_text),
			meta->response->error_text);
	}
	payload->compress_type = meta->compress_type;
	payload->attachment_size = meta->attachment_size;
	pb_free(unpacked);
	return 0;
}

int frame_codec_encode(
	const struct frame *frame, size_t room, size_t tail, uint8_t **bytes, size_t *len)
{
	Brpc__Policy__RpcRequestMeta request = BRPC__POLICY__RPC_REQUEST_META__INIT;
	Brpc__Policy__RpcResponseMeta response = BRPC__POLICY__RPC_RESPONSE_META__INIT;
	Brpc__Policy__RpcMeta meta = BRPC__POLICY__RPC_META__INIT;
	uint8_t *whole;

	if (frame->kind == FRAME_REQUEST) {
		request.service_name = (char *)frame->service;
		request.method_name = (char *)frame->method;
		meta.request = &request;
	} else {
		response.has_error_code = 1;
		response.error_code = frame->error_code;
		if (frame->error_code != 0)
			response.error_text = (char *)frame->error_text;
		meta.response = &response;
	}
	/* a stock peer writes compress_type 0 too */
	meta.has_compress_type = 1;
	meta.has_correlation_id = 1;
	meta.correlation_id = frame->correlation_id;
	if (frame->attachment_len > 0 && tail > 0) {
		meta.has_attachment_size = 1;
		meta.attachment_size = (int32_t)frame->attachment_len;
	}
	*len = brpc__policy__rpc_meta__get_packed_size(&meta);
	whole = malloc(room + *len + tail);
	if (whole == NULL)
		return -ENOMEM;
	(void)brpc__policy__rpc_meta__pack(&meta, whole + room);
	*bytes = whole;
	return 0;
}
