/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/node/tcp_copy.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "control/node/tcp_copy_state.h"

void tcp_copy_fail(
	struct tcp_copy *copy, enum tcp_origin origin, const struct fault *fault)
{
	if (copy->result.origin != TCP_ORIGIN_NONE)
		return;
	copy->result.origin = origin;
	copy->result.fault = *fault;
}

void tcp_copy_end(void *ctx)
{
	struct tcp_copy *copy = ctx;

	copy->options.on_end(copy->options.ctx, &copy->result);
}

int tcp_copy_start(struct tcp_copy **copy, const struct tcp_copy_options *options,
	struct fault *fault)
{
	struct tcp_copy *made = calloc(1, sizeof(*made));
	int error;

	if (made == NULL)
		return fault_set(fault, -ENOMEM, "no memory for a copy over TCP");
	made->options = *options;
	made->options.depth = u32_min(options->depth, FILE_FETCH_DEPTH_MAX);
	made->fetch.ctx = made;
	made->fetch.connect_timeout = options->policy.connect_timeout;
	made->dirfd = -1;
	made->fd = -1;
	made->last = &made->first;
	if (options->manifest != NULL)
		error = tcp_copy_chunks_init(made, fault);
	else
		error = tcp_copy_files_init(made, fault);
	if (error != 0)
		goto free_copy;
	error = tcp_fetch_start(
		&made->fetch, options->loop, options->address, options->reader_id, fault);
	if (error != 0)
		goto fini_way;
	*copy = made;
	return 0;
fini_way:
	if (options->manifest != NULL)
		tcp_copy_chunks_fini(made);
	else
		tcp_copy_files_fini(made);
free_copy:
	free(made);
	return error;
}

void tcp_copy_cancel(struct tcp_copy *copy, const char *why)
{
	struct fault fault = {0};

	(void)fault_set(&fault, -ECANCELED, "%s", why);
	tcp_copy_fail(copy, TCP_ORIGIN_CANCEL, &fault);
	tcp_fetch_pump_soon(&copy->fetch);
}

static void on_closed(void *ctx)
{
	struct tcp_copy *copy = ctx;

	if (copy->options.manifest != NULL)
		tcp_copy_chunks_fini(copy);
	else
		tcp_copy_files_fini(copy);
	free(copy);
}

void tcp_copy_destroy(struct tcp_copy *copy)
{
	assert(copy->fetch.is_ended);
	tcp_fetch_close(&copy->fetch, on_closed);
}

void tcp_copy_pause(struct tcp_copy *copy, bool is_paused)
{
	if (copy->is_paused == is_paused)
		return;
	copy->is_paused = is_paused;
	tcp_fetch_pump_soon(&copy->fetch);
}

void tcp_copy_get_stats(const struct tcp_copy *copy, struct tcp_copy_stats *stats)
{
	const struct file_fetch_stats *chunks = &copy->chunks.stats;

	/* the way not taken counts nothing */
	*stats = (struct tcp_copy_stats){
		.bytes_done = chunks->bytes_done + copy->files.bytes,
		.bytes_resent = chunks->bytes_resent,
		.bytes_reused = chunks->bytes_reused,
		.calls = chunks->calls + copy->files.calls,
		.refusals = chunks->refusals + copy->files.refusals,
	};
}
