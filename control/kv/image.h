/* SPDX-License-Identifier: BSD-3-Clause */
/* The keys as files of a snapshot: keys-00000, keys-00001, …
 *
 *   "SNAPKV01" │ key length (4, big-endian) │ value length (4) │ key │ value │ …
 *
 * File f of n holds the f-th n-th of the buckets, in their order, n being a power of two
 * that makes a file about 32 MiB. So equal keys give equal files, many files come in
 * parallel, and one whose keys have not changed is not sent again. */
#ifndef IMAGE_H
#define IMAGE_H

#include "control/kv/keys.h"
#include "dataplane/base/fault.h"

enum { IMAGE_NAME_MAX = 16 }; /* bytes with the NUL */

/* How many files these keys make. */
uint32_t image_files(const struct keys *keys);
void image_name(uint32_t file, char name[static IMAGE_NAME_MAX]);

/* Writes one file into a directory. Returns 0 or a negative errno. */
int image_save(const struct keys *keys, uint32_t file, const char *dir);

/* Adds the keys of a file. Returns 0, -EBADMSG (not such a file), -ENOMEM, or an errno.
 */
int image_load(struct keys *keys, const char *dir, const char *name, struct fault *fault);

#endif
