/* SPDX-License-Identifier: BSD-3-Clause */
/* snapline snapshot verify: reads every byte of a snapshot and names what is wrong. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "control/cli/cli.h"
#include "control/cli/terminal.h"
#include "control/storage/verify.h"
#include "dataplane/base/format.h"
#include "dataplane/base/json.h"
#include "dataplane/manifest.h"

struct arguments {
	const char *store;
	uint64_t index;
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
		.help = "where snapshots live"},
	{.name = "index",
		.arg = "N",
		.kind = OPTION_U64,
		.max = INT64_MAX,
		AT(index),
		.help = "which one; 0 is the newest"},
	{.name = "json", .kind = OPTION_FLAG, AT(json), .help = "print JSON"},
	{.name = "quiet", .kind = OPTION_FLAG, AT(quiet), .help = "show no progress"},
	{.name = NULL},
};

static const struct option_command command = {
	.name = "snapshot verify",
	.summary = "Reads a snapshot and compares every byte with its checksums. Names\n"
		   "each file and chunk that differs, and exits 65 when there is one.\n"
		   "Changes nothing; a node may be using the store.\n",
	.options = options,
};

struct report {
	struct terminal terminal;
	struct json json;
	bool is_json;
};

/* The JSON is begun by the first problem or by the result: an error before both leaves
 * standard output empty. */
static void begin_json(struct report *report)
{
	if (report->json.depth == 0) {
		json_open_object(&report->json, NULL);
		json_open_array(&report->json, "problems");
	}
}

static void on_problem(void *ctx, const char *file, int64_t chunk, const char *what)
{
	struct report *report = ctx;
	char name[NAME_QUOTED];

	if (report->is_json) {
		begin_json(report);
		json_open_object(&report->json, NULL);
		json_string(&report->json, "file", file);
		if (chunk >= 0)
			json_i64(&report->json, "chunk", chunk);
		json_string(&report->json, "what", what);
		json_close(&report->json);
		return;
	}
	terminal_clear(&report->terminal);
	name_quote(name, sizeof(name), file);
	(void)printf("%s %s\n", name, what);
}

static void on_progress(void *ctx, uint64_t done, uint64_t total)
{
	struct report *report = ctx;

	terminal_show_work(&report->terminal, PROGRESS_VERIFY, done, total);
}

static void print_json(
	struct report *report, const struct verify_result *result, const char *error)
{
	struct json *json = &report->json;

	begin_json(report);
	json_close(json);
	json_i64(json, "index", result->index);
	json_i64(json, "term", result->term);
	json_u64(json, "files", result->files);
	json_u64(json, "bytes", result->bytes);
	json_u64(json, "chunks", result->chunks);
	json_bool(json, "manifest", result->has_manifest);
	json_bool(json, "sound", error == NULL);
	json_string(json, "error", error);
	json_close(json);
}

static void print_sound(const struct verify_result *result)
{
	char bytes[FORMAT_MAX];

	(void)printf("index %" PRId64 ", term %" PRId64 ": %" PRIu64
		     " files, %s, %" PRIu64 " chunks: sound%s\n",
		result->index, result->term, result->files,
		format_bytes(result->bytes, bytes), result->chunks,
		result->has_manifest ? ""
				     : " as far as the checksums in the table tell; "
				       "there is no manifest");
}

int snapshot_verify(int argc, char *const argv[])
{
	struct arguments arguments = {0};
	struct verify_result result = {0};
	struct fault fault = {0};
	struct report report;
	int exit_code, rv;

	if (!cli_parse(&command, argc, argv, &arguments, NULL, &exit_code))
		return exit_code;
	report.is_json = arguments.json;
	json_init(&report.json, stdout);
	terminal_init(&report.terminal, arguments.quiet);
	rv = verify_snapshot(
		&(struct verify_options){
			.path = arguments.store,
			.index = (int64_t)arguments.index,
			.problem = on_problem,
			.progress = on_progress,
			.ctx = &report,
		},
		&result, &fault);
	terminal_clear(&report.terminal);
	if (rv != 0)
		(void)fault_set(&fault, rv, "%s: %s", arguments.store, strerror(-rv));
	if (report.is_json && (rv == 0 || report.json.depth > 0))
		print_json(&report, &result, rv != 0 ? fault.text : NULL);
	if (rv == 0 && !report.is_json)
		print_sound(&result);
	return rv != 0 ? cli_fail(&fault) : EX_OK;
}
