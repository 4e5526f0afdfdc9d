/* SPDX-License-Identifier: BSD-3-Clause */
/* The log that is kept for one follower: everything behind the snapshot it gets.
 *
 *   NONE ─offered─► OFFERED ─opened─► SERVED ─committed─► LINGERING ─► NONE
 *                      └─ nobody came ──► NONE ◄── failed, or past its limits
 */
#ifndef PIN_H
#define PIN_H

#include "control/convergence.h"
#include "control/transfer_codec.h"

enum pin_state {
	PIN_NONE,
	PIN_OFFERED, /* for a follower that is about to come */
	PIN_SERVED,
	PIN_LINGERING, /* it has its snapshot, and fetches the entries behind it */
};

struct pin {
	enum pin_state state;
	uint64_t until; /* OFFERED, LINGERING: uv_hrtime() when it falls by itself */
	bool is_judged; /* convergence means something: it was SERVED once */
	bool is_lost;   /* its transfer was given up */
	struct convergence convergence;
};

#endif
