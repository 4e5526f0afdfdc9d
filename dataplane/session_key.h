/* SPDX-License-Identifier: BSD-3-Clause */
/* The two keys of a session, one a direction, from what both sides put into `open`.
 *
 * HKDF-SHA256 (RFC 5869), secret: both nonces; info: group, index and term. A packet of
 * another group, snapshot or term, or of a dead session, fails its MAC. */
#ifndef SESSION_KEY_H
#define SESSION_KEY_H

#include <stdint.h>

enum { SESSION_NONCE_LEN = 32, SESSION_KEY_LEN = 16 };

struct session_secret {
	uint8_t sender_nonce[SESSION_NONCE_LEN];
	uint8_t receiver_nonce[SESSION_NONCE_LEN];
	const char *group_id;
	int64_t index;
	int64_t term;
};

struct session_keys {
	uint8_t to_receiver[SESSION_KEY_LEN]; /* seals DATA, PROBE_ACK, CLOSE of the
						 sender */
	uint8_t to_sender[SESSION_KEY_LEN];   /* seals PULL, ACK, CLOSE of the receiver */
};

/* Returns 0, or -ENOMEM. */
int session_key_derive(struct session_keys *keys, const struct session_secret *secret);

#endif
