/* SPDX-License-Identifier: BSD-3-Clause */
/* The manifest as bytes, all numbers big-endian:
 *
 *   "SNPLMAN1" | header_len u32 | chunks u32 | ManifestHeader (protobuf, header_len
 * bytes) | chunks x {crc32c u32, flags u32, crc64 u64} | SHA-256 of all bytes before it
 * (the root) */
#ifndef MANIFEST_CODEC_H
#define MANIFEST_CODEC_H

#include "dataplane/manifest.h"

/* Computes manifest->root and encodes. *bytes is malloc'ed, the caller frees it.
 * Returns 0 or -ENOMEM. */
int manifest_encode(struct manifest *manifest, uint8_t **bytes, size_t *len);

/* Fills *manifest (not initialised before; manifest_fini after success). Returns 0,
 * -EBADMSG with what is wrong (truncated, bad magic, root mismatch, bad name, impossible
 * layout), or -ENOMEM. */
int manifest_decode(
	struct manifest *manifest, const uint8_t *bytes, size_t len, struct fault *fault);

#endif
