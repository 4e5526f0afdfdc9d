/* SPDX-License-Identifier: BSD-3-Clause */
/* snapline snapshot show: the table and the manifest of one snapshot. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "control/cli/cli.h"
#include "control/storage/storage.h"
#include "dataplane/base/format.h"
#include "dataplane/base/json.h"

struct arguments {
	const char *store;
	uint64_t index;
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
	{.name = "index",
		.arg = "N",
		.kind = OPTION_U64,
		.max = INT64_MAX,
		AT(index),
		.help = "which one; 0 is the newest"},
	{.name = "json", .kind = OPTION_FLAG, AT(json), .help = "print JSON"},
	{.name = NULL},
};

static const struct option_command command = {
	.name = "snapshot show",
	.summary = "Shows one snapshot: log position, members, chunks, and every file\n"
		   "with its size, mode and checksum. Changes nothing.\n",
	.options = options,
};

static char *root_text(
	const struct manifest *manifest, char text[static 2 * MANIFEST_ROOT_LEN + 1])
{
	for (size_t i = 0; i < MANIFEST_ROOT_LEN; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", manifest->root[i]);
	return text;
}

static void strings_json(
	struct json *json, const char *key, char *const *items, size_t count)
{
	json_open_array(json, key);
	for (size_t i = 0; i < count; i++)
		json_string(json, NULL, items[i]);
	json_close(json);
}

static void file_json(
	struct json *json, const struct manifest *manifest, const struct table_file *file)
{
	const struct manifest_file *known = manifest_find(manifest, file->name);
	char mode[16];

	json_open_object(json, NULL);
	json_string(json, "name", file->name);
	if (known != NULL) {
		(void)snprintf(mode, sizeof(mode), "%04o", known->mode);
		json_u64(json, "size", known->size);
		json_string(json, "mode", mode);
	}
	json_string(json, "checksum", file->checksum);
	json_close(json);
}

static void print_json(const struct storage_reader *reader, bool has_manifest)
{
	char root[2 * MANIFEST_ROOT_LEN + 1];
	const struct snapshot_meta *meta = &reader->table.meta;
	struct json json;

	json_init(&json, stdout);
	json_open_object(&json, NULL);
	json_i64(&json, "index", reader->index);
	json_i64(&json, "term", reader->term);
	json_string(&json, "path", reader->path);
	strings_json(&json, "peers", meta->peers, meta->npeers);
	strings_json(&json, "old_peers", meta->old_peers, meta->nold_peers);
	json_bool(&json, "manifest", has_manifest);
	if (has_manifest) {
		json_u64(&json, "bytes", reader->manifest.bytes);
		json_u64(&json, "chunk_size", reader->manifest.chunk_size);
		json_u64(&json, "chunks", reader->manifest.nchunks);
		json_string(&json, "root", root_text(&reader->manifest, root));
	}
	json_open_array(&json, "files");
	for (size_t i = 0; i < reader->table.nfiles; i++)
		if (strcmp(reader->table.files[i].name, MANIFEST_NAME) != 0)
			file_json(&json, &reader->manifest, &reader->table.files[i]);
	json_close(&json);
	json_close(&json);
}

/* Quoted: a table from elsewhere may hold any text. */
static void print_peers(const char *title, char *const *peers, size_t count)
{
	char text[NAME_QUOTED];

	for (size_t i = 0; i < count; i++)
		(void)printf(
			"%-9s %s\n", title, name_quote(text, sizeof(text), peers[i]));
}

static void print_head(const struct storage_reader *reader, bool has_manifest)
{
	char root[2 * MANIFEST_ROOT_LEN + 1], bytes[FORMAT_MAX], chunk[FORMAT_MAX];
	const struct snapshot_meta *meta = &reader->table.meta;
	const struct manifest *manifest = &reader->manifest;

	(void)printf("index     %" PRId64 "\n", reader->index);
	(void)printf("term      %" PRId64 "\n", reader->term);
	(void)printf("path      %s\n", reader->path);
	print_peers("peer", meta->peers, meta->npeers);
	print_peers("old peer", meta->old_peers, meta->nold_peers);
	if (!has_manifest) {
		(void)printf("manifest  none, computed when it is first served\n\n");
		return;
	}
	(void)printf("files     %u\n", (unsigned)manifest->nfiles);
	(void)printf("size      %s (%" PRIu64 " bytes)\n",
		format_bytes(manifest->bytes, bytes), manifest->bytes);
	(void)printf("chunks    %u of %s\n", (unsigned)manifest->nchunks,
		format_bytes(manifest->chunk_size, chunk));
	(void)printf("root      %s\n\n", root_text(manifest, root));
}

static void print_files(const struct storage_reader *reader)
{
	(void)printf("%15s  %4s  %-15s  %s\n", "BYTES", "MODE", "CHECKSUM", "NAME");
	for (size_t i = 0; i < reader->table.nfiles; i++) {
		const struct table_file *file = &reader->table.files[i];
		const struct manifest_file *known =
			manifest_find(&reader->manifest, file->name);
		char name[4096 + 16], size[24] = "-", mode[16] = "-";

		if (strcmp(file->name, MANIFEST_NAME) == 0)
			continue;
		if (known != NULL) {
			(void)snprintf(size, sizeof(size), "%" PRIu64, known->size);
			(void)snprintf(mode, sizeof(mode), "%04o", known->mode);
		}
		(void)printf("%15s  %4s  %-15s  %s\n", size, mode,
			file->checksum != NULL ? file->checksum : "-",
			name_quote(name, sizeof(name), file->name));
	}
}

int snapshot_show(int argc, char *const argv[])
{
	struct arguments arguments = {0};
	struct storage_reader *reader;
	struct fault fault = {0};
	bool has_manifest;
	int exit_code;

	if (!cli_parse(&command, argc, argv, &arguments, NULL, &exit_code))
		return exit_code;
	if (storage_read(arguments.store, (int64_t)arguments.index, &reader,
		    &has_manifest, &fault) != 0)
		return cli_fail(&fault);
	if (arguments.json) {
		print_json(reader, has_manifest);
	} else {
		print_head(reader, has_manifest);
		print_files(reader);
	}
	storage_reader_free(reader);
	return EX_OK;
}
