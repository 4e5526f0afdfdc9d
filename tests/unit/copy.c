/* SPDX-License-Identifier: BSD-3-Clause */
/* A copy past the caches is a copy: every length, from any address, and not one byte
 * more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdalign.h>
#include <string.h>

#include "dataplane/base/copy.h"

enum { LEN_MAX = 5 * COPY_ALIGN, SHIFTS = 17, CANARY = 0xa5 };

static void any_length_from_any_address(void **state)
{
	alignas(COPY_ALIGN) static uint8_t to[LEN_MAX + COPY_ALIGN];
	static uint8_t from[LEN_MAX + SHIFTS];

	(void)state;
	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = (uint8_t)(i * 7 + 1);
	for (size_t shift = 0; shift < SHIFTS; shift++) {
		for (size_t len = 0; len <= LEN_MAX; len++) {
			memset(to, CANARY, sizeof(to));
			copy_past_cache(to, from + shift, len);
			copy_publish();
			assert_memory_equal(to, from + shift, len);
			for (size_t i = len; i < sizeof(to); i++)
				assert_int_equal(to[i], CANARY);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_length_from_any_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
