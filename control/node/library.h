/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files behind the public header share. */
#ifndef LIBRARY_H
#define LIBRARY_H

#include "control/node/handles.h"
#include "control/node/node_state.h"

struct snapline_node {
	uv_loop_t loop;
	uv_thread_t thread;
	struct node *node;
};

/* Runs `deliver` on the loop and waits for it; at once when this is the loop's thread. */
struct errand {
	struct letter letter; /* first: the letter is the errand */
	struct snapline_node *node;
	void (*run)(struct errand *errand);
	uv_sem_t done;
};

/* Returns 0, or -EPERM when the node is being closed: nothing was run. */
int library_run(struct errand *errand);

void library_error(struct snapline_error *error, const struct fault *fault);

#endif
