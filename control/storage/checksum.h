/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads a snapshot directory chunk by chunk and computes its checksums.
 *
 *   checksum_open ─► checksum_chunk(0) … checksum_chunk(nchunks - 1) ─► checksum_close
 *
 * Every byte is read once, holes not at all. Each chunk gives its leaf; the CRC of every
 * file is joined from the CRCs of its chunks on the way, which is why chunks come in
 * order. One thread. */
#ifndef CHECKSUM_H
#define CHECKSUM_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/fault.h"
#include "dataplane/manifest.h"

enum { CHECKSUM_TEXT = 16 }; /* "crc32c:" and eight digits and NUL */

struct checksum_file {
	uint32_t crc32c; /* of the chunks read so far */
	int error; /* 0, or why the file could not be read: its CRC and chunks are void */
};

struct checksum {
	int dirfd; /* the caller's, as is the manifest */
	const struct manifest *manifest;
	struct checksum_file *files; /* manifest->nfiles */
	uint8_t *buf;                /* a chunk */
	struct manifest_leaf zero;   /* of a whole chunk of zeros */
	int fd;                      /* of the file being read, or -1 */
	uint32_t file;               /* its index */
	bool sparse;                 /* it has holes */
};

/* Returns 0 or -ENOMEM. */
int checksum_open(struct checksum *sum, int dirfd, const struct manifest *manifest,
	struct fault *fault);
void checksum_close(struct checksum *sum);

/* Computes the leaf of the next chunk. On error the other files of the chunk have been
 * read all the same, and the walk may go on. Returns 0, -EBADMSG for a file that is not
 * the size of the manifest, -ENOENT, or another errno: fault names the file. */
int checksum_chunk(struct checksum *sum, uint32_t chunk, struct manifest_leaf *leaf,
	struct fault *fault);

/* How LocalFileMeta.checksum spells a CRC. Returns text. */
char *checksum_text(char text[static CHECKSUM_TEXT], uint32_t crc);

/* Fills in all leaves of a laid out manifest. file_crc (nfiles entries, may be NULL)
 * receives the CRC of each file. progress (may be NULL) is told the bytes done. Returns 0
 * or an error of checksum_chunk. */
struct checksum_request {
	int dirfd;
	struct manifest *manifest;
	uint32_t *file_crc;
	void (*progress)(void *ctx, uint64_t done, uint64_t total);
	void *ctx;
};
int checksum_directory(const struct checksum_request *request, struct fault *fault);

#endif
