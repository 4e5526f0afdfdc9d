/* SPDX-License-Identifier: BSD-3-Clause */
/* snapline snapshot list: what a store holds, without owning it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "control/cli/cli.h"
#include "control/storage/storage.h"
#include "dataplane/base/format.h"
#include "dataplane/base/json.h"

struct arguments {
	const char *store;
	bool json;
};

#define AT(field) .offset = offsetof(struct arguments, field)

static const struct option_spec options[] = {
	{.name = "store",
		.arg = "DIR",
		.kind = OPTION_STRING,
		.required = true,
		AT(store),
		.help = "where snapshots live"},
	{.name = "json", .kind = OPTION_FLAG, AT(json), .help = "print JSON"},
	{.name = NULL},
};

static const struct option_command command = {
	.name = "snapshot list",
	.summary = "Lists the snapshots of a store, the newest last. Changes nothing; a\n"
		   "node may be using the store. Exits 65 when one of them is damaged.\n",
	.options = options,
};

static void print_json(const struct storage_entry *entries, size_t count)
{
	struct json json;

	json_init(&json, stdout);
	json_open_array(&json, NULL);
	for (size_t i = 0; i < count; i++) {
		json_open_object(&json, NULL);
		json_i64(&json, "index", entries[i].index);
		json_i64(&json, "term", entries[i].term);
		json_u64(&json, "files", entries[i].files);
		json_u64(&json, "bytes", entries[i].bytes);
		json_bool(&json, "manifest", entries[i].has_manifest);
		json_string(&json, "error",
			entries[i].fault.code != 0 ? entries[i].fault.text : NULL);
		json_close(&json);
	}
	json_close(&json);
}

static void print_table(const struct storage_entry *entries, size_t count)
{
	char bytes[FORMAT_MAX];

	(void)printf("%20s %10s %10s %12s  %-8s  %s\n", "INDEX", "TERM", "FILES", "SIZE",
		"MANIFEST", "STATE");
	for (size_t i = 0; i < count; i++) {
		const struct storage_entry *entry = &entries[i];

		if (entry->fault.code != 0)
			(void)printf("%20" PRId64 " %10s %10s %12s  %-8s  damaged: %s\n",
				entry->index, "-", "-", "-", "-", entry->fault.text);
		else
			(void)printf("%20" PRId64 " %10" PRId64 " %10" PRIu64
				     " %12s  %-8s  ok\n",
				entry->index, entry->term, entry->files,
				format_bytes(entry->bytes, bytes),
				entry->has_manifest ? "yes" : "no");
	}
}

int snapshot_list(int argc, char *const argv[])
{
	struct arguments arguments = {0};
	struct storage_entry *entries;
	struct fault fault = {0};
	int exit_code = EX_OK;
	size_t count;

	if (!cli_parse(&command, argc, argv, &arguments, NULL, &exit_code))
		return exit_code;
	if (storage_scan(arguments.store, &entries, &count, &fault) != 0)
		return cli_fail(&fault);
	if (arguments.json)
		print_json(entries, count);
	else
		print_table(entries, count);
	for (size_t i = 0; i < count; i++)
		if (entries[i].fault.code != 0)
			exit_code = cli_exit_code(entries[i].fault.code);
	free(entries);
	return exit_code;
}
