/* SPDX-License-Identifier: BSD-3-Clause */
/* The parts of a writer that several files of this folder need. */
#ifndef WRITER_H
#define WRITER_H

#include "control/storage/storage.h"

/* Opens PATH/temp. *dirfd is the caller's. Returns 0 or an errno. */
int writer_open_temp(
	const struct storage_writer *writer, int *dirfd, struct fault *fault);

/* Whether a snapshot of this table may be committed now. Returns 0, -EINVAL, -EEXIST or
 * -ESTALE. */
int commit_check_order(
	struct storage *storage, const struct table *table, struct fault *fault);

/* Removes all that is in temp. Returns 0 or an errno. */
int writer_empty_temp(const struct storage_writer *writer, struct fault *fault);

/* Ends the writer; temp is gone or has been renamed. */
void writer_free(struct storage_writer *writer);

#endif
