/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/bench_far.h"

#include <errno.h>
#include <stdlib.h>

#include <uv.h>

#include "control/cli/bench_data.h"
#include "control/rpc/rpc.h"

enum {
	ANSWER_MS = 5000,
	LOOK_MS = 100,
	/* the end of the step before may arrive after the beginning of this one */
	BUSY_TIMES = 30, /* LOOK_MS apart */
};

/* Its loop runs while an answer is waited for; the connection stays when it does not. */
struct bench_far {
	uv_loop_t loop;
	uv_timer_t tick;
	struct rpc_client *client;
	uint8_t *request;
	size_t len;
	struct bench_settings held;
	struct fault fault;
	uint32_t refused; /* as busy */
	bool is_asked;
	bool is_over;
};

static void end(struct bench_far *far)
{
	far->is_over = true;
	uv_stop(&far->loop);
}

static void on_answer(void *ctx, const struct rpc_result *result)
{
	struct bench_far *far = ctx;

	far->is_asked = false;
	if (result->code == EBUSY && ++far->refused < BUSY_TIMES)
		return; /* on_tick asks again */
	if (result->code == RPC_ENOSERVICE || result->code == RPC_ENOMETHOD)
		(void)fault_set(&far->fault, -ENOSYS, "%s", result->text);
	else if (result->code != 0)
		(void)fault_set(&far->fault, -result->code, "%s", result->text);
	else if (bench_set_response_decode(
			 &far->held, result->message.data, result->message.len) != 0)
		(void)fault_set(&far->fault, -EBADMSG,
			"the bench's answer makes no sense: run the same release on "
			"both");
	end(far);
}

static void ask(struct bench_far *far)
{
	far->is_asked = true;
	rpc_client_call(far->client, "snapline.BenchService", "set",
		(struct rpc_bytes){far->request, far->len}, ANSWER_MS, on_answer, far);
}

static void on_tick(uv_timer_t *timer)
{
	struct bench_far *far = timer->data;

	if (bench_data_is_interrupted()) {
		(void)fault_set(&far->fault, -ECANCELED, "interrupted");
		end(far);
	} else if (!far->is_asked) {
		ask(far);
	}
}

static int talk(struct bench_far *far, const char *address, struct fault *fault)
{
	int err = rpc_client_open(&far->client, &far->loop, address, fault);

	if (err != 0)
		return err;
	(void)uv_timer_start(&far->tick, on_tick, 0, LOOK_MS);
	while (!far->is_over)
		(void)uv_run(&far->loop, UV_RUN_DEFAULT);
	(void)uv_timer_stop(&far->tick);
	if (far->fault.code != 0)
		return fault_set(fault, far->fault.code, "%s", far->fault.text);
	return 0;
}

int bench_far_open(struct bench_far **far, const char *address,
	const struct bench_settings *asked, struct bench_settings *held,
	struct fault *fault)
{
	struct bench_far *made = calloc(1, sizeof(*made));
	int err;

	if (made == NULL)
		return fault_set(fault, -ENOMEM, "no memory to ask %s", address);
	(void)uv_loop_init(&made->loop);
	(void)uv_timer_init(&made->loop, &made->tick);
	made->tick.data = made;
	err = bench_set_request_encode(asked, &made->request, &made->len);
	if (err != 0)
		(void)fault_set(fault, err, "no memory to ask %s", address);
	else
		err = talk(made, address, fault);
	if (err != 0) {
		bench_far_close(made);
		return err;
	}
	*held = made->held;
	*far = made;
	return 0;
}

void bench_far_close(struct bench_far *far)
{
	if (far->client != NULL)
		rpc_client_close(far->client);
	uv_close((uv_handle_t *)&far->tick, NULL);
	(void)uv_run(&far->loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&far->loop);
	free(far->request);
	free(far);
}
