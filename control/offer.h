/* SPDX-License-Identifier: BSD-3-Clause */
/* What a leader offers in its answer to `open`: the table and the manifest of a snapshot,
 * checked as one before a byte is asked for. */
#ifndef OFFER_H
#define OFFER_H

#include "control/table.h"
#include "control/transfer_codec.h"
#include "dataplane/manifest.h"

struct offer {
	struct open_response response;
	struct table table;
	struct manifest manifest;
	const uint8_t *manifest_bytes; /* inside the attachment kept below */
	uint8_t *attachment;           /* owned */
};

/* Takes a copy of message and attachment apart. Returns 0; -EBADMSG when they do not make
 * sense or do not agree with each other (a file of the table the manifest does not know,
 * or the other way round); or -ENOMEM. offer_fini after success only. */
int offer_parse(struct offer *offer, const uint8_t *message, size_t len,
	const uint8_t *attachment, size_t attachment_len, struct fault *fault);
/* The offer of a stock leader: its table is all there is; the manifest stays empty. Takes
 * the same errors. */
int offer_parse_table(
	struct offer *offer, const uint8_t *table, size_t len, struct fault *fault);
void offer_fini(struct offer *offer);

#endif
