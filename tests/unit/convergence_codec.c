/* SPDX-License-Identifier: BSD-3-Clause */
/* Convergence on its way to the follower and to the operator. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/transfer_codec.h"

static void how_a_transfer_stands_is_told_to_both_ends(void **state)
{
	const struct transfer_convergence convergence = {
		.verdict = CONVERGENCE_NO,
		.horizon = 12 * SEC,
		.need = NEVER,
		.margin = 0,
		.pinned_bytes = GIB,
		.pinned_entries = 4711,
		.text = "will not converge: log horizon passes in 12.00 s, needs for "
			"ever",
	};
	const struct progress_response response = {
		.has_convergence = true, .convergence = convergence};
	struct transfer_info info = {.has_convergence = true, .convergence = convergence};
	const struct transfer_list list = {.transfers = &info, .count = 1};
	struct progress_response told;
	struct transfer_list listed;
	uint8_t *bytes;
	size_t len;

	(void)state;
	assert_int_equal(progress_response_encode(&response, &bytes, &len), 0);
	assert_int_equal(progress_response_decode(&told, bytes, len), 0);
	free(bytes);
	assert_true(told.has_convergence);
	assert_int_equal(told.convergence.verdict, CONVERGENCE_NO);
	assert_int_equal(told.convergence.horizon, 12 * SEC);
	assert_true(told.convergence.need == NEVER);
	assert_int_equal(told.convergence.margin, 0);
	assert_string_equal(told.convergence.text, convergence.text);
	assert_int_equal(transfer_list_encode(&list, &bytes, &len), 0);
	assert_int_equal(transfer_list_decode(&listed, bytes, len), 0);
	free(bytes);
	assert_int_equal(listed.transfers[0].convergence.pinned_bytes, GIB);
	assert_int_equal(listed.transfers[0].convergence.pinned_entries, 4711);
	transfer_list_fini(&listed);
	/* a verdict that is none: {convergence: {verdict: 4}} */
	assert_int_equal(
		progress_response_decode(&told, (const uint8_t *)"\x12\x02\x08\x04", 4),
		-EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(how_a_transfer_stands_is_told_to_both_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
