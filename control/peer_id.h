/* SPDX-License-Identifier: BSD-3-Clause */
/* Names a Raft node: "IP:PORT[:INDEX[:ROLE]]", as braft writes and reads it. */
#ifndef PEER_ID_H
#define PEER_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/fault.h"

enum { PEER_ID_TEXT_MAX = 48 }; /* bytes with the NUL */

enum peer_role { PEER_REPLICA = 0, PEER_WITNESS = 1 };

struct peer_id {
	uint8_t ip[4]; /* network byte order */
	uint16_t port;
	int32_t index; /* several nodes may share an address */
	enum peer_role role;
};

/* Two to four fields; index and role default to 0. Returns 0, or -EINVAL with what is
 * wrong. */
int peer_id_parse(struct peer_id *peer, const char *text, struct fault *fault);

/* All four fields, as braft's master does. */
void peer_id_format(const struct peer_id *peer, char text[static PEER_ID_TEXT_MAX]);

/* "IP:PORT", for dialling. */
void peer_id_format_address(
	const struct peer_id *peer, char text[static PEER_ID_TEXT_MAX]);

/* The role does not count: a witness is the same node. */
bool peer_id_is_equal(const struct peer_id *a, const struct peer_id *b);

#endif
