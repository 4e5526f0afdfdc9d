/* SPDX-License-Identifier: BSD-3-Clause */
/* Eight flows and one bottleneck, in virtual time: many leaders to one follower's card,
 * one leader's card to many followers. The link is full, its queue short, and everyone
 * gets a fair share, whoever came first. SEED=n replays one seed, SEEDS=n runs more.
 *
 * With frames of 1500 bytes: swift's window does not go below two packets, and eight
 * flows of 8 KiB slices would fill this link with that already. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/sim/world/world.h"

#define GBIT ((uint64_t)1000000000)
#define CONVERGE (40 * MSEC)
#define SPAN (120 * MSEC)      /* windows swing for some hundred round trips */
#define QUEUE_MAX (100 * USEC) /* the round trip */

enum { FLOWS = WORLD_SESSIONS, BUFFERS = 64 };

/* Never done while it is measured. */
static const uint64_t size = 64 * MIB;

static struct world_options bottleneck(uint64_t seed, bool is_incast)
{
	return (struct world_options){
		.seed = seed,
		.link = {.delay = 50 * USEC,
			.jitter = (nsec)(seed % 3) * USEC,
			.rate_bps = 10 * GBIT,
			.queue = 4 * MIB},
		.slice_size = 1408,
		.chunk_size = MANIFEST_CHUNK_MIN,
		.buffers = BUFFERS,
		.sizes = &size,
		.nfiles = 1,
		.stall_timeout = 5 * SEC,
		.disk_delay = 20 * USEC,
		.cc = CC_SWIFT,
		.window = INFLIGHT_WINDOW_MAX,
		.nsenders = is_incast ? FLOWS : 0,
		.nreceivers = is_incast ? 0 : FLOWS,
		.uplink = !is_incast,
		.discards = true,
		.starts_later = true,
	};
}

struct measure {
	uint32_t percent; /* of the link's capacity used */
	nsec p99;         /* in the queue */
	uint64_t dropped;
	double jain;
};

static struct link_pipe *queue_of(struct world *world)
{
	return world->options.uplink ? &world->uplink : &world->pipes[1];
}

static struct sender *sender_of(struct world *world, uint32_t which)
{
	return &world_sender(world, which)->sessions[which]->machine.sender;
}

static void run_for(struct world *world, nsec span)
{
	nsec until = world->now + span;

	while (world->now < until)
		world_step(world);
}

static struct measure measure(struct world *world, nsec span)
{
	struct link_pipe *pipe = queue_of(world);
	uint64_t accepted = pipe->accepted, dropped = pipe->dropped;
	uint64_t sent[FLOWS];
	nsec start = world->now;
	double sum = 0, squares = 0;
	uint64_t could;

	for (uint32_t i = 0; i < FLOWS; i++)
		sent[i] = sender_of(world, i)->sent_units;
	link_forget_delays(pipe);
	run_for(world, span);
	for (uint32_t i = 0; i < FLOWS; i++) {
		double share = (double)(sender_of(world, i)->sent_units - sent[i]);

		sum += share;
		squares += share * share;
	}
	could = world->options.link.rate_bps / 8000000 * (uint64_t)(world->now - start) /
		1000;
	return (struct measure){
		.percent = (uint32_t)((pipe->accepted - accepted) * 100 / could),
		.p99 = link_delay_percentile(pipe, 99) * USEC,
		.dropped = pipe->dropped - dropped,
		.jain = sum * sum / (FLOWS * squares),
	};
}

/* What all seeds of a story gave. */
struct result {
	const char *name;
	uint64_t seeds;
	uint32_t least_percent;
	nsec worst_p99;
	uint64_t dropped;
	double jain, worst_jain;
};

static void note(struct result *result, const struct measure *m)
{
	if (result->seeds++ == 0)
		result->least_percent = 100;
	if (result->seeds == 1)
		result->worst_jain = 1;
	result->least_percent = u32_min(result->least_percent, m->percent);
	result->worst_p99 = nsec_max(result->worst_p99, m->p99);
	result->dropped += m->dropped;
	result->jain += m->jain;
	result->worst_jain = m->jain < result->worst_jain ? m->jain : result->worst_jain;
}

static void conclude(const struct result *result)
{
	double jain = result->jain / (double)result->seeds;

	print_message("table: %-38s %3llu runs  %3u %% used  queue p99 %3.0f us  Jain "
		      "%.3f, worst %.3f\n",
		result->name, (unsigned long long)result->seeds, result->least_percent,
		(double)result->worst_p99 / 1e3, jain, result->worst_jain);
	assert_true(result->least_percent >= 95);
	assert_true(result->worst_p99 <= QUEUE_MAX);
	assert_int_equal(result->dropped, 0);
	assert_true(result->worst_jain >= 0.95);
	assert_true(jain >= 0.98);
}

static void each_seed(
	const char *name, void (*tell)(uint64_t seed, struct result *result))
{
	const char *only = getenv("SEED");
	const char *many = getenv("SEEDS");
	uint64_t first = only != NULL ? strtoull(only, NULL, 10) : 1;
	uint64_t count = many != NULL ? strtoull(many, NULL, 10) / 100 + 1 : 1;
	struct result result = {.name = name};

	for (uint64_t seed = first; seed < first + (only != NULL ? 1 : count); seed++)
		tell(seed, &result);
	conclude(&result);
}

static void start(struct world *world, uint32_t first, uint32_t count)
{
	for (uint32_t i = first; i < first + count; i++)
		world_start(world, i);
}

static void all_at_once(struct world_options *options, struct result *result)
{
	struct world *world = world_create(options);
	struct measure found;

	start(world, 0, FLOWS);
	run_for(world, CONVERGE);
	found = measure(world, SPAN);
	note(result, &found);
	world_destroy(world);
}

static void tell_incast(uint64_t seed, struct result *result)
{
	struct world_options options = bottleneck(seed, true);

	all_at_once(&options, result);
}

static void tell_incast_marked(uint64_t seed, struct result *result)
{
	struct world_options options = bottleneck(seed, true);

	options.link.mark = 64 * KIB;
	options.link.queue = 1 * MIB;
	all_at_once(&options, result);
}

static void tell_fan_out(uint64_t seed, struct result *result)
{
	struct world_options options = bottleneck(seed, false);

	all_at_once(&options, result);
}

static void tell_latecomers(uint64_t seed, struct result *result)
{
	struct world_options options = bottleneck(seed, seed % 2 == 0);
	struct world *world = world_create(&options);
	struct measure found;

	start(world, 0, FLOWS / 2);
	run_for(world, 15 * MSEC);
	start(world, FLOWS / 2, FLOWS / 2);
	run_for(world, CONVERGE);
	found = measure(world, SPAN);
	note(result, &found);
	world_destroy(world);
}

static void tell_half(uint64_t seed, struct result *result)
{
	struct world_options options = bottleneck(seed, true);
	struct world *world = world_create(&options);
	struct measure found;

	start(world, 0, FLOWS);
	run_for(world, 15 * MSEC);
	world->options.link.rate_bps /= 2;
	run_for(world, CONVERGE);
	found = measure(world, SPAN);
	note(result, &found);
	world->options.link.rate_bps *= 2;
	run_for(world, CONVERGE);
	found = measure(world, SPAN);
	note(result, &found);
	world_destroy(world);
}

static void eight_leaders_share_a_followers_card(void **state)
{
	(void)state;
	each_seed("eight to one", tell_incast);
	each_seed("eight to one, marks from 64 KiB", tell_incast_marked);
}

static void eight_followers_share_a_leaders_card(void **state)
{
	(void)state;
	each_seed("one to eight", tell_fan_out);
}

static void who_comes_late_gets_a_share(void **state)
{
	(void)state;
	each_seed("four, and four more", tell_latecomers);
}

static void all_follow_when_half_the_rate_goes_and_comes(void **state)
{
	(void)state;
	each_seed("eight to one, half the rate and back", tell_half);
}

/* ---- and the follower's buffers ---------------------------------------------------- */

static uint32_t held_by(struct world *world, uint32_t which)
{
	const struct receiver *receiver =
		&world_receiver(world, which)->sessions[which]->machine.receiver;

	return receiver->nopen + receiver->nwriting;
}

/* With a slow disk all buffers are in use: who came first gives up what is not its. */
static void no_session_keeps_the_buffers_of_the_others(void **state)
{
	enum { SHARE = BUFFERS / FLOWS };
	struct world_options options = bottleneck(1, true);
	struct world *world;

	(void)state;
	options.write_rate = 100 * MIB;
	world = world_create(&options);
	start(world, 0, 1);
	run_for(world, 20 * MSEC);
	assert_int_equal(held_by(world, 0), BUFFERS / 2);
	start(world, 1, FLOWS - 1);
	run_for(world, 300 * MSEC);
	for (uint32_t i = 0; i < FLOWS; i++)
		assert_in_range(held_by(world, i), SHARE - 1, SHARE);
	for (uint32_t i = 1; i < FLOWS; i++)
		world_stop(world, i);
	run_for(world, 20 * MSEC);
	assert_int_equal(held_by(world, 0), BUFFERS / 2);
	world_destroy(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(eight_leaders_share_a_followers_card),
		cmocka_unit_test(eight_followers_share_a_leaders_card),
		cmocka_unit_test(who_comes_late_gets_a_share),
		cmocka_unit_test(no_session_keeps_the_buffers_of_the_others),
		cmocka_unit_test(all_follow_when_half_the_rate_goes_and_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
