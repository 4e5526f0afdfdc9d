/* SPDX-License-Identifier: BSD-3-Clause */
/* Owning and copying struct snapshot_meta (declared in control/table.h). */
#ifndef SNAPSHOT_META_H
#define SNAPSHOT_META_H

#include <stddef.h>

struct snapshot_meta;

/* Frees both lists; index and term stay. */
void snapshot_meta_fini(struct snapshot_meta *meta);

/* to is overwritten, not freed. Returns 0 or -ENOMEM. */
int snapshot_meta_copy(struct snapshot_meta *to, const struct snapshot_meta *from);

/* Appends a copy of peer to a list whose room is always its count rounded up to a power
 * of two. Returns 0 or -ENOMEM. */
int snapshot_meta_append(char ***peers, size_t *npeers, const char *peer);

#endif
