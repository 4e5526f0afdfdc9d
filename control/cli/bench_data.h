/* SPDX-License-Identifier: BSD-3-Clause */
/* A directory for one bench, and a snapshot in it that was made up.
 *
 *   DIR/leader/   a store with one snapshot of so many equal files
 *   DIR/…         what pulls leave, until bench_data_remove */
#ifndef BENCH_DATA_H
#define BENCH_DATA_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/fault.h"

/* Makes a directory below parent; NULL: in memory where it can, else $TMPDIR or /tmp.
 * Returns 0 or a negative errno. */
int bench_data_open(char dir[static PATH_MAX], const char *parent, struct fault *fault);
/* Fills DIR/leader: no two chunks are alike. Returns 0, -ENOSPC, -ECANCELED, or another
 * errno. */
int bench_data_make(const char *dir, uint64_t bytes, uint64_t files, struct fault *fault);
/* DIR/name and all below; name NULL: DIR itself. */
void bench_data_remove(const char *dir, const char *name);

/* SIGINT and SIGTERM wait until they are looked for, so that DIR does not stay behind; or
 * no longer. This thread and those it starts. */
void bench_data_hold_signals(bool hold);
/* Whether one of them waits. */
bool bench_data_is_interrupted(void);

#endif
