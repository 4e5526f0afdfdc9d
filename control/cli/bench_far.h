/* SPDX-License-Identifier: BSD-3-Clause */
/* The far end of a measurement, a snapline bench --serve, told what to try. It holds
 * until bench_far_close, or the end of this process. */
#ifndef BENCH_FAR_H
#define BENCH_FAR_H

#include "control/bench_codec.h"

struct bench_far;

/* Blocks. Returns 0 and what holds there now, the caller's to close; -ENOSYS: the node at
 * address is older than this call; -EPERM: it is no bench; -ECANCELED; or another errno.
 */
int bench_far_open(struct bench_far **far, const char *address,
	const struct bench_settings *asked, struct bench_settings *held,
	struct fault *fault);
void bench_far_close(struct bench_far *far);

#endif
