/* SPDX-License-Identifier: BSD-3-Clause */
/* Which chunks a stripe moves: those whose number leaves its own as the remainder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/crc.h"
#include "dataplane/receiver.h"
#include "dataplane/sender.h"
#include "hugepages/pool.h"

enum { CHUNK = MANIFEST_CHUNK_MIN, SLICE = 8192, SLICES = CHUNK / SLICE, BUFFERS = 40 };
enum { CHUNKS = 100, STRIPES = 3, STRIPE = 1, OURS = 33, OPEN = 32 };
#define STALL (5 * SEC)

/* Both ends of one stripe, and the disk between them: every byte is 5. */
struct fixture {
	struct manifest manifest;
	struct arena arena;
	struct pool pool;
	struct cache cache;
	uint64_t pulled[BITMAP_WORDS(CHUNKS)];
	struct receiver receiver;
	struct sender sender;
	struct pn_window window;
	struct packet packet;
	uint8_t bytes[CHUNK];
	void *memory;
};

static void begin(struct fixture *f, uint32_t stripes, uint32_t stripe)
{
	const struct receiver_config receiver = {.manifest = &f->manifest,
		.pulled = f->pulled,
		.object = (struct store_object *)f,
		.pool = &f->pool,
		.cache = &f->cache,
		.slice_size = SLICE,
		.stripes = stripes,
		.stripe = stripe,
		.max_chunks = OPEN,
		.stall_timeout = STALL};
	const struct sender_config sender = {.manifest = &f->manifest,
		.object = (struct store_object *)f,
		.cache = &f->cache,
		.slice_size = SLICE,
		.stripes = stripes,
		.stripe = stripe,
		.window = WIRE_ACK_BITS,
		.stall_timeout = STALL};

	memset(f->pulled, 0, sizeof(f->pulled));
	receiver_init(&f->receiver, &receiver, 0);
	sender_init(&f->sender, &sender, 0);
	pn_window_init(&f->window);
}

static int start(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	size_t memory = pool_memory(BUFFERS, CHUNK);

	f->memory = malloc(memory);
	memset(f->bytes, 5, sizeof(f->bytes));
	arena_init(&f->arena, f->memory, memory);
	assert_int_equal(pool_init(&f->pool, &f->arena, BUFFERS, CHUNK), 0);
	assert_int_equal(cache_init(&f->cache, &f->pool, BUFFERS, false), 0);
	assert_int_equal(manifest_init(&f->manifest, CHUNK, NULL), 0);
	assert_int_equal(manifest_add(&f->manifest, "a", CHUNKS * CHUNK, 0644, NULL), 0);
	assert_int_equal(manifest_layout(&f->manifest, NULL), 0);
	for (uint32_t i = 0; i < CHUNKS; i++)
		f->manifest.leaves[i] = manifest_leaf_of(f->bytes, CHUNK);
	begin(f, STRIPES, STRIPE);
	*state = f;
	return 0;
}

static int end(void **state)
{
	struct fixture *f = *state;

	receiver_fini(&f->receiver);
	sender_fini(&f->sender);
	cache_fini(&f->cache);
	manifest_fini(&f->manifest);
	free(f->memory);
	free(f);
	return 0;
}

static struct wire_pull next_pull(struct fixture *f, nsec now)
{
	struct wire_pull pull;

	assert_true(receiver_poll(&f->receiver, &f->window, &f->packet, now));
	assert_int_equal(f->packet.header.type, WIRE_PULL);
	assert_true(wire_get_pull(f->packet.body, f->packet.payload_len, &pull));
	return pull;
}

static void fill_chunk(struct fixture *f, uint32_t chunk)
{
	for (uint32_t slice = 0; slice < SLICES; slice++) {
		const struct wire_header header = {.type = WIRE_DATA,
			.chunk = chunk,
			.slice = (uint16_t)slice,
			.payload_len = SLICE,
			.payload_crc = crc32c(f->bytes, SLICE)};

		assert_int_equal(
			receiver_on_data(&f->receiver, &header, f->bytes, 1), ACCEPTED);
	}
}

/* The store takes what is due; returns its chunk. */
static uint32_t write_one(struct fixture *f)
{
	struct store_request request;
	uint32_t slot;

	assert_true(receiver_next_write(&f->receiver, &request, &slot));
	receiver_mark_writing(&f->receiver, slot);
	receiver_on_written(&f->receiver, slot, 0, 1);
	return request.chunk;
}

static void neighbours_of_a_stripe_are_one_run(void **state)
{
	struct fixture *f = *state;
	const struct wire_pull pull = next_pull(f, 1);

	assert_int_equal(f->receiver.nleft, OURS);
	assert_int_equal(pull.nruns, 1);
	assert_int_equal(pull.runs[0].first, STRIPE);
	assert_int_equal(pull.runs[0].count, OPEN);
}

static void it_is_done_when_its_own_chunks_are(void **state)
{
	struct fixture *f = *state;

	for (uint32_t chunk = STRIPE; chunk < CHUNKS; chunk += STRIPES) {
		while (receiver_poll(&f->receiver, &f->window, &f->packet, 1))
			;
		assert_int_equal(f->receiver.state, RECEIVER_RUNNING);
		fill_chunk(f, chunk);
		assert_int_equal(write_one(f), chunk);
	}
	assert_int_equal(f->receiver.state, RECEIVER_DONE);
	assert_true(f->receiver.bytes_written == (uint64_t)OURS * CHUNK);
}

static void a_slice_of_another_stripe_is_not_taken(void **state)
{
	struct fixture *f = *state;
	const struct wire_header header = {.type = WIRE_DATA,
		.chunk = STRIPE + 1,
		.payload_len = SLICE,
		.payload_crc = crc32c(f->bytes, SLICE)};

	(void)next_pull(f, 1);
	assert_int_equal(receiver_on_data(&f->receiver, &header, f->bytes, 1), DUPLICATE);
}

static void a_stripe_without_chunks_is_done_at_once(void **state)
{
	struct fixture *f = *state;
	struct wire_close close;

	begin(f, CHUNKS + 2, CHUNKS + 1);
	assert_int_equal(f->receiver.state, RECEIVER_DONE);
	assert_true(f->receiver.bytes_reused == 0);
	assert_true(receiver_poll(&f->receiver, &f->window, &f->packet, 1));
	assert_int_equal(f->packet.header.type, WIRE_CLOSE);
	assert_true(wire_get_close(f->packet.body, f->packet.payload_len, &close));
	assert_int_equal(close.code, 0);
}

static void the_sender_reads_runs_as_the_receiver_means_them(void **state)
{
	struct fixture *f = *state;
	const struct wire_pull pull = next_pull(f, 1);
	struct store_request request;

	assert_int_equal(sender_on_pull(&f->sender, &pull, 0, 1), ACCEPTED);
	assert_int_equal(f->sender.next_request, OPEN);
	for (uint32_t i = 0; i < OPEN; i++)
		assert_int_equal(f->sender.requests[i].chunk, STRIPE + i * STRIPES);
	(void)sender_poll(&f->sender, &f->packet, 1);
	assert_true(cache_next_load(&f->cache, &request));
	assert_int_equal(request.chunk % STRIPES, STRIPE);
}

static void a_pull_of_another_stripes_chunks_changes_nothing(void **state)
{
	static const struct wire_run runs[] = {
		{.first = STRIPE + 1, .count = 1},
		{.first = 0, .count = 3},
		{.first = STRIPE, .count = OURS + 1}, /* the last is beyond the end */
		{.first = UINT32_MAX - UINT32_MAX % STRIPES + STRIPE - STRIPES,
			.count = UINT16_MAX},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
		const struct wire_pull pull = {
			.credit = 99, .nruns = 1, .runs = {runs[i]}};

		assert_int_equal(sender_on_pull(&f->sender, &pull, 0, 1), CORRUPT);
		assert_true(f->sender.credit == 0);
		assert_int_equal(f->sender.next_request, 0);
	}
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(neighbours_of_a_stripe_are_one_run),
		STORY(it_is_done_when_its_own_chunks_are),
		STORY(a_slice_of_another_stripe_is_not_taken),
		STORY(a_stripe_without_chunks_is_done_at_once),
		STORY(the_sender_reads_runs_as_the_receiver_means_them),
		STORY(a_pull_of_another_stripes_chunks_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
