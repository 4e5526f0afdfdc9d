/* SPDX-License-Identifier: BSD-3-Clause */
/* The keys of snapline-kv: frozen copies, digests, log entries. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "control/kv/entry.h"

static struct keys_text text(const char *string)
{
	return (struct keys_text){(const uint8_t *)string, (uint32_t)strlen(string)};
}

static void set(struct keys *keys, const char *key, const char *value)
{
	assert_int_equal(keys_set(keys, text(key), text(value)), 0);
}

static void assert_value(const struct keys *keys, const char *key, const char *value)
{
	const struct keys_entry *entry = keys_get(keys, text(key));

	if (value == NULL) {
		assert_null(entry);
		return;
	}
	assert_non_null(entry);
	assert_int_equal(entry->value_len, strlen(value));
	assert_memory_equal(entry->bytes + entry->key_len, value, strlen(value));
}

static void fill(struct keys *keys, unsigned from, unsigned to, const char *value)
{
	for (unsigned i = from; i < to; i++) {
		char key[32];

		(void)snprintf(key, sizeof(key), "key:%u", i);
		set(keys, key, value);
	}
}

static void a_key_is_set_changed_and_deleted(void **state)
{
	struct keys *keys;

	(void)state;
	assert_int_equal(keys_create(&keys), 0);
	assert_value(keys, "a", NULL);
	set(keys, "a", "1");
	set(keys, "ab", "");
	set(keys, "a", "22");
	assert_value(keys, "a", "22");
	assert_value(keys, "ab", "");
	assert_int_equal(keys->count, 2);
	assert_int_equal(keys->bytes, 5);
	assert_int_equal(keys_delete(keys, text("a")), 1);
	assert_int_equal(keys_delete(keys, text("a")), 0);
	assert_value(keys, "a", NULL);
	assert_int_equal(keys->count, 1);
	keys_destroy(keys);
}

static void the_digest_depends_on_the_keys_and_on_no_order(void **state)
{
	struct keys *one, *other;

	(void)state;
	assert_int_equal(keys_create(&one), 0);
	assert_int_equal(keys_create(&other), 0);
	fill(one, 0, 1000, "v");
	fill(other, 500, 1000, "old");
	fill(other, 500, 1000, "v");
	fill(other, 0, 500, "v");
	set(other, "more", "v");
	assert_true(one->digest != other->digest);
	(void)keys_delete(other, text("more"));
	assert_true(one->digest == other->digest);
	set(one, "ab", "c");
	set(other, "a", "bc");
	assert_true(one->digest != other->digest);
	keys_destroy(one);
	keys_destroy(other);
}

static void a_frozen_copy_stays_while_the_keys_change(void **state)
{
	struct keys *keys, *frozen, *second;

	(void)state;
	assert_int_equal(keys_create(&keys), 0);
	fill(keys, 0, 100000, "before");
	assert_int_equal(keys_freeze(keys, &frozen), 0);
	fill(keys, 0, 50000, "after");
	fill(keys, 100000, 120000, "after");
	assert_int_equal(keys_freeze(keys, &second), 0);
	for (unsigned i = 50000; i < 60000; i++) {
		char key[32];

		(void)snprintf(key, sizeof(key), "key:%u", i);
		assert_int_equal(keys_delete(keys, text(key)), 1);
	}
	assert_int_equal(frozen->count, 100000);
	assert_value(frozen, "key:0", "before");
	assert_value(frozen, "key:55555", "before");
	assert_value(frozen, "key:110000", NULL);
	assert_value(second, "key:0", "after");
	assert_value(second, "key:55555", "before");
	keys_destroy(frozen);
	assert_value(second, "key:110000", "after");
	keys_destroy(second);
	assert_value(keys, "key:55555", NULL);
	assert_value(keys, "key:0", "after");
	keys_destroy(keys);
}

static void an_entry_carries_out_its_writes_in_order(void **state)
{
	static const struct {
		enum entry_kind kind;
		const char *key;
		const char *value;
	} ops[] = {
		{ENTRY_SET, "a", "1"},
		{ENTRY_SET, "b", "2"},
		{ENTRY_DELETE, "a", ""},
		{ENTRY_DELETE, "a", ""},
		{ENTRY_SET, "b", "3"},
	};
	static uint8_t results[ENTRY_OPS_MAX];
	uint8_t bytes[256] = {0};
	struct keys *keys;
	size_t len = 0;

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		const struct entry_op op = {
			ops[i].kind, text(ops[i].key), text(ops[i].value)};

		entry_encode(&op, bytes + len);
		len += entry_size(&op);
	}
	assert_int_equal(keys_create(&keys), 0);
	assert_int_equal(entry_apply(keys, bytes, entry_pad(len), results), 5);
	assert_memory_equal(results, "\0\0\1\0\1", 5);
	assert_value(keys, "a", NULL);
	assert_value(keys, "b", "3");
	keys_destroy(keys);
}

static void a_damaged_entry_is_refused(void **state)
{
	static uint8_t results[ENTRY_OPS_MAX];
	const struct entry_op op = {ENTRY_SET, text("key"), text("value")};
	uint8_t bytes[64] = {0};
	struct keys *keys;

	(void)state;
	entry_encode(&op, bytes);
	assert_int_equal(keys_create(&keys), 0);
	for (size_t len = 1; len < entry_size(&op); len++)
		assert_int_equal(entry_apply(keys, bytes, len, results), -EBADMSG);
	bytes[0] = 7;
	assert_int_equal(entry_apply(keys, bytes, sizeof(bytes), results), -EBADMSG);
	bytes[0] = ENTRY_SET;
	memset(bytes + 1, 0xff, 4);
	assert_int_equal(entry_apply(keys, bytes, sizeof(bytes), results), -EBADMSG);
	keys_destroy(keys);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_is_set_changed_and_deleted),
		cmocka_unit_test(the_digest_depends_on_the_keys_and_on_no_order),
		cmocka_unit_test(a_frozen_copy_stays_while_the_keys_change),
		cmocka_unit_test(an_entry_carries_out_its_writes_in_order),
		cmocka_unit_test(a_damaged_entry_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
