/* SPDX-License-Identifier: BSD-3-Clause */
/* The calls of one client that wait for an answer: found by correlation id, kept in the
 * order they were made. */
#ifndef CALL_TABLE_H
#define CALL_TABLE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "control/frame.h"

struct conn;
struct rpc_result;

enum { CALL_BUCKETS = 256 };
#define CALL_NEVER UINT64_MAX

struct client_call {
	TAILQ_ENTRY(client_call) order;
	LIST_ENTRY(client_call) bucket;
	int64_t id;       /* correlation id */
	uint64_t due_ms;  /* loop time when it ends with `code`; CALL_NEVER: it waits */
	int code;         /* what it ends with when it is due */
	int timeout_ms;   /* as given, for the message */
	uint8_t *bytes;   /* the frame until it is sent; owned */
	size_t len;       /* bytes */
	struct conn *via; /* sent on; NULL: not yet */
	char name[2 * FRAME_NAME_MAX]; /* "service.method" */
	void (*done)(void *ctx, const struct rpc_result *result);
	void *ctx;
};

TAILQ_HEAD(call_list, client_call);
LIST_HEAD(call_bucket, client_call);

struct call_table {
	struct call_list calls;
	struct call_bucket buckets[CALL_BUCKETS];
	int64_t last_id;
};

void call_table_init(struct call_table *table);
/* Gives the call the next id and puts it last. */
void call_table_add(struct call_table *table, struct client_call *call);
/* NULL when there is none, which is how late answers look. */
struct client_call *call_table_find(struct call_table *table, int64_t id);
void call_table_remove(struct call_table *table, struct client_call *call);
/* The earliest due_ms, or CALL_NEVER. */
uint64_t call_table_next_due(const struct call_table *table);
/* Frees the call and its frame; it must be in no list. */
void call_free(struct client_call *call);

#endif
