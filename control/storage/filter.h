/* SPDX-License-Identifier: BSD-3-Clause */
/* What of a remote snapshot is here already: braft's filter_before_copy, with a check.
 *
 *   for each file of the leader's table     kept, when temp has it
 *                                           linked, when the newest snapshot has it
 *                                           else fetched
 *
 * A checksum in a table says what a file should hold, not what it holds: everything that
 * is reused is read once and compared, with the leaves of the leader's manifest, else
 * with its CRC-32C. A linked file is never written: in a chunk that has to be pulled,
 * which writes all of its files, nothing is linked. */
#ifndef FILTER_H
#define FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/storage/storage.h"

struct filter_request {
	const struct table *table;       /* the leader's */
	const struct manifest *manifest; /* the leader's; NULL: it has none */
	bool skip_check;                 /* equal checksums are enough, as for braft */
	bool resume_only; /* nothing but what a journal of this very manifest tells of;
			     needs the manifest */
};

struct filter_result {
	const uint64_t *have; /* bitmap of chunks, the writer's; NULL without manifest */
	uint32_t have_chunks;
	uint64_t bytes_reused;   /* of complete files and, with a manifest, of chunks */
	uint64_t bytes_believed; /* of these, not compared yet */
	uint32_t files_kept;     /* complete, from temp */
	uint32_t files_linked;   /* and from the newest snapshot; references count as such
				  */
	const char **fetch;      /* what is not complete; names of the request's */
	size_t nfetch;
};

/* With a journal of the same manifest in temp, chunks that were recorded as durable are
 * believed (the writer's `believed`: see recheck.h), written ones are read and compared,
 * and others, of files that are ours alone, are fetched unread. Zero chunks and hard
 * links are always compared.
 *
 * Between storage_create_copy and storage_prepare. Leaves in temp nothing but files that
 * are reused, whole or (with a manifest) in part; puts the complete ones into the
 * writer's table. What cannot be linked or read is fetched, so that damage here costs
 * bytes only. Returns 0, -EBADMSG when table and manifest are not of the same files,
 * -ENOMEM or an errno. */
int storage_filter(struct storage_writer *writer, const struct filter_request *request,
	struct filter_result *result, struct fault *fault);
void filter_result_fini(struct filter_result *result);

#endif
