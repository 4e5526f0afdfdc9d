/* SPDX-License-Identifier: BSD-3-Clause */
/* A follower that fetches chunks from the leader of file_world.h and checks each one. */
#ifndef FILE_FETCH_WORLD_H
#define FILE_FETCH_WORLD_H

#include <stdio.h>

#include "control/file_fetch.h"
#include "dataplane/base/bitmap.h"
#include "tests/unit/file_world.h"

enum { CHUNK = MANIFEST_CHUNK_MIN };

struct world {
	struct leader leader;
	struct manifest manifest;
	struct file_fetch_options options;
	struct fetch_policy policy;
	struct file_fetch fetch;
	uint64_t *written; /* a bit a chunk */
	nsec took;
};

static inline int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	leader_open(&world->leader);
	world->policy = fetch_policy_default();
	*state = world;
	return 0;
}

static inline int tear_down(void **state)
{
	struct world *world = *state;

	file_fetch_fini(&world->fetch, world->leader.now);
	manifest_fini(&world->manifest);
	leader_close(&world->leader);
	free(world->written);
	free(world);
	return 0;
}

static inline void gather(const struct world *world, uint32_t chunk, uint8_t *bytes)
{
	struct manifest_cursor cursor;
	struct manifest_extent extent;

	manifest_extents(&world->manifest, chunk, &cursor);
	while (manifest_next_extent(&world->manifest, &cursor, &extent)) {
		const char *name = world->manifest.files[extent.file].name;
		uint32_t file = leader_file(&world->leader, name);

		memcpy(bytes + extent.chunk_offset,
			world->leader.contents[file] + extent.file_offset, extent.len);
	}
}

/* The manifest of what the leader holds. */
static inline void make_manifest(struct world *world)
{
	struct manifest *manifest = &world->manifest;
	uint8_t *bytes = malloc(CHUNK);

	assert_non_null(bytes);
	assert_int_equal(manifest_init(manifest, CHUNK, NULL), 0);
	for (size_t i = 0; i < world->leader.table.nfiles; i++)
		assert_int_equal(manifest_add(manifest, world->leader.table.files[i].name,
					 world->leader.sizes[i], 0644, NULL),
			0);
	assert_int_equal(manifest_layout(manifest, NULL), 0);
	for (uint32_t i = 0; i < manifest->nchunks; i++) {
		gather(world, i, bytes);
		manifest->leaves[i] =
			manifest_leaf_of(bytes, manifest_chunk_len(manifest, i));
	}
	free(bytes);
	world->options.manifest = manifest;
	world->written = calloc(BITMAP_WORDS(manifest->nchunks) + 1, sizeof(uint64_t));
	assert_non_null(world->written);
}

/* Three files that share a chunk, an empty one, one of three chunks and a bit. */
static inline void make_snapshot(struct world *world)
{
	leader_add_noise(&world->leader, "a", 6000, 1);
	leader_add_noise(&world->leader, "big/b", 3 * CHUNK + 1000, 2);
	leader_add_noise(&world->leader, "c", 10, 3);
	leader_add_noise(&world->leader, "d/e/f", 150000, 4);
	leader_add_noise(&world->leader, "empty", 0, 5);
	make_manifest(world);
}

static inline void write_chunks(struct world *world)
{
	struct file_fetch_write write;
	uint8_t *expected = malloc(CHUNK);

	assert_non_null(expected);
	while (file_fetch_next_write(&world->fetch, &write)) {
		gather(world, write.chunk, expected);
		assert_memory_equal(write.buf, expected,
			manifest_chunk_len(&world->manifest, write.chunk));
		assert_false(bitmap_test_and_set(world->written, write.chunk));
		file_fetch_on_written(&world->fetch, write.slot);
	}
	free(expected);
}

static inline void step(struct world *world)
{
	struct leader *leader = &world->leader;
	struct fetch_request request;
	struct fetch_reply reply;
	uint32_t call;

	while (file_fetch_poll(&world->fetch, leader->now, &request)) {
		assert_true(
			request.count > 0 && request.count <= world->policy.max_count);
		leader_ask(leader, &request);
	}
	leader_sleep_until(leader,
		nsec_min(leader_deadline(leader), file_fetch_deadline(&world->fetch)));
	while (leader_answer(leader, &call, &reply))
		file_fetch_on_reply(&world->fetch, call, &reply, leader->now);
	write_chunks(world);
}

static inline void run(struct world *world)
{
	nsec from = world->leader.now;

	assert_int_equal(
		file_fetch_init(&world->fetch, &world->options, &world->policy), 0);
	while (world->fetch.state == FETCH_RUNNING)
		step(world);
	world->took = world->leader.now - from;
}

static inline void expect_done(struct world *world)
{
	const struct manifest *manifest = &world->manifest;

	if (world->fetch.state != FETCH_DONE)
		fail_msg("%s", world->fetch.fault.text);
	for (uint32_t i = 0; i < manifest->nchunks; i++) {
		bool zero = (manifest->leaves[i].flags & LEAF_ZERO) != 0;
		bool have = world->options.have != NULL &&
			    bitmap_test(world->options.have, i);

		assert_int_equal(bitmap_test(world->written, i), !zero && !have);
	}
	assert_int_equal(world->fetch.stats.bytes_done + world->fetch.stats.bytes_reused,
		manifest->bytes);
	assert_int_equal(file_fetch_deadline(&world->fetch), NEVER);
}

static inline void expect_failed(struct world *world, int code, const char *part)
{
	assert_int_equal(world->fetch.state, FETCH_FAILED);
	assert_int_equal(world->fetch.fault.code, code);
	if (strstr(world->fetch.fault.text, part) == NULL)
		fail_msg("'%s' does not say '%s'", world->fetch.fault.text, part);
}

#define STORY(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

#endif
