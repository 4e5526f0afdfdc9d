/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/base/units.h"
#include "dataplane/manifest.h"

static void names_that_stay_inside(void **state)
{
	static const char *const good[] = {"a", "a b", "a/b/c", "...", "..a", "a..",
		"-rf", "\xc3\xa9t\xc3\xa9", "\xe6\x97\xa5", "\xf0\x9f\x90\x9f", "a\\b",
		".hidden", "dir/__snapline_manifest", "__raft_snapshot_metal"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(name_check(good[i], NULL), 0);
}

static void names_that_are_refused(void **state)
{
	static const char *const bad[] = {"", "/", "/etc/passwd", "..", ".", "../a",
		"a/..", "a/../b", "a/./b", "a//b", "a/", "a\nb", "a\x1b[2J", "a\x7f",
		"\xc2\x9b", "\xff", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80",
		"\xf4\x90\x80\x80", "\xc3", "\xe6\x97", "__raft_snapshot_meta",
		"__raft_snapshot_meta.tmp", "__raft_snapshot_meta/x",
		"__snapline_manifest", "__snapline_journal"};
	char *longest = calloc(1, 4200);
	struct fault fault = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(name_check(bad[i], NULL), -EINVAL);
	memset(longest, 'x', 4095);
	assert_int_equal(name_check(longest, NULL), 0);
	longest[4095] = 'x';
	assert_int_equal(name_check(longest, &fault), -EINVAL);
	assert_non_null(strstr(fault.text, "longer than 4095"));
	for (size_t i = 0; i < 130; i++)
		longest[i] = i % 2 == 0 ? 'd' : '/';
	longest[127] = '\0';
	assert_int_equal(name_check(longest, NULL), 0);
	longest[127] = '/';
	longest[129] = '\0';
	assert_int_equal(name_check(longest, NULL), -EINVAL);
	free(longest);
}

static void a_hostile_name_is_shown_harmless(void **state)
{
	char text[NAME_QUOTED];
	char narrow[16];

	(void)state;
	assert_string_equal(
		name_quote(text, sizeof(text), "a\x1b[2J\xff\n"), "a\\x1b[2J\\xff\\x0a");
	assert_string_equal(
		name_quote(text, sizeof(text), "\xc3\xa9t\xc3\xa9"), "\xc3\xa9t\xc3\xa9");
	assert_string_equal(
		name_quote(narrow, sizeof(narrow), "abcdefghijklmnop"), "abcdefgh...");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_that_stay_inside),
		cmocka_unit_test(names_that_are_refused),
		cmocka_unit_test(a_hostile_name_is_shown_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
