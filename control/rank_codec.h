/* SPDX-License-Identifier: BSD-3-Clause */
/* A rank inside other messages: what is asked for, and what holds. */
#ifndef RANK_CODEC_H
#define RANK_CODEC_H

#include "dataplane/transfer.h"

struct Snapline__Rank;

/* Returns message, or NULL: nothing is said. */
struct Snapline__Rank *rank_to_message(
	const struct rank *rank, struct Snapline__Rank *message);
/* NULL: nothing is said. Returns 0, or -EBADMSG: out of range. */
int rank_from_message(struct rank *rank, const struct Snapline__Rank *message);

#endif
