/* SPDX-License-Identifier: BSD-3-Clause */
/* A store in a folder of its own, and snapshots of one file in it. */
#ifndef STORAGE_WORLD_H
#define STORAGE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "control/storage/storage.h"
#include "tests/lib/scratch.h"

#define SNAP_37 "store/snapshot_00000000000000000037"
#define SNAP_38 "store/snapshot_00000000000000000038"

struct place {
	struct scratch scratch;
	struct storage *storage;
};

static inline int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	scratch_open(&place->scratch);
	assert_int_equal(storage_open(&place->storage,
				 scratch_path(&place->scratch, "store"), true, NULL),
		0);
	*state = place;
	return 0;
}

static inline int tear_down(void **state)
{
	struct place *place = *state;

	if (place->storage != NULL)
		storage_close(place->storage);
	scratch_close(&place->scratch);
	free(place);
	return 0;
}

static inline void close_store(struct place *place)
{
	storage_close(place->storage);
	place->storage = NULL;
}

static inline int reopen(struct place *place, struct fault *fault)
{
	return storage_open(
		&place->storage, scratch_path(&place->scratch, "store"), false, fault);
}

/* A table of one file "data", like the one of a one-node braft group. */
static inline void make_table(struct table *table, int64_t index)
{
	table_init(table);
	table->has_meta = true;
	table->meta.index = index;
	table->meta.term = 3;
	assert_int_equal(table_add_peer(table, "127.0.0.1:18801:0:0"), 0);
	assert_int_equal(table_add_file(table, "data", NULL), 0);
}

static inline int commit(struct place *place, int64_t index, struct fault *fault)
{
	struct storage_writer *writer;
	struct table table;
	int error;

	assert_int_equal(storage_create(place->storage, &writer, NULL), 0);
	scratch_write(&place->scratch, "store/temp/data", "hello", 5);
	make_table(&table, index);
	error = storage_commit(writer, &table, NULL, 0, fault);
	table_fini(&table);
	return error;
}

static inline bool exists(struct place *place, const char *name)
{
	return scratch_exists(&place->scratch, name);
}

#endif
