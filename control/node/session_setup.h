/* SPDX-License-Identifier: BSD-3-Clause */
/* From what both sides said in `open` to a running session. */
#ifndef SESSION_SETUP_H
#define SESSION_SETUP_H

#include "control/transfer_codec.h"
#include "dataplane/transfer.h"

struct session_setup {
	enum transfer_role role;
	const char *group_id;
	int64_t index;
	int64_t term;
	const uint8_t *sender_nonce;   /* TRANSFER_NONCE_LEN */
	const uint8_t *receiver_nonce; /* TRANSFER_NONCE_LEN */
	uint32_t device;
	uint32_t session_id;
	uint32_t peer_session_id;
	const struct transfer_endpoint *peer;
	uint32_t slice_size;
	uint32_t stripes;
	const struct manifest *manifest;
	struct store_object *object;
	uint64_t rate_bps;    /* at most; 0: no limit */
	struct rank rank;     /* sending */
	const uint64_t *have; /* receiving: chunks already there; NULL: none */
};

/* 32 random bytes. Returns 0, or -EIO when the kernel gives none. */
int session_setup_nonce(uint8_t nonce[static TRANSFER_NONCE_LEN], struct fault *fault);

/* Derives the keys and starts the session. Returns what transfer_start does, or -ENOMEM.
 */
int session_setup_start(struct transfer *transfer, const struct session_setup *setup,
	struct fault *fault);

/* What operators are told of a session's stripes. */
void session_describe(const struct transfer_stats *stats, struct transfer_info *info);
/* silent_at: of uv_hrtime, 0: it is not suspended. A stage other than WIRE stays. */
void session_describe_silence(uint64_t silent_at, struct transfer_info *info);
/* Notes and logs a suspension or its end. Returns whether it was one. */
bool session_on_silence(uint64_t *silent_at, const struct transfer_report *report,
	const char *name, const char *peer);
/* One line, when there are several or packets went astray. name: who logs it. */
void session_log_stripes(
	const char *name, const char *peer, const struct transfer_stats *stats);

#endif
