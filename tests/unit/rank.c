/* SPDX-License-Identifier: BSD-3-Clause */
/* Who goes first: what is said of it adds up, and travels only within its range. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "control/rank_codec.h"
#include "dataplane/base/units.h"
#include "proto/snapline.pb-c.h"
#include "tests/unit/same_rank.h"

static void what_is_not_said_stays(void **state)
{
	struct rank rank = rank_of(1, 10);
	struct rank said = rank_of(0, 0);

	(void)state;
	assert_true(rank_is_empty(&said));
	rank_apply(&rank, &said);
	assert_int_equal(rank.class, SHAPER_RECOVERY);
	assert_int_equal(rank.weight, 10);
	said = rank_of(2, 0);
	rank_apply(&rank, &said);
	assert_int_equal(rank.class, SHAPER_REBALANCE);
	assert_int_equal(rank.weight, 10);
	said = rank_of(0, 100);
	rank_apply(&rank, &said);
	assert_int_equal(rank.class, SHAPER_REBALANCE);
	assert_int_equal(rank.weight, 100);
}

static void a_rank_survives(void **state)
{
	(void)state;
	for (uint64_t place = 0; place <= SHAPER_CLASSES; place++) {
		for (uint64_t weight = 0; weight <= SHAPER_WEIGHT_MAX; weight += 50) {
			struct rank rank = rank_of(place, weight), again;
			Snapline__Rank message;

			assert_int_equal(rank_from_message(&again,
						 rank_to_message(&rank, &message)),
				0);
			assert_same_rank(&again, &rank);
		}
	}
}

static void what_is_out_of_range_is_refused(void **state)
{
	static const struct {
		uint32_t class;
		uint32_t weight;
	} wrong[] = {{0, 1}, {3, 1}, {UINT32_MAX, 1}, {1, 0}, {1, 101}, {1, UINT32_MAX}};
	struct rank rank;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		Snapline__Rank message = SNAPLINE__RANK__INIT;

		message.has_class_ = message.has_weight = true;
		message.class_ = wrong[i].class;
		message.weight = wrong[i].weight;
		assert_int_equal(rank_from_message(&rank, &message), -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_said_stays),
		cmocka_unit_test(a_rank_survives),
		cmocka_unit_test(what_is_out_of_range_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
