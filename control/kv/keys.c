/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/kv/keys.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sodium/crypto_shorthash.h>

enum { FIRST_ROOM = 4 };

/* The same on every node and in every release: the order of a snapshot depends on it. */
static const uint8_t hash_key[crypto_shorthash_KEYBYTES] = "snapline-kv key";

static uint64_t hash(const uint8_t *bytes, size_t len)
{
	uint64_t value;

	(void)crypto_shorthash((uint8_t *)&value, bytes, len, hash_key);
	return value;
}

static struct keys_bucket *const *find_bucket(
	const struct keys *keys, struct keys_text key)
{
	return &keys->buckets[hash(key.bytes, key.len) % KEYS_BUCKETS];
}

/* The hash of the value is folded into the key's length and hash, so that "ab","c" and
 * "a","bc" differ. */
static uint64_t digest_of(const struct keys_entry *entry)
{
	uint64_t parts[3] = {
		entry->key_len,
		hash(entry->bytes, entry->key_len),
		hash(entry->bytes + entry->key_len, entry->value_len),
	};

	return hash((const uint8_t *)parts, sizeof(parts));
}

static uint64_t size_of(const struct keys_entry *entry)
{
	return (uint64_t)entry->key_len + entry->value_len;
}

static void entry_unref(struct keys_entry *entry)
{
	/* release: our reads come before its end; acquire: theirs before free */
	if (atomic_fetch_sub_explicit(&entry->refs, 1, memory_order_acq_rel) == 1)
		free(entry);
}

static struct keys_entry *entry_create(struct keys_text key, struct keys_text value)
{
	struct keys_entry *entry = malloc(sizeof(*entry) + key.len + value.len);

	if (entry == NULL)
		return NULL;
	atomic_init(&entry->refs, 1);
	entry->key_len = key.len;
	entry->value_len = value.len;
	memcpy(entry->bytes, key.bytes, key.len);
	if (value.len > 0)
		memcpy(entry->bytes + key.len, value.bytes, value.len);
	return entry;
}

static void bucket_unref(struct keys_bucket *bucket)
{
	if (bucket == NULL ||
		atomic_fetch_sub_explicit(&bucket->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (uint32_t i = 0; i < bucket->count; i++)
		entry_unref(bucket->entries[i]);
	free(bucket);
}

static struct keys_bucket *bucket_create(uint32_t room)
{
	struct keys_bucket *bucket =
		malloc(sizeof(*bucket) + room * sizeof(struct keys_entry *));

	if (bucket == NULL)
		return NULL;
	atomic_init(&bucket->refs, 1);
	bucket->count = 0;
	bucket->room = room;
	return bucket;
}

/* Makes the bucket ours alone, with room for one more. Returns NULL without memory. */
static struct keys_bucket *bucket_own(struct keys_bucket **slot)
{
	struct keys_bucket *bucket = *slot;
	struct keys_bucket *made;
	uint32_t room;

	/* acquire: whoever let go of it last has read it to the end. Only this thread
	 * adds references, so a count of one stays one. */
	if (bucket != NULL && bucket->count < bucket->room &&
		atomic_load_explicit(&bucket->refs, memory_order_acquire) == 1)
		return bucket;
	room = bucket != NULL ? bucket->room : FIRST_ROOM;
	if (bucket != NULL && bucket->count == bucket->room)
		room *= 2;
	made = bucket_create(room);
	if (made == NULL)
		return NULL;
	made->count = bucket != NULL ? bucket->count : 0;
	for (uint32_t i = 0; i < made->count; i++) {
		made->entries[i] = bucket->entries[i];
		atomic_fetch_add_explicit(
			&made->entries[i]->refs, 1, memory_order_relaxed);
	}
	bucket_unref(bucket);
	*slot = made;
	return made;
}

static int compare(const struct keys_entry *entry, struct keys_text key)
{
	uint32_t len = entry->key_len < key.len ? entry->key_len : key.len;
	int order = len > 0 ? memcmp(entry->bytes, key.bytes, len) : 0;

	if (order != 0)
		return order;
	return entry->key_len < key.len ? -1 : entry->key_len > key.len;
}

/* Where the key is, or would be. */
static uint32_t find(
	const struct keys_bucket *bucket, struct keys_text key, bool *is_here)
{
	uint32_t low = 0;
	uint32_t high = bucket != NULL ? bucket->count : 0;

	*is_here = false;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = compare(bucket->entries[middle], key);

		if (order == 0) {
			*is_here = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int keys_create(struct keys **keys)
{
	struct keys *made = calloc(1, sizeof(*made));

	if (made == NULL)
		return -ENOMEM;
	*keys = made;
	return 0;
}

void keys_destroy(struct keys *keys)
{
	if (keys == NULL)
		return;
	for (uint32_t i = 0; i < KEYS_BUCKETS; i++)
		bucket_unref(keys->buckets[i]);
	free(keys);
}

static void count_in(struct keys *keys, const struct keys_entry *entry)
{
	keys->bytes += size_of(entry);
	keys->digest += digest_of(entry);
	keys->count++;
}

static void count_out(struct keys *keys, const struct keys_entry *entry)
{
	keys->bytes -= size_of(entry);
	keys->digest -= digest_of(entry);
	keys->count--;
}

int keys_set(struct keys *keys, struct keys_text key, struct keys_text value)
{
	struct keys_bucket **slot = (struct keys_bucket **)find_bucket(keys, key);
	struct keys_entry *entry;
	struct keys_bucket *bucket;
	bool is_here;
	uint32_t at;

	assert(key.len <= KEYS_KEY_MAX && value.len <= KEYS_VALUE_MAX);
	entry = entry_create(key, value);
	bucket = entry != NULL ? bucket_own(slot) : NULL;
	if (bucket == NULL) {
		free(entry);
		return -ENOMEM;
	}
	at = find(bucket, key, &is_here);
	if (is_here) {
		count_out(keys, bucket->entries[at]);
		entry_unref(bucket->entries[at]);
	} else {
		memmove(&bucket->entries[at + 1], &bucket->entries[at],
			(bucket->count - at) * sizeof(struct keys_entry *));
		bucket->count++;
	}
	bucket->entries[at] = entry;
	count_in(keys, entry);
	return 0;
}

int keys_delete(struct keys *keys, struct keys_text key)
{
	struct keys_bucket **slot = (struct keys_bucket **)find_bucket(keys, key);
	struct keys_bucket *bucket;
	bool is_here;
	uint32_t at = find(*slot, key, &is_here);

	if (!is_here)
		return 0;
	bucket = bucket_own(slot);
	if (bucket == NULL)
		return -ENOMEM;
	count_out(keys, bucket->entries[at]);
	entry_unref(bucket->entries[at]);
	bucket->count--;
	memmove(&bucket->entries[at], &bucket->entries[at + 1],
		(bucket->count - at) * sizeof(struct keys_entry *));
	return 1;
}

const struct keys_entry *keys_get(const struct keys *keys, struct keys_text key)
{
	const struct keys_bucket *bucket = *find_bucket(keys, key);
	bool is_here;
	uint32_t at = find(bucket, key, &is_here);

	return is_here ? bucket->entries[at] : NULL;
}

int keys_freeze(const struct keys *keys, struct keys **frozen)
{
	struct keys *made = malloc(sizeof(*made));

	if (made == NULL)
		return -ENOMEM;
	memcpy(made, keys, sizeof(*made));
	for (uint32_t i = 0; i < KEYS_BUCKETS; i++) {
		if (made->buckets[i] != NULL)
			atomic_fetch_add_explicit(
				&made->buckets[i]->refs, 1, memory_order_relaxed);
	}
	*frozen = made;
	return 0;
}
