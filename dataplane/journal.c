/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/journal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/base/bitmap.h"
#include "dataplane/base/bytes.h"
#include "dataplane/crc.h"

/* header: magic 8 | version 4 | chunk_size 4 | nchunks 4 | index 8 | term 8 | root 32 |
 *         group 64 | crc32c 4
 * record: seq 8 | first 4 | count 4 | kind 4 | crc32c 4 */
enum {
	AT_VERSION = 8,
	AT_CHUNK_SIZE = 12,
	AT_NCHUNKS = 16,
	AT_INDEX = 20,
	AT_TERM = 28,
	AT_ROOT = 36,
	AT_GROUP = AT_ROOT + MANIFEST_ROOT_LEN,
	AT_CRC = AT_GROUP + JOURNAL_GROUP_LEN,
	AT_FIRST = 8,
	AT_COUNT = 12,
	AT_KIND = 16,
	AT_RECORD_CRC = 20,
};

static_assert(AT_CRC + 4 == JOURNAL_HEADER_LEN, "the header's fields fill it");
static_assert(AT_RECORD_CRC + 4 == JOURNAL_RECORD_LEN, "the record's fields fill it");

static const uint8_t magic[AT_VERSION] = {'S', 'N', 'A', 'P', 'J', 'R', 'N', 'L'};

void journal_describe(struct journal_header *header, const struct manifest *manifest,
	const char *group, int64_t index, int64_t term)
{
	*header = (struct journal_header){
		.index = index,
		.term = term,
		.chunk_size = manifest->chunk_size,
		.nchunks = manifest->nchunks,
	};
	(void)snprintf(header->group, sizeof(header->group), "%s", group);
	memcpy(header->root, manifest->root, sizeof(header->root));
}

bool journal_is_of(const struct journal_header *header, const struct manifest *manifest)
{
	return header->chunk_size == manifest->chunk_size &&
	       header->nchunks == manifest->nchunks &&
	       memcmp(header->root, manifest->root, sizeof(header->root)) == 0;
}

void journal_encode_header(
	uint8_t bytes[static JOURNAL_HEADER_LEN], const struct journal_header *header)
{
	memcpy(bytes, magic, sizeof(magic));
	put_be32(bytes + AT_VERSION, JOURNAL_VERSION);
	put_be32(bytes + AT_CHUNK_SIZE, header->chunk_size);
	put_be32(bytes + AT_NCHUNKS, header->nchunks);
	put_be64(bytes + AT_INDEX, (uint64_t)header->index);
	put_be64(bytes + AT_TERM, (uint64_t)header->term);
	memcpy(bytes + AT_ROOT, header->root, sizeof(header->root));
	memcpy(bytes + AT_GROUP, header->group, sizeof(header->group));
	put_be32(bytes + AT_CRC, crc32c(bytes, AT_CRC));
}

int journal_decode_header(struct journal_header *header, const uint8_t *bytes, size_t len)
{
	if (len < JOURNAL_HEADER_LEN || memcmp(bytes, magic, sizeof(magic)) != 0 ||
		get_be32(bytes + AT_CRC) != crc32c(bytes, AT_CRC) ||
		get_be32(bytes + AT_VERSION) != JOURNAL_VERSION ||
		bytes[AT_CRC - 1] != '\0') /* the group is a text */
		return -EBADMSG;
	header->chunk_size = get_be32(bytes + AT_CHUNK_SIZE);
	header->nchunks = get_be32(bytes + AT_NCHUNKS);
	header->index = (int64_t)get_be64(bytes + AT_INDEX);
	header->term = (int64_t)get_be64(bytes + AT_TERM);
	memcpy(header->root, bytes + AT_ROOT, sizeof(header->root));
	memcpy(header->group, bytes + AT_GROUP, sizeof(header->group));
	return 0;
}

void journal_encode_record(
	uint8_t bytes[static JOURNAL_RECORD_LEN], const struct journal_record *record)
{
	put_be64(bytes, record->seq);
	put_be32(bytes + AT_FIRST, record->first);
	put_be32(bytes + AT_COUNT, record->count);
	put_be32(bytes + AT_KIND, record->kind);
	put_be32(bytes + AT_RECORD_CRC, crc32c(bytes, AT_RECORD_CRC));
}

static bool decode_record(struct journal_record *record, const uint8_t *bytes,
	uint64_t seq, uint32_t nchunks)
{
	uint32_t kind = get_be32(bytes + AT_KIND);

	if (get_be32(bytes + AT_RECORD_CRC) != crc32c(bytes, AT_RECORD_CRC))
		return false;
	record->seq = get_be64(bytes);
	record->first = get_be32(bytes + AT_FIRST);
	record->count = get_be32(bytes + AT_COUNT);
	record->kind = (enum journal_kind)kind;
	return record->seq == seq &&
	       (kind == JOURNAL_WRITTEN || kind == JOURNAL_DURABLE) &&
	       record->count > 0 && record->first < nchunks &&
	       record->count <= nchunks - record->first;
}

void journal_apply(struct journal_map *map, const struct journal_record *record)
{
	bool durable = record->kind == JOURNAL_DURABLE;

	for (uint32_t i = 0; i < record->count; i++) {
		bitmap_set(durable ? map->durable : map->written, record->first + i);
		bitmap_clear(durable ? map->written : map->durable, record->first + i);
	}
}

uint64_t journal_replay(struct journal_map *map, const uint8_t *bytes, size_t len)
{
	struct journal_record record;
	uint64_t count = 0;

	bitmap_zero(map->written, map->nchunks);
	bitmap_zero(map->durable, map->nchunks);
	for (; len >= JOURNAL_RECORD_LEN; len -= JOURNAL_RECORD_LEN) {
		if (!decode_record(&record, bytes, count + 1, map->nchunks))
			break;
		journal_apply(map, &record);
		bytes += JOURNAL_RECORD_LEN;
		count++;
	}
	return count;
}

static int kind_of(const struct journal_map *map, uint32_t chunk)
{
	if (bitmap_test(map->durable, chunk))
		return JOURNAL_DURABLE;
	return bitmap_test(map->written, chunk) ? JOURNAL_WRITTEN : 0;
}

/* A journal of a million chunks is looked through every second. */
static bool is_empty_word(const struct journal_map *map, uint32_t chunk)
{
	return chunk % 64 == 0 && map->written[chunk / 64] == 0 &&
	       map->durable[chunk / 64] == 0;
}

bool journal_next_run(
	const struct journal_map *map, uint32_t *next, struct journal_record *record)
{
	uint32_t from = *next;
	int kind = 0;

	while (from < map->nchunks && (kind = kind_of(map, from)) == 0)
		from += is_empty_word(map, from) ? 64 : 1;
	if (from > map->nchunks)
		from = map->nchunks;
	*next = from;
	if (from == map->nchunks)
		return false;
	while (*next < map->nchunks && kind_of(map, *next) == kind)
		++*next;
	record->first = from;
	record->count = *next - from;
	record->kind = (enum journal_kind)kind;
	return true;
}
