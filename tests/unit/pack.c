/* SPDX-License-Identifier: BSD-3-Clause */
/* Who waits for whom before the disk is read, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "dataplane/pack.h"

enum { BLOCKS = 16, LEAD = BLOCKS / 2, MEMBERS = 3, FRONT = 0, REAR = 1, OTHER = 2 };

static const struct store_object *const object = (const struct store_object *)1;

struct fixture {
	struct pack pack;
	struct pack_member members[MEMBERS];
	struct pack_room room;
	nsec now;
};

/* Block n holds chunk 10 n. */
static void took(struct fixture *f, int who, uint64_t number, bool was_cached)
{
	pack_took(&f->members[who], &f->room,
		&(struct pack_block){number, (uint32_t)number * 10, was_cached});
}

/* All have taken the first block. */
static int start(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->room = (struct pack_room){.newest = 1, .blocks = BLOCKS};
	f->now = 1 * SEC;
	for (uint32_t i = 0; i < MEMBERS; i++) {
		f->members[i].object = object;
		f->members[i].slice_size = 8192;
		pack_join(&f->pack, &f->members[i]);
		took(f, (int)i, 1, true);
	}
	*state = f;
	return 0;
}

static int end(void **state)
{
	free(*state);
	return 0;
}

/* With nothing else to send. */
static bool may_read(struct fixture *f, int who)
{
	return pack_may_read(&f->pack, &f->members[who], &f->room, true, f->now);
}

static bool read_one(struct fixture *f, int who)
{
	if (!may_read(f, who))
		return false;
	f->room.newest++;
	took(f, who, f->room.newest, false);
	return true;
}

static void take_next(struct fixture *f, int who)
{
	took(f, who, f->members[who].taken + 1, true);
}

static uint32_t run_ahead(struct fixture *f, int who)
{
	uint32_t count = 0;

	while (count < 3 * BLOCKS && read_one(f, who))
		count++;
	return count;
}

/* How long it is held up, asking every 100 us. */
static nsec wait(struct fixture *f, int who)
{
	nsec start = f->now;

	while (!may_read(f, who) && f->now < start + 10 * SEC)
		f->now += 100 * USEC;
	return f->now - start;
}

static void the_one_in_front_waits_for_the_rear(void **state)
{
	struct fixture *f = *state;

	f->members[OTHER].is_away = true;
	assert_int_equal(run_ahead(f, FRONT), LEAD);
	assert_false(may_read(f, FRONT));
	assert_true(may_read(f, REAR)); /* it never waits itself */
	take_next(f, REAR);
	assert_int_equal(run_ahead(f, FRONT), 1);
}

static void all_wait_for_the_slowest(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run_ahead(f, FRONT), LEAD);
	for (uint32_t i = 0; i < LEAD; i++)
		take_next(f, REAR);
	assert_false(may_read(f, FRONT));
	assert_false(may_read(f, REAR));
	take_next(f, OTHER);
	assert_true(may_read(f, FRONT));
	assert_true(may_read(f, REAR));
}

static void other_snapshots_and_slices_are_other_packs(void **state)
{
	struct fixture *f = *state;

	f->members[REAR].object = (const struct store_object *)2;
	f->members[OTHER].slice_size = 1408;
	assert_int_equal(run_ahead(f, FRONT), 3 * BLOCKS);
}

static void who_knows_why_it_takes_nothing_is_not_waited_for(void **state)
{
	struct fixture *f = *state;

	f->members[REAR].is_away = true;
	pack_leave(&f->pack, &f->members[OTHER]);
	pack_leave(&f->pack, &f->members[OTHER]);
	assert_int_equal(run_ahead(f, FRONT), 3 * BLOCKS);
}

static void the_dead_hold_others_up_less_and_less(void **state)
{
	struct fixture *f = *state;
	nsec first;

	f->members[OTHER].is_away = true;
	(void)run_ahead(f, FRONT);
	assert_int_equal(pack_deadline(&f->members[REAR]), NEVER);
	first = wait(f, FRONT);
	assert_in_range(first, 300 * MSEC, 400 * MSEC);
	assert_int_equal(run_ahead(f, FRONT), 3 * BLOCKS);
	/* it lives, but not for long */
	took(f, REAR, f->room.newest, true);
	f->now += 1 * SEC;
	(void)run_ahead(f, FRONT);
	assert_in_range(wait(f, FRONT), 300 * MSEC, 400 * MSEC);
	took(f, REAR, f->room.newest, true);
	f->now += 1 * SEC; /* of two */
	assert_int_equal(run_ahead(f, FRONT), 3 * BLOCKS);
}

/* Takes a block every millisecond where the one in front could in part_us. Returns how
 * many of a thousand it had to read again, for they were gone. */
static uint32_t keep_up(struct fixture *f, nsec part_us)
{
	const struct pack_member *rear = &f->members[REAR];
	nsec next = f->now;
	uint32_t missed = 0;

	for (uint32_t i = 0; i < 1000; i++) {
		nsec until = f->now + 1 * MSEC;

		for (; f->now < until; f->now += 10 * USEC) {
			if (f->now >= next && read_one(f, FRONT))
				next = f->now + part_us * USEC;
		}
		missed += f->room.newest - rear->taken >= BLOCKS;
		took(f, REAR, u64_min(rear->taken + 1, f->room.newest), true);
	}
	return missed;
}

static void three_fifths_of_the_rate_are_enough(void **state)
{
	struct fixture *f = *state;

	f->members[OTHER].is_away = true;
	assert_int_equal(keep_up(f, 650), 0);
}

static void a_third_of_it_is_not(void **state)
{
	struct fixture *f = *state;

	f->members[OTHER].is_away = true;
	assert_true(keep_up(f, 330) > 100);
}

static void who_has_something_to_send_loses_no_time(void **state)
{
	struct fixture *f = *state;

	(void)run_ahead(f, FRONT);
	for (uint32_t i = 0; i < 1000; i++, f->now += 1 * MSEC)
		assert_false(pack_may_read(
			&f->pack, &f->members[FRONT], &f->room, false, f->now));
	assert_int_equal(pack_deadline(&f->members[FRONT]), NEVER);
	assert_false(may_read(f, FRONT));
	assert_true(pack_deadline(&f->members[FRONT]) < f->now + 1 * SEC);
}

/* What it reads is no reason for others to wait, until it has kept up on its own. */
static void who_begins_elsewhere_is_waited_for_when_it_has_come(void **state)
{
	struct fixture *f = *state;

	f->members[OTHER].is_away = true;
	pack_leave(&f->pack, &f->members[REAR]);
	pack_join(&f->pack, &f->members[REAR]);
	assert_true(read_one(f, REAR));
	assert_int_equal(run_ahead(f, FRONT), 3 * BLOCKS);
	took(f, REAR, f->room.newest, true);
	assert_int_equal(run_ahead(f, FRONT), LEAD);
}

static void who_comes_later_is_told_where_the_others_are(void **state)
{
	struct fixture *f = *state;
	uint32_t chunk = 0;

	f->members[OTHER].is_away = true;
	(void)run_ahead(f, FRONT);
	assert_false(pack_find(&f->pack, &f->members[FRONT], f->now, &chunk));
	assert_false(pack_find(&f->pack, &f->members[REAR], f->now, &chunk));
	pack_leave(&f->pack, &f->members[REAR]);
	pack_join(&f->pack, &f->members[REAR]);
	assert_true(pack_find(&f->pack, &f->members[REAR], f->now, &chunk));
	assert_int_equal(chunk, 10 * f->room.newest);
	took(f, REAR, f->room.newest, true); /* there it is */
	assert_false(pack_find(&f->pack, &f->members[REAR], f->now, &chunk));
}

/* Nobody chases those who are not with the pack: two would chase each other. */
static void two_that_come_together_begin_where_they_are(void **state)
{
	struct fixture *f = *state;
	uint32_t chunk;

	pack_leave(&f->pack, &f->members[OTHER]);
	for (int i = FRONT; i <= REAR; i++) {
		pack_leave(&f->pack, &f->members[i]);
		pack_join(&f->pack, &f->members[i]);
	}
	assert_true(read_one(f, FRONT));
	assert_false(pack_find(&f->pack, &f->members[FRONT], f->now, &chunk));
	assert_false(pack_find(&f->pack, &f->members[REAR], f->now, &chunk));
}

static void a_crowd_is_served_all_the_same(void **state)
{
	static struct pack_member crowd[PACK_MEMBERS + 1];
	struct fixture *f = *state;

	for (uint32_t i = 0; i <= PACK_MEMBERS; i++) {
		crowd[i].object = object;
		pack_join(&f->pack, &crowd[i]);
		assert_true(pack_may_read(&f->pack, &crowd[i], &f->room, true, f->now));
	}
	for (uint32_t i = 0; i <= PACK_MEMBERS; i++)
		pack_leave(&f->pack, &crowd[i]);
	assert_int_equal(f->pack.nmembers, MEMBERS);
}

static void alone_is_who_nobody_else_sends_the_same_with(void **state)
{
	struct fixture *f = *state;

	assert_false(pack_is_alone(&f->pack, &f->members[FRONT]));
	pack_leave(&f->pack, &f->members[REAR]);
	assert_false(pack_is_alone(&f->pack, &f->members[FRONT]));
	f->members[OTHER].object = NULL;
	assert_true(pack_is_alone(&f->pack, &f->members[FRONT]));
	f->members[OTHER].object = object;
	f->members[OTHER].slice_size = 1408;
	assert_true(pack_is_alone(&f->pack, &f->members[FRONT]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			the_one_in_front_waits_for_the_rear, start, end),
		cmocka_unit_test_setup_teardown(all_wait_for_the_slowest, start, end),
		cmocka_unit_test_setup_teardown(
			other_snapshots_and_slices_are_other_packs, start, end),
		cmocka_unit_test_setup_teardown(
			who_knows_why_it_takes_nothing_is_not_waited_for, start, end),
		cmocka_unit_test_setup_teardown(
			the_dead_hold_others_up_less_and_less, start, end),
		cmocka_unit_test_setup_teardown(
			three_fifths_of_the_rate_are_enough, start, end),
		cmocka_unit_test_setup_teardown(a_third_of_it_is_not, start, end),
		cmocka_unit_test_setup_teardown(
			who_has_something_to_send_loses_no_time, start, end),
		cmocka_unit_test_setup_teardown(
			who_begins_elsewhere_is_waited_for_when_it_has_come, start, end),
		cmocka_unit_test_setup_teardown(
			who_comes_later_is_told_where_the_others_are, start, end),
		cmocka_unit_test_setup_teardown(
			two_that_come_together_begin_where_they_are, start, end),
		cmocka_unit_test_setup_teardown(
			a_crowd_is_served_all_the_same, start, end),
		cmocka_unit_test_setup_teardown(
			alone_is_who_nobody_else_sends_the_same_with, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
