/* SPDX-License-Identifier: BSD-3-Clause */
/* How many bytes a log holds from an index on, for an engine that does not know: a mark
 * now and then, of constant number, and a straight line between them.
 *
 *   index   100 ─── 200 ─── 300 ──── 340
 *   bytes     0     51 KiB  99 KiB   120 KiB     from 250 on: about 45 KiB */
#ifndef LOG_SIZE_H
#define LOG_SIZE_H

#include <stdint.h>

enum { LOG_SIZE_MARKS = 256 };

struct log_mark {
	int64_t index;
	uint64_t bytes; /* of all entries up to index, since the first mark */
};

struct log_size {
	uint32_t count; /* at least 1: the last mark is the end of the log */
	int64_t stride; /* entries between marks, but before the last */
	struct log_mark marks[LOG_SIZE_MARKS];
};

/* Empty; the last entry that it does not hold is `last`. */
void log_size_init(struct log_size *size, int64_t last);
/* Entries of so many bytes were added; now it ends at `last`. */
void log_size_on_append(struct log_size *size, int64_t last, uint64_t bytes);
/* Entries behind `last` were taken away. */
void log_size_on_truncate(struct log_size *size, int64_t last);

/* Bytes from `first` on; 0 beyond the end. */
uint64_t log_size_from(const struct log_size *size, int64_t first);

#endif
