/* SPDX-License-Identifier: BSD-3-Clause */
/* snapline snapshot create: a directory becomes the newest snapshot of a store. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "control/cli/cli.h"
#include "control/cli/terminal.h"
#include "control/peer_id.h"
#include "control/storage/build.h"
#include "dataplane/base/format.h"
#include "dataplane/base/json.h"

struct arguments {
	const char *store;
	uint64_t index;
	uint64_t term;
	struct option_list peers;
	uint64_t chunk_size;
	bool link;
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
		.help = "where snapshots live; made if its parent exists"},
	{.name = "index",
		.arg = "N",
		.kind = OPTION_U64,
		.required = true,
		.min = 1,
		.max = INT64_MAX,
		AT(index),
		.help = "log index of the last entry it includes"},
	{.name = "term",
		.arg = "T",
		.kind = OPTION_U64,
		.required = true,
		.min = 1,
		.max = INT64_MAX,
		AT(term),
		.help = "term of that entry"},
	{.name = "peer",
		.arg = "IP:PORT:IDX",
		.kind = OPTION_LIST,
		AT(peers),
		.help = "a member of the group"},
	{.name = "chunk-size",
		.arg = "SIZE",
		.kind = OPTION_SIZE,
		.fallback = "1MiB",
		.min = MANIFEST_CHUNK_MIN,
		.max = MANIFEST_CHUNK_MAX,
		AT(chunk_size),
		.help = "a power of two"},
	{.name = "link",
		.kind = OPTION_FLAG,
		AT(link),
		.help = "hard-link files; they must not be changed in place afterwards"},
	{.name = "json",
		.kind = OPTION_FLAG,
		AT(json),
		.help = "print the result as JSON"},
	{.name = "quiet", .kind = OPTION_FLAG, AT(quiet), .help = "show no progress"},
	{.name = NULL},
};

static const struct option_command command = {
	.name = "snapshot create",
	.operands = "FROM_DIR",
	.summary =
		"Takes every regular file below FROM_DIR into a new snapshot: shares\n"
		"their blocks where the file system can, copies them where not. Modes\n"
		"and holes are kept. Symlinks, devices and unsafe names are refused.\n",
	.options = options,
	.min_operands = 1,
	.max_operands = 1,
};

static void show_progress(void *ctx, const char *stage, uint64_t done, uint64_t total)
{
	terminal_show_work(ctx,
		strcmp(stage, "copy") == 0 ? PROGRESS_WRITE : PROGRESS_READ, done, total);
}

static void print_result(const struct arguments *arguments,
	const struct build_result *result, nsec elapsed)
{
	char bytes[FORMAT_MAX], span[FORMAT_MAX];
	struct json json;

	if (arguments->json) {
		json_init(&json, stdout);
		json_open_object(&json, NULL);
		json_u64(&json, "index", arguments->index);
		json_u64(&json, "term", arguments->term);
		json_u64(&json, "files", result->files);
		json_u64(&json, "bytes", result->bytes);
		json_thousandths(&json, "seconds", (uint64_t)(elapsed / MSEC));
		json_close(&json);
	} else {
		(void)printf("index %" PRIu64 ", term %" PRIu64 ": %" PRIu64
			     " files, %s in %s\n",
			arguments->index, arguments->term, result->files,
			format_bytes(result->bytes, bytes),
			format_duration(elapsed, span));
	}
}

/* Peers as braft writes them, with all four fields. */
static int normalise_peers(const struct option_list *peers, char text[][PEER_ID_TEXT_MAX],
	const char *pointers[], struct fault *fault)
{
	for (size_t i = 0; i < peers->count; i++) {
		struct peer_id peer;
		int rv = peer_id_parse(&peer, peers->items[i], fault);

		if (rv != 0) {
			fault_prefix(fault, "--peer");
			return rv;
		}
		peer_id_format(&peer, text[i]);
		pointers[i] = text[i];
	}
	return 0;
}

static int create(const struct arguments *arguments, struct build_options *build,
	struct build_result *result, struct fault *fault)
{
	struct storage *storage;
	int rv = storage_open(&storage, arguments->store, true, fault);

	if (rv != 0)
		return rv;
	rv = build_snapshot(storage, build, result, fault);
	storage_close(storage);
	return rv;
}

int snapshot_create(int argc, char *const argv[])
{
	char peer_text[OPTION_LIST_MAX][PEER_ID_TEXT_MAX];
	const char *peers[OPTION_LIST_MAX];
	struct arguments arguments = {0};
	struct option_list operands;
	struct build_result result;
	struct fault fault = {0};
	struct terminal terminal;
	nsec begun = terminal_now();
	int exit_code, rv;

	if (!cli_parse(&command, argc, argv, &arguments, &operands, &exit_code))
		return exit_code;
	if (normalise_peers(&arguments.peers, peer_text, peers, &fault) != 0)
		return cli_fail(&fault);
	terminal_init(&terminal, arguments.quiet);
	rv = create(&arguments,
		&(struct build_options){
			.from = operands.items[0],
			.index = (int64_t)arguments.index,
			.term = (int64_t)arguments.term,
			.peers = peers,
			.npeers = arguments.peers.count,
			.chunk_size = (uint32_t)arguments.chunk_size,
			.link = arguments.link,
			.progress = show_progress,
			.ctx = &terminal,
		},
		&result, &fault);
	terminal_clear(&terminal);
	if (rv != 0) {
		(void)fault_set(&fault, rv, "%s: %s", arguments.store, strerror(-rv));
		return cli_fail(&fault);
	}
	print_result(&arguments, &result, terminal_now() - begun);
	return EX_OK;
}
