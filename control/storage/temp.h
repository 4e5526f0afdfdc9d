/* SPDX-License-Identifier: BSD-3-Clause */
/* temp between two attempts to copy a snapshot: what is in it is told by its table.
 *
 * A file that is complete is listed with its checksum; one that was only begun without,
 * so that nobody takes it for complete: its chunks can be checked by a manifest. A
 * journal (dataplane/journal.h), which no table lists, tells which chunks came. */
#ifndef TEMP_H
#define TEMP_H

#include "control/storage/storage.h"

/* Loads temp's table into an initialised one, and removes from temp what it does not
 * list. Returns 0, or an error when there is nothing to go on with; the table is then
 * empty. */
int temp_load(int storefd, struct table *table);

/* Whether there is a journal in temp: what a copy left that can go on. */
bool temp_has_journal(int storefd);

/* Writes the table, which must have a meta. Not synced: a table that a power cut has torn
 * only costs the copy. Returns 0, -EINVAL, -ENOMEM or an errno. */
int temp_save(int storefd, const struct table *table);

/* At start: removes temp; or, with filter_before_copy_remote or a journal in it, what its
 * table does not list.
 * Returns 0 or an errno. */
int temp_recover(struct storage *storage, struct fault *fault);

#endif
