/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/storage/build.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/storage/copy.h"
#include "control/storage/file_io.h"
#include "control/storage/save.h"
#include "control/storage/tree.h"
#include "control/storage/writer.h"

/* What the steps of one build share. */
struct build {
	struct storage *storage;
	const struct build_options *options;
	int from;                 /* descriptor of FROM */
	int to;                   /* descriptor of temp */
	struct stat own;          /* of the store: it must not be inside FROM */
	struct manifest manifest; /* of FROM: names, sizes, modes */
	uint64_t copied;          /* bytes */
};

static const char *type_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFLNK:
		return "a symbolic link";
	case S_IFIFO:
		return "a fifo";
	case S_IFSOCK:
		return "a socket";
	case S_IFBLK:
	case S_IFCHR:
		return "a device";
	default:
		return "no regular file";
	}
}

static int visit_file(void *ctx, const struct tree_entry *entry, struct fault *fault)
{
	struct build *build = ctx;
	char quoted[NAME_QUOTED];

	if (!S_ISREG(entry->stat.st_mode))
		return fault_set(fault, -EINVAL,
			"\"%s\" is %s; a snapshot holds regular files only, remove it",
			name_quote(quoted, sizeof(quoted), entry->name),
			type_name(entry->stat.st_mode));
	return manifest_add(&build->manifest, entry->name, (uint64_t)entry->stat.st_size,
		entry->stat.st_mode & 0777, fault);
}

static int visit_dir(void *ctx, const struct tree_entry *entry, struct fault *fault)
{
	const struct build *build = ctx;
	char quoted[NAME_QUOTED];

	if (entry->stat.st_dev == build->own.st_dev &&
		entry->stat.st_ino == build->own.st_ino)
		return fault_set(fault, -EINVAL,
			"\"%s\" is the store itself; keep the store outside",
			name_quote(quoted, sizeof(quoted), entry->name));
	return 0;
}

static int survey(struct build *build, struct fault *fault)
{
	struct tree_visitor visitor = {
		.visit = visit_file, .visit_dir = visit_dir, .ctx = build};
	int error;

	if (stat(storage_path(build->storage), &build->own) != 0)
		return file_fault(fault, -errno, "look at", storage_path(build->storage));
	error = tree_walk(build->from, &visitor, fault);
	if (error == 0)
		error = manifest_layout(&build->manifest, fault);
	return error;
}

static void report(const struct build *build, const char *stage, uint64_t done)
{
	const struct build_options *options = build->options;

	if (options->progress != NULL)
		options->progress(options->ctx, stage, done, build->manifest.bytes);
}

static void on_checksum(void *ctx, uint64_t done, uint64_t total)
{
	(void)total;
	report(ctx, "checksum", done);
}

static void on_copied(void *ctx, uint64_t bytes)
{
	struct build *build = ctx;

	build->copied += bytes;
	report(build, "copy", build->copied);
}

static int take_files(struct build *build, struct fault *fault)
{
	struct copy copy = {
		.from = build->from,
		.to = build->to,
		.link = build->options->link,
		.copied = on_copied,
		.ctx = build,
	};
	int error;

	error = copy_init(&copy, fault);
	for (uint32_t i = 0; i < build->manifest.nfiles && error == 0; i++)
		error = copy_file(&copy, &build->manifest.files[i], fault);
	copy_fini(&copy);
	/* Whose disk is full is not plain from a file's name alone. */
	if (error != 0)
		fault_prefix(fault, "%s",
			error == -ENOSPC || error == -EDQUOT
				? storage_path(build->storage)
				: build->options->from);
	return error;
}

static int list_files(
	const struct build *build, struct storage_writer *writer, struct fault *fault)
{
	const struct build_options *options = build->options;
	struct table *table = &writer->table;
	int error = 0;

	table->has_meta = true;
	table->meta.index = options->index;
	table->meta.term = options->term;
	for (size_t i = 0; i < options->npeers && error == 0; i++)
		error = table_add_peer(table, options->peers[i]);
	for (uint32_t i = 0; i < build->manifest.nfiles && error == 0; i++)
		error = table_add_file(table, build->manifest.files[i].name, NULL);
	return error != 0 ? fault_set(fault, error, "no memory for the table") : 0;
}

static int fill_temp(
	struct build *build, struct storage_writer *writer, struct fault *fault)
{
	int error;

	error = writer_open_temp(writer, &build->to, fault);
	if (error != 0)
		return error;
	error = take_files(build, fault);
	close(build->to);
	return error == 0 ? list_files(build, writer, fault) : error;
}

static int make(struct build *build, struct fault *fault)
{
	const struct save_options save = {
		.chunk_size = build->manifest.chunk_size,
		.progress = on_checksum,
		.ctx = build,
	};
	struct storage_writer *writer;
	int error;

	error = survey(build, fault);
	if (error != 0) {
		fault_prefix(fault, "%s", build->options->from);
		return error;
	}
	error = storage_create(build->storage, &writer, fault);
	if (error != 0)
		return error;
	error = fill_temp(build, writer, fault);
	if (error != 0) {
		storage_abort(writer);
		return error;
	}
	return save_commit(writer, &save, fault);
}

static int check_options(
	struct storage *storage, const struct build_options *options, struct fault *fault)
{
	int64_t newest = storage_newest_index(storage);

	if (options->index < 1)
		return fault_set(fault, -EINVAL, "index %lld is below 1",
			(long long)options->index);
	if (options->term < 1)
		return fault_set(
			fault, -EINVAL, "term %lld is below 1", (long long)options->term);
	if (options->index == newest)
		return fault_set(fault, -EEXIST,
			"store %s has a snapshot of index %lld already; give a higher "
			"index",
			storage_path(storage), (long long)newest);
	if (options->index < newest)
		return fault_set(fault, -ESTALE,
			"index %lld is below the newest snapshot's, %lld; give a higher "
			"index",
			(long long)options->index, (long long)newest);
	return 0;
}

int build_snapshot(struct storage *storage, const struct build_options *options,
	struct build_result *result, struct fault *fault)
{
	struct build build = {.storage = storage, .options = options};
	uint32_t chunk_size = options->chunk_size;
	int error;

	error = check_options(storage, options, fault);
	if (error != 0)
		return error;
	error = manifest_init(&build.manifest,
		chunk_size != 0 ? chunk_size : MANIFEST_CHUNK_DEFAULT, fault);
	if (error != 0)
		return error;
	build.from = open(options->from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (build.from < 0) {
		error = file_fault(fault, -errno, "open the directory", options->from);
		goto fini_manifest;
	}
	error = make(&build, fault);
	if (error == 0)
		*result = (struct build_result){
			.files = build.manifest.nfiles,
			.bytes = build.manifest.bytes,
		};
	close(build.from);
fini_manifest:
	manifest_fini(&build.manifest);
	return error;
}
