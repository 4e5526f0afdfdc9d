/* SPDX-License-Identifier: BSD-3-Clause */
/* Geometry and checksums of one snapshot: which bytes of which files make up which chunk.
 *
 *   files, by name:   a(6 KiB)  b(700 MiB)  c(1 KiB)  d(empty)
 *   chunks:          | a c |  b 0  |  b 1  | …  |  b 699  |
 *
 * Files smaller than a chunk are packed first, in name order, each whole inside one
 * chunk; files of a chunk or more follow, each from a chunk boundary. Empty files have no
 * chunk. The layout is a function of names, sizes and chunk size alone, so two nodes
 * agree on it.
 *
 * Read-only after manifest_layout / manifest_decode; any thread may read it then. */
#ifndef MANIFEST_H
#define MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/base/fault.h"

#define MANIFEST_NAME "__snapline_manifest"

enum {
	MANIFEST_CHUNK_MIN = 256 << 10,
	MANIFEST_CHUNK_DEFAULT = 1 << 20,
	MANIFEST_CHUNK_MAX = 4 << 20,
	MANIFEST_ROOT_LEN = 32,
	MANIFEST_LEAF_LEN = 16, /* bytes on disk */
};

enum { LEAF_ZERO = 1 << 0 }; /* every byte of the chunk is zero: it is never sent */

struct manifest_leaf {
	uint32_t crc32c;
	uint32_t flags;
	uint64_t crc64; /* ECMA-182 reflected, ISA-L crc64_ecma_refl with seed 0 */
};

struct manifest_file {
	char *name;           /* owned by the manifest */
	uint64_t size;        /* bytes */
	uint32_t mode;        /* 07777 */
	uint32_t first_chunk; /* 0 for an empty file */
	uint32_t offset;      /* of the first byte inside first_chunk */
};

struct manifest {
	uint32_t chunk_size; /* bytes */
	uint32_t nchunks;
	uint32_t nfiles;
	uint64_t bytes;              /* sum of the sizes */
	struct manifest_file *files; /* sorted by name */
	uint32_t *order;             /* non-empty files by position: indexes into files */
	uint32_t norder;             /* entries in order */
	struct manifest_leaf *leaves; /* nchunks */
	uint8_t root[MANIFEST_ROOT_LEN];
};

/* A run of bytes of one file inside a chunk. */
struct manifest_extent {
	uint32_t file;         /* index into files */
	uint32_t chunk_offset; /* where it starts in the chunk, bytes */
	uint32_t len;          /* bytes, never 0 */
	uint64_t file_offset;  /* where it starts in the file, bytes */
};

struct manifest_cursor {
	uint32_t chunk;
	uint32_t next; /* index into order */
};

/* Starts an empty manifest. Returns 0, or -EINVAL for a chunk size that is not a power of
 * two in range. */
int manifest_init(struct manifest *manifest, uint32_t chunk_size, struct fault *fault);
void manifest_fini(struct manifest *manifest);

/* Adds a file; any order. Returns 0, -EINVAL for a name that name_check refuses, -EFBIG
 * when the sizes no longer add up to a file offset, or -ENOMEM. */
int manifest_add(struct manifest *manifest, const char *name, uint64_t size,
	uint32_t mode, struct fault *fault);

/* Sorts the files, assigns chunks, allocates zeroed leaves. Returns 0, -EINVAL for two
 * files of one name or a file that is another's directory, -EFBIG for more than 2^31
 * chunks, or -ENOMEM. */
int manifest_layout(struct manifest *manifest, struct fault *fault);

/* Bytes in a chunk: from 1 to chunk_size. */
uint32_t manifest_chunk_len(const struct manifest *manifest, uint32_t chunk);

/* Walks the extents of a chunk in chunk order. */
void manifest_extents(
	const struct manifest *manifest, uint32_t chunk, struct manifest_cursor *cursor);
bool manifest_next_extent(const struct manifest *manifest, struct manifest_cursor *cursor,
	struct manifest_extent *extent);

/* Chunks a file has a part in: 0 for an empty one. */
uint32_t manifest_file_chunks(
	const struct manifest *manifest, const struct manifest_file *file);

/* The file of that name, NULL when there is none. */
const struct manifest_file *manifest_find(
	const struct manifest *manifest, const char *name);

/* The leaf of a chunk's bytes. */
struct manifest_leaf manifest_leaf_of(const uint8_t *bytes, uint32_t len);

enum {
	NAME_DEPTH_MAX =
		64,        /* components: bounds every recursion over a snapshot's tree */
	NAME_QUOTED = 160, /* bytes that suit a fault's text */
};

/* A relative path that stays inside the snapshot: not empty, at most 4095 bytes and
 * NAME_DEPTH_MAX components, no leading or trailing '/', no empty, "." or ".." component,
 * no control character, valid UTF-8, and not reserved in its first component
 * (__raft_snapshot_meta, its .tmp, __snapline_*; so a table's entry MANIFEST_NAME is not
 * put to it). Returns 0 or -EINVAL with the reason. */
int name_check(const char *name, struct fault *fault);

/* Writes a name from outside as it may be shown to a person: control characters and
 * malformed UTF-8 as \xNN, cut with "..." where it does not fit. size is at least 12.
 * Returns text. */
const char *name_quote(char *text, size_t size, const char *name);

#endif
