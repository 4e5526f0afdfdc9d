/* SPDX-License-Identifier: BSD-3-Clause */
/* The stripes of one session seen as one: what their workers report, in any order,
 * becomes what the control plane hears.
 *
 *   DONE when all are done · FAILED with the first that failed · STOPPED when all have
 *   SUSPENDED with the first that hears nothing · RESUMED when none is left of those */
#ifndef STRIPES_H
#define STRIPES_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/transfer.h"

struct stripes {
	uint32_t count;
	uint32_t ndone;
	uint32_t nstopped;
	uint32_t suspended; /* bit a stripe */
	bool has_failed;
};

void stripes_init(struct stripes *stripes, uint32_t count);

/* One stripe's report. Returns whether the control plane shall hear it. */
bool stripes_on_report(struct stripes *stripes, const struct transfer_report *report);

/* Whether no worker knows the session any more. */
bool stripes_have_stopped(const struct stripes *stripes);

#endif
