/* SPDX-License-Identifier: BSD-3-Clause */
/* A checksum for the table itself, for which braft's format has no room.
 *
 * The table's entry for the manifest carries it, as user_meta "table:crc32c:%08x": the
 * CRC of the table, as a peer would receive it, without that entry. braft passes
 * user_meta through untouched, so the seal also lives in a store that braft wrote. */
#ifndef SEAL_H
#define SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/table.h"

/* table_encode, with the seal put into the manifest's entry when the table has one.
 * Returns 0 or -ENOMEM. */
int seal_encode(const struct table *table, uint8_t **bytes, size_t *len);

/* Returns 0 when the seal is right or the table has none, -EBADMSG, or -ENOMEM. */
int seal_check(const struct table *table);

#endif
