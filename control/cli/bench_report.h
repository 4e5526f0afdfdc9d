/* SPDX-License-Identifier: BSD-3-Clause */
/* What a bench found: medians and spread, and the stages of the run in the middle. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "control/transfer_codec.h"

/* Prints to standard output, for people or as one line of JSON. count is at least 1;
 * infos are sorted here, the fastest first. Returns 0, or -ENOMEM. */
int bench_report(struct transfer_info infos[], size_t count, bool json);

#endif
