/* SPDX-License-Identifier: BSD-3-Clause */
/* One file's line in a table: put, replaced, taken out. */
#ifndef ENTRY_H
#define ENTRY_H

#include <stdbool.h>

#include "control/table.h"

enum entry_source { ENTRY_LOCAL, ENTRY_REFERENCE }; /* braft's FileSource */

/* Puts a copy of the entry into the table, in place of one of that name. Returns 0 or
 * -ENOMEM; the table is then as it was. */
int entry_put(struct table *table, const struct table_file *entry);

/* Returns whether it was there. */
bool entry_remove(struct table *table, const char *name);

/* Replaces the checksum of a file of the table. Returns 0, -ENOENT or -ENOMEM. */
int entry_set_checksum(struct table *table, const char *name, const char *checksum);

/* Whether the file's bytes are kept somewhere else than in the snapshot. */
bool entry_is_reference(const struct table_file *entry);

/* Whether both have a checksum and it is the same text. NULL entries have none. */
bool entry_same_checksum(const struct table_file *a, const struct table_file *b);

#endif
