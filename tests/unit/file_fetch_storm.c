/* SPDX-License-Identifier: BSD-3-Clause */
/* Snapshots, leaders and misfortunes drawn from a seed: whatever happens on the way, the
 * chunks that were missing arrive, each once and right. */
#include "tests/unit/file_fetch_world.h"

enum { SEEDS = 300 };

static uint64_t dice;
static struct file_fetch_stats seen; /* of all seeds */

/* 0 to sides - 1. */
static uint32_t roll(uint32_t sides)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (uint32_t)((dice >> 32) % sides);
}

static void make_files(struct world *world)
{
	uint32_t count = roll(12);
	char name[16];

	for (uint32_t i = 0; i < count; i++) {
		uint32_t size = roll(3) == 0 ? roll(3 * CHUNK) : roll(40000);
		uint8_t *bytes = scratch_noise(size, i + 1);
		uint32_t hole = size > 0 ? roll(size) : 0;

		if (roll(2) == 0) /* up to the end, often enough */
			memset(bytes + hole, 0, u32_min(size - hole, roll(2 * CHUNK)));
		(void)snprintf(name, sizeof(name), "%c/%u", 'a' + (char)roll(3), i);
		leader_add(&world->leader, name, bytes, size);
		free(bytes);
	}
	make_manifest(world);
}

/* Makes an answer cover less than it does. */
static void shorten(struct leader *leader, struct fetch_reply *reply)
{
	uint32_t len;

	if (leader->check_hole || reply->attachment.left < FILE_SEGMENT_HEADER + 2)
		return;
	len = 1 + roll((uint32_t)reply->attachment.left - FILE_SEGMENT_HEADER - 1);
	/* the header's length, which follows the offset */
	leader->attachment[8] = (uint8_t)(len >> 24);
	leader->attachment[9] = (uint8_t)(len >> 16);
	leader->attachment[10] = (uint8_t)(len >> 8);
	leader->attachment[11] = (uint8_t)len;
	reply->attachment.left = FILE_SEGMENT_HEADER + (size_t)len;
	reply->read_size = len;
	reply->eof = false;
	/* it had not read further */
	leader->service.is_at_end = false;
}

static void trouble(struct leader *leader, const struct fetch_request *request,
	struct fetch_reply *reply)
{
	static const int codes[] = {EAGAIN, EIO, EHOSTDOWN, 1008, 1009, ENOMEM, -5};

	(void)request;
	leader->rtt = 1 + roll(5) * MSEC; /* answers overtake each other */
	if (reply->code != 0)
		return;
	switch (roll(12)) {
	case 0:
	case 1:
		*reply = (struct fetch_reply){.code = codes[roll(ARRAY_LEN(codes))]};
		break;
	case 2:
	case 3:
		if (!leader->is_old)
			shorten(leader, reply);
		break;
	case 4:
		/* no chunk is given up */
		if (reply->attachment.left > FILE_SEGMENT_HEADER &&
			leader->meddled++ < FILE_FETCH_TRIES - 1)
			leader->attachment[reply->attachment.left - 1] ^= 0x10;
		break;
	default:
		break;
	}
}

static void make_leader(struct world *world, struct throttle_braft *throttle)
{
	const struct throttle_limits limits = {
		.is_enabled = true,
		.bytes_per_s = 1 + roll(50) * MIB,
		.checks_per_s = 1 + roll(50),
	};
	struct leader *leader = &world->leader;

	leader->meddle = trouble;
	leader->check_hole = roll(2) == 0;
	leader->is_old = roll(4) == 0;
	world->options.depth = roll(2) == 0 ? 0 : roll(9);
	if (world->options.depth > 0) {
		leader->service.is_any_order = true;
		leader->service.max_reads = 1 + roll(9);
	}
	throttle_braft_init(throttle, &limits, leader->now);
	if (limits.bytes_per_s > MIB && roll(3) == 0)
		leader->throttle = &throttle->port;
	else if (limits.bytes_per_s > MIB && roll(3) == 0)
		world->policy.throttle = &throttle->port;
	world->policy.max_count = 1 + roll(200000);
	if (world->policy.max_count < 2000) /* in good time */
		world->policy.max_count += 2000;
	world->policy.max_retry = UINT32_MAX;
}

static void weather_one(uint64_t seed)
{
	struct throttle_braft throttle;
	struct world *world;
	uint64_t *have;
	void *state;

	dice = seed * 0x9e3779b97f4a7c15u + 1;
	assert_int_equal(set_up(&state), 0);
	world = state;
	make_files(world);
	make_leader(world, &throttle);
	have = calloc(BITMAP_WORDS(world->manifest.nchunks) + 1, sizeof(*have));
	assert_non_null(have);
	for (uint32_t i = 0; i < world->manifest.nchunks; i++)
		if (roll(3) == 0)
			bitmap_set(have, i);
	world->options.have = have;
	run(world);
	if (world->fetch.state != FETCH_DONE)
		fail_msg("seed %llu: %s", (unsigned long long)seed,
			world->fetch.fault.text);
	expect_done(world);
	assert_int_equal(world->leader.service.nreads, 0);
	seen.calls += world->fetch.stats.calls;
	seen.refusals += world->fetch.stats.refusals;
	seen.bytes_done += world->fetch.stats.bytes_done;
	seen.bytes_resent += world->fetch.stats.bytes_resent;
	free(have);
	assert_int_equal(tear_down(&state), 0);
}

static void every_seed_arrives(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		weather_one(seed);
	print_message(
		"%d seeds, %llu calls, %llu refused, %llu bytes, %llu fetched again\n",
		SEEDS, (unsigned long long)seen.calls, (unsigned long long)seen.refusals,
		(unsigned long long)seen.bytes_done,
		(unsigned long long)seen.bytes_resent);
	assert_true(seen.refusals > 1000 && seen.bytes_resent > MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_seed_arrives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
