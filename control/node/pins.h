/* SPDX-License-Identifier: BSD-3-Clause */
/* The log kept for followers in flight, and whether it will last: measures the log a few
 * times a second, asks control/convergence, and does what it says. Loop thread.
 *
 * Without a log (a bare `snapline node`) nothing is pinned and nobody is judged. */
#ifndef PINS_H
#define PINS_H

#include <uv.h>

#include "control/node/engine_queue.h"
#include "control/node/outgoing.h"

struct node;

enum { PINS_MAX = OUTGOING_LIVE + OUTGOING_KEPT };

struct pin_measure {
	int64_t id;    /* of the transfer */
	int64_t first; /* entry that its follower needs first */
	struct engine_log log;
};

struct pins {
	struct node *node;
	uv_timer_t timer;
	bool is_ticking;
	struct engine_job measuring;
	bool is_measuring;
	struct engine_job cutting;
	bool is_cutting;
	struct fault cut_fault;
	int64_t first;     /* the lowest of all pins; LOG_NO_PIN */
	int64_t first_cut; /* as it was when the last cutting began */
	uint32_t count;
	struct pin_measure measures[PINS_MAX];
};

void pins_start(struct pins *pins, struct node *node);
/* No timer runs any more. */
void pins_stop(struct pins *pins);
void pins_close(struct pins *pins);
/* The limits have been changed. */
void pins_on_settings(struct pins *pins);

/* What happens to a transfer. */
void pins_on_offered(struct pins *pins, struct outgoing *outgoing);
void pins_on_served(struct pins *pins, struct outgoing *outgoing);
void pins_on_ended(struct pins *pins, struct outgoing *outgoing);

struct snapline_convergence;

/* Of the follower that is worst off. */
void pins_get_status(const struct pins *pins, struct snapline_convergence *status);

/* For operators. Returns false when there is nothing to say. */
bool pin_describe(const struct pin *pin, struct transfer_convergence *convergence);

#endif
