/* SPDX-License-Identifier: BSD-3-Clause */
/* Shows control/progress.h on standard error: a bar when that is a terminal, a line every
 * five seconds otherwise. */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stdbool.h>

#include "control/progress.h"

struct terminal {
	struct progress progress;
	enum progress_stage stage;
	nsec begun;     /* of the stage */
	unsigned width; /* columns */
	bool drawn;     /* a bar stands on the line */
};

/* The monotonic clock. */
nsec terminal_now(void);

void terminal_init(struct terminal *terminal, bool quiet);

/* Draws if it is time to. May be called as often as is convenient. */
void terminal_show(struct terminal *terminal, const struct progress_view *view);
/* The same for local work, with rate and time since the stage began worked out here. */
void terminal_show_work(struct terminal *terminal, enum progress_stage stage,
	uint64_t done, uint64_t total);

/* Wipes the bar: before other output, and at the end. */
void terminal_clear(struct terminal *terminal);

#endif
