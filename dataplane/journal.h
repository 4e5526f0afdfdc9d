/* SPDX-License-Identifier: BSD-3-Clause */
/* The resume journal: which chunks of a copy that did not end are in its files.
 *
 *   | header: what is copied | record | record | … | (torn, or nothing)
 *                              seq 1    seq 2
 *
 * The last sound record about a chunk counts. WRITTEN: the write has returned, so the
 * bytes outlive the process, not a power cut. DURABLE: they were synced before the record
 * was made. Reading ends at the first record that is torn, out of sequence or out of
 * bounds. A journal saves reading and sending; it proves nothing: each chunk it tells of
 * is compared with the manifest before the commit. Numbers are big-endian. */
#ifndef JOURNAL_H
#define JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/manifest.h"

#define JOURNAL_NAME "__snapline_journal"

enum {
	JOURNAL_VERSION = 1,
	JOURNAL_GROUP_LEN = 64,   /* of the group's id; a longer one is cut */
	JOURNAL_HEADER_LEN = 136, /* bytes on disk */
	JOURNAL_RECORD_LEN = 24,
};

enum journal_kind { JOURNAL_WRITTEN = 1, JOURNAL_DURABLE = 2 };

struct journal_header {
	char group[JOURNAL_GROUP_LEN]; /* with index and term: for people */
	int64_t index;
	int64_t term;
	uint8_t root[MANIFEST_ROOT_LEN]; /* of the manifest; what the next three describe
					  */
	uint32_t chunk_size;             /* bytes */
	uint32_t nchunks;
};

struct journal_record {
	uint64_t seq; /* the first is 1 */
	uint32_t first;
	uint32_t count; /* chunks, at least 1 */
	enum journal_kind kind;
};

/* What a journal says, a bit a chunk; the words are the caller's. A chunk is in at most
 * one of the two sets. */
struct journal_map {
	uint32_t nchunks;
	uint64_t *written;
	uint64_t *durable;
};

void journal_describe(struct journal_header *header, const struct manifest *manifest,
	const char *group, int64_t index, int64_t term);
/* Whether it is of this content in these chunks, whoever sent it. */
bool journal_is_of(const struct journal_header *header, const struct manifest *manifest);

void journal_encode_header(
	uint8_t bytes[static JOURNAL_HEADER_LEN], const struct journal_header *header);
/* Returns 0, or -EBADMSG: too short, no journal, another version, or damaged. */
int journal_decode_header(
	struct journal_header *header, const uint8_t *bytes, size_t len);

void journal_encode_record(
	uint8_t bytes[static JOURNAL_RECORD_LEN], const struct journal_record *record);

/* Notes one record in the map, which it lies within. */
void journal_apply(struct journal_map *map, const struct journal_record *record);

/* Empties the map and reads the records behind a header into it. Returns how many were
 * sound. */
uint64_t journal_replay(struct journal_map *map, const uint8_t *bytes, size_t len);

/* The next record that a journal of this map consists of: runs of one kind by rising
 * chunk. *next is 0 at first. Returns false at the end. */
bool journal_next_run(
	const struct journal_map *map, uint32_t *next, struct journal_record *record);

#endif
