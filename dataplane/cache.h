/* SPDX-License-Identifier: BSD-3-Clause */
/* Chunks read from disk, shared by all the sessions of a worker that want them.
 *
 *   cache_get ─► QUEUED ─(worker submits)─► LOADING ─(store completes)─► READY or FAILED
 *                                                                           │
 *             oldest block without a reference ◄──────────────── cache_put ◄─┘
 *
 * A session takes a chunk once: that one has taken it tells nothing about who else will,
 * and so the block that was read first is given up first. pack.h keeps the sessions of
 * one snapshot near enough to each other.
 *
 * Buffers come from the worker's pool and go back when a receiver needs them more. */
#ifndef CACHE_H
#define CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/pack.h"
#include "dataplane/store.h"

struct pool;

enum {
	CACHE_SLICE_MIN = 1024,                         /* bytes */
	CACHE_SLICES_MAX = (4 << 20) / CACHE_SLICE_MIN, /* of the largest chunk */
};

enum block_state { BLOCK_FREE, BLOCK_QUEUED, BLOCK_LOADING, BLOCK_READY, BLOCK_FAILED };

struct block {
	enum block_state state;
	bool is_stale; /* a refresh replaced it: no new reference */
	bool is_warm;  /* was a copy of what is in memory */
	uint32_t refs;
	int error; /* FAILED: negative errno of the store */
	struct store_object *object;
	uint32_t chunk;
	uint32_t slice_size; /* bytes; what slice_crc was computed for */
	uint64_t number;     /* they are counted as they are read */
	uint8_t *buf;
	uint32_t *slice_crc; /* CACHE_SLICES_MAX entries */
	uint16_t *slice_sum; /* as many; NULL: nobody wants sums */
};

struct cache {
	struct pool *pool;
	struct block *blocks;
	uint32_t *slice_crcs;
	uint16_t *slice_sums; /* NULL: not wanted */
	uint32_t nblocks;
	uint32_t nqueued;
	uint32_t nused;  /* blocks with a buffer */
	uint64_t newest; /* number of the block that was read last */
	uint64_t reads;  /* chunks read from disk */
	bool is_warm;    /* the last one was, see struct block */
	struct pack pack;
};

/* Allocates the bookkeeping for up to nblocks blocks. has_sums: slices are sent with a
 * UDP checksum made here. Returns 0 or -ENOMEM. */
int cache_init(struct cache *cache, struct pool *pool, uint32_t nblocks, bool has_sums);
/* Bytes of bookkeeping that takes. */
size_t cache_memory(uint32_t nblocks);
void cache_fini(struct cache *cache);

/* Whether cache_get would find the chunk here, or on its way. */
bool cache_has(const struct cache *cache, const struct store_object *object,
	uint32_t chunk, uint32_t slice_size);
struct pack_room cache_room(const struct cache *cache);

/* A reference to the block of a chunk, which may still be on its way from the disk.
 * refresh ignores what is cached. Returns NULL when every buffer is in use. */
struct block *cache_get(struct cache *cache, struct store_object *object, uint32_t chunk,
	uint32_t slice_size, bool refresh);
void cache_put(struct cache *cache, struct block *block);
/* The same by who knows that nobody else wants the chunk. One that can be copied from
 * memory again is forgotten: its buffer, the next to be taken, is in the CPU's cache. */
void cache_put_last(struct cache *cache, struct block *block);

/* Fills a read for the next queued block. Returns false when none is queued. Follow with
 * cache_mark_loading once the store took it. */
bool cache_next_load(struct cache *cache, struct store_request *request);
void cache_mark_loading(struct cache *cache, const struct store_request *request);
void cache_on_loaded(struct cache *cache, const struct store_completion *completion);

/* Gives one unreferenced block's buffer back to the pool. Returns false when there is
 * none. */
bool cache_reclaim(struct cache *cache);

/* Drops what is cached of an object that is about to be closed. Returns false while a
 * read of it is still under way. No session refers to the object any more. */
bool cache_forget(struct cache *cache, const struct store_object *object);

#endif
