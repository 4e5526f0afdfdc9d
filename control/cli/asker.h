/* SPDX-License-Identifier: BSD-3-Clause */
/* Who asks beside a pull: a process of its own, forked before DPDK has threads. It waits
 * for a word, sends its requests, and hands over how long the answers took.
 *
 * asker_start, perhaps asker_go, asker_end. */
#ifndef ASKER_H
#define ASKER_H

#include <sys/types.h>

#include "control/cli/foreground.h"

struct asker {
	pid_t child; /* 0: there is none, and the others do nothing */
	int go;
	int answer;
};

/* where: as foreground_open takes it; span: for so long, from asker_go on. Returns 0,
 * what foreground_open does, or that there is no pipe or process. */
int asker_start(struct asker *asker, const char *where, nsec span, struct fault *fault);
void asker_go(const struct asker *asker);
/* Waits for its end, which is at once if it was never told to go. Returns whether there
 * are times. */
bool asker_end(struct asker *asker, struct foreground_times *times);

#endif
