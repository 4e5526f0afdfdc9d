/* SPDX-License-Identifier: BSD-3-Clause */
/* snapline pull: fetches a node's newest snapshot into a store, without a node of its
 * own. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include <uv.h>

#include "control/cli/cli.h"
#include "control/cli/device_options.h"
#include "control/cli/transfer_view.h"
#include "control/cli/terminal.h"
#include "control/node/copier.h"
#include "control/throttle_braft.h"
#include "control/uri.h"
#include "dataplane/base/format.h"
#include "dataplane/base/log.h"

enum { SHOW_MS = 50 };

/* a person would rather wait than call again */
#define CONNECT_TIMEOUT (5 * SEC)

struct arguments {
	const char *store;
	const char *group;
	struct device_options device;
	const char *path;
	struct rank_options rank;
	bool json;
	bool quiet;
};

#define AT(field) .offset = offsetof(struct arguments, field)

static const struct option_spec options[] = {
	{.name = "store",
		.arg = "DIR",
		.kind = OPTION_STRING,
		.required = true,
		AT(store),
		.help = "where the snapshot goes; made if its parent exists"},
	{.name = "group",
		.arg = "GROUP",
		.kind = OPTION_STRING,
		.required = true,
		AT(group),
		.help = "id of the Raft group"},
	DEVICE_OPTION_ROWS(struct arguments),
	{.name = "path",
		.arg = "PATH",
		.kind = OPTION_STRING,
		.fallback = "auto",
		AT(path),
		.help = "auto, dpdk or tcp; auto takes tcp when a side has no device"},
	RANK_OPTION_ROWS(struct arguments),
	{.name = "json",
		.kind = OPTION_FLAG,
		AT(json),
		.help = "print the result as JSON"},
	{.name = "quiet", .kind = OPTION_FLAG, AT(quiet), .help = "show no progress"},
	{.name = NULL},
};

static const struct option_command command = {
	.name = "pull",
	.operands = "HOST:PORT | remote://IP:PORT/ID",
	.summary = "Fetches the newest snapshot of a node, or the one a uri names, over\n"
		   "the data plane or TCP, and commits it to the store. Interrupted or\n"
		   "failed, the store keeps what it had, and the same command goes on.\n",
	.options = options,
	.min_operands = 1,
	.max_operands = 1,
};

struct pull {
	uv_loop_t loop;
	uv_timer_t show;
	uv_signal_t on_sigint;
	uv_signal_t on_sigterm;
	struct transfer_view view;
	struct throttle_braft throttle; /* of the TCP path */
	struct copier *copier;
	struct plane *plane;
	struct transfer_info info;
	bool is_quiet;
	bool has_begun;
};

/* Once, when it is known: what need not come. */
static void show_found(struct pull *pull, const struct transfer_info *info)
{
	char found[FORMAT_MAX], total[FORMAT_MAX], unchecked[FORMAT_MAX];
	uint64_t left, bytes;

	if (pull->is_quiet || pull->has_begun || info->stage == STAGE_OPEN)
		return;
	pull->has_begun = true;
	bytes = copier_found(pull->copier, &left);
	if (bytes == 0)
		return;
	terminal_clear(&pull->view.terminal);
	(void)fprintf(stderr, "going on: %s of %s are here already",
		format_bytes(bytes, found), format_bytes(info->bytes_total, total));
	if (left > 0)
		(void)fprintf(stderr, ", %s of it is checked meanwhile",
			format_bytes(left, unchecked));
	(void)fputc('\n', stderr);
}

static void on_show(uv_timer_t *timer)
{
	struct pull *pull = timer->data;
	struct transfer_info info = {0};

	copier_describe(pull->copier, &info);
	show_found(pull, &info);
	transfer_view_show(&pull->view, &info);
}

static void on_signal(uv_signal_t *handle, int number)
{
	struct pull *pull = handle->data;

	(void)number;
	if (pull->copier != NULL)
		copier_cancel(pull->copier, "interrupted: nothing was committed, what "
					    "came is kept; the same command "
					    "goes on from there");
}

static void on_end(void *ctx, const struct fault *fault)
{
	struct pull *pull = ctx;

	(void)fault; /* the description has it */
	copier_describe(pull->copier, &pull->info);
	show_found(pull, &pull->info); /* it may be over before the first look */
	copier_destroy(pull->copier);
	pull->copier = NULL;
	if (pull->plane != NULL)
		plane_close(pull->plane);
	uv_close((uv_handle_t *)&pull->show, NULL);
	uv_close((uv_handle_t *)&pull->on_sigint, NULL);
	uv_close((uv_handle_t *)&pull->on_sigterm, NULL);
}

static void watch(struct pull *pull)
{
	(void)uv_timer_init(&pull->loop, &pull->show);
	(void)uv_signal_init(&pull->loop, &pull->on_sigint);
	(void)uv_signal_init(&pull->loop, &pull->on_sigterm);
	pull->show.data = pull;
	pull->on_sigint.data = pull;
	pull->on_sigterm.data = pull;
	(void)uv_signal_start(&pull->on_sigint, on_signal, SIGINT);
	(void)uv_signal_start(&pull->on_sigterm, on_signal, SIGTERM);
	(void)uv_timer_start(&pull->show, on_show, SHOW_MS, SHOW_MS);
}

/* Over a device the rate is the session's; over TCP, of the files' bytes. */
static void limit_tcp(struct pull *pull, uint64_t rate_bps, struct copier_options *copier)
{
	struct throttle_limits limits;

	throttle_limits_default(&limits);
	limits.bytes_per_s = rate_bps / 8;
	throttle_braft_init(&pull->throttle, &limits, terminal_now());
	copier->policy.throttle = &pull->throttle.port;
}

static int run(struct pull *pull, struct arguments *arguments,
	struct copier_options *copier, struct fault *fault)
{
	struct storage_options storage;
	struct transfer_options transfer;
	int err = device_options_resolve(&arguments->device, &transfer, fault);

	if (err != 0)
		return err;
	if (arguments->device.rate_bps < RATE_AUTO)
		limit_tcp(pull, arguments->device.rate_bps, copier);
	storage_options_init(&storage);
	storage.create = true;
	storage.create_parent_directories = false;
	storage.filter_before_copy_remote = true; /* an interrupted pull goes on */
	err = storage_open_options(&copier->storage, arguments->store, &storage, fault);
	if (err != 0)
		return err;
	(void)uv_loop_init(&pull->loop);
	if (transfer.ndevices > 0 && copier->path != COPIER_TCP)
		err = plane_open(&pull->plane, &pull->loop, &transfer, fault);
	if (err == 0) {
		copier->loop = &pull->loop;
		copier->plane = pull->plane;
		err = copier_start(&pull->copier, copier, fault);
		if (err == 0)
			watch(pull);
		else if (pull->plane != NULL)
			plane_close(pull->plane);
	}
	(void)uv_run(&pull->loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&pull->loop);
	storage_close(copier->storage);
	return err;
}

static int parse_path(const char *text, enum copier_path *path, struct fault *fault)
{
	static const char *const names[] = {
		[COPIER_AUTO] = "auto", [COPIER_DPDK] = "dpdk", [COPIER_TCP] = "tcp"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			*path = (enum copier_path)i;
			return 0;
		}
	}
	return fault_set(
		fault, -EINVAL, "--path: '%.40s' is none of auto, dpdk, tcp", text);
}

int pull_command(int argc, char *const argv[])
{
	struct arguments arguments = {0};
	struct option_list operands;
	struct pull pull = {0};
	struct fault fault = {0};
	struct uri uri;
	struct copier_options copier = {.self = "pull",
		.policy = fetch_policy_default(),
		.filters = true,
		.on_end = on_end,
		.ctx = &pull};
	int exit_code;

	if (!cli_parse(&command, argc, argv, &arguments, &operands, &exit_code))
		return exit_code;
	if (parse_path(arguments.path, &copier.path, &fault) != 0)
		return cli_fail(&fault);
	copier.policy.connect_timeout = CONNECT_TIMEOUT;
	copier.address = operands.items[0];
	copier.group_id = arguments.group;
	copier.rank = rank_of(arguments.rank.class, arguments.rank.weight);
	if (strstr(operands.items[0], "://") != NULL) {
		if (uri_parse(&uri, operands.items[0], &fault) != 0)
			return cli_fail(&fault);
		copier.address = uri.address;
		copier.has_reader_id = true;
		copier.reader_id = uri.reader_id;
	}
	log_set_level(LOG_WARN); /* what happens is on the screen already */
	transfer_view_init(&pull.view, arguments.quiet);
	pull.is_quiet = arguments.quiet;
	if (run(&pull, &arguments, &copier, &fault) != 0)
		return cli_fail(&fault);
	return transfer_view_end(&pull.view, &pull.info, arguments.json);
}
