/* SPDX-License-Identifier: BSD-3-Clause */
/* Packet numbers: 64 bits from 32, each taken once, and the newest reported. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/pn_window.h"

#define SPAN ((uint64_t)1 << 32)

static uint64_t draw(uint64_t *state, uint64_t below)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return (*state >> 33) % below;
}

static void a_number_is_expanded_to_the_nearest(void **state)
{
	static const struct {
		uint64_t next;
		uint32_t low;
		uint64_t expected;
	} cases[] = {
		{0, 0, 0},
		{0, 5, 5},
		/* there is nothing below 0 */
		{0, UINT32_MAX, UINT32_MAX},
		{10, 9, 9},
		/* around the first wrap, either way */
		{SPAN - 1, UINT32_MAX, SPAN - 1},
		{SPAN - 1, 0, SPAN},
		{SPAN - 1, 7, SPAN + 7},
		{SPAN, 0, SPAN},
		{SPAN, UINT32_MAX, SPAN - 1},
		{SPAN + 3, UINT32_MAX - 2, SPAN - 3},
		/* and a later one */
		{7 * SPAN - 2, 1, 7 * SPAN + 1},
		{7 * SPAN + 2, UINT32_MAX, 7 * SPAN - 1},
		/* half a lap away, RFC 9000 prefers the future */
		{SPAN, 0x80000000, SPAN + 0x80000000},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pn_window window = {.next = cases[i].next};

		assert_true(pn_expand(&window, cases[i].low) == cases[i].expected);
	}
}

static void any_near_number_survives_the_wire(void **state)
{
	uint64_t random = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		uint64_t lap = draw(&random, 5) + 1;
		uint64_t next = lap * SPAN + draw(&random, 20000) - 10000;
		uint64_t pn = next + draw(&random, 100000) - 50000;
		struct pn_window window = {.next = next};

		assert_true(pn_expand(&window, (uint32_t)pn) == pn);
	}
}

static void a_number_is_taken_once(void **state)
{
	struct pn_window window;

	(void)state;
	pn_window_init(&window);
	assert_int_equal(pn_window_check(&window, 0), ACCEPTED);
	/* looking is not taking */
	assert_int_equal(pn_window_check(&window, 0), ACCEPTED);
	pn_window_add(&window, 0);
	assert_int_equal(pn_window_check(&window, 0), DUPLICATE);
	pn_window_add(&window, 5);
	assert_int_equal(pn_window_check(&window, 3), ACCEPTED);
	pn_window_add(&window, 3);
	assert_int_equal(pn_window_check(&window, 3), DUPLICATE);
	assert_int_equal(pn_window_check(&window, 4), ACCEPTED);
	assert_true(window.next == 6);
}

static void what_left_the_window_is_stale(void **state)
{
	struct pn_window window;

	(void)state;
	pn_window_init(&window);
	pn_window_add(&window, 0);
	pn_window_add(&window, PN_WINDOW - 1);
	assert_int_equal(pn_window_check(&window, 0), DUPLICATE);
	pn_window_add(&window, PN_WINDOW);
	assert_int_equal(pn_window_check(&window, 0), STALE);
	/* its slot now belongs to PN_WINDOW, its neighbour's to nobody */
	assert_int_equal(pn_window_check(&window, PN_WINDOW), DUPLICATE);
	assert_int_equal(pn_window_check(&window, 1), ACCEPTED);
}

static void a_leap_forgets_the_laps_between(void **state)
{
	static const uint64_t leaps[] = {PN_WINDOW - 1, PN_WINDOW, PN_WINDOW + 1,
		10 * PN_WINDOW, SPAN, 3 * SPAN + 17};

	(void)state;
	for (size_t i = 0; i < sizeof(leaps) / sizeof(leaps[0]); i++) {
		struct pn_window window;

		pn_window_init(&window);
		for (uint64_t pn = 0; pn < 2 * PN_WINDOW; pn++)
			pn_window_add(&window, pn);
		pn_window_add(&window, 2 * PN_WINDOW + leaps[i]);
		for (uint64_t pn = 2 * PN_WINDOW; pn < 2 * PN_WINDOW + leaps[i];
			pn += leaps[i] / 50)
			assert_int_not_equal(pn_window_check(&window, pn), DUPLICATE);
		assert_int_equal(bitmap_count(window.bits, PN_WINDOW),
			leaps[i] >= PN_WINDOW ? 1 : PN_WINDOW - leaps[i]);
	}
}

enum { MODEL = 40000 };

static void check_report(const struct pn_window *window, const bool *seen)
{
	struct wire_ack ack = {0};
	uint64_t newest = window->next - 1;

	memset(ack.bits, 0xff, sizeof(ack.bits));
	pn_window_report(window, &ack);
	assert_int_equal(ack.largest_pn, newest);
	assert_in_range(ack.nbits, 1, WIRE_ACK_BITS);
	assert_int_equal(ack.base_pn + ack.nbits, window->next);
	/* as many as fit in whole words */
	if (newest >= WIRE_ACK_BITS)
		assert_in_range(ack.nbits, WIRE_ACK_BITS - 63, WIRE_ACK_BITS);
	for (uint32_t bit = 0; bit < ack.nbits; bit++)
		assert_int_equal(bitmap_test(ack.bits, bit), seen[ack.base_pn + bit]);
	for (uint32_t bit = ack.nbits; bit % 64 != 0; bit++)
		assert_false(bitmap_test(ack.bits, bit));
}

/* Losses, reordering and gaps over ten laps, against an array of all numbers. */
static void the_window_agrees_with_a_list_of_all_numbers(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 8; seed++) {
		bool *seen = calloc(2 * MODEL, sizeof(*seen));
		struct pn_window window;
		uint64_t random = seed;

		pn_window_init(&window);
		while (window.next < MODEL) {
			uint64_t back = draw(
				&random, window.next + 1 < 6000 ? window.next + 1 : 6000);
			uint64_t pn = draw(&random, 3) == 0
					      ? window.next - back
					      : window.next + draw(&random, 3) / 2;
			enum verdict verdict;

			if (draw(&random, 3000) == 0)
				pn = window.next + draw(&random, 5000);
			verdict = pn_window_check(&window, pn);
			if (pn + PN_WINDOW < window.next)
				assert_int_equal(verdict, STALE);
			else
				assert_int_equal(
					verdict, seen[pn] ? DUPLICATE : ACCEPTED);
			if (verdict != ACCEPTED)
				continue;
			pn_window_add(&window, pn);
			seen[pn] = true;
			if (draw(&random, 16) == 0)
				check_report(&window, seen);
		}
		free(seen);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_is_expanded_to_the_nearest),
		cmocka_unit_test(any_near_number_survives_the_wire),
		cmocka_unit_test(a_number_is_taken_once),
		cmocka_unit_test(what_left_the_window_is_stale),
		cmocka_unit_test(a_leap_forgets_the_laps_between),
		cmocka_unit_test(the_window_agrees_with_a_list_of_all_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
