/* SPDX-License-Identifier: BSD-3-Clause */
/* One disk read serves everybody, memory is bounded, and no buffer is ever lost. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/cache.h"
#include "hugepages/pool.h"

enum { BLOCKS = 4, SIZE = 4096, SLICE = 1024 };

struct fixture {
	struct arena arena;
	struct pool pool;
	struct cache cache;
	void *memory;
};

static struct store_object *const one = (struct store_object *)1;
static struct store_object *const two = (struct store_object *)2;

static int start(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	size_t memory = pool_memory(BLOCKS, SIZE);

	f->memory = malloc(memory);
	arena_init(&f->arena, f->memory, memory);
	assert_int_equal(pool_init(&f->pool, &f->arena, BLOCKS, SIZE), 0);
	assert_int_equal(cache_init(&f->cache, &f->pool, BLOCKS, false), 0);
	*state = f;
	return 0;
}

static int end(void **state)
{
	struct fixture *f = *state;

	cache_fini(&f->cache);
	free(f->memory);
	free(f);
	return 0;
}

static struct block *get(struct fixture *f, struct store_object *object, uint32_t chunk)
{
	return cache_get(&f->cache, object, chunk, SLICE, false);
}

static uint64_t submit(struct fixture *f)
{
	struct store_request request;

	assert_true(cache_next_load(&f->cache, &request));
	assert_int_equal(request.op, STORE_READ);
	assert_non_null(request.buf);
	assert_non_null(request.slice_crc);
	cache_mark_loading(&f->cache, &request);
	return request.cookie;
}

static void complete(struct fixture *f, uint64_t cookie, int error)
{
	const struct store_completion completion = {.cookie = cookie, .error = error};

	cache_on_loaded(&f->cache, &completion);
}

static struct block *load(struct fixture *f, struct store_object *object, uint32_t chunk)
{
	struct block *block = get(f, object, chunk);

	assert_non_null(block);
	complete(f, submit(f), 0);
	assert_int_equal(block->state, BLOCK_READY);
	return block;
}

static void two_sessions_share_one_read(void **state)
{
	struct fixture *f = *state;
	struct block *first = get(f, one, 7);
	struct block *second = get(f, one, 7);
	struct store_request request;

	assert_ptr_equal(first, second);
	assert_int_equal(first->state, BLOCK_QUEUED);
	assert_int_equal(first->refs, 2);
	complete(f, submit(f), 0);
	assert_false(cache_next_load(&f->cache, &request));
	assert_ptr_equal(get(f, one, 7), first);
	assert_true(f->cache.reads == 1);
}

static void other_objects_chunks_and_slices_are_other_blocks(void **state)
{
	struct fixture *f = *state;
	struct block *block = load(f, one, 7);

	assert_ptr_not_equal(get(f, two, 7), block);
	assert_ptr_not_equal(get(f, one, 8), block);
	assert_ptr_not_equal(cache_get(&f->cache, one, 7, 2 * SLICE, false), block);
	assert_int_equal(f->pool.nfree, 0);
}

/* A request that the store did not take is offered again. */
static void a_read_stays_queued_until_the_store_took_it(void **state)
{
	struct fixture *f = *state;
	struct store_request first, again;

	(void)get(f, one, 1);
	assert_true(cache_next_load(&f->cache, &first));
	assert_true(cache_next_load(&f->cache, &again));
	assert_true(first.cookie == again.cookie);
	assert_int_equal(first.chunk, 1);
	assert_ptr_equal(first.object, one);
	assert_int_equal(first.slice_size, SLICE);
	cache_mark_loading(&f->cache, &first);
	assert_false(cache_next_load(&f->cache, &again));
}

static void what_nobody_uses_stays_until_memory_is_short(void **state)
{
	struct fixture *f = *state;
	struct block *block = load(f, one, 1);

	cache_put(&f->cache, block);
	assert_int_equal(f->pool.nfree, BLOCKS - 1);
	assert_ptr_equal(get(f, one, 1), block);
	assert_int_equal(block->state, BLOCK_READY);
	assert_true(f->cache.reads == 1);
}

static void the_one_read_first_makes_room(void **state)
{
	struct fixture *f = *state;
	struct block *blocks[BLOCKS];

	for (uint32_t i = 0; i < BLOCKS; i++)
		blocks[i] = load(f, one, i);
	for (uint32_t i = 0; i < BLOCKS; i++)
		cache_put(&f->cache, blocks[i]);
	cache_put(&f->cache, get(f, one, 0)); /* used again, but by whom else? */
	(void)get(f, one, 9);
	assert_int_equal(blocks[0]->chunk, 9);
	assert_false(cache_has(&f->cache, one, 0, SLICE));
	assert_true(cache_has(&f->cache, one, 1, SLICE));
	assert_ptr_equal(get(f, one, 1), blocks[1]);
	assert_int_equal(blocks[1]->state, BLOCK_READY);
}

static void a_copy_of_what_is_in_memory_goes_with_the_last_who_wants_it(void **state)
{
	struct fixture *f = *state;
	struct block *block = get(f, one, 7);
	struct block *shared = get(f, one, 7);
	const struct store_completion copied = {.cookie = submit(f), .from_memory = true};

	cache_on_loaded(&f->cache, &copied);
	cache_put_last(&f->cache, shared);
	assert_true(cache_has(&f->cache, one, 7, SLICE));
	cache_put_last(&f->cache, block);
	assert_false(cache_has(&f->cache, one, 7, SLICE));
	assert_int_equal(f->pool.nfree, BLOCKS);
	cache_put_last(&f->cache, load(f, one, 8)); /* from a disk */
	assert_true(cache_has(&f->cache, one, 8, SLICE));
}

static void blocks_in_use_are_never_taken_away(void **state)
{
	struct fixture *f = *state;
	struct block *kept = load(f, one, 0);

	for (uint32_t i = 1; i < BLOCKS; i++)
		assert_non_null(get(f, one, i));
	assert_null(get(f, one, BLOCKS));
	assert_null(cache_get(&f->cache, one, 0, 2 * SLICE, false));
	assert_false(cache_reclaim(&f->cache));
	assert_int_equal(kept->chunk, 0);
	cache_put(&f->cache, kept);
	assert_non_null(get(f, one, BLOCKS));
}

/* The buffers may be with a receiver instead. */
static void an_empty_pool_gives_no_block(void **state)
{
	struct fixture *f = *state;
	uint8_t *taken[BLOCKS];
	struct store_request request;

	for (int i = 0; i < BLOCKS; i++)
		taken[i] = pool_take(&f->pool);
	assert_null(get(f, one, 0));
	assert_false(cache_next_load(&f->cache, &request));
	pool_give(&f->pool, taken[0]);
	assert_non_null(get(f, one, 0));
	assert_int_equal(f->pool.nfree, 0);
}

/* A tuner tries what fewer would do: the oldest blocks go until there are so few. */
static void a_limited_pool_makes_a_smaller_cache(void **state)
{
	struct fixture *f = *state;

	for (uint32_t chunk = 0; chunk < BLOCKS; chunk++)
		cache_put(&f->cache, load(f, one, chunk));
	pool_limit(&f->pool, 2);
	assert_non_null(get(f, one, BLOCKS));
	assert_int_equal(f->cache.nused, 2);
	assert_int_equal(cache_room(&f->cache).blocks, 2);
	assert_true(cache_has(&f->cache, one, BLOCKS - 1, SLICE));
	assert_false(cache_has(&f->cache, one, BLOCKS - 2, SLICE));
}

static bool is_read_still(void *ctx, const uint8_t *buffer)
{
	const uint8_t *const *held = ctx;

	return buffer == held[0] || buffer == held[1];
}

/* A device that is slow to let go of the last frames it was given. */
static void a_buffer_the_device_still_reads_makes_no_room(void **state)
{
	struct fixture *f = *state;
	const uint8_t *held[2], *third;
	struct block *blocks[BLOCKS];

	for (uint32_t i = 0; i < BLOCKS; i++) {
		blocks[i] = load(f, one, i);
		cache_put(&f->cache, blocks[i]);
	}
	held[0] = blocks[0]->buf;
	held[1] = blocks[1]->buf;
	third = blocks[2]->buf;
	f->pool.holds = (struct pool_holds){is_read_still, held};
	assert_ptr_equal(get(f, two, 0)->buf, third);
	assert_non_null(get(f, two, 1)->buf);
	assert_null(get(f, two, 2));
	held[1] = NULL;
	assert_non_null(get(f, two, 2)->buf);
}

static void reclaiming_gives_one_buffer_back(void **state)
{
	struct fixture *f = *state;

	cache_put(&f->cache, load(f, one, 0));
	cache_put(&f->cache, load(f, one, 1));
	assert_true(cache_reclaim(&f->cache));
	assert_int_equal(f->pool.nfree, BLOCKS - 1);
	assert_true(cache_reclaim(&f->cache));
	assert_false(cache_reclaim(&f->cache));
	assert_int_equal(f->pool.nfree, BLOCKS);
}

/* What is being read belongs to the store, though nobody waits for it any more. */
static void a_read_under_way_is_not_reclaimed(void **state)
{
	struct fixture *f = *state;
	struct block *block = get(f, one, 0);
	uint64_t cookie = submit(f);

	cache_put(&f->cache, block);
	assert_false(cache_reclaim(&f->cache));
	complete(f, cookie, 0);
	assert_true(cache_reclaim(&f->cache));
}

static void a_refresh_reads_again_and_leaves_the_old_to_its_users(void **state)
{
	struct fixture *f = *state;
	struct block *old = load(f, one, 0);
	struct block *fresh = cache_get(&f->cache, one, 0, SLICE, true);

	assert_non_null(fresh);
	assert_ptr_not_equal(fresh, old);
	assert_int_equal(old->state, BLOCK_READY);
	assert_ptr_equal(get(f, one, 0), fresh);
	cache_put(&f->cache, old); /* nobody will want it again */
	assert_int_equal(old->state, BLOCK_FREE);
	assert_int_equal(f->pool.nfree, BLOCKS - 1);
	complete(f, submit(f), 0);
	assert_true(f->cache.reads == 2);
}

static void a_refresh_of_an_idle_block_replaces_it_at_once(void **state)
{
	struct fixture *f = *state;

	cache_put(&f->cache, load(f, one, 0));
	assert_int_equal(cache_get(&f->cache, one, 0, SLICE, true)->state, BLOCK_QUEUED);
	assert_int_equal(f->pool.nfree, BLOCKS - 1);
}

static void a_refresh_during_a_read_waits_for_a_later_one(void **state)
{
	struct fixture *f = *state;
	struct block *old = get(f, one, 0);
	uint64_t cookie = submit(f);
	struct block *fresh = cache_get(&f->cache, one, 0, SLICE, true);

	assert_ptr_not_equal(fresh, old);
	cache_put(&f->cache, old);
	complete(f, cookie, 0); /* replaced, unused: gone as it arrives */
	assert_int_equal(old->state, BLOCK_FREE);
	assert_int_equal(fresh->state, BLOCK_QUEUED);
}

static void a_failed_read_is_told_and_not_kept(void **state)
{
	struct fixture *f = *state;
	struct block *block = get(f, one, 0);
	struct block *again;

	complete(f, submit(f), -EIO);
	assert_int_equal(block->state, BLOCK_FAILED);
	assert_int_equal(block->error, -EIO);
	again = get(f, one, 0); /* a new request tries again */
	assert_ptr_not_equal(again, block);
	assert_int_equal(again->error, 0);
	cache_put(&f->cache, block);
	assert_int_equal(f->pool.nfree, BLOCKS - 1);
	complete(f, submit(f), 0);
	assert_int_equal(again->state, BLOCK_READY);
}

static void a_failed_read_that_nobody_awaits_frees_itself(void **state)
{
	struct fixture *f = *state;
	struct block *block = get(f, one, 0);
	uint64_t cookie = submit(f);

	cache_put(&f->cache, block);
	complete(f, cookie, -EIO);
	assert_int_equal(f->pool.nfree, BLOCKS);
}

static void forgetting_drops_one_object_and_waits_for_its_reads(void **state)
{
	struct fixture *f = *state;
	struct block *queued;
	struct block *loading;
	struct block *others = load(f, two, 0);
	struct store_request request;
	uint64_t cookie;

	cache_put(&f->cache, load(f, one, 0));
	loading = get(f, one, 1);
	cookie = submit(f);
	queued = get(f, one, 2);
	cache_put(&f->cache, loading);
	cache_put(&f->cache, queued);
	assert_false(cache_forget(&f->cache, one));
	assert_int_equal(f->pool.nfree, BLOCKS - 2);
	assert_false(cache_next_load(&f->cache, &request));
	complete(f, cookie, 0);
	assert_true(cache_forget(&f->cache, one));
	assert_int_equal(f->pool.nfree, BLOCKS - 1);
	assert_int_equal(others->state, BLOCK_READY);
	assert_true(cache_forget(&f->cache, one));
}

/* A new object may get the address of the old one. */
static void a_forgotten_object_leaves_nothing_to_a_namesake(void **state)
{
	struct fixture *f = *state;

	cache_put(&f->cache, load(f, one, 0));
	assert_true(cache_forget(&f->cache, one));
	assert_int_equal(get(f, one, 0)->state, BLOCK_QUEUED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(two_sessions_share_one_read, start, end),
		cmocka_unit_test_setup_teardown(
			other_objects_chunks_and_slices_are_other_blocks, start, end),
		cmocka_unit_test_setup_teardown(
			a_read_stays_queued_until_the_store_took_it, start, end),
		cmocka_unit_test_setup_teardown(
			what_nobody_uses_stays_until_memory_is_short, start, end),
		cmocka_unit_test_setup_teardown(
			the_one_read_first_makes_room, start, end),
		cmocka_unit_test_setup_teardown(
			a_copy_of_what_is_in_memory_goes_with_the_last_who_wants_it,
			start, end),
		cmocka_unit_test_setup_teardown(
			blocks_in_use_are_never_taken_away, start, end),
		cmocka_unit_test_setup_teardown(an_empty_pool_gives_no_block, start, end),
		cmocka_unit_test_setup_teardown(
			a_limited_pool_makes_a_smaller_cache, start, end),
		cmocka_unit_test_setup_teardown(
			a_buffer_the_device_still_reads_makes_no_room, start, end),
		cmocka_unit_test_setup_teardown(
			reclaiming_gives_one_buffer_back, start, end),
		cmocka_unit_test_setup_teardown(
			a_read_under_way_is_not_reclaimed, start, end),
		cmocka_unit_test_setup_teardown(
			a_refresh_reads_again_and_leaves_the_old_to_its_users, start,
			end),
		cmocka_unit_test_setup_teardown(
			a_refresh_of_an_idle_block_replaces_it_at_once, start, end),
		cmocka_unit_test_setup_teardown(
			a_refresh_during_a_read_waits_for_a_later_one, start, end),
		cmocka_unit_test_setup_teardown(
			a_failed_read_is_told_and_not_kept, start, end),
		cmocka_unit_test_setup_teardown(
			a_failed_read_that_nobody_awaits_frees_itself, start, end),
		cmocka_unit_test_setup_teardown(
			forgetting_drops_one_object_and_waits_for_its_reads, start, end),
		cmocka_unit_test_setup_teardown(
			a_forgotten_object_leaves_nothing_to_a_namesake, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
