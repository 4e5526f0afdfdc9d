/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/rank.h"

#include <stddef.h>

const char *const rank_classes[SHAPER_CLASSES + 1] = {
	[SHAPER_RECOVERY] = "recovery",
	[SHAPER_REBALANCE] = "rebalance",
	[SHAPER_CLASSES] = NULL,
};

void rank_apply(struct rank *rank, const struct rank *said)
{
	if (said->has_class) {
		rank->has_class = true;
		rank->class = said->class;
	}
	if (said->weight != 0)
		rank->weight = said->weight;
}
