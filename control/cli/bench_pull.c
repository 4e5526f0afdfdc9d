/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/bench_pull.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>

#include <uv.h>

#include "control/cli/bench_data.h"

#define STORE "pulled"
#define WINDOW_LATE (20 * SEC) /* and nothing has come: no use to wait */

enum { TICK_MS = 10 };

struct puller {
	const struct bench_pull *bench;
	uv_loop_t loop;
	uv_signal_t on_sigint;
	uv_signal_t on_sigterm;
	struct plane *plane;
	struct copier *copier; /* NULL: none is under way */
	struct transfer_info *info;
	bool is_interrupted;
	/* of bench_pull_window */
	uv_timer_t tick;
	struct transfer_info *result;
	uint64_t ended_bytes; /* of pulls that ended */
	uint64_t began_bytes; /* when the window began */
	nsec opened;
	nsec settled; /* when it may begin; 0: nothing has moved yet */
	nsec began;   /* 0: it has not */
	bool is_over;
};

static void on_signal(uv_signal_t *handle, int number)
{
	struct puller *puller = handle->data;

	(void)number;
	puller->is_interrupted = true;
	if (puller->copier != NULL)
		copier_cancel(puller->copier, "interrupted: the bench is over");
}

static void watch(struct puller *puller, uv_signal_t *handle, int number)
{
	/* neither fails after a valid loop was given */
	(void)uv_signal_init(&puller->loop, handle);
	handle->data = puller;
	(void)uv_signal_start(handle, on_signal, number);
	uv_unref((uv_handle_t *)handle); /* the copier keeps the loop alive */
}

static void on_end(void *ctx, const struct fault *fault)
{
	struct puller *puller = ctx;

	(void)fault; /* the description has it */
	copier_describe(puller->copier, puller->info);
	copier_destroy(puller->copier);
	puller->copier = NULL;
}

static int pull_into(struct puller *puller, struct storage *storage, struct fault *fault)
{
	const struct copier_options options = {
		.loop = &puller->loop,
		.storage = storage,
		.plane = puller->plane,
		.path = puller->bench->path,
		.policy = fetch_policy_default(),
		.address = puller->bench->address,
		.group_id = puller->bench->group,
		.self = "bench",
		.on_end = on_end,
		.ctx = puller,
	};
	int err = copier_start(&puller->copier, &options, fault);

	if (err != 0)
		return err;
	(void)uv_run(&puller->loop, UV_RUN_DEFAULT);
	if (puller->is_over && !puller->is_interrupted)
		return 0;
	if (puller->info->error_code != 0)
		return fault_set(
			fault, -puller->info->error_code, "%s", puller->info->error_text);
	return puller->is_interrupted ? fault_set(fault, -ECANCELED, "interrupted") : 0;
}

static int pull_once(
	struct puller *puller, struct transfer_info *info, struct fault *fault)
{
	struct storage_options options;
	struct storage *storage;
	char store[PATH_MAX];
	int err;

	*info = (struct transfer_info){0};
	puller->info = info;
	(void)snprintf(store, sizeof(store), "%.4000s/" STORE, puller->bench->dir);
	storage_options_init(&options);
	options.create = true;
	err = storage_open_options(&storage, store, &options, fault);
	if (err != 0)
		return err;
	err = pull_into(puller, storage, fault);
	storage_close(storage);
	bench_data_remove(puller->bench->dir, STORE);
	return err;
}

static int pull_all(
	struct puller *puller, struct transfer_info infos[], struct fault *fault)
{
	const struct bench_pull *bench = puller->bench;

	for (uint32_t run = 0; run <= bench->runs; run++) {
		struct transfer_info warm_up = {0};
		struct transfer_info *info = run == 0 ? &warm_up : &infos[run - 1];
		int err = pull_once(puller, info, fault);

		if (err != 0)
			return err;
		if (bench->on_run != NULL)
			bench->on_run(bench->ctx, run, info);
	}
	return 0;
}

static void end_window(struct puller *puller, uint64_t bytes, nsec now)
{
	puller->is_over = true;
	puller->result->bytes_done = bytes - puller->began_bytes;
	puller->result->elapsed_ns = (uint64_t)(now - puller->began);
	if (puller->copier != NULL)
		copier_cancel(puller->copier, "that was long enough");
}

static void on_tick(uv_timer_t *timer)
{
	struct puller *puller = timer->data;
	const struct bench_pull *bench = puller->bench;
	nsec now = (nsec)uv_hrtime();
	struct transfer_info info = {0};
	uint64_t bytes = puller->ended_bytes;

	if (puller->copier != NULL)
		copier_describe(puller->copier, &info);
	bytes += info.bytes_done;
	if (info.slice_size != 0) {
		puller->result->slice_size = info.slice_size;
		puller->result->leader_queues = info.leader_queues;
		puller->result->leader_slice_size = info.leader_slice_size;
	}
	if (puller->is_over)
		return;
	if (puller->settled == 0) {
		if (bytes > 0 || now - puller->opened > WINDOW_LATE)
			puller->settled = now + bench->settle;
	} else if (puller->began == 0 && now >= puller->settled) {
		puller->began = now;
		puller->began_bytes = bytes;
		if (bench->on_run != NULL)
			bench->on_run(bench->ctx, 0, &info);
	} else if (puller->began != 0 && now - puller->began >= bench->window) {
		end_window(puller, bytes, now);
	}
}

static int pull_window(
	struct puller *puller, struct transfer_info *result, struct fault *fault)
{
	int err = 0;

	*result = (struct transfer_info){0};
	puller->result = result;
	puller->opened = (nsec)uv_hrtime();
	(void)uv_timer_init(&puller->loop, &puller->tick);
	puller->tick.data = puller;
	(void)uv_timer_start(&puller->tick, on_tick, TICK_MS, TICK_MS);
	uv_unref((uv_handle_t *)&puller->tick);
	while (err == 0 && !puller->is_over) {
		struct transfer_info info;

		err = pull_once(puller, &info, fault);
		puller->ended_bytes += info.bytes_done;
		if (info.error_code != 0)
			continue;
		result->report = info.report;
		result->has_report = info.has_report;
		result->bytes_total = info.bytes_total;
	}
	uv_close((uv_handle_t *)&puller->tick, NULL);
	return err;
}

int bench_pull(
	const struct bench_pull *bench, struct transfer_info infos[], struct fault *fault)
{
	struct transfer_options transfer = bench->transfer;
	struct puller puller = {.bench = bench};
	int err = 0;

	(void)uv_loop_init(&puller.loop);
	watch(&puller, &puller.on_sigint, SIGINT);
	watch(&puller, &puller.on_sigterm, SIGTERM);
	bench_data_hold_signals(false); /* what waited comes now */
	if (transfer.ndevices > 0 && bench->path != COPIER_TCP)
		err = plane_open(&puller.plane, &puller.loop, &transfer, fault);
	if (err == 0)
		err = bench->window != 0 ? pull_window(&puller, infos, fault)
					 : pull_all(&puller, infos, fault);
	if (puller.plane != NULL)
		plane_close(puller.plane);
	uv_close((uv_handle_t *)&puller.on_sigint, NULL);
	uv_close((uv_handle_t *)&puller.on_sigterm, NULL);
	(void)uv_run(&puller.loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&puller.loop);
	return err;
}
