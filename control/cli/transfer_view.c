/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/transfer_view.h"

#include <stdio.h>
#include <sysexits.h>

#include "control/cli/cli.h"
#include "dataplane/base/format.h"
#include "dataplane/base/json.h"

#define RATE_INTERVAL (500 * MSEC)

static const enum progress_stage stages[] = {
	[STAGE_OPEN] = PROGRESS_OPEN,
	[STAGE_WIRE] = PROGRESS_WIRE,
	[STAGE_VERIFY] = PROGRESS_VERIFY,
	[STAGE_FSYNC] = PROGRESS_FSYNC,
	[STAGE_LOAD] = PROGRESS_LOAD,
	[STAGE_DONE] = PROGRESS_FSYNC,
	[STAGE_FAILED] = PROGRESS_WIRE,
	[STAGE_PAUSED] = PROGRESS_PAUSED,
	[STAGE_SUSPENDED] = PROGRESS_SUSPENDED,
};

void transfer_view_init(struct transfer_view *view, bool quiet)
{
	*view = (struct transfer_view){.rate_at = terminal_now()};
	terminal_init(&view->terminal, quiet);
}

void transfer_view_show(struct transfer_view *view, const struct transfer_info *info)
{
	nsec now = terminal_now();
	/* what was here already took no time */
	uint64_t moved = info->bytes_done - u64_min(info->bytes_reused, info->bytes_done);
	struct progress_view progress = {
		.stage = stages[info->stage],
		.bytes_done = info->bytes_done,
		.bytes_total = info->bytes_total,
		.files = info->files,
		.elapsed = (nsec)info->elapsed_ns,
		.silence = (nsec)info->silent_ns,
	};

	if (now - view->rate_at >= RATE_INTERVAL) {
		if (moved >= view->rate_bytes)
			view->rate_bps =
				rate_of(moved - view->rate_bytes, now - view->rate_at);
		view->rate_at = now;
		view->rate_bytes = moved;
	}
	progress.rate_bps = view->rate_bps != 0 ? view->rate_bps
						: rate_of(moved, (nsec)info->elapsed_ns);
	if (info->stage == STAGE_PAUSED || info->stage == STAGE_SUSPENDED)
		progress.rate_bps = 0;
	terminal_show(&view->terminal, &progress);
}

void transfer_view_rank_json(const struct rank *rank, struct json *json)
{
	if (rank_is_empty(rank))
		return;
	json_string(json, "class", rank_classes[rank->class]);
	json_u64(json, "weight", rank->weight);
}

static void print_error_json(const struct transfer_info *info)
{
	struct json json;

	json_init(&json, stdout);
	json_open_object(&json, NULL);
	json_string(&json, "error", info->error_text);
	json_i64(&json, "code", info->error_code);
	json_i64(&json, "index", info->index);
	json_u64(&json, "bytes_done", info->bytes_done);
	json_u64(&json, "bytes", info->bytes_total);
	json_close(&json);
}

int transfer_view_end(
	struct transfer_view *view, const struct transfer_info *info, bool json)
{
	const struct progress_summary summary = {
		.index = info->index,
		.term = info->term,
		.files = info->files,
		.bytes = info->bytes_total,
		.elapsed = (nsec)info->elapsed_ns,
		.path = info->path[0] != '\0' ? info->path : "none",
		.bytes_resent = info->bytes_resent,
		.bytes_reused = info->bytes_reused,
	};
	char line[PROGRESS_LINE_MAX];
	struct fault fault = {0};
	struct json object;

	terminal_clear(&view->terminal);
	if (info->error_code != 0) {
		if (json)
			print_error_json(info);
		(void)fault_set(&fault, -info->error_code, "%s", info->error_text);
		return cli_fail(&fault);
	}
	if (json) {
		json_init(&object, stdout);
		json_open_object(&object, NULL);
		progress_summary_json(&summary, &object);
		if (info->has_report)
			effort_json(&info->report, &object);
		json_close(&object);
	} else {
		(void)puts(progress_summary_text(&summary, line));
	}
	return EX_OK;
}
