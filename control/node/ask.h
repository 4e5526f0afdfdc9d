/* SPDX-License-Identifier: BSD-3-Clause */
/* Somebody who waits for the executor's answer: a peer's call, or a function of the
 * public header. Answered once, then gone. */
#ifndef ASK_H
#define ASK_H

#include "control/executor.h"
#include "control/rpc/rpc.h"
#include "control/snapline.h"

enum ask_kind { ASK_RPC, ASK_DONE, ASK_INSTALLED };

struct ask {
	enum ask_kind kind;
	struct rpc_call *call;
	snapline_done done;
	snapline_installed installed;
	void *ctx;
};

/* Copies. Returns NULL without memory; the caller then answers by itself. */
struct ask *ask_create(const struct ask *ask);
void ask_answer(struct ask *ask, const struct executor_answer *answer);

#endif
