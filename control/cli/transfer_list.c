/* SPDX-License-Identifier: BSD-3-Clause */
/* snapline transfer list: what a node sends and receives, and what became of the last. */
#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

#include "control/cli/admin_client.h"
#include "control/cli/cli.h"
#include "control/cli/transfer_view.h"
#include "dataplane/base/format.h"
#include "dataplane/base/json.h"

struct arguments {
	const char *admin;
	bool json;
};

static const struct option_spec options[] = {
	ADMIN_OPTION_ROWS(struct arguments, "the node", "the transfers"),
	{.name = NULL},
};

static const struct option_command command = {
	.name = "transfer list",
	.summary =
		"Lists the node's transfers, running ones and those that ended lately.\n",
	.options = options,
};

/* null: never, or without end. */
static void print_seconds(struct json *json, const char *key, nsec time)
{
	if (time == NEVER)
		json_string(json, key, NULL);
	else
		json_thousandths(json, key, (uint64_t)(time / MSEC));
}

static void print_convergence(struct json *json, const struct transfer_info *info)
{
	const struct transfer_convergence *convergence = &info->convergence;

	if (!info->has_convergence) {
		json_string(json, "convergence", NULL);
		return;
	}
	json_open_object(json, "convergence");
	json_string(json, "verdict", convergence_name(convergence->verdict));
	print_seconds(json, "margin_s", convergence->margin);
	print_seconds(json, "horizon_s", convergence->horizon);
	print_seconds(json, "need_s", convergence->need);
	json_u64(json, "pinned_bytes", convergence->pinned_bytes);
	json_u64(json, "pinned_entries", convergence->pinned_entries);
	json_string(json, "text", convergence->text);
	json_close(json);
}

static void print_json(const struct transfer_list *list)
{
	struct json json;

	json_init(&json, stdout);
	json_open_array(&json, NULL);
	for (size_t i = 0; i < list->count; i++) {
		const struct transfer_info *info = &list->transfers[i];

		json_open_object(&json, NULL);
		json_i64(&json, "id", info->id);
		json_string(&json, "role", info->sending ? "leader" : "follower");
		json_string(&json, "peer", info->peer);
		json_string(&json, "group", info->group_id);
		json_i64(&json, "index", info->index);
		json_i64(&json, "term", info->term);
		json_string(&json, "stage", transfer_stage_name(info->stage));
		json_string(&json, "path", info->path);
		json_u64(&json, "files", info->files);
		json_u64(&json, "bytes", info->bytes_total);
		json_u64(&json, "bytes_done", info->bytes_done);
		json_u64(&json, "bytes_resent", info->bytes_resent);
		json_u64(&json, "bytes_reused", info->bytes_reused);
		json_u64(&json, "stripes", info->stripes);
		json_string(&json, "steered_by", info->steered_by);
		json_u64(&json, "strays", info->strays);
		json_thousandths(&json, "seconds", info->elapsed_ns / 1000000);
		if (info->stage == STAGE_SUSPENDED)
			json_thousandths(
				&json, "silent_seconds", info->silent_ns / 1000000);
		if (info->slice_size != 0)
			json_u64(&json, "slice_size", info->slice_size);
		transfer_view_rank_json(&info->rank, &json);
		print_convergence(&json, info);
		json_i64(&json, "code", info->error_code);
		json_string(&json, "error", info->error_text);
		json_close(&json);
	}
	json_close(&json);
}

/* What every transfer is unless somebody says otherwise needs no line. */
static bool is_special(const struct rank *rank)
{
	return !rank_is_empty(rank) &&
	       (rank->class != SHAPER_RECOVERY || rank->weight != SHAPER_WEIGHT_DEFAULT);
}

static void print_text(const struct transfer_list *list)
{
	char done[FORMAT_MAX], total[FORMAT_MAX], span[FORMAT_MAX], rate[FORMAT_MAX];

	if (list->count == 0) {
		(void)puts("no transfers");
		return;
	}
	(void)printf("%4s  %-8s  %-21s  %10s  %-9s  %-5s  %22s  %10s  %10s\n", "ID",
		"ROLE", "PEER", "INDEX", "STAGE", "PATH", "BYTES", "RATE", "TIME");
	for (size_t i = 0; i < list->count; i++) {
		const struct transfer_info *info = &list->transfers[i];
		char bytes[2 * FORMAT_MAX];

		(void)snprintf(bytes, sizeof(bytes), "%s/%s",
			format_bytes(info->bytes_done, done),
			format_bytes(info->bytes_total, total));
		(void)printf("%4" PRId64 "  %-8s  %-21s  %10" PRId64
			     "  %-9s  %-5s  %22s  %10s  %10s\n",
			info->id, info->sending ? "leader" : "follower", info->peer,
			info->index, transfer_stage_name(info->stage),
			info->path[0] != '\0' ? info->path : "-", bytes,
			format_rate(rate_of(info->bytes_done - u64_min(info->bytes_reused,
								       info->bytes_done),
					    (nsec)info->elapsed_ns),
				rate),
			format_duration((nsec)info->elapsed_ns, span));
		if (is_special(&info->rank))
			(void)printf("      %s, weight %u\n",
				rank_classes[info->rank.class], info->rank.weight);
		if (info->stage == STAGE_SUSPENDED)
			(void)printf("      no packet from the peer for %" PRIu64 " s\n",
				info->silent_ns / SEC);
		if (info->has_convergence && info->error_code == 0)
			(void)printf("      %s\n", info->convergence.text);
		if (info->error_code != 0)
			(void)printf("      %s\n", info->error_text);
	}
}

int transfer_list_command(int argc, char *const argv[])
{
	const struct list_request request = {0};
	struct arguments arguments = {0};
	struct transfer_list list;
	struct admin_client admin;
	struct fault fault = {0};
	int exit_code;

	if (!cli_parse(&command, argc, argv, &arguments, NULL, &exit_code))
		return exit_code;
	if (admin_client_open(&admin, arguments.admin, &fault) != 0)
		return cli_fail(&fault);
	if (admin_client_list(&admin, &request, &list, &fault) != 0) {
		exit_code = cli_fail(&fault);
	} else {
		if (arguments.json)
			print_json(&list);
		else
			print_text(&list);
		transfer_list_fini(&list);
		exit_code = EX_OK;
	}
	admin_client_close(&admin);
	return exit_code;
}
