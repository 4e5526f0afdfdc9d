/* SPDX-License-Identifier: BSD-3-Clause */
/* The same snapshot in every kind of frame: IPv4 and IPv6, each MTU, with and without a
 * tag, its checksum left out, made by us or by the NIC. Slices lie in a chunk buffer and
 * are gathered behind their headers, all else goes in one piece: both are summed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/sim/world/world.h"

/* Some slices have odd lengths. */
static const uint64_t sizes[] = {2 * MANIFEST_CHUNK_MIN + 12345, 1, 777};

static const struct {
	uint32_t mtu;
	uint32_t slice; /* bytes, of either family */
} links[] = {
	{1280, 1152},
	{1500, 1408},
	{4096, 3968},
	{9000, 8192},
};

static struct world_options story(uint32_t mtu, bool is_ipv6, enum ether_sum sum)
{
	return (struct world_options){
		.seed = mtu + is_ipv6,
		.link = {.delay = 20 * USEC, .jitter = 5 * USEC, .loss_ppm = 10000},
		.slice_size =
			wire_slice_size(mtu, is_ipv6 ? ETHER_IPV6_LEN : ETHER_IPV4_LEN),
		.chunk_size = MANIFEST_CHUNK_MIN,
		.buffers = 8,
		.sizes = sizes,
		.nfiles = ARRAY_LEN(sizes),
		.stall_timeout = 2 * SEC,
		.disk_delay = 200 * USEC,
		.mtu = mtu,
		.is_ipv6 = is_ipv6,
		.sum = sum,
	};
}

static uint64_t count_bad(const struct world *world)
{
	uint64_t bad = 0;

	for (int i = 0; i < 2; i++)
		bad += world->ends[i].worker.frames_bad +
		       world->ends[i].session->counters.packets_bad;
	return bad;
}

static void tell(const struct world_options *options)
{
	struct world *world = world_create(options);
	uint32_t link_len = options->vlan == 0 ? 14 : 18;

	if (!world_run_until_end(world, world->now + 20 * SEC) ||
		!world_is_identical(world) || world->ends[1].last.code != 0 ||
		count_bad(world) != 0 || world->longest > options->mtu + link_len)
		fail_msg("IPv%d, MTU %u, VLAN %u, sum %d: code %d, %llu bad, longest %u",
			options->is_ipv6 ? 6 : 4, options->mtu, options->vlan,
			(int)options->sum, world->ends[1].last.code,
			(unsigned long long)count_bad(world), world->longest);
	world_destroy(world);
}

static void a_snapshot_arrives_in_frames_of_every_kind(void **state)
{
	static const enum ether_sum sums[] = {
		ETHER_SUM_ZERO, ETHER_SUM_SOFT, ETHER_SUM_NIC};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(links); i++) {
		for (size_t kind = 0; kind < 2 * 2 * ARRAY_LEN(sums); kind++) {
			bool is_ipv6 = kind % 2 != 0;
			struct world_options options =
				story(links[i].mtu, is_ipv6, sums[kind / 4]);

			options.vlan = kind / 2 % 2 != 0 ? 4094 : 0;
			assert_int_equal(options.slice_size, links[i].slice);
			tell(&options);
		}
	}
}

/* What the link spoils is no slice, and is sent again. */
static void broken_frames_are_dropped_by_their_checksum(void **state)
{
	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		struct world_options options = story(1500, is_ipv6 != 0, ETHER_SUM_SOFT);
		struct world *world;

		options.link.corrupt_ppm = 100000;
		world = world_create(&options);
		assert_true(world_run_until_end(world, world->now + 20 * SEC));
		assert_true(world_is_identical(world));
		assert_true(world->ends[1].worker.frames_bad > 0);
		world_destroy(world);
	}
}

static void congestion_marks_are_heeded_in_both_families(void **state)
{
	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		struct world_options options = story(1500, is_ipv6 != 0, ETHER_SUM_ZERO);
		struct world *world;

		options.cc = CC_SWIFT;
		options.vlan = 7;
		options.link.rate_bps = 1000000000;
		options.link.mark = 20000;
		options.link.loss_ppm = 0;
		world = world_create(&options);
		assert_true(world_run_until_end(world, world->now + 20 * SEC));
		assert_true(world->pipes[1].marked > 0);
		assert_true(world->ends[1].session->machine.receiver.ce_count > 0);
		assert_int_equal(count_bad(world), 0);
		world_destroy(world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_snapshot_arrives_in_frames_of_every_kind),
		cmocka_unit_test(broken_frames_are_dropped_by_their_checksum),
		cmocka_unit_test(congestion_marks_are_heeded_in_both_families),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
