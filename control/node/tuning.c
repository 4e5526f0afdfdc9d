/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/node/tuning.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/node/node_state.h"
#include "dataplane/base/format.h"
#include "dataplane/base/log.h"

void tuning_init(struct tuning *tuning, struct plane *plane, bool is_bench,
	const struct transfer_options *options)
{
	*tuning = (struct tuning){.is_bench = is_bench, .plane = plane};
	if (plane == NULL)
		return;
	tuning->own = (struct bench_settings){
		.window = options->window,
		.buffers = options->buffers,
		/* of a bench, every device's is the same */
		.rate_bps = options->devices[0].rate_bps,
		.burst = options->devices[0].burst,
	};
}

/* All of it or, when it fails, some: then what was before is set again. */
static int apply(const struct tuning *tuning, const struct bench_settings *settings)
{
	struct transfer *transfer = plane_transfer(tuning->plane);
	struct transfer_rate rate = {.queue = TRANSFER_ALL_QUEUES,
		.rate_bps = settings->rate_bps,
		.burst = settings->burst};
	int err = transfer_set_window(transfer, settings->window);

	if (err == 0)
		err = transfer_set_buffers(transfer, settings->buffers);
	for (; rate.port < transfer_count_devices(transfer) && err == 0; rate.port++)
		err = transfer_set_rate(transfer, &rate);
	return err;
}

static void put_back(const struct tuning *tuning)
{
	const struct bench_settings nothing = {0};
	const struct bench_settings own = bench_settings_merge(&tuning->own, &nothing);
	int err = apply(tuning, &own);

	if (err != 0)
		log_line(LOG_ERROR, "bench",
			"event=put_back_failed err=%d text=\"what the tuner has set "
			"holds still: start this bench again\"",
			err);
	else
		log_line(LOG_INFO, "bench", "event=put_back peer=%s", tuning->holder);
}

/* A bench that stops needs nothing any more. */
static void on_gone(void *ctx)
{
	struct node *node = ctx;

	if (!node->is_stopping)
		put_back(&node->tuning);
	node->tuning.holder[0] = '\0';
}

static int check(const struct node *node, const struct rpc_call *call,
	const struct bench_settings *asked, struct fault *fault)
{
	const struct tuning *tuning = &node->tuning;

	if (node->is_stopping)
		return fault_set(fault, -EHOSTDOWN, "the bench is being stopped");
	if (tuning->plane == NULL)
		return fault_set(fault, -ENODEV,
			"the bench has no device: start it with --dev and --ip");
	if (tuning->holder[0] != '\0' && strcmp(tuning->holder, rpc_call_peer(call)) != 0)
		return fault_set(fault, -EBUSY,
			"%s tunes this bench already: try again when that is over",
			tuning->holder);
	return bench_settings_check(asked, fault);
}

static void set(struct node *node, const struct bench_settings *asked,
	struct rpc_call *call, struct fault *fault)
{
	struct tuning *tuning = &node->tuning;
	struct bench_settings settings = bench_settings_merge(&tuning->own, asked);
	char rate[FORMAT_MAX];
	uint8_t *bytes;
	size_t len;
	int err = bench_set_response_encode(&settings, &bytes, &len);

	if (err != 0) {
		(void)fault_set(fault, err, "no memory for an answer");
		return;
	}
	(void)snprintf(tuning->holder, sizeof(tuning->holder), "%s", rpc_call_peer(call));
	err = apply(tuning, &settings);
	rpc_call_on_gone(call, on_gone, node);
	if (err != 0) {
		(void)fault_set(fault, err,
			"the data plane takes no orders now: try again in a moment");
		put_back(tuning);
	} else {
		log_line(LOG_INFO, "bench",
			"event=set peer=%s window=%u buffers=%u rate=\"%s\" burst=%llu",
			tuning->holder, settings.window, settings.buffers,
			format_rate(settings.rate_bps, rate),
			(unsigned long long)settings.burst);
		rpc_call_reply(
			call, (struct rpc_bytes){bytes, len}, (struct rpc_bytes){0});
	}
	free(bytes);
}

void tuning_serve_set(void *ctx, struct rpc_call *call)
{
	struct node *node = ctx;
	struct rpc_bytes message = rpc_call_message(call);
	struct bench_settings asked;
	struct fault fault = {0};

	if (!node->tuning.is_bench) {
		rpc_call_fail(call, EPERM,
			"a node's settings are its operator's: have 'snapline bench "
			"--serve' there to try others");
		return;
	}
	if (bench_set_request_decode(&asked, message.data, message.len) != 0) {
		rpc_call_fail(call, RPC_EREQUEST, "malformed BenchSetRequest");
		return;
	}
	if (check(node, call, &asked, &fault) == 0)
		set(node, &asked, call, &fault);
	if (fault.code != 0)
		rpc_call_fail(call, -fault.code, "%s", fault.text);
}
