/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/convergence_codec.h"

#include <errno.h>

#include "control/pb_codec.h"
#include "dataplane/base/units.h"
#include "proto/snapline.pb-c.h"

static protobuf_c_boolean put_time(uint64_t *field, nsec time)
{
	*field = time == NEVER ? 0 : (uint64_t)time;
	return time != NEVER;
}

static nsec take_time(protobuf_c_boolean has, uint64_t field)
{
	return has && field < (uint64_t)NEVER ? (nsec)field : NEVER;
}

void convergence_to_message(const struct transfer_convergence *convergence,
	struct Snapline__Convergence *message)
{
	snapline__convergence__init(message);
	message->verdict = convergence->verdict;
	message->has_horizon_ns = put_time(&message->horizon_ns, convergence->horizon);
	message->has_need_ns = put_time(&message->need_ns, convergence->need);
	message->has_margin_ns = put_time(&message->margin_ns, convergence->margin);
	message->has_pinned_bytes = true;
	message->pinned_bytes = convergence->pinned_bytes;
	message->has_pinned_entries = true;
	message->pinned_entries = convergence->pinned_entries;
	message->text = (char *)(uintptr_t)convergence->text;
}

int convergence_from_message(struct transfer_convergence *convergence,
	const struct Snapline__Convergence *message)
{
	if (message->verdict > CONVERGENCE_LOST)
		return -EBADMSG;
	*convergence = (struct transfer_convergence){
		.verdict = (enum convergence_verdict)message->verdict,
		.horizon = take_time(message->has_horizon_ns, message->horizon_ns),
		.need = take_time(message->has_need_ns, message->need_ns),
		.margin = take_time(message->has_margin_ns, message->margin_ns),
		.pinned_bytes = message->pinned_bytes,
		.pinned_entries = message->pinned_entries,
	};
	pb_copy_text(convergence->text, sizeof(convergence->text), message->text);
	return 0;
}
