/* SPDX-License-Identifier: BSD-3-Clause */
/* Every input kept in tests/fuzz/corpus through its target, once, without a fuzzer: what
 * was found once stays found, under any compiler. `make fuzz` looks for new ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>
#include <cmocka.h>

#include "dataplane/base/units.h"

#define TARGETS "tests/fuzz/targets"
#define CORPUS "tests/fuzz/corpus"

enum { INPUT_MAX = 64 << 10 };

struct target {
	const char *name;
	int (*run)(const uint8_t *data, size_t size);
};

int fuzz_address(const uint8_t *data, size_t size);
int fuzz_codec(const uint8_t *data, size_t size);
int fuzz_frame(const uint8_t *data, size_t size);
int fuzz_journal(const uint8_t *data, size_t size);
int fuzz_kv(const uint8_t *data, size_t size);
int fuzz_manifest(const uint8_t *data, size_t size);
int fuzz_name(const uint8_t *data, size_t size);
int fuzz_offer(const uint8_t *data, size_t size);
int fuzz_options(const uint8_t *data, size_t size);
int fuzz_packet(const uint8_t *data, size_t size);
int fuzz_pb_frame(const uint8_t *data, size_t size);
int fuzz_segment(const uint8_t *data, size_t size);
int fuzz_session(const uint8_t *data, size_t size);
int fuzz_table(const uint8_t *data, size_t size);

static const struct target targets[] = {
	{"address", fuzz_address},
	{"codec", fuzz_codec},
	{"frame", fuzz_frame},
	{"journal", fuzz_journal},
	{"kv", fuzz_kv},
	{"manifest", fuzz_manifest},
	{"name", fuzz_name},
	{"offer", fuzz_offer},
	{"options", fuzz_options},
	{"packet", fuzz_packet},
	{"pb_frame", fuzz_pb_frame},
	{"segment", fuzz_segment},
	{"session", fuzz_session},
	{"table", fuzz_table},
};

static void replay(const struct target *target, const char *name)
{
	uint8_t *bytes = malloc(INPUT_MAX);
	char path[512];
	FILE *file;
	size_t len;

	(void)snprintf(path, sizeof(path), CORPUS "/%s/%s", target->name, name);
	/* a target that fails aborts: this line says on what */
	print_message("%s\n", path);
	file = fopen(path, "rb");
	assert_non_null(file);
	assert_non_null(bytes);
	len = fread(bytes, 1, INPUT_MAX, file);
	assert_true(len < INPUT_MAX && ferror(file) == 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(target->run(bytes, len), 0);
	free(bytes);
}

static void every_kept_input_passes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		const struct dirent *entry;
		char path[64];
		size_t count = 0;
		DIR *dir;

		(void)snprintf(path, sizeof(path), CORPUS "/%s", targets[i].name);
		dir = opendir(path);
		assert_non_null(dir);
		while ((entry = readdir(dir)) != NULL) {
			if (entry->d_name[0] == '.')
				continue;
			replay(&targets[i], entry->d_name);
			count++;
		}
		assert_int_equal(closedir(dir), 0);
		assert_true(count > 0);
	}
}

/* What a fuzzer begins with: nothing, and the smallest things. */
static void every_target_bears_the_smallest_inputs(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		assert_int_equal(targets[i].run(NULL, 0), 0);
		for (uint32_t byte = 0; byte < 256; byte++)
			assert_int_equal(targets[i].run(&(uint8_t){(uint8_t)byte}, 1), 0);
	}
}

static bool is_replayed(const char *source)
{
	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		size_t len = strlen(targets[i].name);

		if (strncmp(source, targets[i].name, len) == 0 &&
			strcmp(source + len, ".c") == 0)
			return true;
	}
	return false;
}

static void no_target_is_forgotten_here(void **state)
{
	const struct dirent *entry;
	DIR *dir = opendir(TARGETS);

	(void)state;
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		const char *dot = strrchr(entry->d_name, '.');

		if (dot == NULL || strcmp(dot, ".c") != 0)
			continue;
		if (!is_replayed(entry->d_name))
			fail_msg("%s is not in this file's table", entry->d_name);
	}
	assert_int_equal(closedir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_target_is_forgotten_here),
		cmocka_unit_test(every_target_bears_the_smallest_inputs),
		cmocka_unit_test(every_kept_input_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
