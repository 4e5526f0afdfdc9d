/* SPDX-License-Identifier: BSD-3-Clause */
/* The files of one snapshot directory, opened at first use; at most OBJECT_FDS of them
 * are kept open. Any thread: a store's thread reads or writes an extent while another
 * one's does the same elsewhere in the object. */
#ifndef OBJECT_H
#define OBJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/manifest.h"
#include "dataplane/store.h"

struct journal_file;

enum { OBJECT_FDS = 64 };

const struct manifest *object_manifest(const struct store_object *object);
const char *object_path(const struct store_object *object);
int object_folder(const struct store_object *object); /* its descriptor */

/* Who is told of chunks that were written; NULL: nobody. While no request is under way.
 */
void object_set_journal(struct store_object *object, struct journal_file *journal);
struct journal_file *object_journal(const struct store_object *object);

/* Both return 0, or the errors of struct store_completion; the first one on an object is
 * kept with its remedy for store_object_get_fault. */
int object_read(struct store_object *object, const struct manifest_extent *extent,
	uint8_t *bytes);
int object_write(struct store_object *object, const struct manifest_extent *extent,
	const uint8_t *bytes);

struct slot;

/* Opens an extent for a read past the page cache to bytes, if that is the faster way and
 * a possible one: whole blocks, of a file as large as it should be, most of whose pages
 * are not in memory. Otherwise returns false; nothing is wrong then that an ordinary read
 * would not find. */
bool object_begin_direct(struct store_object *object,
	const struct manifest_extent *extent, const uint8_t *bytes, struct slot **slot);
int object_slot_fd(const struct slot *slot);
/* worked: false when the extent was not read; nobody tries again on this object then. */
void object_end_direct(struct store_object *object, struct slot *slot, bool worked);

enum object_work { OBJECT_READ, OBJECT_CHECKSUM, OBJECT_WRITE, OBJECT_WORKS };

/* A chunk's worth of it has taken so long. Any thread. */
void object_count(struct store_object *object, enum object_work work, uint64_t ns);

/* Makes durable the bytes that were written to the files of these chunks. Returns 0 or an
 * errno; then nobody can say what of them is on disk. */
int object_sync(struct store_object *object, const uint64_t *chunks);
/* All of the file system, names too. Returns 0 or an errno. */
int object_sync_all(struct store_object *object);

#endif
