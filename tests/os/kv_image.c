/* SPDX-License-Identifier: BSD-3-Clause */
/* The files of a snapshot of snapline-kv. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/kv/image.h"
#include "tests/lib/scratch.h"

static void set(struct keys *keys, const char *key, const char *value)
{
	const struct keys_text key_text = {(const uint8_t *)key, (uint32_t)strlen(key)};
	const struct keys_text value_text = {
		(const uint8_t *)value, (uint32_t)strlen(value)};

	assert_int_equal(keys_set(keys, key_text, value_text), 0);
}

static void fill(struct keys *keys, unsigned to, const char *value)
{
	for (unsigned i = 0; i < to; i++) {
		char key[32];

		(void)snprintf(key, sizeof(key), "key:%u", i);
		set(keys, key, value);
	}
}

static void save_all(const struct keys *keys, const char *dir, uint32_t files)
{
	assert_int_equal(image_files(keys), files);
	for (uint32_t i = 0; i < files; i++)
		assert_int_equal(image_save(keys, i, dir), 0);
}

/* Replicas reach the same keys on different ways, and one of them loads a snapshot. */
static void equal_keys_give_equal_files(void **state)
{
	struct scratch dir = {0}, other = {0};
	char *value = calloc(1, 20001);
	struct keys *keys, *loaded;
	char command[512];

	(void)state;
	scratch_open(&dir);
	scratch_open(&other);
	memset(value, 'x', 20000);
	assert_int_equal(keys_create(&keys), 0);
	assert_int_equal(keys_create(&loaded), 0);
	fill(keys, 5000, value);
	save_all(keys, dir.path, 4); /* 96 MiB */
	for (uint32_t i = 0; i < 4; i++) {
		char name[IMAGE_NAME_MAX];

		image_name(3 - i, name);
		assert_int_equal(image_load(loaded, dir.path, name, NULL), 0);
	}
	assert_int_equal(loaded->count, 5000);
	assert_true(loaded->digest == keys->digest);
	save_all(loaded, other.path, 4);
	(void)snprintf(command, sizeof(command), "diff -r %s %s", dir.path, other.path);
	assert_int_equal(system(command), 0);
	keys_destroy(keys);
	keys_destroy(loaded);
	free(value);
	scratch_close(&dir);
	scratch_close(&other);
}

static void a_damaged_file_is_refused_by_name(void **state)
{
	struct scratch dir = {0};
	struct fault fault = {0};
	struct keys *keys;
	char path[512];

	(void)state;
	scratch_open(&dir);
	assert_int_equal(keys_create(&keys), 0);
	set(keys, "key", "value");
	save_all(keys, dir.path, 1);
	(void)snprintf(path, sizeof(path), "truncate -s -1 %s/keys-00000", dir.path);
	assert_int_equal(system(path), 0);
	assert_int_equal(image_load(keys, dir.path, "keys-00000", &fault), -EBADMSG);
	assert_non_null(strstr(fault.text, "keys-00000: not a file of keys"));
	keys_destroy(keys);
	scratch_close(&dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_keys_give_equal_files),
		cmocka_unit_test(a_damaged_file_is_refused_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
