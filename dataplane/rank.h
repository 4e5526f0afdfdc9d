/* SPDX-License-Identifier: BSD-3-Clause */
/* Which of a node's transfers goes first: by class, and within a class by weight. */
#ifndef RANK_H
#define RANK_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/shaper.h"

/* What somebody says of it; all zero: nothing. */
struct rank {
	bool has_class;
	enum shaper_class class;
	uint32_t weight; /* 1 to SHAPER_WEIGHT_MAX; 0: not said */
};

/* "recovery", "rebalance", as people write them; a NULL ends them. */
extern const char *const rank_classes[SHAPER_CLASSES + 1];

static inline bool rank_is_empty(const struct rank *rank)
{
	return !rank->has_class && rank->weight == 0;
}

/* From a place among rank_classes that counts from 1, as an option's value does; 0: not
 * said. */
static inline struct rank rank_of(uint64_t place, uint64_t weight)
{
	return (struct rank){.has_class = place != 0,
		.class = place != 0 ? (enum shaper_class)(place - 1) : SHAPER_RECOVERY,
		.weight = (uint32_t)weight};
}

/* What is said holds, the rest stays. */
void rank_apply(struct rank *rank, const struct rank *said);

#endif
