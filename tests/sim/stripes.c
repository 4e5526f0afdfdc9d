/* SPDX-License-Identifier: BSD-3-Clause */
/* Both ends have several workers, and the network lays packets on queues as it likes: all
 * of them on the right one, all on the first, or by a hash of the ports. Each story is a
 * seed; a failing one prints it, and SEED=n replays it alone. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/bytes.h"
#include "dataplane/stripes.h"
#include "tests/sim/world/lanes.h"

enum { SENDER, RECEIVER, SEEDS = 10 };

static const struct lanes_options plain = {
	.nqueues = 4,
	.nchunks = 50,
	.delay = 20 * USEC,
	.stall_timeout = 2 * SEC,
};

static uint64_t strays(const struct lanes *lanes, int side)
{
	uint64_t sum = 0;

	for (uint32_t q = 0; q < lanes->options.nqueues; q++)
		sum += atomic_load(&lanes->sides[side].lanes[q].session->counters.strays);
	return sum;
}

static const struct steering *steering(
	const struct lanes *lanes, int side, uint32_t queue)
{
	return &lanes->sides[side].lanes[queue].session->steering;
}

/* Runs to the end; every chunk has arrived, once. */
static struct lanes *arrive(const struct lanes_options *options)
{
	struct lanes *lanes = lanes_create(options);

	if (!lanes_run(lanes, 60 * SEC) || lanes->sides[RECEIVER].code != 0 ||
		lanes->sides[SENDER].code != 0 || !lanes_are_identical(lanes))
		fail_msg("SEED=%llu: sender %d, receiver %d at %lld ns",
			(unsigned long long)options->seed, lanes->sides[SENDER].code,
			lanes->sides[RECEIVER].code, (long long)lanes->now);
	return lanes;
}

static void for_each_seed(void (*story)(uint64_t seed))
{
	const char *only = getenv("SEED");

	if (only != NULL)
		story(strtoull(only, NULL, 10));
	for (uint64_t seed = 1; seed <= SEEDS && only == NULL; seed++)
		story(seed);
}

static void on_their_queues(uint64_t seed)
{
	struct lanes_options options = plain;
	struct lanes *lanes;

	options.seed = seed;
	options.nqueues = seed % 2 == 0 ? 2 : 4;
	lanes = arrive(&options);
	assert_true(strays(lanes, SENDER) + strays(lanes, RECEIVER) == 0);
	for (uint32_t q = 0; q < options.nqueues; q++) {
		const struct session *session = lanes->sides[RECEIVER].lanes[q].session;

		assert_true(session->machine.receiver.bytes_written > 0);
		assert_true(steering(lanes, SENDER, q)->is_settled);
		assert_int_equal(session->nports, 0);
	}
	lanes_destroy(lanes);
}

static void every_stripe_moves_its_share(void **state)
{
	(void)state;
	for_each_seed(on_their_queues);
}

static void through_loss(uint64_t seed)
{
	struct lanes_options options = plain;

	options.seed = seed;
	options.nqueues = seed % 2 == 0 ? 2 : 4;
	options.landing = seed % 3;
	options.loss_ppm = 50000;
	lanes_destroy(arrive(&options));
}

static void loss_is_made_good_in_every_stripe(void **state)
{
	(void)state;
	for_each_seed(through_loss);
}

/* A device without any steering: the first worker hands everything on. */
static void on_the_first_queue(uint64_t seed)
{
	struct lanes_options options = plain;
	struct lanes *lanes;

	options.seed = seed;
	options.landing = LAND_FIRST;
	lanes = arrive(&options);
	assert_true(strays(lanes, RECEIVER) > 0 && strays(lanes, SENDER) > 0);
	for (uint32_t q = 1; q < options.nqueues; q++) {
		/* other ports were tried, and not for ever */
		assert_in_range(steering(lanes, SENDER, q)->ntries, 1, STEERING_TRIES);
		assert_false(steering(lanes, SENDER, q)->is_settled);
	}
	assert_true(steering(lanes, SENDER, 0)->is_settled);
	lanes_destroy(lanes);
}

static void what_comes_to_the_first_queue_is_passed_on(void **state)
{
	(void)state;
	for_each_seed(on_the_first_queue);
}

static void by_hash(uint64_t seed)
{
	struct lanes_options options = plain;
	struct lanes *lanes;
	uint32_t nsettled = 0;
	uint64_t tries = 0;

	options.seed = seed;
	options.landing = LAND_HASH;
	options.nchunks = 200;
	lanes = arrive(&options);
	for (uint32_t q = 0; q < options.nqueues; q++) {
		nsettled += steering(lanes, SENDER, q)->is_settled;
		nsettled += steering(lanes, RECEIVER, q)->is_settled;
		tries += steering(lanes, SENDER, q)->ntries;
	}
	/* a short transfer may be over before all are found */
	assert_true(nsettled >= 3 * options.nqueues / 2);
	/* each try costs what is under way, and no more */
	assert_true(strays(lanes, RECEIVER) <= 2 * tries * LANES_WINDOW);
	lanes_destroy(lanes);
}

static void source_ports_are_tried_until_the_hash_suits(void **state)
{
	(void)state;
	for_each_seed(by_hash);
}

static void one_broken_queue_ends_it_and_is_named(void **state)
{
	struct lanes_options options = plain;
	struct lanes *lanes;

	(void)state;
	options.seed = 1;
	options.broken = 2;
	lanes = lanes_create(&options);
	while (lanes->sides[RECEIVER].code == 0 && lanes->now < 60 * SEC)
		lanes_step(lanes);
	assert_int_equal(lanes->sides[RECEIVER].code, -ETIMEDOUT);
	assert_int_equal(lanes->sides[RECEIVER].failed_stripe, 2);
	assert_int_equal(lanes->sides[RECEIVER].nreports, 1);
	lanes_destroy(lanes);
}

/* Four stripes, three chunks: the last has nothing to do, and its sender never hears the
 * first of its CLOSEs. That must not pass for a peer that has died. */
static void a_stripe_that_is_done_early_is_not_taken_for_dead(void **state)
{
	struct lanes_options options = plain;
	struct lanes *lanes;

	(void)state;
	options.seed = 1;
	options.nchunks = 3;
	options.no_close_until = 3 * SEC / 2;
	options.write_time = 3 * SEC;
	options.stall_timeout = 2 * SEC;
	lanes = arrive(&options);
	assert_true(lanes->now > 2 * options.stall_timeout);
	lanes_destroy(lanes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_stripe_moves_its_share),
		cmocka_unit_test(loss_is_made_good_in_every_stripe),
		cmocka_unit_test(what_comes_to_the_first_queue_is_passed_on),
		cmocka_unit_test(source_ports_are_tried_until_the_hash_suits),
		cmocka_unit_test(one_broken_queue_ends_it_and_is_named),
		cmocka_unit_test(a_stripe_that_is_done_early_is_not_taken_for_dead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
