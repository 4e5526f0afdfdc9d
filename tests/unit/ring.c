/* SPDX-License-Identifier: BSD-3-Clause */
/* A queue between two threads: in order, once, and never more than it holds. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/base/ring.h"

static void it_is_full_after_as_many_as_it_has_slots(void **state)
{
	struct ring ring;
	uint32_t value;

	(void)state;
	assert_int_equal(ring_init(&ring, 4, sizeof(value)), 0);
	assert_true(ring_is_empty(&ring));
	assert_false(ring_take(&ring, &value));
	for (value = 0; value < 4; value++)
		assert_true(ring_put(&ring, &value));
	assert_false(ring_put(&ring, &value));
	assert_false(ring_is_empty(&ring));
	for (uint32_t i = 0; i < 4; i++) {
		assert_true(ring_take(&ring, &value));
		assert_int_equal(value, i);
	}
	assert_false(ring_take(&ring, &value));
	assert_int_equal(value, 3);
	ring_fini(&ring);
}

static void one_slot_is_enough(void **state)
{
	struct ring ring;
	char text[5] = "abcd";

	(void)state;
	assert_int_equal(ring_init(&ring, 1, sizeof(text)), 0);
	for (int i = 0; i < 10; i++) {
		text[0] = (char)('a' + i);
		assert_true(ring_put(&ring, text));
		assert_false(ring_put(&ring, text));
		memset(text, 0, sizeof(text));
		assert_true(ring_take(&ring, text));
		assert_int_equal(text[0], 'a' + i);
	}
	ring_fini(&ring);
}

/* Large elements are written and read where they lie. */
static void an_element_need_not_be_copied(void **state)
{
	struct ring ring;
	uint32_t *slot;

	(void)state;
	assert_int_equal(ring_init(&ring, 2, sizeof(*slot)), 0);
	assert_null(ring_front(&ring));
	for (uint32_t i = 0; i < 2; i++) {
		assert_true(ring_room(&ring) > 0);
		slot = ring_reserve(&ring);
		assert_non_null(slot);
		*slot = i;
		ring_commit(&ring);
	}
	assert_int_equal(ring_room(&ring), 0);
	assert_null(ring_reserve(&ring));
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(*(const uint32_t *)ring_front(&ring), i);
		ring_drop(&ring);
	}
	assert_true(ring_is_empty(&ring));
	ring_fini(&ring);
}

/* The counters run freely and wrap after 2^32 elements. */
static void the_counters_may_wrap(void **state)
{
	struct ring ring;
	uint32_t value;

	(void)state;
	assert_int_equal(ring_init(&ring, 8, sizeof(value)), 0);
	atomic_init(&ring.head, UINT32_MAX - 2);
	atomic_init(&ring.tail, UINT32_MAX - 2);
	for (value = 0; value < 8; value++)
		assert_true(ring_put(&ring, &value));
	assert_false(ring_put(&ring, &value));
	for (uint32_t i = 0; i < 8; i++) {
		assert_true(ring_take(&ring, &value));
		assert_int_equal(value, i);
	}
	assert_true(ring_is_empty(&ring));
	ring_fini(&ring);
}

enum { ELEMENTS = 1000000 };

/* Several words, so that a torn copy shows. */
struct element {
	uint64_t number;
	uint64_t twice;
	uint64_t inverse;
};

static void *write_all(void *arg)
{
	struct ring *ring = arg;

	for (uint64_t i = 0; i < ELEMENTS; i++) {
		const struct element element = {i, 2 * i, ~i};

		while (!ring_put(ring, &element))
			(void)sched_yield();
	}
	return NULL;
}

static void a_million_elements_arrive_in_order(void **state)
{
	struct ring ring;
	pthread_t writer;
	uint64_t next = 0;
	bool sound = true;

	(void)state;
	assert_int_equal(ring_init(&ring, 1024, sizeof(struct element)), 0);
	assert_int_equal(pthread_create(&writer, NULL, write_all, &ring), 0);
	while (next < ELEMENTS) {
		struct element element;

		if (!ring_take(&ring, &element)) {
			(void)sched_yield();
			continue;
		}
		sound &= element.number == next && element.twice == 2 * next &&
			 element.inverse == ~next;
		next++;
	}
	assert_int_equal(pthread_join(writer, NULL), 0);
	assert_true(sound);
	assert_true(ring_is_empty(&ring));
	ring_fini(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_full_after_as_many_as_it_has_slots),
		cmocka_unit_test(one_slot_is_enough),
		cmocka_unit_test(the_counters_may_wrap),
		cmocka_unit_test(a_million_elements_arrive_in_order),
		cmocka_unit_test(an_element_need_not_be_copied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
