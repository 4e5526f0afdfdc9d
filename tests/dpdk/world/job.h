/* SPDX-License-Identifier: BSD-3-Clause */
/* One snapshot on its way from one device of a node to its other one: DPDK, worker
 * threads, disk threads and files, all real. A failed step fails the test.
 *
 *   job_prepare ─► job_begin ─► job_await ─► job_end ─► job_compare ─► job_finish */
#ifndef JOB_H
#define JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/transfer.h"

enum {
	JOB_CHUNK = MANIFEST_CHUNK_MIN,
	JOB_HOLE = 4 * JOB_CHUNK, /* zeros at the start of the big file: never sent */
};

/* A big file of `big` bytes, more than JOB_HOLE, and so many small ones. */
struct job_plan {
	struct transfer *transfer;
	uint32_t from, to;  /* devices */
	uint32_t stripes;   /* 0: one */
	const char *folder; /* where its files are; there, in NAME-from and NAME-to */
	const char *name;
	uint64_t big;
	uint32_t small;
};

struct job {
	struct job_plan plan;
	char from[96], to[96];
	struct manifest manifest;
	struct store_object *source, *target;
	uint32_t sender, receiver; /* session ids */
	const uint64_t *have;      /* chunks that are there; NULL: none */
};

void job_prepare(struct job *job, const struct job_plan *plan);
void job_begin(struct job *job);
/* Waits for a report of this session as long as anything moves; others are not of
 * interest, and another event of this one is a failure. */
struct transfer_report job_await(
	struct job *job, uint32_t session_id, enum transfer_event event);
/* Stops both ends. */
void job_end(struct job *job);
/* Every file is the same at both ends. */
void job_compare(const struct job *job);
/* Closes what job_prepare opened, and removes the files. */
void job_finish(struct job *job);

#endif
