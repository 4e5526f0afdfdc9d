/* SPDX-License-Identifier: BSD-3-Clause */
/* A snapshot by reference: the few bytes that a Raft engine stores and sends in the place
 * of a snapshot (SnapshotReference of proto/snapline.proto). */
#ifndef REFERENCE_CODEC_H
#define REFERENCE_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "control/peer_id.h"
#include "control/uri.h"

enum {
	REFERENCE_ROOT_LEN = 32, /* bytes: the SHA-256 root of a manifest */
	REFERENCE_MAX = 4096,    /* bytes of a message; a longer one is malformed */
};

struct reference {
	int64_t index; /* at least 1 */
	int64_t term;  /* at least 1 */
	uint8_t root[REFERENCE_ROOT_LEN];
	char leader_id[PEER_ID_TEXT_MAX]; /* empty: nobody offers it */
	char uri[URI_TEXT_MAX];           /* empty: nobody offers it */
};

/* *bytes is malloc'ed. Returns 0 or -ENOMEM. */
int reference_encode(const struct reference *reference, uint8_t **bytes, size_t *len);

/* Returns 0, -EBADMSG (not this message, or a field out of its range) or -ENOMEM. */
int reference_decode(struct reference *reference, const uint8_t *bytes, size_t len);

#endif
