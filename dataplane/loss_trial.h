/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether a loss is ours. A queue that overflows loses less when less is sent; a bad
 * cable, a radio or somebody else's flood do not care:
 *
 *   loss above the tolerance ─► CUT ─ so many packets later ─┬─► hardly any: it was us
 *                                ▲                           │
 *                                ├─ not known before the cut ┤
 *                                └─ much less than before ───┤
 *                                                            └─► as before: UNDO, and
 *                                                                the tolerance follows
 *
 * What is tolerated is tried again now and then. The window is the caller's: at CUT he
 * takes it to 0.7, at UNDO back to what it was before the last CUT, or the first if there
 * were two, and while the trial is running it does not grow. */
#ifndef LOSS_TRIAL_H
#define LOSS_TRIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/units.h"

enum {
	LOSS_TRIAL_TOLERANCE = 20000, /* ppm, to begin with */
	LOSS_TRIAL_PACKETS = 384,     /* resolved, before a cut is judged */
	LOSS_TRIAL_CLEAN = 128,       /* enough, if none of them was lost */
	LOSS_TRIAL_AGAIN = 1 << 15,   /* after so many the tolerance is the first one */
};

enum loss_trial_verdict { TRIAL_GO_ON, TRIAL_CUT, TRIAL_UNDO };

struct loss_trial {
	uint32_t loss_ppm;  /* smoothed over some thousand packets */
	uint32_t tolerance; /* ppm */
	bool is_running;
	uint32_t before; /* ppm lost before the last cut; 0: not known */
	uint32_t nacked; /* since the last cut or change of the tolerance */
	uint32_t nlost;
	nsec from; /* what is resolved earlier was sent before the cut */
};

void loss_trial_init(struct loss_trial *trial);

/* nspurious: of the acknowledged, those that were counted as lost before. */
void loss_trial_count(struct loss_trial *trial, uint32_t nacked, uint32_t nlost,
	uint32_t nspurious, nsec now);

/* What to do now. CUT comes again until loss_trial_cut says that it was done. */
enum loss_trial_verdict loss_trial_judge(struct loss_trial *trial);
/* from: when the first packet sent after the cut may be resolved. */
void loss_trial_cut(struct loss_trial *trial, nsec from);

#endif
