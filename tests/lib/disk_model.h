/* SPDX-License-Identifier: BSD-3-Clause */
/* A file system that loses what was not synced.
 *
 * Operations that were recorded on a real directory are applied one by one. At any moment
 * the model can be written out as the directory that a crash then and there may leave:
 * each directory and file has what is live (in the cache) and what is durable. POSIX
 * promises no more than this: fsync of a file saves its bytes, fsync of a directory its
 * names, and a rename within a directory happens whole or not at all. */
#ifndef DISK_MODEL_H
#define DISK_MODEL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum disk_kind {
	DISK_CREATE,   /* parent, name, file */
	DISK_MKDIR,    /* parent, name, file */
	DISK_LINK,     /* parent, name, file */
	DISK_UNLINK,   /* parent, name; also of a directory */
	DISK_RENAME,   /* parent, name → to_parent, to_name */
	DISK_WRITE,    /* file, offset, bytes */
	DISK_TRUNCATE, /* file, len */
	DISK_SYNC,     /* file, which may be a directory */
	DISK_SYNC_ALL,
	DISK_DONE, /* the caller was told success: from here the new state is promised */
};

struct disk_op {
	enum disk_kind kind;
	ino_t parent;
	ino_t to_parent;
	ino_t file;
	char name[NAME_MAX + 1];
	char to_name[NAME_MAX + 1];
	uint64_t offset;
	size_t len;
	uint8_t *bytes;
};

enum disk_data { DISK_LIVE, DISK_LOST, DISK_TORN };

/* What of the unsynced survives. Torn data: the first half, then zeros. */
struct disk_crash {
	bool root;  /* the root's names; else the synced ones */
	bool below; /* the other directories' names */
	enum disk_data data;
};

struct disk_model;

/* All that is below path now is durable. Fails the test by itself, as do the others. */
struct disk_model *disk_model_load(const char *path);
void disk_model_free(struct disk_model *model);
void disk_model_apply(struct disk_model *model, const struct disk_op *op);
/* Equal states have equal numbers. */
uint64_t disk_model_hash(const struct disk_model *model, const struct disk_crash *crash);
/* Makes the directory path with what the crash leaves; hard links stay links. */
void disk_model_write(
	struct disk_model *model, const struct disk_crash *crash, const char *path);

#endif
