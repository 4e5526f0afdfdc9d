/* SPDX-License-Identifier: BSD-3-Clause */
/* The inside of an object, for object_*.c only. */
#ifndef OBJECT_STATE_H
#define OBJECT_STATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "dataplane/base/fault.h"
#include "dataplane/file/object.h"

enum slot_use { SLOT_READ, SLOT_WRITE, SLOT_DIRECT };

/* A file that is kept open. */
struct slot {
	int fd; /* -1: the slot is empty */
	uint32_t file;
	enum slot_use use; /* SLOT_WRITE reads, too */
	uint32_t users;    /* requests under way; 0: may be closed */
	uint64_t last;     /* tick of the last use */
};

struct store_object {
	const struct manifest *manifest;
	char *path;
	int folder; /* file descriptor */
	struct journal_file *journal;
	_Atomic uint64_t times[OBJECT_WORKS]; /* ns */
	_Atomic bool has_no_direct;           /* O_DIRECT is refused, or no use */
	pthread_mutex_t lock;                 /* guards all below */
	uint64_t tick;
	struct slot slots[OBJECT_FDS];
	struct fault fault;
};

/* Opens a file, unless it is open, and keeps it so until it is released. Returns 0, the
 * errno of open(2), or -EMFILE when requests hold all slots. */
int object_acquire(struct store_object *object, uint32_t file, enum slot_use use,
	struct slot **slot);
void object_release(struct store_object *object, struct slot *slot);

/* A file that lies in its chunk whole, with others. */
static inline bool object_is_packed(const struct store_object *object, uint32_t file)
{
	return object->manifest->files[file].size < object->manifest->chunk_size;
}

/* Returns 0, -EBADMSG when the file is not the size the manifest says, or an errno. */
int object_check_size(
	struct store_object *object, const struct manifest_extent *extent, int fd);

/* Nothing lies behind the page cache of a tmpfs: nobody need ask what of it is there. */
void object_look_for_direct(struct store_object *object);

/* The next three record a fault with its remedy. Each returns its error. */
int object_file_fault(struct store_object *object, const struct manifest_extent *extent,
	int error, const char *verb);
int object_size_fault(
	struct store_object *object, const struct manifest_extent *extent, uint64_t size);
int object_disk_fault(struct store_object *object, int error);

#endif
