/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/storage/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/storage/checksum.h"
#include "control/storage/file_io.h"
#include "control/storage/findings.h"
#include "control/storage/layout.h"
#include "control/storage/pbfile.h"
#include "control/storage/seal.h"
#include "control/storage/tree.h"
#include "dataplane/crc.h"
#include "dataplane/manifest_codec.h"

void findings_add(struct findings *findings, const char *file, int64_t chunk,
	const char *format, ...)
{
	const struct verify_options *options = findings->options;
	char quoted[NAME_QUOTED];
	char what[300];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	findings->result->problems++;
	if (options->problem != NULL)
		options->problem(options->ctx, file, chunk, what);
	fault_set(findings->fault, -EBADMSG, "%s %s",
		name_quote(quoted, sizeof(quoted), file), what);
}

/* A flipped bit may leave a message that parses: it is found by the second encoding,
 * which is not the same bytes, or by the seal. */
static void check_encoding(struct findings *findings, const uint8_t *bytes, size_t len)
{
	uint8_t *again;
	size_t again_len;

	if (table_encode(&findings->table, false, &again, &again_len) == 0) {
		if (again_len != len || memcmp(again, bytes, len) != 0)
			findings_add(findings, TABLE_NAME, -1,
				"is not encoded as Snapline or braft would");
		free(again);
	}
	if (findings->table.meta.index != findings->index)
		findings_add(findings, TABLE_NAME, -1,
			"is of index %lld, its directory of %lld",
			(long long)findings->table.meta.index,
			(long long)findings->index);
	if (seal_check(&findings->table) == -EBADMSG)
		findings_add(findings, TABLE_NAME, -1,
			"does not match its checksum, kept in the entry of the manifest");
}

static void load_table(struct findings *findings)
{
	struct fault why = {0};
	uint8_t *bytes;
	size_t len;
	int error;

	table_init(&findings->table);
	error = pbfile_load(findings->dirfd, TABLE_NAME, &bytes, &len, &why);
	if (error != 0) {
		findings_add(findings, TABLE_NAME, -1, "%s",
			error == -ENOENT ? "is missing" : why.text);
		return;
	}
	error = table_decode(&findings->table, bytes, len, &why);
	if (error != 0) {
		table_init(&findings->table);
		findings_add(findings, TABLE_NAME, -1, "%s", why.text);
	} else {
		findings->has_table = true;
		findings->result->term = findings->table.meta.term;
		check_encoding(findings, bytes, len);
	}
	free(bytes);
}

/* Unlike a user's file, the manifest has no checksum but ours. */
static void check_manifest_checksum(
	struct findings *findings, const uint8_t *bytes, size_t len)
{
	const struct table_file *entry = table_find(&findings->table, MANIFEST_NAME);
	char text[CHECKSUM_TEXT];

	if (entry == NULL || entry->checksum == NULL)
		return;
	if (strcmp(checksum_text(text, crc32c(bytes, len)), entry->checksum) != 0)
		findings_add(findings, MANIFEST_NAME, -1,
			"does not match its checksum in the table");
}

static void load_own_manifest(struct findings *findings)
{
	struct fault why = {0};
	uint8_t *bytes;
	size_t len;
	int error;

	error = file_load(
		findings->dirfd, MANIFEST_NAME, LAYOUT_MANIFEST_MAX, &bytes, &len, &why);
	if (error == -ENOENT && !findings->has_table)
		return;
	if (error != 0) {
		findings_add(findings, MANIFEST_NAME, -1, "%s",
			error == -ENOENT ? "is missing" : why.text);
		return;
	}
	check_manifest_checksum(findings, bytes, len);
	error = manifest_decode(&findings->manifest, bytes, len, &why);
	free(bytes);
	if (error != 0) {
		findings_add(findings, MANIFEST_NAME, -1, "%s", why.text);
		return;
	}
	findings->result->has_manifest = true;
	if (findings->has_table &&
		layout_compare(&findings->table, &findings->manifest, &why) != 0)
		findings_add(
			findings, TABLE_NAME, -1, "and manifest differ: %s", why.text);
}

/* The files of the table, with the sizes they have: something to read by, where no
 * manifest tells what the sizes should be. */
static int stand_in(struct findings *findings, struct fault *fault)
{
	struct manifest *manifest = &findings->manifest;
	int error;

	error = manifest_init(manifest, MANIFEST_CHUNK_DEFAULT, fault);
	for (size_t i = 0; i < findings->table.nfiles && error == 0; i++) {
		const char *name = findings->table.files[i].name;
		struct stat st = {.st_size = 0};
		int fd;

		if (strcmp(name, MANIFEST_NAME) == 0)
			continue;
		/* One that cannot be opened is reported when it is to be read. */
		if (tree_open(findings->dirfd, name, O_RDONLY | O_NONBLOCK, 0, &fd,
			    NULL) == 0) {
			if (fstat(fd, &st) != 0)
				st.st_size = 0;
			close(fd);
		}
		error = manifest_add(manifest, name, (uint64_t)st.st_size, 0, fault);
	}
	if (error == 0)
		error = manifest_layout(manifest, fault);
	return error;
}

static int load_manifest(struct findings *findings, struct fault *fault)
{
	struct layout_snapshot snapshot = {
		.storefd = findings->storefd,
		.dirfd = findings->dirfd,
		.index = findings->index,
		.table = &findings->table,
	};
	int error = 0;

	if (!findings->has_table || table_find(&findings->table, MANIFEST_NAME) != NULL)
		load_own_manifest(findings);
	else
		error = layout_load_manifest(&snapshot, &findings->manifest,
			&findings->result->has_manifest, fault);
	if (error == 0 && !findings->result->has_manifest)
		error = stand_in(findings, fault);
	return error;
}

static int visit_file(void *ctx, const struct tree_entry *entry, struct fault *fault)
{
	struct findings *findings = ctx;

	(void)fault;
	if (strcmp(entry->name, TABLE_NAME) != 0 &&
		strcmp(entry->name, MANIFEST_NAME) != 0 &&
		table_find(&findings->table, entry->name) == NULL &&
		manifest_find(&findings->manifest, entry->name) == NULL)
		findings_add(findings, entry->name, -1,
			"belongs to neither table nor manifest");
	if (strcmp(entry->name, MANIFEST_NAME) == 0 && findings->has_table &&
		table_find(&findings->table, MANIFEST_NAME) == NULL)
		findings_add(findings, entry->name, -1, "is not listed in the table");
	return 0;
}

static int choose(struct findings *findings, struct fault *fault)
{
	struct layout_list list;
	int error;

	findings->index = findings->options->index;
	if (findings->index != 0)
		return 0;
	error = layout_list(findings->storefd, &list, fault);
	if (error != 0)
		return error;
	if (list.nsnapshots == 0)
		error = fault_set(fault, -ENOENT,
			"store %s has no snapshot; check the path",
			findings->options->path);
	else
		findings->index = list.snapshots[list.nsnapshots - 1];
	layout_list_fini(&list);
	return error;
}

static int look(struct findings *findings, struct fault *fault)
{
	struct tree_visitor visitor = {.visit = visit_file, .ctx = findings};
	struct verify_result *result = findings->result;
	int error;

	load_table(findings);
	error = load_manifest(findings, fault);
	if (error != 0)
		return error;
	result->files = findings->manifest.nfiles;
	result->bytes = findings->manifest.bytes;
	result->chunks = findings->manifest.nchunks;
	error = verify_files(findings, fault);
	if (error != 0)
		return error;
	return tree_walk(findings->dirfd, &visitor, fault);
}

int verify_snapshot(const struct verify_options *options, struct verify_result *result,
	struct fault *fault)
{
	struct fault first = {0};
	struct findings findings = {
		.options = options, .result = result, .fault = &first};
	char name[LAYOUT_NAME];
	int error;

	*result = (struct verify_result){.index = 0};
	findings.storefd = open(options->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (findings.storefd < 0)
		return file_fault(fault, -errno, "open the store", options->path);
	error = choose(&findings, fault);
	if (error == 0)
		error = layout_open(
			findings.storefd, findings.index, &findings.dirfd, fault);
	if (error != 0)
		goto close_store;
	result->index = findings.index;
	error = look(&findings, fault);
	if (error == 0 && result->problems > 0)
		error = fault_set(fault, -EBADMSG,
			"%s is damaged, %llu problem%s; the first: %s",
			layout_dir(name, findings.index),
			(unsigned long long)result->problems,
			result->problems == 1 ? "" : "s", first.text);
	table_fini(&findings.table);
	manifest_fini(&findings.manifest);
	close(findings.dirfd);
close_store:
	close(findings.storefd);
	return error;
}
