/* SPDX-License-Identifier: BSD-3-Clause */
/* Shows a transfer while it runs and when it has ended: the same for pull and start. */
#ifndef TRANSFER_VIEW_H
#define TRANSFER_VIEW_H

#include "control/cli/terminal.h"
#include "control/transfer_codec.h"

struct json;

struct transfer_view {
	struct terminal terminal;
	nsec rate_at;        /* when the rate was last worked out */
	uint64_t rate_bytes; /* bytes done then */
	uint64_t rate_bps;
};

void transfer_view_init(struct transfer_view *view, bool quiet);
void transfer_view_show(struct transfer_view *view, const struct transfer_info *info);

/* Adds class and weight, if there are any. */
void transfer_view_rank_json(const struct rank *rank, struct json *json);

/* Prints the closing summary, or the error; returns the exit code. */
int transfer_view_end(
	struct transfer_view *view, const struct transfer_info *info, bool json);

#endif
