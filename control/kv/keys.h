/* SPDX-License-Identifier: BSD-3-Clause */
/* The keys of a key-value store, with frozen copies that cost nothing until something is
 * changed.
 *
 *   keys ──► bucket ──► entry      a frozen copy has its own array of pointers and shares
 *            bucket     entry      the rest; whoever changes a shared bucket copies it
 *             …                    first (its pointers, not the keys and values)
 *
 * Buckets go by a fixed hash and are sorted inside, so the same keys are always in the
 * same order. One thread changes the keys; a frozen copy may be read and destroyed by
 * another one. */
#ifndef KEYS_H
#define KEYS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	KEYS_BUCKETS = 1 << 16,
	KEYS_KEY_MAX = 1 << 10,   /* bytes */
	KEYS_VALUE_MAX = 1 << 20, /* bytes */
};

/* Never changed once it is made. */
struct keys_entry {
	_Atomic uint32_t refs;
	uint32_t key_len;   /* bytes */
	uint32_t value_len; /* bytes */
	uint8_t bytes[];    /* the key, then the value */
};

struct keys_bucket {
	_Atomic uint32_t refs;
	uint32_t count;
	uint32_t room;                /* entries that fit */
	struct keys_entry *entries[]; /* sorted by key, byte-wise */
};

struct keys {
	struct keys_bucket *buckets[KEYS_BUCKETS]; /* NULL: empty */
	uint64_t count;                            /* of keys */
	uint64_t bytes;                            /* of all keys and values */
	uint64_t digest; /* sum of a hash over each key with its value */
};

struct keys_text {
	const uint8_t *bytes;
	uint32_t len;
};

/* Returns 0 or -ENOMEM. */
int keys_create(struct keys **keys);
void keys_destroy(struct keys *keys); /* NULL is allowed */

/* Returns 0, or -ENOMEM: nothing has changed. Longer than the bounds is the caller's bug.
 */
int keys_set(struct keys *keys, struct keys_text key, struct keys_text value);

/* Returns 1 when there was such a key, 0, or -ENOMEM: nothing has changed. */
int keys_delete(struct keys *keys, struct keys_text key);

/* NULL when there is none. Valid until the next change. */
const struct keys_entry *keys_get(const struct keys *keys, struct keys_text key);

/* A copy of the keys as they are now, to be read only and destroyed. Takes as long as
 * there are buckets. Returns 0 or -ENOMEM. */
int keys_freeze(const struct keys *keys, struct keys **frozen);

#endif
