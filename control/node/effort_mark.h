/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the counters of this process stood when a transfer began. Loop's thread. */
#ifndef EFFORT_MARK_H
#define EFFORT_MARK_H

#include "control/effort.h"
#include "control/node/plane.h"
#include "dataplane/file/store_file.h"

struct effort_mark {
	struct transfer_work work;
	struct store_times times;
	uint64_t cpu; /* ns */
};

/* plane and object may be NULL: there is none. */
void effort_mark_set(
	struct effort_mark *mark, struct plane *plane, const struct store_object *object);

/* What was done since: workers and process, and the disk of the object. Without object
 * read, checksum and write stay as they are. */
void effort_mark_measure(const struct effort_mark *mark, struct plane *plane,
	const struct store_object *object, struct effort *effort);

#endif
