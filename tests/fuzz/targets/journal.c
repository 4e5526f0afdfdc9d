/* SPDX-License-Identifier: BSD-3-Clause */
/* A journal as a disk may give it back: whatever it says stays within the manifest, and
 * rewritten it says the same.
 *
 *   chunks u16 | whether sums are put right u8 | the journal
 *
 * Without the second no fuzzer would get past the sums. */
#include "tests/fuzz/targets/fuzz.h"

#include <errno.h>

#include "dataplane/base/bitmap.h"
#include "dataplane/base/bytes.h"
#include "dataplane/crc.h"
#include "dataplane/journal.h"

struct maps {
	struct journal_map map;
	uint64_t *written; /* of just the size that is needed: ASan guards the end */
	uint64_t *durable;
};

static void maps_init(struct maps *maps, uint32_t nchunks)
{
	size_t words = BITMAP_WORDS(nchunks);

	maps->written = calloc(words > 0 ? words : 1, sizeof(*maps->written));
	maps->durable = calloc(words > 0 ? words : 1, sizeof(*maps->durable));
	MUST(maps->written != NULL && maps->durable != NULL);
	maps->map = (struct journal_map){nchunks, maps->written, maps->durable};
}

static void maps_fini(struct maps *maps)
{
	free(maps->written);
	free(maps->durable);
}

static bool is_same(const struct maps *a, const struct maps *b)
{
	size_t bytes = BITMAP_WORDS(a->map.nchunks) * sizeof(*a->written);

	return memcmp(a->written, b->written, bytes) == 0 &&
	       memcmp(a->durable, b->durable, bytes) == 0;
}

static void put_sums_right(uint8_t *bytes, size_t len)
{
	if (len >= JOURNAL_HEADER_LEN)
		put_be32(bytes + JOURNAL_HEADER_LEN - 4,
			crc32c(bytes, JOURNAL_HEADER_LEN - 4));
	for (size_t at = JOURNAL_HEADER_LEN; at + JOURNAL_RECORD_LEN <= len;
		at += JOURNAL_RECORD_LEN)
		put_be32(bytes + at + JOURNAL_RECORD_LEN - 4,
			crc32c(bytes + at, JOURNAL_RECORD_LEN - 4));
}

static void check_header(const uint8_t *bytes, size_t len)
{
	uint8_t again[JOURNAL_HEADER_LEN];
	struct journal_header header;
	int err = journal_decode_header(&header, bytes, len);

	MUST(err == 0 || err == -EBADMSG);
	if (err != 0)
		return;
	MUST(memchr(header.group, '\0', sizeof(header.group)) != NULL);
	journal_encode_header(again, &header);
	MUST(memcmp(again, bytes, sizeof(again)) == 0);
}

/* The records of a map make the same map. */
static void check_rewritten(const struct maps *maps)
{
	struct journal_record record;
	uint32_t next = 0, end = 0;
	struct maps again;

	maps_init(&again, maps->map.nchunks);
	while (journal_next_run(&maps->map, &next, &record)) {
		MUST(record.count > 0 && record.first >= end);
		end = record.first + record.count;
		MUST(end <= maps->map.nchunks && next == end);
		journal_apply(&again.map, &record);
	}
	MUST(is_same(maps, &again));
	maps_fini(&again);
}

static void check_records(const uint8_t *bytes, size_t len, uint32_t nchunks)
{
	struct maps maps, part;
	uint64_t count;

	maps_init(&maps, nchunks);
	maps_init(&part, nchunks);
	count = journal_replay(&maps.map, bytes, len);
	MUST(count * JOURNAL_RECORD_LEN <= len);
	for (uint32_t i = 0; i < nchunks; i++)
		MUST(!bitmap_test(maps.written, i) || !bitmap_test(maps.durable, i));
	/* what follows the last sound record says nothing */
	MUST(journal_replay(&part.map, bytes, count * JOURNAL_RECORD_LEN) == count);
	MUST(is_same(&maps, &part));
	check_rewritten(&maps);
	maps_fini(&part);
	maps_fini(&maps);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	uint32_t nchunks = (uint32_t)input_take(&input, 2);
	bool is_sound = input_take(&input, 1) % 2 != 0;
	uint8_t *bytes = input_copy(input.at, input.left, 0);

	if (is_sound)
		put_sums_right(bytes, input.left);
	check_header(bytes, input.left);
	if (input.left >= JOURNAL_HEADER_LEN)
		check_records(bytes + JOURNAL_HEADER_LEN, input.left - JOURNAL_HEADER_LEN,
			nchunks);
	free(bytes);
	return 0;
}
