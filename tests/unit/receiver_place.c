/* SPDX-License-Identifier: BSD-3-Clause */
/* The order of what a receiver asks for, when the sender says where others are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/receiver_world.h"

static struct wire_header place_of(uint32_t chunk)
{
	return (struct wire_header){
		.type = WIRE_PROBE_ACK, .flags = WIRE_PACK, .chunk = chunk};
}

/* It asks for two, in case others are elsewhere, and then for all that is behind them;
 * what it has jumped over comes last. */
static void it_begins_where_others_are(void **state)
{
	struct fixture *f = *state;
	const struct wire_header place = place_of(CHUNKS - 3);
	struct wire_pull pull;

	f->config.first_chunks = 2;
	f->config.max_chunks = 8;
	receiver_init(&f->receiver, &f->config, 0);
	pull = next_pull(f, 0);
	assert_int_equal(pull.nruns, 1);
	assert_int_equal(pull.runs[0].count, 2);
	assert_int_equal(f->packet.header.flags & WIRE_ACK_NOW, WIRE_ACK_NOW);
	assert_int_equal(receiver_on_sign(&f->receiver, &place, 1), ACCEPTED);
	assert_int_equal(receiver_on_sign(&f->receiver, &place, 1), ACCEPTED);
	pull = next_pull(f, 1);
	assert_int_equal(pull.nruns, 3);
	assert_int_equal(pull.runs[1].first, CHUNKS - 3);
	assert_int_equal(pull.runs[1].count, 3);
	assert_int_equal(pull.runs[2].first, 2);
	assert_int_equal(pull.runs[2].count, 3);
}

static void a_place_beyond_the_snapshot_is_refused(void **state)
{
	struct fixture *f = *state;
	const struct wire_header beyond = place_of(CHUNKS);

	assert_int_equal(receiver_on_sign(&f->receiver, &beyond, 1), CORRUPT);
	assert_int_equal(next_pull(f, 1).runs[0].first, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_begins_where_others_are, start, end),
		cmocka_unit_test_setup_teardown(
			a_place_beyond_the_snapshot_is_refused, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
