/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/call_table.h"

#include <stdlib.h>

static size_t bucket_of(int64_t id)
{
	return (uint64_t)id % CALL_BUCKETS;
}

void call_table_init(struct call_table *table)
{
	TAILQ_INIT(&table->calls);
	for (size_t i = 0; i < CALL_BUCKETS; i++)
		LIST_INIT(&table->buckets[i]);
	table->last_id = 0;
}

void call_table_add(struct call_table *table, struct client_call *call)
{
	call->id = ++table->last_id;
	TAILQ_INSERT_TAIL(&table->calls, call, order);
	LIST_INSERT_HEAD(&table->buckets[bucket_of(call->id)], call, bucket);
}

struct client_call *call_table_find(struct call_table *table, int64_t id)
{
	struct client_call *call;

	for (call = LIST_FIRST(&table->buckets[bucket_of(id)]); call != NULL;
		call = LIST_NEXT(call, bucket)) {
		if (call->id == id)
			return call;
	}
	return NULL;
}

void call_table_remove(struct call_table *table, struct client_call *call)
{
	TAILQ_REMOVE(&table->calls, call, order);
	LIST_REMOVE(call, bucket);
}

uint64_t call_table_next_due(const struct call_table *table)
{
	const struct client_call *call;
	uint64_t due = CALL_NEVER;

	for (call = TAILQ_FIRST(&table->calls); call != NULL;
		call = TAILQ_NEXT(call, order)) {
		if (call->due_ms < due)
			due = call->due_ms;
	}
	return due;
}

void call_free(struct client_call *call)
{
	free(call->bytes);
	free(call);
}
