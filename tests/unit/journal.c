/* SPDX-License-Identifier: BSD-3-Clause */
/* What a resume journal says, and how little a broken one says. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/base/bitmap.h"
#include "dataplane/base/units.h"
#include "dataplane/journal.h"

enum { CHUNKS = 200, RECORDS = 4 };

struct maps {
	struct journal_map map;
	uint64_t written[BITMAP_WORDS(CHUNKS)];
	uint64_t durable[BITMAP_WORDS(CHUNKS)];
};

static void maps_init(struct maps *maps)
{
	memset(maps, 0xff, sizeof(*maps)); /* replaying empties it */
	maps->map = (struct journal_map){CHUNKS, maps->written, maps->durable};
}

/* Chunks 10 to 13 written, then durable; 150 durable; 11 written again since. */
static void encode(uint8_t bytes[static RECORDS * JOURNAL_RECORD_LEN])
{
	static const struct journal_record records[RECORDS] = {
		{1, 10, 4, JOURNAL_WRITTEN},
		{2, 10, 4, JOURNAL_DURABLE},
		{3, 150, 1, JOURNAL_DURABLE},
		{4, 11, 1, JOURNAL_WRITTEN},
	};

	for (size_t i = 0; i < RECORDS; i++)
		journal_encode_record(bytes + i * JOURNAL_RECORD_LEN, &records[i]);
}

static void the_last_record_about_a_chunk_counts(void **state)
{
	uint8_t bytes[RECORDS * JOURNAL_RECORD_LEN];
	struct maps maps;

	(void)state;
	maps_init(&maps);
	encode(bytes);
	assert_int_equal(journal_replay(&maps.map, bytes, sizeof(bytes)), RECORDS);
	assert_int_equal(bitmap_count(maps.durable, CHUNKS), 4);
	assert_int_equal(bitmap_count(maps.written, CHUNKS), 1);
	assert_true(bitmap_test(maps.durable, 10) && bitmap_test(maps.durable, 150));
	/* it was durable once; what is in its place now nobody has synced */
	assert_true(bitmap_test(maps.written, 11) && !bitmap_test(maps.durable, 11));
}

/* A crash may cut it anywhere: what is whole counts, and nothing else. */
static void torn_at_any_byte_the_whole_records_count(void **state)
{
	static const uint32_t durable[RECORDS + 1] = {0, 0, 4, 5, 4};
	uint8_t bytes[RECORDS * JOURNAL_RECORD_LEN];
	struct maps maps;

	(void)state;
	encode(bytes);
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		uint64_t whole = len / JOURNAL_RECORD_LEN;

		maps_init(&maps);
		assert_int_equal(journal_replay(&maps.map, bytes, len), whole);
		assert_int_equal(bitmap_count(maps.durable, CHUNKS), durable[whole]);
	}
}

static void a_flipped_bit_ends_it(void **state)
{
	uint8_t bytes[RECORDS * JOURNAL_RECORD_LEN];
	struct maps maps;

	(void)state;
	for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++) {
		maps_init(&maps);
		encode(bytes);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(journal_replay(&maps.map, bytes, sizeof(bytes)),
			bit / 8 / JOURNAL_RECORD_LEN);
	}
}

/* Sound, and yet no record of this journal. */
static void records_that_cannot_be_end_it(void **state)
{
	static const struct journal_record records[] = {
		{2, 0, 1, JOURNAL_DURABLE}, /* one is missing */
		{0, 0, 1, JOURNAL_DURABLE}, /* left from an older one */
		{1, 0, 0, JOURNAL_DURABLE},
		{1, CHUNKS, 1, JOURNAL_DURABLE},
		{1, CHUNKS - 1, 2, JOURNAL_DURABLE},
		{1, 1, UINT32_MAX, JOURNAL_DURABLE}, /* wraps around */
		{1, UINT32_MAX, 1, JOURNAL_DURABLE},
		{1, 0, 1, (enum journal_kind)0},
		{1, 0, 1, (enum journal_kind)3},
	};
	uint8_t bytes[JOURNAL_RECORD_LEN];
	struct maps maps;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(records); i++) {
		maps_init(&maps);
		journal_encode_record(bytes, &records[i]);
		assert_int_equal(journal_replay(&maps.map, bytes, sizeof(bytes)), 0);
		assert_int_equal(bitmap_count(maps.durable, CHUNKS), 0);
	}
}

/* Rewritten, a journal says the same in as few records as can be. */
static void runs_say_what_the_map_says(void **state)
{
	static const struct journal_record expected[] = {
		{0, 10, 1, JOURNAL_DURABLE},
		{0, 11, 1, JOURNAL_WRITTEN},
		{0, 12, 2, JOURNAL_DURABLE},
		{0, 150, 1, JOURNAL_DURABLE},
	};
	uint8_t bytes[RECORDS * JOURNAL_RECORD_LEN];
	struct journal_record record = {0};
	struct maps maps;
	uint32_t next = 0;

	(void)state;
	maps_init(&maps);
	encode(bytes);
	(void)journal_replay(&maps.map, bytes, sizeof(bytes));
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		assert_true(journal_next_run(&maps.map, &next, &record));
		assert_int_equal(record.first, expected[i].first);
		assert_int_equal(record.count, expected[i].count);
		assert_int_equal(record.kind, expected[i].kind);
	}
	assert_false(journal_next_run(&maps.map, &next, &record));
	assert_false(journal_next_run(&maps.map, &next, &record));
}

static struct manifest some_manifest(void)
{
	struct manifest manifest = {.chunk_size = 1 << 20, .nchunks = CHUNKS};

	for (size_t i = 0; i < sizeof(manifest.root); i++)
		manifest.root[i] = (uint8_t)(7 * i);
	return manifest;
}

static void the_content_and_its_chunks_decide_not_who_sends(void **state)
{
	struct manifest manifest = some_manifest();
	struct journal_header header;
	uint8_t bytes[JOURNAL_HEADER_LEN];

	(void)state;
	journal_describe(&header, &manifest, "group", 4711, 3);
	journal_encode_header(bytes, &header);
	memset(&header, 0, sizeof(header));
	assert_int_equal(journal_decode_header(&header, bytes, sizeof(bytes)), 0);
	assert_string_equal(header.group, "group");
	assert_int_equal(header.index, 4711);
	assert_int_equal(header.term, 3);
	assert_true(journal_is_of(&header, &manifest));
	header.term = 4;
	header.index = 4712;
	assert_true(journal_is_of(&header, &manifest));
	manifest.chunk_size *= 2;
	assert_false(journal_is_of(&header, &manifest));
	manifest = some_manifest();
	manifest.nchunks++;
	assert_false(journal_is_of(&header, &manifest));
	manifest = some_manifest();
	manifest.root[31]++;
	assert_false(journal_is_of(&header, &manifest));
}

static void a_damaged_header_is_none(void **state)
{
	struct manifest manifest = some_manifest();
	struct journal_header header;
	uint8_t good[JOURNAL_HEADER_LEN], bytes[JOURNAL_HEADER_LEN];
	char group[2 * JOURNAL_GROUP_LEN];

	(void)state;
	memset(group, 'g', sizeof(group));
	group[sizeof(group) - 1] = '\0';
	journal_describe(&header, &manifest, group, 1, 1);
	journal_encode_header(good, &header);
	assert_int_equal(journal_decode_header(&header, good, sizeof(good)), 0);
	assert_int_equal(strlen(header.group), JOURNAL_GROUP_LEN - 1); /* cut */
	for (size_t len = 0; len < sizeof(good); len++)
		assert_int_equal(journal_decode_header(&header, good, len), -EBADMSG);
	for (size_t bit = 0; bit < 8 * sizeof(good); bit++) {
		memcpy(bytes, good, sizeof(bytes));
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(
			journal_decode_header(&header, bytes, sizeof(bytes)), -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_record_about_a_chunk_counts),
		cmocka_unit_test(torn_at_any_byte_the_whole_records_count),
		cmocka_unit_test(a_flipped_bit_ends_it),
		cmocka_unit_test(records_that_cannot_be_end_it),
		cmocka_unit_test(runs_say_what_the_map_says),
		cmocka_unit_test(the_content_and_its_chunks_decide_not_who_sends),
		cmocka_unit_test(a_damaged_header_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
