/* SPDX-License-Identifier: BSD-3-Clause */
/* Convergence inside other messages: of progress, and of the operator's list. */
#ifndef CONVERGENCE_CODEC_H
#define CONVERGENCE_CODEC_H

#include "control/transfer_codec.h"

struct Snapline__Convergence;

/* The message refers to `convergence`. */
void convergence_to_message(const struct transfer_convergence *convergence,
	struct Snapline__Convergence *message);
/* Returns 0 or -EBADMSG. */
int convergence_from_message(struct transfer_convergence *convergence,
	const struct Snapline__Convergence *message);

#endif
