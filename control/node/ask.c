/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/node/ask.h"

#include <errno.h>
#include <stdlib.h>

#include "control/braft_codec.h"

struct ask *ask_create(const struct ask *ask)
{
	struct ask *made = malloc(sizeof(*made));

	if (made != NULL)
		*made = *ask;
	return made;
}

static void answer_call(struct rpc_call *call, const struct executor_answer *answer)
{
	const struct install_snapshot_response response = {
		.term = answer->term, .success = answer->success};
	uint8_t *bytes;
	size_t len;

	if (answer->code != 0) {
		rpc_call_fail(call, answer->code, "%s", answer->text);
		return;
	}
	if (install_snapshot_response_encode(&response, &bytes, &len) != 0) {
		rpc_call_fail(call, ENOMEM, "no memory for an answer");
		return;
	}
	rpc_call_reply(call, (struct rpc_bytes){bytes, len}, (struct rpc_bytes){0});
	free(bytes);
}

void ask_answer(struct ask *ask, const struct executor_answer *answer)
{
	switch (ask->kind) {
	case ASK_RPC:
		answer_call(ask->call, answer);
		break;
	case ASK_DONE:
		if (ask->done != NULL)
			ask->done(ask->ctx, answer->code, answer->text);
		break;
	case ASK_INSTALLED:
		if (ask->installed != NULL)
			ask->installed(ask->ctx, answer->code, answer->text, answer->term,
				answer->success);
		break;
	}
	free(ask);
}
