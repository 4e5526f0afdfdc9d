/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/storage/checksum.h"
#include "control/storage/entry.h"
#include "control/storage/findings.h"
#include "control/storage/tree.h"

enum {
	FILE_BAD = 1 << 0,  /* a problem was reported: its checksum says nothing new */
	FILE_VOID = 1 << 1, /* cannot be read at all */
};

struct reading {
	struct findings *findings;
	struct checksum sum;
	uint8_t *state; /* of each file */
};

static const char *file_name(const struct reading *reading, uint32_t file)
{
	return reading->findings->manifest.files[file].name;
}

/* Which of the file's chunks the extent is. */
static int64_t own_chunk(
	const struct reading *reading, const struct manifest_extent *extent)
{
	return (int64_t)(extent->file_offset / reading->findings->manifest.chunk_size);
}

enum match { MATCH_UNKNOWN, MATCH_YES, MATCH_NO };

/* Compares a completely read file with its checksum in the table, where that is a CRC of
 * ours; other texts are the user's own business. */
static enum match compare_file(const struct reading *reading, uint32_t file)
{
	const struct table_file *entry =
		table_find(&reading->findings->table, file_name(reading, file));
	char text[CHECKSUM_TEXT];

	if (entry == NULL || entry->checksum == NULL ||
		strncmp(entry->checksum, "crc32c:", 7) != 0)
		return MATCH_UNKNOWN;
	checksum_text(text, reading->sum.files[file].crc32c);
	return strcmp(text, entry->checksum) == 0 ? MATCH_YES : MATCH_NO;
}

/* Its bytes are elsewhere, where nobody here can read them. */
static bool is_reference(const struct reading *reading, const char *name)
{
	const struct table_file *entry = table_find(&reading->findings->table, name);

	return entry != NULL && entry_is_reference(entry);
}

static void check_file(struct reading *reading, uint32_t file)
{
	const struct manifest_file *info = &reading->findings->manifest.files[file];
	struct fault fault = {0};
	struct stat st;
	int fd;

	if (tree_open(reading->findings->dirfd, info->name, O_RDONLY | O_NONBLOCK, 0, &fd,
		    &fault) != 0) {
		reading->state[file] = FILE_BAD | FILE_VOID;
		if (fault.code == -ENOENT && is_reference(reading, info->name))
			return;
		findings_add(reading->findings, info->name, -1, "%s",
			fault.code == -ENOENT ? "is missing" : fault.text);
		return;
	}
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		reading->state[file] = FILE_BAD | FILE_VOID;
		findings_add(reading->findings, info->name, -1, "is not a regular file");
	} else if ((uint64_t)st.st_size != info->size) {
		reading->state[file] = FILE_BAD | FILE_VOID;
		findings_add(reading->findings, info->name, -1,
			"has %llu bytes instead of %llu", (unsigned long long)st.st_size,
			(unsigned long long)info->size);
	}
	close(fd);
}

static void report_chunk(struct reading *reading, uint32_t chunk,
	const struct manifest_extent *extent, const char *what)
{
	reading->state[extent->file] |= FILE_BAD;
	findings_add(reading->findings, file_name(reading, extent->file),
		own_chunk(reading, extent),
		"%s (chunk %lld of the file, chunk %u of the snapshot)", what,
		(long long)own_chunk(reading, extent), chunk);
}

/* A file that could not be read makes its chunk unverifiable, and is told once. */
static void report_unreadable(struct reading *reading, uint32_t chunk, const char *why)
{
	struct manifest_cursor cursor;
	struct manifest_extent extent;

	manifest_extents(&reading->findings->manifest, chunk, &cursor);
	while (manifest_next_extent(&reading->findings->manifest, &cursor, &extent)) {
		uint8_t *state = &reading->state[extent.file];

		if (reading->sum.files[extent.file].error == 0 ||
			(*state & FILE_VOID) != 0)
			continue;
		*state |= FILE_VOID;
		report_chunk(reading, chunk, &extent, why);
	}
}

/* Tells which files of a bad chunk are to blame: those whose own checksum does not match;
 * where no file's is known to be wrong, those that have none. Returns how many. */
static int blame(
	struct reading *reading, uint32_t chunk, enum match culprit, const char *what)
{
	struct manifest_cursor cursor;
	struct manifest_extent extent;
	int count = 0;

	manifest_extents(&reading->findings->manifest, chunk, &cursor);
	while (manifest_next_extent(&reading->findings->manifest, &cursor, &extent)) {
		if (compare_file(reading, extent.file) != culprit)
			continue;
		report_chunk(reading, chunk, &extent, what);
		count++;
	}
	return count;
}

static void report_mismatch(struct reading *reading, uint32_t chunk)
{
	static const char what[] = "does not match its checksum";
	struct manifest_cursor cursor;
	struct manifest_extent extent;
	const struct manifest *manifest = &reading->findings->manifest;

	manifest_extents(manifest, chunk, &cursor);
	if (!manifest_next_extent(manifest, &cursor, &extent))
		return;
	if (manifest->files[extent.file].size >= manifest->chunk_size) {
		report_chunk(reading, chunk, &extent, what);
		return;
	}
	if (blame(reading, chunk, MATCH_NO, what) > 0)
		return;
	if (blame(reading, chunk, MATCH_UNKNOWN,
		    "or a file beside it does not match the chunk's checksum") > 0)
		return;
	findings_add(reading->findings, MANIFEST_NAME, -1,
		"contradicts the table about chunk %u of the snapshot", chunk);
}

static bool same_leaf(const struct manifest_leaf *a, const struct manifest_leaf *b)
{
	return a->crc32c == b->crc32c && a->crc64 == b->crc64 && a->flags == b->flags;
}

static void read_chunks(struct reading *reading)
{
	const struct verify_options *options = reading->findings->options;
	const struct manifest *manifest = &reading->findings->manifest;
	bool has_leaves = reading->findings->result->has_manifest;
	uint64_t done = 0;

	for (uint32_t i = 0; i < manifest->nchunks; i++) {
		struct manifest_leaf leaf;
		struct fault why = {0};

		if (checksum_chunk(&reading->sum, i, &leaf, &why) != 0)
			report_unreadable(reading, i, why.text);
		else if (has_leaves && !same_leaf(&leaf, &manifest->leaves[i]))
			report_mismatch(reading, i);
		done += manifest_chunk_len(manifest, i);
		if (options->progress != NULL)
			options->progress(options->ctx, done, manifest->bytes);
	}
}

int verify_files(struct findings *findings, struct fault *fault)
{
	uint32_t count = findings->manifest.nfiles;
	struct reading reading = {.findings = findings};
	int error;

	reading.state = calloc((size_t)count + 1, 1);
	if (reading.state == NULL)
		return fault_set(fault, -ENOMEM, "no memory for %u files", count);
	error = checksum_open(&reading.sum, findings->dirfd, &findings->manifest, fault);
	if (error != 0)
		goto free_state;
	for (uint32_t i = 0; i < count; i++)
		check_file(&reading, i);
	read_chunks(&reading);
	for (uint32_t i = 0; i < count; i++)
		if ((reading.state[i] & FILE_BAD) == 0 &&
			compare_file(&reading, i) == MATCH_NO)
			findings_add(findings, file_name(&reading, i), -1,
				"does not match its checksum in the table");
	checksum_close(&reading.sum);
free_state:
	free(reading.state);
	return error;
}
