/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/bench_pull.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>

#include <uv.h>

#include "control/cli/bench_data.h"

#define STORE "pulled"

struct puller {
	const struct bench_pull *bench;
	uv_loop_t loop;
	uv_signal_t on_sigint;
	uv_signal_t on_sigterm;
	struct plane *plane;
	struct copier *copier; /* NULL: none is under way */
	struct transfer_info *info;
	bool is_interrupted;
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
		err = pull_all(&puller, infos, fault);
	if (puller.plane != NULL)
		plane_close(puller.plane);
	uv_close((uv_handle_t *)&puller.on_sigint, NULL);
	uv_close((uv_handle_t *)&puller.on_sigterm, NULL);
	(void)uv_run(&puller.loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&puller.loop);
	return err;
}
