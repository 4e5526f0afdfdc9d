/* SPDX-License-Identifier: BSD-3-Clause */
/* Ranks member by member: what lies between them is nobody's. Included after cmocka. */
#ifndef SAME_RANK_H
#define SAME_RANK_H

#include "dataplane/rank.h"

static inline void assert_same_rank(const struct rank *rank, const struct rank *expected)
{
	assert_int_equal(rank->has_class, expected->has_class);
	assert_int_equal(rank->class, expected->class);
	assert_int_equal(rank->weight, expected->weight);
}

#endif
