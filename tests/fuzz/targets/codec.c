/* SPDX-License-Identifier: BSD-3-Clause */
/* Every message of both protocols: what is decoded encodes and decodes to the same bytes.
 *
 *   which u8 | the message */
#include "tests/fuzz/targets/fuzz.h"

#include <errno.h>

#include "control/bench_codec.h"
#include "control/braft_codec.h"
#include "control/queue_codec.h"
#include "control/reference_codec.h"
#include "control/transfer_codec.h"
#include "dataplane/base/units.h"

struct codec {
	int (*decode)(void *message, const uint8_t *bytes, size_t len);
	int (*encode)(const void *message, uint8_t **bytes, size_t *len);
	void (*fini)(void *message);           /* NULL: owns nothing */
	bool (*is_lossy)(const void *message); /* NULL: never */
};

/* The pair of a message as functions of one type. */
#define CODEC(name)                                                                      \
	static int decode_##name(void *message, const uint8_t *bytes, size_t len)        \
	{                                                                                \
		return name##_decode(message, bytes, len);                               \
	}                                                                                \
	static int encode_##name(const void *message, uint8_t **bytes, size_t *len)      \
	{                                                                                \
		return name##_encode(message, bytes, len);                               \
	}

CODEC(install_snapshot_request)
CODEC(install_snapshot_response)
CODEC(get_file_request)
CODEC(get_file_response)
CODEC(open_request)
CODEC(open_response)
CODEC(progress_request)
CODEC(close_request)
CODEC(start_request)
CODEC(start_response)
CODEC(list_request)
CODEC(transfer_list)
CODEC(close_response)
CODEC(queue_list)
CODEC(set_rate_request)
CODEC(throttle_request)
CODEC(reference)
CODEC(bench_set_request)
CODEC(bench_set_response)

static void fini_install(void *message)
{
	install_snapshot_request_fini(message);
}

static void fini_list(void *message)
{
	transfer_list_fini(message);
}

static void fini_queues(void *message)
{
	queue_list_fini(message);
}

/* An IPv6 endpoint keeps its place only: we could not say it again. */
static bool is_lossy_request(const void *message)
{
	const struct open_request *request = message;

	MUST(request->nendpoints <= TRANSFER_DEVICES_MAX);
	for (uint32_t i = 0; i < request->nendpoints; i++)
		if (request->endpoints[i].port == 0)
			return true;
	return false;
}

static bool is_lossy_response(const void *message)
{
	const struct open_response *response = message;

	return !response->is_tcp && response->endpoint.port == 0;
}

static const struct codec codecs[] = {
	{decode_install_snapshot_request, encode_install_snapshot_request, fini_install,
		NULL},
	{decode_install_snapshot_response, encode_install_snapshot_response, NULL, NULL},
	{decode_get_file_request, encode_get_file_request, NULL, NULL},
	{decode_get_file_response, encode_get_file_response, NULL, NULL},
	{decode_open_request, encode_open_request, NULL, is_lossy_request},
	{decode_open_response, encode_open_response, NULL, is_lossy_response},
	{decode_progress_request, encode_progress_request, NULL, NULL},
	{decode_close_request, encode_close_request, NULL, NULL},
	{decode_start_request, encode_start_request, NULL, NULL},
	{decode_start_response, encode_start_response, NULL, NULL},
	{decode_list_request, encode_list_request, NULL, NULL},
	{decode_transfer_list, encode_transfer_list, fini_list, NULL},
	{decode_close_response, encode_close_response, NULL, NULL},
	{decode_queue_list, encode_queue_list, fini_queues, NULL},
	{decode_set_rate_request, encode_set_rate_request, NULL, NULL},
	{decode_throttle_request, encode_throttle_request, NULL, NULL},
	{decode_reference, encode_reference, NULL, NULL},
	{decode_bench_set_request, encode_bench_set_request, NULL, NULL},
	{decode_bench_set_response, encode_bench_set_response, NULL, NULL},
};

union message {
	struct install_snapshot_request install_snapshot_request;
	struct install_snapshot_response install_snapshot_response;
	struct get_file_request get_file_request;
	struct get_file_response get_file_response;
	struct open_request open_request;
	struct open_response open_response;
	struct progress_request progress_request;
	struct close_request close_request;
	struct start_request start_request;
	struct start_response start_response;
	struct list_request list_request;
	struct transfer_list transfer_list;
	struct close_response close_response;
	struct queue_list queue_list;
	struct transfer_rate set_rate_request;
	struct throttle_request throttle_request;
	struct reference reference;
	struct bench_settings bench_settings;
};

/* Decodes into memory full of rubbish, so that a field left out shows. Returns whether
 * the bytes were taken; then *again holds the encoding. */
static bool take(const struct codec *codec, const uint8_t *bytes, size_t len,
	uint8_t **again, size_t *again_len)
{
	union message *message = malloc(sizeof(*message));
	int err;

	MUST(message != NULL);
	memset(message, 0xa5, sizeof(*message));
	err = codec->decode(message, bytes, len);
	MUST(err == 0 || err == -EBADMSG);
	if (err == 0 && (codec->is_lossy == NULL || !codec->is_lossy(message)))
		MUST(codec->encode(message, again, again_len) == 0);
	else
		*again = NULL;
	if (err == 0 && codec->fini != NULL)
		codec->fini(message);
	free(message);
	return *again != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	const struct codec *codec = &codecs[input_take(&input, 1) % ARRAY_LEN(codecs)];
	uint8_t *bytes = input_copy(input.at, input.left, 0);
	uint8_t *first, *second;
	size_t first_len, second_len;

	if (take(codec, bytes, input.left, &first, &first_len)) {
		MUST(take(codec, first, first_len, &second, &second_len));
		MUST(second_len == first_len && memcmp(first, second, first_len) == 0);
		free(second);
		free(first);
	}
	free(bytes);
	return 0;
}
