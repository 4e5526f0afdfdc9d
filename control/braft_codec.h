/* SPDX-License-Identifier: BSD-3-Clause */
/* braft's calls as plain structs: install_snapshot and get_file.
 *
 * Encoders give malloc'ed bytes and return 0 or -ENOMEM. Decoders overwrite their struct
 * and return 0, -EBADMSG (not this message, a required field missing, or a string that
 * does not fit), or -ENOMEM. */
#ifndef BRAFT_CODEC_H
#define BRAFT_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/table.h"

enum {
	BRAFT_GROUP_MAX = 256, /* all: bytes with the NUL */
	BRAFT_PEER_MAX = 256,
	BRAFT_URI_MAX = 512,
	BRAFT_NAME_MAX = 4096,
};

struct install_snapshot_request {
	char group_id[BRAFT_GROUP_MAX];
	char server_id[BRAFT_PEER_MAX]; /* the leader, who sends this */
	char peer_id[BRAFT_PEER_MAX];   /* the follower, who receives it */
	int64_t term;
	struct snapshot_meta meta; /* owned after decoding, borrowed for encoding */
	char uri[BRAFT_URI_MAX];   /* "remote://HOST:PORT/READER_ID" */
};

struct install_snapshot_response {
	int64_t term;
	bool success;
};

struct get_file_request {
	int64_t reader_id; /* opaque, often negative */
	char filename[BRAFT_NAME_MAX];
	int64_t count;  /* bytes wanted; any value may come */
	int64_t offset; /* bytes; any value may come */
	bool has_read_partly;
	bool read_partly; /* less than count is welcome */
};

struct get_file_response {
	bool eof;
	bool has_read_size;
	int64_t read_size; /* bytes */
};

int install_snapshot_request_encode(
	const struct install_snapshot_request *request, uint8_t **bytes, size_t *len);
int install_snapshot_request_decode(
	struct install_snapshot_request *request, const uint8_t *bytes, size_t len);
/* Frees the lists of meta. */
void install_snapshot_request_fini(struct install_snapshot_request *request);

int install_snapshot_response_encode(
	const struct install_snapshot_response *response, uint8_t **bytes, size_t *len);
int install_snapshot_response_decode(
	struct install_snapshot_response *response, const uint8_t *bytes, size_t len);

int get_file_request_encode(
	const struct get_file_request *request, uint8_t **bytes, size_t *len);
int get_file_request_decode(
	struct get_file_request *request, const uint8_t *bytes, size_t len);

int get_file_response_encode(
	const struct get_file_response *response, uint8_t **bytes, size_t *len);
int get_file_response_decode(
	struct get_file_response *response, const uint8_t *bytes, size_t len);

#endif
