/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/node/tcp_fetch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/braft_codec.h"
#include "control/rpc/rpc.h"
#include "control/table.h"

static void on_answered(void *ctx, const struct rpc_result *result)
{
	struct tcp_fetch_call *call = ctx;
	struct tcp_fetch *fetch = call->fetch;
	struct get_file_response response = {0};
	struct fetch_reply reply = {.code = result->code, .text = result->text};

	if (reply.code == 0 && get_file_response_decode(&response, result->message.data,
				       result->message.len) != 0) {
		reply.code = RPC_ERESPONSE;
		reply.text = "its answer is not a GetFileResponse";
	}
	reply.eof = response.eof;
	reply.has_read_size = response.has_read_size;
	reply.read_size = response.read_size;
	reply.attachment = (struct file_segment_cursor){
		.at = result->attachment.data,
		.left = result->attachment.len,
	};
	fetch->ops->on_reply(fetch->ctx, call->index, &reply, (nsec)uv_hrtime());
	tcp_fetch_pump(fetch);
}

/* Without memory for the call itself the machine is told at once: it tries again. */
static void send_call(struct tcp_fetch *fetch, const struct fetch_request *wanted)
{
	static const struct rpc_result no_memory = {.code = ENOMEM, .text = "no memory"};
	struct get_file_request request = {
		.reader_id = fetch->reader_id,
		.count = (int64_t)wanted->count,
		.offset = (int64_t)wanted->offset,
		.has_read_partly = true,
		.read_partly = wanted->read_partly,
	};
	uint8_t *bytes;
	size_t len;

	(void)snprintf(request.filename, sizeof(request.filename), "%s", wanted->name);
	if (get_file_request_encode(&request, &bytes, &len) != 0) {
		on_answered(&fetch->calls[wanted->call], &no_memory);
		return;
	}
	rpc_client_call(fetch->client, "braft.FileService", "get_file",
		(struct rpc_bytes){bytes, len},
		(int)nsec_min(wanted->timeout / MSEC, INT_MAX), on_answered,
		&fetch->calls[wanted->call]);
	free(bytes);
}

static void on_timer(uv_timer_t *timer)
{
	tcp_fetch_pump(timer->data);
}

static void arm(struct tcp_fetch *fetch)
{
	nsec deadline = fetch->ops->deadline(fetch->ctx);
	nsec now = (nsec)uv_hrtime();
	uint64_t wait_ms = 0;

	if (deadline == NEVER) {
		(void)uv_timer_stop(&fetch->timer);
		return;
	}
	if (deadline > now)
		wait_ms = (uint64_t)((deadline - now + MSEC - 1) / MSEC);
	/* the loop's clock stands still during a callback */
	uv_update_time(fetch->timer.loop);
	(void)uv_timer_start(&fetch->timer, on_timer, wait_ms, 0);
}

void tcp_fetch_pump(struct tcp_fetch *fetch)
{
	struct fetch_request request;

	if (fetch->is_ended || fetch->is_pumping)
		return;
	fetch->is_pumping = true;
	while (fetch->ops->poll(fetch->ctx, (nsec)uv_hrtime(), &request))
		send_call(fetch, &request);
	fetch->is_pumping = false;
	if (!fetch->ops->is_over(fetch->ctx)) {
		arm(fetch);
		return;
	}
	fetch->is_ended = true;
	(void)uv_timer_stop(&fetch->timer);
	rpc_client_close(fetch->client);
	fetch->client = NULL;
	fetch->ops->end(fetch->ctx);
}

void tcp_fetch_pump_soon(struct tcp_fetch *fetch)
{
	if (!fetch->is_ended)
		(void)uv_timer_start(&fetch->timer, on_timer, 0, 0);
}

int tcp_fetch_start(struct tcp_fetch *fetch, struct uv_loop_s *loop, const char *address,
	int64_t reader_id, struct fault *fault)
{
	int error = rpc_client_open(&fetch->client, loop, address, fault);

	if (error != 0)
		return error;
	if (fetch->connect_timeout > 0)
		rpc_client_set_connect_timeout(
			fetch->client, (int)(fetch->connect_timeout / MSEC));
	for (uint32_t i = 0; i < FILE_FETCH_DEPTH_MAX; i++)
		fetch->calls[i] = (struct tcp_fetch_call){.fetch = fetch, .index = i};
	fetch->reader_id = reader_id;
	(void)uv_timer_init(loop, &fetch->timer);
	fetch->timer.data = fetch;
	tcp_fetch_pump_soon(fetch);
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct tcp_fetch *fetch = handle->data;

	fetch->closed(fetch->ctx);
}

void tcp_fetch_close(struct tcp_fetch *fetch, void (*closed)(void *ctx))
{
	fetch->is_ended = true;
	if (fetch->client != NULL)
		rpc_client_close(fetch->client);
	fetch->client = NULL;
	fetch->closed = closed;
	uv_close((uv_handle_t *)&fetch->timer, on_closed);
}
