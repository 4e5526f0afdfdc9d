/* SPDX-License-Identifier: BSD-3-Clause */
/* The arena hands out every byte it was given once; the pool lends equal buffers. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/units.h"
#include "hugepages/arena.h"
#include "hugepages/pool.h"

enum { MEMORY = 256 << 10 };

static alignas(4096) uint8_t memory[MEMORY];

static void arena_counts_every_byte_and_the_gaps_too(void **state)
{
	struct arena arena;
	void *first, *second;

	(void)state;
	arena_init(&arena, memory, MEMORY);
	assert_int_equal(arena_take(&arena, 10, 1, &first), 0);
	assert_int_equal(arena.used, 10);
	assert_int_equal(arena_take(&arena, 64, 64, &second), 0);
	assert_ptr_equal(first, memory);
	assert_ptr_equal(second, memory + 64);
	assert_int_equal(arena.used, 128);
	assert_int_equal(arena_left(&arena), MEMORY - 128);
}

static void arena_aligns_addresses_even_in_unaligned_memory(void **state)
{
	struct arena arena;
	void *taken;

	(void)state;
	arena_init(&arena, memory + 3, MEMORY - 3);
	assert_int_equal(arena_take(&arena, 100, 4096, &taken), 0);
	assert_int_equal((uintptr_t)taken % 4096, 0);
}

static void arena_gives_zeroed_memory(void **state)
{
	const uint8_t zero[512] = {0};
	struct arena arena;
	void *taken;

	(void)state;
	memset(memory, 0xee, MEMORY);
	arena_init(&arena, memory, MEMORY);
	assert_int_equal(arena_take(&arena, sizeof(zero), 64, &taken), 0);
	assert_memory_equal(taken, zero, sizeof(zero));
}

static void arena_refuses_more_than_is_left_and_takes_nothing(void **state)
{
	struct arena arena;
	void *taken = NULL;

	(void)state;
	arena_init(&arena, memory, 100);
	assert_int_equal(arena_take(&arena, 101, 1, &taken), -ENOSPC);
	assert_int_equal(arena_take(&arena, SIZE_MAX, 64, &taken), -ENOSPC);
	assert_int_equal(arena.used, 0);
	assert_int_equal(arena_take(&arena, 100, 1, &taken), 0);
	/* the next aligned address lies beyond the end */
	assert_int_equal(arena_take(&arena, 0, 4096, &taken), -ENOSPC);
}

static void arena_refuses_an_alignment_that_is_no_power_of_two(void **state)
{
	struct arena arena;
	void *taken;

	(void)state;
	arena_init(&arena, memory, MEMORY);
	assert_int_equal(arena_take(&arena, 8, 24, &taken), -EINVAL);
	assert_int_equal(arena_take(&arena, 8, 0, &taken), -EINVAL);
}

static void pool_lends_each_buffer_once_until_it_comes_back(void **state)
{
	uint8_t *buffers[4];
	struct arena arena;
	struct pool pool;

	(void)state;
	arena_init(&arena, memory, MEMORY);
	assert_int_equal(pool_init(&pool, &arena, 4, 5000), 0);
	for (int i = 0; i < 4; i++) {
		buffers[i] = pool_take(&pool);
		assert_non_null(buffers[i]);
		assert_int_equal((uintptr_t)buffers[i] % POOL_ALIGN, 0);
		memset(buffers[i], i, 5000);
	}
	assert_null(pool_take(&pool));
	assert_int_equal(pool.nfree, 0);
	for (int i = 0; i < 4; i++) /* nobody wrote into a neighbour */
		assert_true(buffers[i][0] == i && buffers[i][4999] == i);
	pool_give(&pool, buffers[2]);
	assert_int_equal(pool.nfree, 1);
	assert_ptr_equal(pool_take(&pool), buffers[2]);
}

static void pool_memory_is_enough_for_the_pool(void **state)
{
	static const struct {
		uint32_t count, size;
	} cases[] = {{1, 1}, {3, 4096}, {7, 4097}, {10, 20000}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t size = pool_memory(cases[i].count, cases[i].size);
		struct arena arena;
		struct pool pool;

		assert_true(size < MEMORY - 1);
		arena_init(&arena, memory + 1, size);
		assert_int_equal(
			pool_init(&pool, &arena, cases[i].count, cases[i].size), 0);
	}
}

static void pool_refuses_what_it_cannot_hold(void **state)
{
	struct arena arena;
	struct pool pool;

	(void)state;
	arena_init(&arena, memory, MEMORY);
	assert_int_equal(pool_init(&pool, &arena, 0, 4096), -EINVAL);
	assert_int_equal(pool_init(&pool, &arena, 1, 0), -EINVAL);
	assert_int_equal(pool_init(&pool, &arena, 1, UINT32_MAX), -EINVAL);
	assert_int_equal(pool_init(&pool, &arena, 65, 4096), -ENOSPC);
	assert_int_equal(pool_init(&pool, &arena, UINT32_MAX, 1 << 30), -ENOSPC);
}

static bool is_read_still(void *ctx, const uint8_t *buffer)
{
	return buffer == *(uint8_t **)ctx;
}

/* A device may read a buffer after its owner has given it back. */
static void a_buffer_that_is_still_read_is_not_handed_out(void **state)
{
	struct arena arena;
	struct pool pool;
	uint8_t *held, *other;

	(void)state;
	arena_init(&arena, memory, MEMORY);
	assert_int_equal(pool_init(&pool, &arena, 2, 4096), 0);
	held = pool_take(&pool);
	other = pool_take(&pool);
	pool_give(&pool, other);
	pool_give(&pool, held); /* the next one by rights */
	pool.holds = (struct pool_holds){is_read_still, &held};
	assert_ptr_equal(pool_take(&pool), other);
	assert_null(pool_take(&pool));
	pool.holds.ctx = &other;
	assert_ptr_equal(pool_take(&pool), held);
}

static void a_limit_holds_for_those_out_already(void **state)
{
	struct arena arena;
	struct pool pool;
	uint8_t *taken[3];

	(void)state;
	arena_init(&arena, memory, MEMORY);
	assert_int_equal(pool_init(&pool, &arena, 4, 4096), 0);
	for (size_t i = 0; i < ARRAY_LEN(taken); i++)
		taken[i] = pool_take(&pool);
	assert_int_equal(pool_room(&pool), 1);
	pool_limit(&pool, 2);
	assert_int_equal(pool_room(&pool), 0);
	assert_null(pool_take(&pool));
	pool_give(&pool, taken[0]);
	assert_null(pool_take(&pool));
	pool_give(&pool, taken[1]);
	assert_int_equal(pool_room(&pool), 1);
	assert_non_null(pool_take(&pool));
	assert_null(pool_take(&pool));
	pool_limit(&pool, 100); /* all */
	assert_int_equal(pool_room(&pool), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arena_counts_every_byte_and_the_gaps_too),
		cmocka_unit_test(arena_aligns_addresses_even_in_unaligned_memory),
		cmocka_unit_test(arena_gives_zeroed_memory),
		cmocka_unit_test(arena_refuses_more_than_is_left_and_takes_nothing),
		cmocka_unit_test(arena_refuses_an_alignment_that_is_no_power_of_two),
		cmocka_unit_test(pool_lends_each_buffer_once_until_it_comes_back),
		cmocka_unit_test(pool_memory_is_enough_for_the_pool),
		cmocka_unit_test(pool_refuses_what_it_cannot_hold),
		cmocka_unit_test(a_buffer_that_is_still_read_is_not_handed_out),
		cmocka_unit_test(a_limit_holds_for_those_out_already),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
